//! The weights of a network: which there are, new values for them, and the part
//! of the network that holds them.

use std::collections::{HashMap, HashSet};

use crate::error::GraphError;
use crate::eval::floats;
use crate::graph::Graph;
use crate::names::unknown;
use crate::nodes::{each_read, is_default_domain};
use crate::proto::TensorProto;
use crate::tensor::{ElementType, TensorInfo};

/// A weight of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightInfo {
    /// Its name.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its layer: layers with weights are counted from 0, in the nodes' order.
    pub layer: usize,
}

impl Graph {
    /// The weights that can be trained, in the nodes' order: 32-bit floats that
    /// layers multiply with and add. What is left out are bounds, shapes, numbers
    /// without axes, and the running statistics of batch normalisation.
    pub fn weights(&self) -> Vec<WeightInfo> {
        let constants: HashMap<&str, &TensorProto> =
            self.graph().initializer.iter().map(|tensor| (tensor.name(), tensor)).collect();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut layer = 0;
        for node in self.graph().node.iter().filter(|node| is_default_domain(node.domain())) {
            let slots: &[usize] = match node.op_type() {
                "Conv" | "ConvTranspose" => &[1, 2],
                "Gemm" => &[0, 1, 2],
                "BatchNormalization" | "LayerNormalization" | "InstanceNormalization" => &[1, 2],
                "PRelu" => &[1],
                "Gather" => &[0],
                "MatMul" | "Add" | "Sub" | "Mul" | "Div" => &[0, 1],
                _ => continue,
            };
            let before = found.len();
            for name in slots.iter().filter_map(|&slot| node.input.get(slot)) {
                let Some(tensor) = constants.get(name.as_str()) else { continue };
                let shape: Vec<usize> =
                    tensor.dims.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
                let float = matches!(
                    ElementType::from_code(tensor.data_type()),
                    Some(ElementType::F32 | ElementType::F64)
                );
                // One number for all is a constant of the network's formula.
                if float && shape.iter().product::<usize>() > 1 && seen.insert(name.as_str()) {
                    found.push(WeightInfo { name: name.clone(), shape, layer });
                }
            }
            layer += usize::from(found.len() > before);
        }
        found
    }

    /// New values for weights, by name.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownTensor`] for one that isn't there,
    /// [`GraphError::WeightLength`] for another number of values.
    pub fn with_weights<'a>(
        mut self,
        values: impl IntoIterator<Item = (&'a str, &'a [f32])>,
    ) -> Result<Graph, GraphError> {
        let places: HashMap<String, usize> = (0..)
            .zip(&self.graph().initializer)
            .map(|(i, tensor)| (tensor.name().to_owned(), i))
            .collect();
        for (name, values) in values {
            let Some(&at) = places.get(name) else {
                return Err(unknown(name, places.keys().map(String::as_str)));
            };
            let tensor = &mut self.graph_mut().initializer[at];
            let expected = floats(tensor)
                .ok_or_else(|| GraphError::NotFloats { tensor: name.to_owned() })?
                .len();
            if values.len() != expected {
                let (tensor, found) = (name.to_owned(), values.len());
                return Err(GraphError::WeightLength { tensor, expected, found });
            }
            let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensor.float_data.clear();
            tensor.raw_data = Some(raw.into());
        }
        Ok(self)
    }

    /// The part of the network above a tensor, which becomes its only input.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownTensor`], [`GraphError::NotComputed`], and
    /// [`GraphError::DoesNotSeparate`] if something else goes past the tensor.
    pub fn part_above(mut self, tensor: &str) -> Result<Graph, GraphError> {
        self.check_separates(tensor)?;
        let info = self
            .tensors()
            .into_iter()
            .find(|info| info.name == tensor)
            .unwrap_or(TensorInfo { name: tensor.to_owned(), element: None, shape: None });
        let info = TensorInfo { element: info.element.or(Some(ElementType::F32)), ..info };
        let outputs: Vec<String> =
            self.graph().output.iter().map(|output| output.name().to_owned()).collect();
        // The tensor is made by nobody now: what only it needed goes.
        let graph = self.graph_mut();
        for node in &mut graph.node {
            for output in node.output.iter_mut().filter(|output| *output == tensor) {
                output.clear();
            }
        }
        let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
        self.keep_only(&names);
        let graph = self.graph_mut();
        graph.input.insert(0, info.to_value_info());
        Graph::of_model(self.model)
    }
}

/// Names of the running statistics of batch normalisation.
pub(super) fn statistics(graph: &Graph) -> HashSet<String> {
    let norms = graph.graph().node.iter().filter(|node| node.op_type() == "BatchNormalization");
    norms.flat_map(|node| node.input.iter().skip(3).take(2).cloned()).collect()
}

/// Names in the order in which nodes first read them.
pub(super) fn in_order<'a>(graph: &'a Graph, names: &HashSet<&str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    for node in &graph.graph().node {
        each_read(node, &mut |name| {
            if names.contains(name) && seen.insert(name) {
                order.push(name);
            }
        });
    }
    order
}

/// Values of a tensor of floats of either width.
pub(super) fn values(tensor: &TensorProto) -> Option<Vec<f32>> {
    match ElementType::from_code(tensor.data_type())? {
        ElementType::F64 => {
            let value = crate::eval::Value::of(tensor, usize::MAX)?;
            Some(value.reals()?.iter().map(|&v| v as f32).collect())
        }
        _ => floats(tensor),
    }
}
