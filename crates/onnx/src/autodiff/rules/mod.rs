//! One rule an operator: the node written forward, and its gradient.

mod activation;
mod arithmetic;
mod conv;
mod dense;
mod gather;
mod layout;
mod normalise;
mod pool;
mod reduce;
mod softmax;
mod window;

use super::emit::Emitter;
use super::step::Statistics;
use super::tape::{Call, Lowered, Refusal};
use crate::nodes::is_default_domain;
use crate::proto::NodeProto;

/// Writes a node forward, or says why it can't be differentiated.
pub(super) fn lower(
    call: &Call<'_>,
    e: &mut Emitter,
    statistics: Statistics,
) -> Result<Lowered, Refusal> {
    let Some(rule) = rule(call.node) else { return Err(Refusal::new("it has no gradient rule")) };
    match rule {
        Rule::Plain(rule) => rule(call, e),
        Rule::BatchNorm => normalise::batch_norm(call, e, statistics),
    }
}

/// Whether there is a rule for the operator, if not for every form of it.
pub(super) fn is_known(node: &NodeProto) -> bool {
    rule(node).is_some()
}

enum Rule {
    Plain(fn(&Call<'_>, &mut Emitter) -> Result<Lowered, Refusal>),
    BatchNorm,
}

fn rule(node: &NodeProto) -> Option<Rule> {
    if !is_default_domain(node.domain()) {
        return None;
    }
    Some(Rule::Plain(match node.op_type() {
        "BatchNormalization" => return Some(Rule::BatchNorm),
        "Conv" => conv::conv,
        "ConvTranspose" => conv::transposed,
        "Gemm" => dense::gemm,
        "MatMul" => dense::matmul,

        "Add" | "Sub" | "Mul" | "Div" => arithmetic::binary,
        "Sum" | "Mean" => arithmetic::sum,
        "Max" | "Min" => arithmetic::extreme,
        "Pow" => arithmetic::pow,
        "Neg" | "Abs" | "Sqrt" | "Exp" | "Log" | "Reciprocal" | "Erf" => arithmetic::unary,
        "Identity" => arithmetic::identity,

        "Relu" | "LeakyRelu" | "Elu" | "Clip" | "Sigmoid" | "HardSigmoid" | "HardSwish"
        | "Tanh" | "Softplus" => activation::activation,
        "PRelu" => activation::prelu,
        "Softmax" | "LogSoftmax" => softmax::softmax,

        "MaxPool" => pool::max,
        "AveragePool" => pool::average,
        "GlobalAveragePool" => pool::global_average,

        "LRN" => normalise::lrn,
        "LayerNormalization" => normalise::layer_norm,

        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => layout::reshape,
        "Transpose" => layout::transpose,
        "Concat" => layout::concat,
        "Split" => layout::split,
        "Slice" => layout::slice,
        "Pad" => layout::pad,
        "Expand" => layout::expand,
        "Dropout" => layout::dropout,

        "ReduceMean" | "ReduceSum" => reduce::reduce,
        "Gather" => gather::gather,
        _ => return None,
    }))
}
