//! From a tensor of the network to one row of features a picture.

use crate::error::{FeatureProblem, GraphError};
use crate::graph::Graph;
use crate::index::Index;
use crate::infer::{BatchAs, Extent};
use crate::names::{fresh, rename, taken};
use crate::nodes::{attribute, is_default_domain};
use crate::proto::{AttributeProto, NodeProto, attribute_proto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// Name of the output that holds the features, `[N, length]`.
pub const FEATURES: &str = "features";

/// What stands between a tensor and its features.
enum Pooling {
    /// It is `[N, length]` already.
    Nothing,
    /// It is `[N, length, 1, 1]`.
    Flatten,
    /// It is `[N, C, H, W]`.
    Average,
    /// It is `[N, H, W, C]`.
    AverageOfLast,
}

impl Graph {
    /// The part of the graph up to a tensor, and below it what makes features of
    /// it: nothing for `[N, length]`, the mean over height and width for four
    /// axes. The only output is [`FEATURES`], 32-bit floats `[N, length]`.
    ///
    /// [`Graph::append_head`] continues with these very nodes, so features that
    /// were computed with this graph are those of the grafted one.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::cut_at`], and [`GraphError::FeatureShape`].
    pub fn pooled_features(self, tensor: &str) -> Result<Graph, GraphError> {
        self.cut_at(tensor)?.pooled(tensor)
    }

    /// Of a graph that was cut at `tensor`.
    pub(crate) fn pooled(mut self, tensor: &str) -> Result<Graph, GraphError> {
        let (pooling, shape) = self.pooling(tensor)?;
        // The symbols of declared shapes stop tract when the batch is pinned.
        self.graph_mut().value_info.clear();
        let inputs = self.graph().input.iter().any(|i| i.name() == FEATURES);
        let mut names = taken(self.graph());
        if tensor != FEATURES && names.contains(FEATURES) && !inputs {
            let other = fresh(&mut names, FEATURES);
            rename(self.graph_mut(), FEATURES, &other);
        }
        if inputs {
            return Err(GraphError::DuplicateTensor { tensor: FEATURES.to_owned() });
        }
        let graph = self.graph_mut();
        if matches!(pooling, Pooling::Nothing) {
            rename(graph, tensor, FEATURES);
        } else {
            let mut from = tensor.to_owned();
            if tensor == FEATURES {
                from = fresh(&mut names, FEATURES);
                rename(graph, FEATURES, &from);
            }
            let mut step = |op: &str, name: &str, attribute: Vec<AttributeProto>| {
                let to = if op == "Flatten" { name.to_owned() } else { fresh(&mut names, name) };
                let from = std::mem::replace(&mut from, to.clone());
                graph.node.push(node(op, [from], to, attribute));
            };
            if matches!(pooling, Pooling::AverageOfLast) {
                step("Transpose", "features.nchw", vec![ints("perm", &[0, 3, 1, 2])]);
            }
            if matches!(pooling, Pooling::Average | Pooling::AverageOfLast) {
                step("GlobalAveragePool", "features.mean", Vec::new());
            }
            step("Flatten", FEATURES, vec![int("axis", 1)]);
        }
        let info = TensorInfo {
            name: FEATURES.to_owned(),
            element: Some(ElementType::F32),
            shape: Some(shape),
        };
        graph.output = vec![info.to_value_info()];
        Ok(self)
    }

    /// How to make features of a tensor, and their shape.
    fn pooling(&self, tensor: &str) -> Result<(Pooling, Vec<Dim>), GraphError> {
        let facts = self.facts(BatchAs::Declared);
        let refuse = |problem| GraphError::FeatureShape {
            tensor: tensor.to_owned(),
            shape: facts.dims(tensor),
            problem,
        };
        let element = facts.get(tensor).and_then(|fact| fact.element);
        if element.is_some_and(|element| element != ElementType::F32) {
            return Err(refuse(FeatureProblem::Element));
        }
        let one = Extent::Fixed(1);
        let (pooling, batch, length) = match facts.shape(tensor) {
            Some(&[batch, length]) => (Pooling::Nothing, batch, length),
            Some(&[batch, length, height, width]) if height == one && width == one => {
                (Pooling::Flatten, batch, length)
            }
            Some(&[batch, first, _, last]) => match self.axes(tensor) {
                Some(Axes::ChannelsFirst) => (Pooling::Average, batch, first),
                Some(Axes::ChannelsLast) => (Pooling::AverageOfLast, batch, last),
                None => return Err(refuse(FeatureProblem::Layout)),
            },
            _ => return Err(refuse(FeatureProblem::Rank)),
        };
        if !matches!(length, Extent::Fixed(1..)) {
            return Err(refuse(FeatureProblem::Length));
        }
        Ok((pooling, vec![facts.dim(batch), facts.dim(length)]))
    }

    /// Walks up to an operator that fixes the order of the axes: ONNX's
    /// convolutions and pools know only `[N, C, H, W]`.
    fn axes(&self, tensor: &str) -> Option<Axes> {
        let index = Index::new(self.graph());
        let mut at = tensor;
        let mut axes = Axes::ChannelsFirst;
        // Nodes are sorted, so the walk ends.
        loop {
            let (_, node) = index.producer(at)?;
            if !is_default_domain(node.domain()) {
                return None;
            }
            match node.op_type() {
                "Conv"
                | "ConvTranspose"
                | "QLinearConv"
                | "ConvInteger"
                | "MaxPool"
                | "AveragePool"
                | "LpPool"
                | "GlobalAveragePool"
                | "GlobalMaxPool"
                | "BatchNormalization"
                | "InstanceNormalization"
                | "LRN"
                | "DepthToSpace"
                | "SpaceToDepth" => return Some(axes),
                "Transpose" if axes == Axes::ChannelsFirst => {
                    match attribute(node, "perm")?.ints[..] {
                        [0, 2, 3, 1] => axes = Axes::ChannelsLast,
                        _ => return None,
                    }
                }
                "Relu" | "LeakyRelu" | "PRelu" | "Clip" | "Sigmoid" | "HardSigmoid"
                | "HardSwish" | "Swish" | "Mish" | "Gelu" | "Tanh" | "Elu" | "Selu" | "Celu"
                | "Softplus" | "Softsign" | "Erf" | "Abs" | "Neg" | "Exp" | "Sqrt" | "Identity"
                | "Dropout" | "Cast" | "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Sum" | "Mean"
                | "Max" | "Min" | "Concat" | "Pad" | "Resize" | "Upsample" | "DequantizeLinear"
                | "QuantizeLinear" => {}
                _ => return None,
            }
            at = node.input.iter().find(|input| !input.is_empty() && !index.is_constant(input))?;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Axes {
    ChannelsFirst,
    ChannelsLast,
}

pub(crate) fn node<const N: usize>(
    op: &str,
    inputs: [String; N],
    output: String,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        input: inputs.into(),
        name: Some(output.clone()),
        output: vec![output],
        op_type: Some(op.to_owned()),
        attribute,
        ..NodeProto::default()
    }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(attribute_proto::AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(attribute_proto::AttributeType::Ints as i32),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}
