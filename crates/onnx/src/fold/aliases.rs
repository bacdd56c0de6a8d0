//! Nodes that give what they take.

use std::collections::{HashMap, HashSet};

use crate::nodes::{each_read, inner_graphs_mut, is_default_domain};
use crate::proto::{GraphProto, NodeProto};

/// Removes `Identity` and `Dropout` whose results are not outputs of the graph
/// and whose masks nobody reads; who read the result reads the source.
pub(super) fn remove(graph: &mut GraphProto, opset: i64) {
    let mut read = HashSet::new();
    for node in &graph.node {
        each_read(node, &mut |name| {
            read.insert(name.to_owned());
        });
    }
    let outputs: HashSet<String> = graph.output.iter().map(|o| o.name().to_owned()).collect();
    let mut sources: HashMap<String, String> = HashMap::new();
    graph.node.retain_mut(|node| {
        redirect(node, &sources);
        let gives_what_it_takes = is_default_domain(node.domain())
            && match node.op_type() {
                "Identity" => true,
                // Before opset 12 the mode was not stated in the graph, or
                // (is_test, up to opset 6) left at what it was when exported.
                "Dropout" => opset < 12 || node.input.len() < 3,
                _ => false,
            };
        let [result, others @ ..] = &node.output[..] else { return true };
        let unread = |name: &String| !read.contains(name) && !outputs.contains(name);
        if !gives_what_it_takes || outputs.contains(result) || !others.iter().all(unread) {
            return true;
        }
        let Some(source) = node.input.first().filter(|name| !name.is_empty()) else { return true };
        sources.insert(result.clone(), source.clone());
        false
    });
    graph.value_info.retain(|info| !sources.contains_key(info.name()));
    graph.quantization_annotation.retain(|a| !sources.contains_key(a.tensor_name()));
}

/// Graphs inside nodes can't make a tensor of the same name: ONNX forbids it.
fn redirect(node: &mut NodeProto, sources: &HashMap<String, String>) {
    if sources.is_empty() {
        return;
    }
    for name in &mut node.input {
        if let Some(source) = sources.get(name) {
            name.clone_from(source);
        }
    }
    for inner in inner_graphs_mut(node) {
        inner.node.iter_mut().for_each(|node| redirect(node, sources));
        for output in &mut inner.output {
            if let Some(source) = output.name.as_ref().and_then(|name| sources.get(name)) {
                output.name = Some(source.clone());
            }
        }
    }
}
