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

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto, TensorProto, ValueInfoProto};

    fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: Some(op.into()),
            input: inputs.iter().map(|&i| i.into()).collect(),
            output: vec![output.into()],
            ..NodeProto::default()
        }
    }

    fn floats(name: &str, values: &[f32]) -> TensorProto {
        TensorProto {
            name: Some(name.into()),
            dims: vec![values.len() as i64],
            data_type: Some(1),
            float_data: values.to_vec(),
            ..TensorProto::default()
        }
    }

    fn value(name: &str) -> ValueInfoProto {
        ValueInfoProto { name: Some(name.into()), ..ValueInfoProto::default() }
    }

    /// A network that takes bytes, channels last, and subtracts ImageNet's mean itself.
    fn prepares(last: NodeProto) -> Graph {
        let nodes = vec![
            node("Cast", &["bytes"], "floats"),
            node("Sub", &["floats", "mean"], "centred"),
            node("Div", &["centred", "deviation"], "prepared"),
            node("Transpose", &["prepared"], "planes"),
            node("BatchNormalization", &["planes", "s", "s", "s", "s"], "normal"),
            last,
        ];
        let weights = vec![
            floats("mean", &[123.675, 116.28, 103.53]),
            floats("deviation", &[58.0]),
            floats("s", &[1.0; 3]),
            floats("w", &[0.0; 96]),
        ];
        let model = ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(13) }],
            graph: Some(GraphProto {
                node: nodes,
                initializer: weights,
                input: vec![value("bytes")],
                output: vec![value("y")],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Graph::parse(&model.encode_to_vec()).expect("a right model")
    }

    #[test]
    fn what_a_graph_does_to_its_pixels_is_told_up_to_the_first_layer() {
        let graph = prepares(node("Conv", &["normal", "w"], "y"));
        let steps = graph.input_steps("bytes");
        let found: Vec<(&str, &[f32])> =
            steps.iter().map(|step| (step.operator.as_str(), step.values.as_slice())).collect();
        let expected: [(&str, &[f32]); 5] = [
            ("Cast", &[]),
            ("Sub", &[123.675, 116.28, 103.53]),
            ("Div", &[58.0]),
            ("Transpose", &[]),
            ("BatchNormalization", &[]),
        ];
        assert_eq!(found, expected);
        assert_eq!(graph.input_steps("no such input"), []);
        // Where the picture goes two ways, nobody can say what follows is a preparation.
        let forked = prepares(node("Add", &["normal", "planes"], "y"));
        assert_eq!(forked.input_steps("bytes").len(), 4);
        // A factor that was learned for each of 96 places is no preparation to be told.
        let learned = prepares(node("Mul", &["w", "normal"], "y"));
        let last = learned.input_steps("bytes").pop().expect("six steps");
        assert_eq!((last.operator.as_str(), last.values.len()), ("Mul", 0));
    }
}
