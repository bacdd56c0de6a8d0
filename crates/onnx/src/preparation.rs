use std::collections::HashMap;

use crate::graph::Graph;
use crate::index::Index;
use crate::infer::small_floats;
use crate::nodes::is_default_domain;
use crate::proto::NodeProto;

/// Constants of more values than this are no channel's mean or deviation.
const CHANNELS: usize = 4;

/// Something that a graph does with its input before the first layer.
#[derive(Clone, Debug, PartialEq)]
pub struct InputStep {
    /// `Sub`, `Transpose` and the like.
    pub operator: String,
    /// The constant that it does it with: one number, or one a channel. Empty if
    /// there is none, or if it isn't in the file as it stands.
    pub values: Vec<f32>,
}

impl Graph {
    /// What happens to an input before the first layer that learned something:
    /// arithmetic with constants, batch normalisation, casts and changes of
    /// layout, in their order. Arithmetic here says that the graph prepares its
    /// pixels, or a part of it, itself.
    ///
    /// Ends where the tensor goes more than one way. Empty for an input that
    /// isn't there.
    pub fn input_steps(&self, input: &str) -> Vec<InputStep> {
        let index = Index::new(self.graph());
        let mut readers: HashMap<&str, Vec<&NodeProto>> = HashMap::new();
        for node in &self.graph().node {
            for name in &node.input {
                readers.entry(name).or_default().push(node);
            }
        }
        let mut steps = Vec::new();
        let mut at = input;
        while let Some([node]) = readers.get(at).map(Vec::as_slice) {
            let known = matches!(
                node.op_type(),
                "Add"
                    | "Sub"
                    | "Mul"
                    | "Div"
                    | "BatchNormalization"
                    | "Cast"
                    | "Identity"
                    | "Transpose"
            );
            let constant = node.input.iter().all(|i| i == at || index.is_constant(i));
            let [output] = node.output.as_slice() else { break };
            if !known || !constant || !is_default_domain(node.domain()) {
                break;
            }
            let other = node.input.iter().find(|i| *i != at);
            let values = match node.op_type() {
                "Add" | "Sub" | "Mul" | "Div" => other.map(|name| self.values_of(name, &index)),
                _ => None,
            };
            steps.push(InputStep {
                operator: node.op_type().to_owned(),
                values: values.unwrap_or_default(),
            });
            at = output;
        }
        steps
    }

    fn values_of(&self, tensor: &str, index: &Index<'_>) -> Vec<f32> {
        let stored = self.graph().initializer.iter().find(|i| i.name() == tensor);
        let in_node = || {
            let (_, node) = index.producer(tensor)?;
            (node.op_type() == "Constant").then_some(())?;
            node.attribute.iter().find(|a| a.name() == "value")?.t.as_deref()
        };
        let values = stored.or_else(in_node).and_then(small_floats).unwrap_or_default();
        if values.len() <= CHANNELS { values } else { Vec::new() }
    }
}
