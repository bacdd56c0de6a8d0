//! Values that lie in files beside the model's own.

use prost::Message;

use crate::check::element_count;
use crate::error::{GraphError, TensorProblem};
use crate::graph::Graph;
use crate::nodes::inner_graphs_mut;
use crate::proto::tensor_proto::DataLocation;
use crate::proto::{GraphProto, ModelProto, TensorProto};
use crate::tensor::ElementType;

/// Where the values of a tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalData<'a> {
    /// The other file, as the model states it. It may be anything, `..` and
    /// absolute paths too: whoever reads it has to judge.
    pub location: &'a str,
    /// The first byte.
    pub offset: u64,
    /// How many: what the tensor's shape asks for.
    pub length: u64,
}

impl Graph {
    /// As [`Graph::parse`], of a model whose values may lie in other files; `read`
    /// gets them. The graph is then in one piece.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::parse`]; [`GraphError::ExternalDataNotRead`] with the
    /// reason that `read` gave.
    pub fn parse_with_data(
        bytes: &[u8],
        read: &mut dyn FnMut(ExternalData<'_>) -> Result<Vec<u8>, String>,
    ) -> Result<Graph, GraphError> {
        let mut model = ModelProto::decode(bytes)
            .map_err(|error| GraphError::Malformed { detail: error.to_string() })?;
        if let Some(graph) = &mut model.graph {
            take_in_all(graph, read)?;
        }
        Graph::of_model(model)
    }
}

/// Recursion is bounded by the depth that the decoder accepts.
fn take_in_all(
    graph: &mut GraphProto,
    read: &mut dyn FnMut(ExternalData<'_>) -> Result<Vec<u8>, String>,
) -> Result<(), GraphError> {
    for tensor in &mut graph.initializer {
        let name = tensor.name().to_owned();
        take_in(tensor, &name, read)?;
    }
    for node in &mut graph.node {
        let name = node.output.first().cloned().unwrap_or_default();
        for attribute in &mut node.attribute {
            for tensor in attribute.t.as_deref_mut().into_iter().chain(&mut attribute.tensors) {
                take_in(tensor, &name, read)?;
            }
        }
        for inner in inner_graphs_mut(node) {
            take_in_all(inner, read)?;
        }
    }
    Ok(())
}

fn take_in(
    tensor: &mut TensorProto,
    name: &str,
    read: &mut dyn FnMut(ExternalData<'_>) -> Result<Vec<u8>, String>,
) -> Result<(), GraphError> {
    if tensor.data_location() != DataLocation::External {
        return Ok(());
    }
    let broken = |problem| GraphError::BadTensor { tensor: name.to_owned(), problem };
    let stated = |key: &str| tensor.external_data.iter().find(|e| e.key() == key);
    let location = stated("location").map_or("", |entry| entry.value()).to_owned();
    let refuse = |reason: String| GraphError::ExternalDataNotRead {
        tensor: name.to_owned(),
        location: location.clone(),
        reason,
    };
    let number = |key: &'static str| match stated(key) {
        None => Ok(None),
        Some(entry) => match entry.value().parse::<u64>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(refuse(format!("its {key} is {:?}, which is no number", entry.value()))),
        },
    };
    let size = ElementType::from_code(tensor.data_type()).and_then(ElementType::bytes);
    let size = size.ok_or_else(|| refuse("values of this type have no size".to_owned()))?;
    let count = element_count(tensor).ok_or_else(|| broken(TensorProblem::Shape))?;
    let length = count.checked_mul(size).ok_or_else(|| broken(TensorProblem::Shape))?;
    if let Some(found) = number("length")?.filter(|&found| found != length) {
        return Err(broken(TensorProblem::Length { expected: length, found }));
    }
    let offset = number("offset")?.unwrap_or(0);
    let bytes = read(ExternalData { location: &location, offset, length }).map_err(&refuse)?;
    tensor.raw_data = Some(bytes.into());
    tensor.external_data.clear();
    tensor.data_location = None;
    Ok(())
}
