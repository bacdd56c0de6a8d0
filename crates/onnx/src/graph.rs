use std::fmt;

use prost::Message;

use crate::check::check;
use crate::error::GraphError;
use crate::infer::{BatchAs, Facts};
use crate::nodes::is_default_domain;
use crate::proto::{GraphProto, ModelProto, StringStringEntryProto};
use crate::tensor::{Dim, TensorInfo};

/// An ONNX model for inference, in one piece.
///
/// Its nodes are sorted, every tensor has one maker, and everything that is read
/// is made.
#[derive(Clone, PartialEq)]
pub struct Graph {
    pub(crate) model: ModelProto,
}

/// How many examples a graph takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Any number.
    Dynamic,
    /// Exactly this many.
    Fixed(u64),
}

impl Graph {
    /// Reads a model and checks it.
    ///
    /// Nodes in an order in which they can't run are sorted.
    ///
    /// # Errors
    ///
    /// Bytes that are no model, models without a graph, operator set, input or
    /// output; training graphs; weights in other files (see
    /// [`Graph::parse_with_data`]); constants whose bytes
    /// don't fit their shape; tensors that are made twice or not at all; cycles.
    pub fn parse(bytes: &[u8]) -> Result<Graph, GraphError> {
        let model = ModelProto::decode(bytes)
            .map_err(|error| GraphError::Malformed { detail: error.to_string() })?;
        Graph::of_model(model)
    }

    pub(crate) fn of_model(mut model: ModelProto) -> Result<Graph, GraphError> {
        check(&mut model)?;
        Ok(Graph { model })
    }

    /// The model as a file. The same graph gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    /// What the graph must be given. Weights that are listed as inputs, as old
    /// files do, are not among them.
    pub fn inputs(&self) -> Vec<TensorInfo> {
        let weights: std::collections::HashSet<&str> =
            self.graph().initializer.iter().map(|i| i.name()).collect();
        let inputs = self.graph().input.iter().filter(|i| !weights.contains(i.name()));
        inputs.map(TensorInfo::declared).collect()
    }

    /// What the graph gives, as it declares it.
    pub fn outputs(&self) -> Vec<TensorInfo> {
        self.graph().output.iter().map(TensorInfo::declared).collect()
    }

    /// Every tensor that a node makes, in the nodes' order, with what shape
    /// inference tells of it.
    pub fn tensors(&self) -> Vec<TensorInfo> {
        let facts = self.facts(BatchAs::Declared);
        let names = self.graph().node.iter().flat_map(|n| &n.output);
        names.filter(|name| !name.is_empty()).map(|name| facts.info(name)).collect()
    }

    /// The shape of one tensor by inference; `None` if there is no such tensor
    /// or not even the number of its axes is known. Infers all of the graph:
    /// for many tensors, [`Graph::tensors`] is one pass.
    pub fn shape_of(&self, tensor: &str) -> Option<Vec<Dim>> {
        self.facts(BatchAs::Declared).dims(tensor)
    }

    /// Version of ONNX's own operator set.
    pub fn opset(&self) -> i64 {
        let default = self.model.opset_import.iter().filter(|o| is_default_domain(o.domain()));
        default.map(|o| o.version()).max().expect("invariant: checked by parse")
    }

    /// Whether the first axis of the inputs is free.
    ///
    /// A graph whose inputs disagree, or lack axes, is as fixed as its most
    /// fixed input, an input without axes counting as 1.
    pub fn batch(&self) -> Batch {
        let sizes = self.inputs().into_iter().map(|input| match input.shape.as_deref() {
            Some([Dim::Fixed(size), ..]) => Batch::Fixed(*size),
            Some([]) => Batch::Fixed(1),
            Some(_) | None => Batch::Dynamic,
        });
        sizes.fold(Batch::Dynamic, |all, one| match (all, one) {
            (Batch::Fixed(a), Batch::Fixed(b)) => Batch::Fixed(a.min(b)),
            (fixed @ Batch::Fixed(_), _) | (_, fixed) => fixed,
        })
    }

    /// Pins free axes of an input: shapes that depend on them become known.
    /// [`Dim::Unknown`] leaves an axis as it is.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownTensor`] if there is no such input,
    /// [`GraphError::InputShape`] if an axis is fixed at another length or the
    /// number of axes differs.
    pub fn with_input_shape(mut self, input: &str, shape: &[Dim]) -> Result<Graph, GraphError> {
        let Some(mut info) = self.inputs().into_iter().find(|i| i.name == input) else {
            let inputs = self.inputs();
            let names = inputs.iter().map(|i| i.name.as_str());
            return Err(crate::names::unknown(input, names));
        };
        let declared = info.shape.clone();
        let contradiction =
            || GraphError::InputShape { input: input.to_owned(), shape: declared.clone() };
        let mut pinned = declared.clone().unwrap_or_else(|| vec![Dim::Unknown; shape.len()]);
        if pinned.len() != shape.len() {
            return Err(contradiction());
        }
        for (dim, new) in pinned.iter_mut().zip(shape) {
            match (&*dim, new) {
                (_, Dim::Unknown) => {}
                (Dim::Fixed(old), new) if Dim::Fixed(*old) != *new => return Err(contradiction()),
                _ => *dim = new.clone(),
            }
        }
        info.shape = Some(pinned);
        // Declarations made for the free axes would contradict the pinned ones.
        self.graph_mut().value_info.clear();
        let declared = self.graph_mut().input.iter_mut().find(|i| i.name() == input);
        *declared.expect("an input of that name was found") = info.to_value_info();
        Ok(self)
    }

    /// What people have written into the model under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.model.metadata_props.iter().find(|entry| entry.key() == key).map(|e| e.value())
    }

    /// Writes a value under a key, in place of any that is there.
    pub fn set_metadata(&mut self, key: &str, value: &str) {
        match self.model.metadata_props.iter_mut().find(|entry| entry.key() == key) {
            Some(entry) => entry.value = Some(value.to_owned()),
            None => self.model.metadata_props.push(StringStringEntryProto {
                key: Some(key.to_owned()),
                value: Some(value.to_owned()),
            }),
        }
    }

    pub(crate) fn graph(&self) -> &GraphProto {
        self.model.graph.as_ref().expect("invariant: checked by parse")
    }

    pub(crate) fn graph_mut(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().expect("invariant: checked by parse")
    }

    pub(crate) fn facts(&self, batch: BatchAs) -> Facts<'_> {
        Facts::infer(self.graph(), self.opset(), batch)
    }

    /// From version 4 of the format on, a weight that is listed as an input may
    /// be overridden, and engines then optimise nothing that depends on it.
    pub(crate) fn weights_must_be_inputs(&self) -> bool {
        self.model.ir_version() < 4
    }
}

/// Names and numbers, not megabytes of weights.
impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("inputs", &self.inputs())
            .field("outputs", &self.outputs())
            .field("nodes", &self.graph().node.len())
            .finish_non_exhaustive()
    }
}
