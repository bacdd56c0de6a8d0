//! One node with what is known of its inputs, and the table of operators.

use std::collections::HashMap;

use super::{Extent, Fact, Scalar, elementwise, layout, linear, reduce, values, window};
use crate::nodes::attribute;
use crate::proto::NodeProto;
use crate::tensor::ElementType;

pub(super) struct Call<'a, 'f> {
    pub(super) node: &'a NodeProto,
    pub(super) opset: i64,
    inputs: Vec<Option<&'f Fact<'a>>>,
}

impl<'a, 'f> Call<'a, 'f> {
    pub(super) fn new(
        node: &'a NodeProto,
        opset: i64,
        facts: &'f HashMap<&'a str, Fact<'a>>,
    ) -> Call<'a, 'f> {
        let inputs = node.input.iter().map(|name| facts.get(name.as_str())).collect();
        Call { node, opset, inputs }
    }

    pub(super) fn inputs(&self) -> &[Option<&'f Fact<'a>>] {
        &self.inputs
    }

    pub(super) fn input(&self, i: usize) -> Option<&'f Fact<'a>> {
        self.inputs.get(i).copied().flatten()
    }

    /// Whether the input is there at all, known or not.
    pub(super) fn has(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    pub(super) fn shape(&self, i: usize) -> Option<&'f [Extent]> {
        self.input(i)?.shape.as_deref()
    }

    pub(super) fn element(&self, i: usize) -> Option<ElementType> {
        self.input(i)?.element
    }

    pub(super) fn values(&self, i: usize) -> Option<&'f [Scalar]> {
        self.input(i)?.values.as_deref()
    }

    /// Values of an input that are all known.
    pub(super) fn numbers(&self, i: usize) -> Option<Vec<i64>> {
        let numbers = self.values(i)?.iter().map(|value| match value {
            Scalar::Int(number) => Some(*number),
            _ => None,
        });
        numbers.collect()
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        attribute(self.node, name).map(|a| a.i())
    }

    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        attribute(self.node, name).map(|a| a.ints.as_slice())
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(attribute(self.node, name)?.s.as_deref()?).ok()
    }

    /// Integers that were an attribute up to some version of the operator and
    /// are an input since. `Some(None)` if they are given in neither way.
    pub(super) fn ints_either(&self, name: &str, input: usize) -> Option<Option<Vec<i64>>> {
        if self.has(input) {
            return self.numbers(input).map(Some);
        }
        Some(self.ints(name).map(<[i64]>::to_vec))
    }
}

/// A tensor of this shape and the first input's element type.
pub(super) fn like_first<'a>(call: &Call<'a, '_>, shape: Option<Vec<Extent>>) -> Vec<Fact<'a>> {
    vec![Fact { element: call.element(0), shape, ..Fact::default() }]
}

/// What is known of a node's outputs: none for an operator that is not here.
pub(super) fn outputs<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    match call.node.op_type() {
        "Identity" => call.input(0).cloned().into_iter().collect(),
        "Relu"
        | "LeakyRelu"
        | "ThresholdedRelu"
        | "Clip"
        | "Sigmoid"
        | "HardSigmoid"
        | "HardSwish"
        | "Swish"
        | "Mish"
        | "Gelu"
        | "Tanh"
        | "Elu"
        | "Selu"
        | "Celu"
        | "Softplus"
        | "Softsign"
        | "Shrink"
        | "Abs"
        | "Neg"
        | "Exp"
        | "Log"
        | "Sqrt"
        | "Reciprocal"
        | "Sign"
        | "Erf"
        | "Sin"
        | "Cos"
        | "Not"
        | "Softmax"
        | "LogSoftmax"
        | "Hardmax"
        | "LRN"
        | "LpNormalization"
        | "MeanVarianceNormalization"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "LayerNormalization"
        | "GroupNormalization"
        | "RMSNormalization"
        | "CumSum"
        | "Trilu" => like_first(call, call.shape(0).map(<[_]>::to_vec)),
        "Dropout" => elementwise::dropout(call),
        "Floor" | "Ceil" | "Round" => {
            vec![Fact { constant: None, ..call.input(0).cloned().unwrap_or_default() }]
        }
        "Cast" | "CastLike" => elementwise::cast(call),
        "QuantizeLinear" | "DequantizeLinear" => elementwise::requantised(call),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" | "Mean" | "Sum" | "Mod"
        | "PRelu" | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => {
            elementwise::arithmetic(call)
        }
        "And" | "Or" | "Xor" | "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" => {
            elementwise::comparison(call)
        }
        "Where" => elementwise::selection(call),
        "Expand" => elementwise::expansion(call),

        "Conv" => like_first(call, window::convolution(call, 1)),
        "ConvInteger" => vec![Fact {
            element: Some(ElementType::I32),
            shape: window::convolution(call, 1),
            ..Fact::default()
        }],
        "QLinearConv" => vec![Fact {
            element: call.element(7),
            shape: window::convolution(call, 3),
            ..Fact::default()
        }],
        "ConvTranspose" => like_first(call, window::transposed_convolution(call)),
        "MaxPool" | "AveragePool" | "LpPool" => window::pool(call),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => {
            like_first(call, window::global(call))
        }

        "Gemm" => like_first(call, linear::gemm(call)),
        "MatMul" => like_first(call, linear::matmul(call.shape(0), call.shape(1))),
        "MatMulInteger" => vec![Fact {
            element: Some(ElementType::I32),
            shape: linear::matmul(call.shape(0), call.shape(1)),
            ..Fact::default()
        }],
        "QLinearMatMul" => vec![Fact {
            element: call.element(7),
            shape: linear::matmul(call.shape(0), call.shape(3)),
            ..Fact::default()
        }],

        "Flatten" => like_first(call, layout::flatten(call)),
        "Reshape" => layout::reshape(call),
        "Transpose" => like_first(call, layout::transpose(call)),
        "Concat" => layout::concat(call),
        "Split" => layout::split(call),
        "Slice" => layout::slice(call),
        "Pad" => like_first(call, layout::pad(call)),
        "Squeeze" => layout::squeeze(call),
        "Unsqueeze" => layout::unsqueeze(call),
        "Gather" => layout::gather(call),
        "Tile" => like_first(call, layout::tile(call)),
        "DepthToSpace" => like_first(call, layout::depth_to_space(call)),
        "SpaceToDepth" => like_first(call, layout::space_to_depth(call)),
        "Resize" | "Upsample" => like_first(call, layout::resize(call)),

        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
        | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" => {
            like_first(call, reduce::reduced(call))
        }
        "ArgMax" | "ArgMin" => vec![Fact {
            element: Some(ElementType::I64),
            shape: reduce::arg(call),
            ..Fact::default()
        }],

        "Shape" => values::shape(call),
        "Size" => values::size(call),
        "Constant" => values::constant_node(call),
        "ConstantOfShape" => values::constant_of_shape(call),
        _ => Vec::new(),
    }
}
