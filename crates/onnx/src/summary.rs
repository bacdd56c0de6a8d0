use std::collections::BTreeMap;

use crate::check::element_count;
use crate::graph::{Batch, Graph};
use crate::index::Index;
use crate::infer::{BatchAs, Facts};
use crate::nodes::{attribute, describe, is_default_domain};
use crate::proto::NodeProto;
use crate::tensor::ElementType;

/// What a graph is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Version of the file format.
    pub ir_version: i64,
    /// Version of ONNX's own operator set.
    pub opset: i64,
    /// What wrote the file; may be empty.
    pub producer_name: String,
    /// That program's version; may be empty.
    pub producer_version: String,
    /// Number of nodes.
    pub nodes: usize,
    /// Operators and how often each occurs, by domain and name.
    pub operators: Vec<OperatorCount>,
    /// Floats in constants of at least one axis (weights, biases and the like,
    /// but not the bounds of a clip).
    pub parameters: u64,
    /// Bytes of these.
    pub parameter_bytes: u64,
    /// Multiplications with addition for one example.
    pub multiply_adds: MultiplyAdds,
}

/// An operator and its number of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorCount {
    /// Empty for ONNX's own.
    pub domain: String,
    /// As in ONNX, `Conv`.
    pub name: String,
    /// Nodes.
    pub count: usize,
}

/// Multiply-adds of convolutions and matrix products for one example; what works
/// value by value is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiplyAdds {
    /// The sum over all nodes that could be counted.
    pub counted: u64,
    /// Nodes that multiply, but whose shapes are not known, or of operators that
    /// are not counted. The sum is exact if there are none.
    pub uncounted: Vec<String>,
}

impl MultiplyAdds {
    /// The sum, if all of it could be counted.
    pub fn exact(&self) -> Option<u64> {
        self.uncounted.is_empty().then_some(self.counted)
    }
}

impl Graph {
    /// Counts everything; reads no weights.
    pub fn summary(&self) -> Summary {
        let graph = self.graph();
        let facts = self.facts(BatchAs::One);
        let mut operators: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for node in &graph.node {
            let domain = if is_default_domain(node.domain()) { "" } else { node.domain() };
            *operators.entry((domain, node.op_type())).or_default() += 1;
        }
        let (parameters, parameter_bytes) = self.parameters(&facts);
        Summary {
            ir_version: self.model.ir_version(),
            opset: self.opset(),
            producer_name: self.model.producer_name().to_owned(),
            producer_version: self.model.producer_version().to_owned(),
            nodes: graph.node.len(),
            operators: operators
                .into_iter()
                .map(|((domain, name), count)| OperatorCount {
                    domain: domain.to_owned(),
                    name: name.to_owned(),
                    count,
                })
                .collect(),
            parameters,
            parameter_bytes,
            multiply_adds: self.multiply_adds(&facts),
        }
    }

    /// Number and bytes, saturating: a `ConstantOfShape` may claim anything.
    fn parameters(&self, facts: &Facts<'_>) -> (u64, u64) {
        let mut sums = (0u64, 0u64);
        let mut add = |count: u64, element: Option<ElementType>| {
            if let Some(element) = element.filter(|element| element.is_float()) {
                let bytes = count.saturating_mul(element.bytes().unwrap_or(0));
                sums = (sums.0.saturating_add(count), sums.1.saturating_add(bytes));
            }
        };
        for tensor in self.graph().initializer.iter().filter(|t| !t.dims.is_empty()) {
            add(element_count(tensor).unwrap_or(0), ElementType::from_code(tensor.data_type()));
        }
        for node in &self.graph().node {
            if let ("Constant" | "ConstantOfShape", Some(output)) =
                (node.op_type(), node.output.first())
                && let Some(shape) = facts.fixed(output).filter(|shape| !shape.is_empty())
            {
                let count = shape.iter().fold(1u64, |count, &length| count.saturating_mul(length));
                add(count, facts.get(output).and_then(|fact| fact.element));
            }
        }
        sums
    }

    fn multiply_adds(&self, facts: &Facts<'_>) -> MultiplyAdds {
        let index = Index::new(self.graph());
        let mut sum = MultiplyAdds { counted: 0, uncounted: Vec::new() };
        for node in &self.graph().node {
            let multiplies = Multiplies::of(node);
            let constant = node.input.iter().all(|i| i.is_empty() || index.is_constant(i));
            if multiplies == Multiplies::Nothing || constant {
                continue;
            }
            let count = multiplies.count(node, facts);
            match count.and_then(|count| sum.counted.checked_add(count)) {
                Some(total) => sum.counted = total,
                None => sum.uncounted.push(describe(node)),
            }
        }
        if let Batch::Fixed(batch @ 1..) = self.batch() {
            sum.counted /= batch;
        }
        sum
    }
}

/// How a node multiplies, with the inputs that it multiplies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Multiplies {
    Nothing,
    Convolution { weights: usize },
    TransposedConvolution,
    Matrices,
    InAWayNotCounted,
}

impl Multiplies {
    fn of(node: &NodeProto) -> Multiplies {
        if !is_default_domain(node.domain()) {
            // A function of the model, or an engine's own operator: nobody knows.
            return Multiplies::InAWayNotCounted;
        }
        match node.op_type() {
            "Conv" | "ConvInteger" => Multiplies::Convolution { weights: 1 },
            "QLinearConv" => Multiplies::Convolution { weights: 3 },
            "ConvTranspose" => Multiplies::TransposedConvolution,
            "Gemm" | "MatMul" | "MatMulInteger" | "QLinearMatMul" => Multiplies::Matrices,
            "LSTM" | "GRU" | "RNN" | "Einsum" | "DeformConv" | "Attention" | "If" | "Loop"
            | "Scan" => Multiplies::InAWayNotCounted,
            _ => Multiplies::Nothing,
        }
    }

    fn count(self, node: &NodeProto, facts: &Facts<'_>) -> Option<u64> {
        let input = |i: usize| facts.fixed(node.input.get(i)?);
        let output = || facts.fixed(node.output.first()?);
        match self {
            Multiplies::Nothing => Some(0),
            Multiplies::InAWayNotCounted => None,
            // Each value of the result takes one row of the weights.
            Multiplies::Convolution { weights } => {
                let weights = input(weights)?;
                product(&output()?)?.checked_mul(product(weights.get(1..)?)?)
            }
            // Each value of the input meets the weights of its channel.
            Multiplies::TransposedConvolution => {
                product(&input(0)?)?.checked_mul(product(input(1)?.get(1..)?)?)
            }
            Multiplies::Matrices => {
                let left = input(0)?;
                let transposed = attribute(node, "transA").is_some_and(|a| a.i() != 0);
                let inner = if transposed { *left.first()? } else { *left.last()? };
                product(&output()?)?.checked_mul(inner)
            }
        }
    }
}

fn product(lengths: &[u64]) -> Option<u64> {
    lengths.iter().try_fold(1u64, |product, &length| product.checked_mul(length))
}
