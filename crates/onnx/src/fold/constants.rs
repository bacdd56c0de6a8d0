//! Subgraphs without inputs become weights.

use std::collections::{HashMap, HashSet};

use crate::check::element_count;
use crate::eval::{Evaluation, Value};
use crate::nodes::{attribute, inner_graphs, is_default_domain};
use crate::proto::{GraphProto, NodeProto, TensorProto};

/// Elements that are computed beyond those that a graph has already: what one
/// result may be larger than its inputs, and all of them together.
const MOST_GROWTH: usize = 1 << 16;
const MOST_WORK: usize = 1 << 18;
/// What is no larger comes first: a few large fills must not leave nothing for the
/// many numbers a channel.
const SMALL_GROWTH: usize = 1 << 12;

/// Weights in `moving` are no constants.
pub(super) fn fold(graph: &mut GraphProto, opset: i64, moving: &HashSet<&str>) {
    let own = graph.initializer.iter().filter_map(|t| usize::try_from(element_count(t)?).ok());
    // A weight may be read through a few nodes; a hostile graph reads it often.
    let mut budget = own.fold(MOST_WORK, |sum, count| sum.saturating_add(count.saturating_mul(2)));
    for growth in [SMALL_GROWTH, MOST_GROWTH] {
        fold_once(graph, opset, moving, growth, &mut budget);
    }
}

fn fold_once(
    graph: &mut GraphProto,
    opset: i64,
    moving: &HashSet<&str>,
    growth: usize,
    budget: &mut usize,
) {
    let outputs: HashSet<String> = graph.output.iter().map(|o| o.name().to_owned()).collect();
    let weights = graph.initializer.iter().filter(|tensor| !moving.contains(tensor.name()));
    let weights: HashMap<&str, &TensorProto> =
        weights.map(|tensor| (tensor.name(), tensor)).collect();
    let mut computed: HashMap<String, Value> = HashMap::new();
    let mut moved: Vec<TensorProto> = Vec::new();
    let mut gone = vec![false; graph.node.len()];
    for (node, gone) in graph.node.iter().zip(&mut gone) {
        let Some(name) = only_output(node) else { continue };
        if outputs.contains(name) || !is_default_domain(node.domain()) {
            continue;
        }
        if let Some(tensor) = whole_tensor(node) {
            moved.push(TensorProto { name: Some(name.to_owned()), ..tensor.clone() });
            *gone = true;
            // Shapes and other small numbers may be computed with.
            if let Some(value) = Value::of(tensor, growth.min(*budget)) {
                *budget -= value.len();
                computed.insert(name.to_owned(), value);
            }
            continue;
        }
        if let Some(value) = compute(node, opset, &weights, &computed, growth, budget) {
            moved.push(value.to_tensor(name));
            computed.insert(name.to_owned(), value);
            *gone = true;
        }
    }
    let mut gone = gone.into_iter();
    graph.node.retain(|_| !gone.next().expect("one flag a node"));
    graph.initializer.extend(moved);
}

fn only_output(node: &NodeProto) -> Option<&str> {
    match &node.output[..] {
        [only] if !only.is_empty() && inner_graphs(node).next().is_none() => Some(only),
        _ => None,
    }
}

/// The value of a `Constant`, of whatever type and size.
fn whole_tensor(node: &NodeProto) -> Option<&TensorProto> {
    if node.op_type() != "Constant" {
        return None;
    }
    attribute(node, "value")?.t.as_deref()
}

fn compute(
    node: &NodeProto,
    opset: i64,
    weights: &HashMap<&str, &TensorProto>,
    computed: &HashMap<String, Value>,
    growth: usize,
    budget: &mut usize,
) -> Option<Value> {
    // Weights are read only once it is certain that all inputs are constant.
    let constant = |name: &String| {
        name.is_empty() || computed.contains_key(name) || weights.contains_key(name.as_str())
    };
    if !node.input.iter().all(constant) {
        return None;
    }
    let mut read: HashMap<&str, Value> = HashMap::new();
    for name in node.input.iter().filter(|name| !name.is_empty() && !computed.contains_key(*name)) {
        if !read.contains_key(name.as_str()) {
            let value = Value::of(weights[name.as_str()], *budget)?;
            *budget -= value.len();
            read.insert(name, value);
        }
    }
    let input = |name: &String| computed.get(name).or_else(|| read.get(name.as_str()));
    let inputs: Vec<Option<&Value>> = node.input.iter().map(input).collect();
    let taken = inputs.iter().flatten().fold(0usize, |sum, value| sum.saturating_add(value.len()));
    let limit = taken.saturating_add(growth).min(*budget);
    let value = Evaluation { node, opset, inputs, limit }.run()?;
    *budget -= value.len();
    Some(value)
}
