//! Whether a graph works on each example of a batch alone.
//!
//! That the batch is the first axis of every tensor is not enough: a softmax
//! over that axis, or a product of a batch with itself, keeps shapes and mixes
//! examples. So each operator must be one that is known to work along the other
//! axes, with attributes that keep it there.

use std::collections::HashSet;

use crate::infer::{Extent, Facts, Scalar};
use crate::nodes::{attribute, each_read, inner_graphs, is_default_domain};
use crate::proto::{GraphProto, NodeProto};

/// The first axis of the graph's inputs is the batch, a symbol. Of sorted nodes.
pub(crate) fn each_example(graph: &GraphProto, facts: &Facts<'_>, opset: i64) -> bool {
    let weights: HashSet<&str> = graph.initializer.iter().map(|i| i.name()).collect();
    let mut inputs = graph.input.iter().map(|i| i.name()).filter(|i| !weights.contains(i));
    let batch = match inputs.clone().next().and_then(|input| facts.shape(input)) {
        Some(&[batch @ Extent::Symbol(_), ..]) => batch,
        _ => return false,
    };
    let mut seen = Seen { facts, batch, rows: HashSet::new(), sizes: HashSet::new() };
    if !inputs.all(|input| seen.is_row(input) && seen.rows.insert(input)) {
        return false;
    }
    let mut mixed: HashSet<&str> = HashSet::new();
    for node in &graph.node {
        let (mut rows, mut sizes, mut bad) = (false, false, false);
        each_read(node, &mut |name| {
            rows |= seen.rows.contains(name);
            sizes |= seen.sizes.contains(name);
            bad |= mixed.contains(name);
        });
        if !rows && !sizes && !bad {
            continue;
        }
        if !rows && !bad || matches!(node.op_type(), "Shape" | "Size") {
            // Numbers that don't depend on the batch are constants like others.
            let outputs = node.output.iter().map(String::as_str);
            let dependent: Vec<&str> = outputs.filter(|name| !seen.is_known(name)).collect();
            seen.sizes.extend(dependent);
            continue;
        }
        let opaque = inner_graphs(node).next().is_some() || !is_default_domain(node.domain());
        // Only of a split is more than the first output one row an example: others
        // are statistics of a batch, masks, positions counted through the batch.
        let kept = match node.op_type() {
            _ if bad || opaque || !seen.works_alone(node, opset) => 0,
            "Split" => node.output.len(),
            _ => 1,
        };
        for (i, output) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if i < kept && seen.is_row(output) {
                seen.rows.insert(output);
            } else {
                mixed.insert(output);
            }
        }
    }
    let outputs = || graph.output.iter().map(|o| o.name());
    outputs().any(|output| seen.rows.contains(output))
        && outputs().all(|output| !seen.sizes.contains(output) && !mixed.contains(output))
}

struct Seen<'a, 'f> {
    facts: &'f Facts<'a>,
    batch: Extent,
    /// Tensors with one row an example.
    rows: HashSet<&'a str>,
    /// Tensors that follow from the size of the batch alone.
    sizes: HashSet<&'a str>,
}

impl Seen<'_, '_> {
    /// Whether the batch is the first axis, and no other.
    fn is_row(&self, tensor: &str) -> bool {
        match self.facts.shape(tensor) {
            Some([first, rest @ ..]) => *first == self.batch && !rest.contains(&self.batch),
            _ => false,
        }
    }

    fn values(&self, tensor: &str) -> Option<&[Scalar]> {
        self.facts.get(tensor)?.values.as_deref()
    }

    fn is_known(&self, tensor: &str) -> bool {
        self.values(tensor).is_some_and(|v| v.iter().all(|v| matches!(v, Scalar::Int(_))))
    }

    /// A shape whose first length may be the batch, while no other depends on it.
    fn is_shape(&self, tensor: &str) -> bool {
        let fixed = |value: &Scalar| match value {
            Scalar::Int(_) => true,
            Scalar::Symbol(symbol) => Extent::Symbol(*symbol) != self.batch,
            Scalar::Unknown => false,
        };
        match self.values(tensor) {
            Some([Scalar::Int(_) | Scalar::Symbol(_), rest @ ..]) => rest.iter().all(fixed),
            _ => false,
        }
    }

    fn rank(&self, tensor: &str) -> Option<usize> {
        Some(self.facts.shape(tensor)?.len())
    }

