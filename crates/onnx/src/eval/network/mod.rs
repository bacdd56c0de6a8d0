//! Whole networks, node by node: what proofs in tests compare with. Plain loops in
//! 64-bit floats, held to the ONNX package's own test data for each operator.
//!
//! A graph in 32-bit floats is rounded after each node, as an engine would;
//! [`in_f64`] makes the same graph without rounding, for central differences.

mod doubles;

use std::collections::HashMap;

use super::Evaluation;
use super::value::{Data, Value};
use crate::graph::Graph;
use crate::nodes::{describe, is_default_domain};
use crate::proto::NodeProto;
use crate::tensor::TensorInfo;

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
    Some(vec![of.run()?])
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

    /// The values of a tensor of floats.
    pub(crate) fn reals(&self) -> Option<&[f64]> {
        match &self.data {
            Data::Real(values) => Some(values),
            Data::Whole(_) => None,
        }
    }
}

mod tests;
