//! Whole networks, node by node: what proofs in tests compare with. Plain loops in
//! 64-bit floats, held to the ONNX package's own test data for each operator.
//!
//! A graph in 32-bit floats is rounded after each node, as an engine would;
//! [`in_f64`] makes the same graph without rounding, for central differences.

mod arrange;
mod convolution;
mod doubles;
mod elementwise;
mod lanes;
mod linear;
mod normalise;
mod pooling;
mod reduce;
mod scatter;
mod windows;

use std::borrow::Cow;
use std::collections::HashMap;

use super::Evaluation;
use super::value::{Data, Value};
use crate::graph::Graph;
use crate::nodes::{attribute, describe, is_default_domain};
use crate::proto::NodeProto;
use crate::tensor::{ElementType, TensorInfo};

pub(crate) use doubles::in_f64;

/// All outputs of the graph. An error names the node that cannot be computed.
pub(crate) fn run_graph(
    graph: &Graph,
    inputs: &HashMap<String, Value>,
) -> Result<HashMap<String, Value>, String> {
    let proto = graph.graph();
    let mut values: HashMap<&str, Value> = HashMap::new();
    for tensor in &proto.initializer {
        let value = Value::of(tensor, usize::MAX).ok_or_else(|| {
            format!("weight {:?} is of a type that is not computed with", tensor.name())
        })?;
        values.insert(tensor.name(), value);
    }
    for info in proto.input.iter().map(TensorInfo::declared) {
        let Some((name, value)) = inputs.get_key_value(&info.name) else {
            if values.contains_key(info.name.as_str()) {
                continue;
            }
            return Err(format!("input {:?} is not given", info.name));
        };
        if info.element.is_some_and(|element| element != value.element) {
            return Err(format!(
                "input {name:?} is given as {}, declared otherwise",
                value.element
            ));
        }
        values.insert(name, value.clone());
    }
    for node in &proto.node {
        let inputs = node.input.iter().map(|name| match name.as_str() {
            "" => Ok(None),
            name => match values.get(name) {
                Some(value) => Ok(Some(value)),
                None => Err(format!("{} reads {name:?}, which nothing makes", describe(node))),
            },
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let of = Evaluation { node, opset: graph.opset(), inputs, limit: usize::MAX };
        let made = run_node(&of).ok_or_else(|| not_done(&of))?;
        let missing = node.output.iter().skip(made.len()).find(|name| !name.is_empty());
        if let Some(name) = missing {
            return Err(format!("{}: its output {name:?} is not computed", describe(node)));
        }
        let named = node.output.iter().zip(made).filter(|(name, _)| !name.is_empty());
        for (name, value) in named {
            values.insert(name, value);
        }
    }
    let output = |name: &str| match values.get(name) {
        Some(value) => Ok((name.to_owned(), value.clone())),
        None => Err(format!("nothing makes the output {name:?}")),
    };
    proto.output.iter().map(|info| output(info.name())).collect()
}

/// The outputs of one node, in order; those at the end may be missing.
fn run_node(of: &Evaluation<'_>) -> Option<Vec<Value>> {
    if !is_default_domain(of.node.domain()) {
        return None;
    }
    // What folding computes it computes here too.
    if let Some(value) = of.run() {
        return Some(vec![value]);
    }
    let outputs = match of.node.op_type() {
        "BatchNormalization" => normalise::batch_norm(of)?,
        "Dropout" => elementwise::dropout(of)?,
        "LayerNormalization" => normalise::layer_norm(of)?,
        "MaxPool" => pooling::max_pool(of)?,
        "Split" => arrange::split(of)?,
        _ => vec![only_output(of)?],
    };
    Some(outputs.into_iter().map(Value::rounded).collect())
}

fn only_output(of: &Evaluation<'_>) -> Option<Value> {
    match of.node.op_type() {
        "Add" | "Sub" | "Mul" | "Div" | "Pow" => elementwise::binary(of),
        "And" | "Or" | "Xor" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" => {
            elementwise::compare(of)
        }
        "ArgMax" | "ArgMin" => reduce::arg_max(of),
        "AveragePool" => pooling::average_pool(of),
        "Cast" | "CastLike" => elementwise::cast(of),
        "Clip" => elementwise::clip(of),
        "Conv" => convolution::conv(of),
        "ConvTranspose" => convolution::conv_transpose(of),
        "CumSum" => reduce::cumulative_sum(of),
        "DepthToSpace" => arrange::depth_to_space(of),
        "GatherElements" => scatter::gather_elements(of),
        "GatherND" => scatter::gather_nd(of),
        "Gemm" => linear::gemm(of),
        "GlobalAveragePool" | "GlobalMaxPool" => pooling::global_pool(of),
        "InstanceNormalization" => normalise::instance_norm(of),
        "LRN" => normalise::lrn(of),
        "MatMul" => linear::matmul(of),
        "Max" | "Mean" | "Min" | "Sum" => elementwise::variadic(of),
        "Not" => elementwise::not(of),
        "OneHot" => scatter::one_hot(of),
        "PRelu" => elementwise::prelu(of),
        "Pad" => arrange::pad(of),
        "Range" => arrange::range(of),
        "Scatter" | "ScatterElements" => scatter::scatter_elements(of),
        "ScatterND" => scatter::scatter_nd(of),
        "Shape" => arrange::shape(of),
        "Size" => arrange::size(of),
        "Softmax" | "LogSoftmax" => normalise::softmax(of),
        "SpaceToDepth" => arrange::space_to_depth(of),
        "Tile" => arrange::tile(of),
        op if op.starts_with("Reduce") => reduce::reduce(of),
        _ => elementwise::unary(of),
    }
}

impl<'a> Evaluation<'a> {
    fn float(&self, name: &str, default: f64) -> f64 {
        self.stated_float(name).unwrap_or(default)
    }

    fn stated_float(&self, name: &str) -> Option<f64> {
        attribute(self.node, name).map(|a| f64::from(a.f()))
    }

    /// What is not text is an empty one, which no operator knows.
    fn text(&self, name: &str, default: &'a str) -> &'a str {
        let stated = attribute(self.node, name);
        stated
            .map_or(default, |a| a.s.as_deref().and_then(|s| str::from_utf8(s).ok()).unwrap_or(""))
    }

    fn list(&self, name: &str) -> Option<&'a [i64]> {
        attribute(self.node, name).map(|a| &a.ints[..])
    }
}

fn not_done(of: &Evaluation<'_>) -> String {
    let inputs = of.inputs.iter().map(|input| match input {
        Some(value) => format!("{}{:?}", value.element, value.dims),
        None => "nothing".into(),
    });
    let inputs = inputs.collect::<Vec<_>>().join(", ");
    let attributes = stated(of.node);
    format!(
        "{}: not computed at opset {} of ({inputs}) with ({attributes})",
        describe(of.node),
        of.opset
    )
}

fn stated(node: &NodeProto) -> String {
    let attributes = node.attribute.iter().map(|a| match (a.i, a.f, &a.s) {
        (Some(i), _, _) => format!("{}={i}", a.name()),
        (_, Some(f), _) => format!("{}={f}", a.name()),
        (_, _, Some(s)) => format!("{}={}", a.name(), String::from_utf8_lossy(s)),
        _ => format!("{}={:?}{:?}", a.name(), a.ints, a.floats),
    });
    attributes.collect::<Vec<_>>().join(", ")
}

impl Value {
    pub(crate) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The values of any tensor, if floats hold them exactly.
    fn in_reals(&self) -> Option<Cow<'_, [f64]>> {
        match &self.data {
            Data::Real(values) => Some(Cow::Borrowed(values)),
            Data::Whole(values) => {
                let exact = values.iter().all(|v| v.unsigned_abs() < EXACT);
                exact.then(|| values.iter().map(|&v| v as f64).collect())
            }
        }
    }

    /// Of any type, if its values hold these exactly.
    fn of_reals(element: ElementType, dims: Vec<usize>, values: Vec<f64>) -> Option<Value> {
        if element.is_float() {
            return Some(Value::real_of(element, dims, values));
        }
        let exact = |v: &f64| v.fract() == 0.0 && v.abs() < EXACT as f64;
        let whole = || values.iter().map(|&v| v as i64).collect();
        values.iter().all(exact).then(|| Value::whole_of(element, dims, whole()))
    }
}

/// Whole numbers below it are exact in 64-bit floats.
const EXACT: u64 = 1 << 53;

mod node_data;
pub(crate) mod pytorch;
mod tests;