    /// Whether the operator keeps examples apart, given that what it reads and
    /// makes has the batch as its first axis.
    fn works_alone(&self, node: &NodeProto, opset: i64) -> bool {
        let input = |i: usize| node.input.get(i).filter(|name| !name.is_empty());
        let is_row = |i: usize| input(i).is_some_and(|name| self.rows.contains(name.as_str()));
        let only_first = || is_row(0) && (1..node.input.len()).all(|i| !is_row(i));
        for (i, name) in node.input.iter().enumerate() {
            let place = matches!((node.op_type(), i), ("Reshape" | "Expand", 1) | ("Resize", 3));
            if self.sizes.contains(name.as_str()) && !(place && self.is_shape(name)) {
                return false;
            }
        }
        let rank = |i: usize| input(i).and_then(|name| self.rank(name));
        let out_rank = node.output.first().and_then(|name| self.rank(name));
        // An axis as it is counted from the front, if it is not the batch.
        let axis = |default: i64| {
            let axis = attribute(node, "axis").map_or(default, |a| a.i());
            let rank = rank(0).and_then(|rank| i64::try_from(rank).ok())?;
            let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
            (1..=rank).contains(&axis).then_some(axis)
        };
        let inside = |default| axis(default).is_some();
        match node.op_type() {
            "Identity" | "Relu" | "LeakyRelu" | "ThresholdedRelu" | "Clip" | "Sigmoid"
            | "HardSigmoid" | "HardSwish" | "Swish" | "Mish" | "Gelu" | "Tanh" | "Elu" | "Selu"
            | "Celu" | "Softplus" | "Softsign" | "Shrink" | "Abs" | "Neg" | "Exp" | "Log"
            | "Sqrt" | "Reciprocal" | "Sign" | "Erf" | "Sin" | "Cos" | "Not" | "Floor" | "Ceil"
            | "Round" | "Cast" | "CastLike" | "Dropout" | "QuantizeLinear" | "DequantizeLinear" => {
                only_first()
            }

            "Conv"
            | "ConvInteger"
            | "QLinearConv"
            | "ConvTranspose"
            | "MaxPool"
            | "AveragePool"
            | "LpPool"
            | "GlobalAveragePool"
            | "GlobalMaxPool"
            | "GlobalLpPool"
            | "LRN"
            | "BatchNormalization"
            | "InstanceNormalization"
            | "GroupNormalization"
            | "DepthToSpace"
            | "SpaceToDepth" => only_first(),

            // Row-major: a row of the result holds the values of a row.
            "Reshape" | "Flatten" | "Unsqueeze" => only_first(),
            "Slice" | "Pad" | "Tile" | "Resize" | "Upsample" => only_first(),
            "Expand" => only_first() && rank(0) == out_rank,
            // Without axes, those of length 1 go, the batch too.
            "Squeeze" => only_first() && (attribute(node, "axes").is_some() || input(1).is_some()),
            "Transpose" => attribute(node, "perm").is_some_and(|a| a.ints.first() == Some(&0)),

            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" | "Mean" | "Sum" | "Mod"
            | "PRelu" | "And" | "Or" | "Xor" | "Equal" | "Less" | "Greater" | "LessOrEqual"
            | "GreaterOrEqual" | "Where" => {
                // Of fewer axes, the batch would meet another axis.
                (0..node.input.len()).all(|i| !is_row(i) || rank(i) == out_rank)
            }

            "Concat" => inside(1),
            "Split" => inside(0),
            "Softmax" | "LogSoftmax" | "Hardmax" => inside(if opset < 13 { 1 } else { -1 }),
            "LayerNormalization" | "RMSNormalization" | "LpNormalization" => {
                only_first() && inside(-1)
            }
            "ArgMax" | "ArgMin" => inside(0),
            "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
            | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" => {
                only_first() && self.reduces_inside(node, rank(0))
            }
            "Gather" => match (is_row(0), is_row(1)) {
                (true, false) => inside(0),
                // Rows of a table.
                (false, true) => attribute(node, "axis").is_none_or(|a| a.i() == 0),
                _ => false,
            },

            "Gemm" => {
                let is_transposed = attribute(node, "transA").is_some_and(|a| a.i() != 0);
                let added = input(2).and_then(|name| self.facts.shape(name));
                let a_row_each = matches!(added, Some([first, _]) if *first != Extent::Fixed(1));
                only_first() && !is_transposed && !a_row_each
            }
            "MatMul" | "MatMulInteger" => match (is_row(0), is_row(1)) {
                (true, true) => rank(0) == rank(1) && rank(0) >= Some(3),
                (true, false) => rank(0) >= Some(2),
                (false, true) => rank(1) >= Some(3),
                (false, false) => false,
            },
            "QLinearMatMul" => only_first() && rank(0) >= Some(2),
            _ => false,
        }
    }

    fn reduces_inside(&self, node: &NodeProto, rank: Option<usize>) -> bool {
        let (Some(rank), stated) = (rank, attribute(node, "axes")) else { return false };
        let axes: Option<Vec<i64>> = match (stated, node.input.get(1)) {
            (Some(stated), _) => Some(stated.ints.clone()),
            (None, Some(input)) => self.values(input).and_then(|values| {
                let whole = values.iter().map(|value| match value {
                    Scalar::Int(axis) => Some(*axis),
                    _ => None,
                });
                whole.collect()
            }),
            (None, None) => None,
        };
        let first = |axis: i64| axis == 0 || axis.checked_add(rank as i64) == Some(0);
        axes.is_some_and(|axes| !axes.is_empty() && axes.iter().all(|&axis| !first(axis)))
    }
}
