//! From a tensor of the network to one row of features a picture.

use std::collections::HashSet;

use crate::error::{FeatureProblem, GraphError};
use crate::graph::Graph;
use crate::index::Index;
use crate::infer::{BatchAs, Extent, Facts};
use crate::names::{fresh, rename, taken};
use crate::nodes::{attribute, is_default_domain};
use crate::proto::{AttributeProto, NodeProto, attribute_proto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// Name of the output that holds the features, `[N, length]`.
pub const FEATURES: &str = "features";

/// How a map of features becomes a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pool {
    /// The mean over height and width: as many features as channels.
    #[default]
    Mean,
    /// The means of the four quarters of the picture: four times as many. Quarters
    /// of an odd height or width share its middle line, as in PyTorch's
    /// `AdaptiveAvgPool2d(2)`. What is a row already, or one pixel high or wide,
    /// is taken as [`Pool::Mean`] takes it.
    Grid,
}

/// What stands between a tensor and its features.
pub(crate) enum Pooling {
    /// It is `[N, length]` already.
    Nothing,
    /// It is `[N, length, 1, 1]`.
    Flatten,
    /// It is `[N, C, H, W]`, or `[N, H, W, C]` if `channels_last`.
    Average { channels_last: bool, quarters: Option<[u64; 2]> },
}

/// How to make features of a tensor, and their shape.
pub(crate) struct Plan {
    pub(crate) pooling: Pooling,
    pub(crate) batch: Dim,
    pub(crate) length: u64,
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
    pub fn pooled_features(self, tensor: &str, pool: Pool) -> Result<Graph, GraphError> {
        let mut cut = self.cut_at(tensor)?;
        let plan = cut.pooling(tensor, pool)?;
        let mut names = taken(cut.graph());
        let from = match cut.free_features_name(&mut names)? {
            Some(other) if tensor == FEATURES => other,
            _ => tensor.to_owned(),
        };
        // The symbols of declared shapes stop tract when the batch is pinned.
        cut.graph_mut().value_info.clear();
        if matches!(plan.pooling, Pooling::Nothing) {
            rename(cut.graph_mut(), &from, FEATURES);
        } else {
            cut.pool_into(&plan.pooling, from, FEATURES, &mut names);
        }
        let info = TensorInfo {
            name: FEATURES.to_owned(),
            element: Some(ElementType::F32),
            shape: Some(vec![plan.batch, Dim::Fixed(plan.length)]),
        };
        cut.graph_mut().output = vec![info.to_value_info()];
        Ok(cut)
    }

    /// Renames a tensor that is called [`FEATURES`]; its new name, if there is one.
    pub(crate) fn free_features_name(
        &mut self,
        names: &mut HashSet<String>,
    ) -> Result<Option<String>, GraphError> {
        if self.graph().input.iter().any(|i| i.name() == FEATURES) {
            return Err(GraphError::DuplicateTensor { tensor: FEATURES.to_owned() });
        }
        if names.insert(FEATURES.to_owned()) {
            return Ok(None);
        }
        let other = fresh(names, FEATURES);
        rename(self.graph_mut(), FEATURES, &other);
        Ok(Some(other))
    }

    /// Adds the nodes that make the row `to` of the tensor `from`; there is at
    /// least one.
    pub(crate) fn pool_into(
        &mut self,
        pooling: &Pooling,
        mut from: String,
        to: &str,
        names: &mut HashSet<String>,
    ) {
        let graph = self.graph_mut();
        let mut step = |op: &str, name: &str, attribute: Vec<AttributeProto>| {
            let to = if op == "Flatten" { to.to_owned() } else { fresh(names, name) };
            let from = std::mem::replace(&mut from, to.clone());
            graph.node.push(node(op, [from], to, attribute));
        };
        if let Pooling::Average { channels_last, quarters } = pooling {
            if *channels_last {
                step("Transpose", "features.nchw", vec![ints("perm", &[0, 3, 1, 2])]);
            }
            match quarters {
                None => step("GlobalAveragePool", "features.mean", Vec::new()),
                Some(sides) => {
                    let of = |f: fn(u64) -> u64| sides.map(|side| f(side) as i64);
                    let kernel = ints("kernel_shape", &of(|side| side.div_ceil(2)));
                    let strides = ints("strides", &of(|side| side / 2));
                    step("AveragePool", "features.quarters", vec![kernel, strides]);
                }
            }
        }
        step("Flatten", to, vec![int("axis", 1)]);
    }

    /// How to make features of a tensor.
    pub(crate) fn pooling(&self, tensor: &str, pool: Pool) -> Result<Plan, GraphError> {
        let facts = self.facts(BatchAs::Declared);
        self.pooling_with(&facts, tensor, pool)
    }

    /// The same, of facts that were inferred before.
    pub(crate) fn pooling_with(
        &self,
        facts: &Facts<'_>,
        tensor: &str,
        pool: Pool,
    ) -> Result<Plan, GraphError> {
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
        let average = |channels_last, height, width| match (pool, height, width) {
            (Pool::Mean, ..) => Ok(Pooling::Average { channels_last, quarters: None }),
            (Pool::Grid, Extent::Fixed(height @ 2..), Extent::Fixed(width @ 2..)) => {
                Ok(Pooling::Average { channels_last, quarters: Some([height, width]) })
            }
            (Pool::Grid, Extent::Fixed(_), Extent::Fixed(_)) => {
                Ok(Pooling::Average { channels_last, quarters: None })
            }
            (Pool::Grid, ..) => Err(refuse(FeatureProblem::Sides)),
        };
        let (pooling, batch, channels) = match facts.shape(tensor) {
            Some(&[batch, length]) => (Pooling::Nothing, batch, length),
            Some(&[batch, length, height, width]) if height == one && width == one => {
                (Pooling::Flatten, batch, length)
            }
            Some(&[batch, a, b, c]) => match self.axes(tensor) {
                Some(Axes::ChannelsFirst) => (average(false, b, c)?, batch, a),
                Some(Axes::ChannelsLast) => (average(true, a, b)?, batch, c),
                None => return Err(refuse(FeatureProblem::Layout)),
            },
            _ => return Err(refuse(FeatureProblem::Rank)),
        };
        let quarters = matches!(pooling, Pooling::Average { quarters: Some(_), .. });
        let length = match channels {
            Extent::Fixed(length @ 1..) => length.checked_mul(if quarters { 4 } else { 1 }),
            _ => None,
        };
        let length = length.ok_or_else(|| refuse(FeatureProblem::Length))?;
        Ok(Plan { pooling, batch: facts.dim(batch), length })
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

pub(crate) fn float_list(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(attribute_proto::AttributeType::Floats as i32),
        floats: values.to_vec(),
        ..AttributeProto::default()
    }
}

pub(crate) fn node_float(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(attribute_proto::AttributeType::Float as i32),
        f: Some(value as f32),
        ..AttributeProto::default()
    }
}
