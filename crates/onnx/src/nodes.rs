//! What nodes read, and how people call them.

use crate::proto::{AttributeProto, GraphProto, NodeProto};

/// The name of a node for people: its operator, and its name or first output.
pub(crate) fn describe(node: &NodeProto) -> String {
    let name = match node.name() {
        "" => node.output.iter().find(|o| !o.is_empty()).map_or("", String::as_str),
        name => name,
    };
    format!("{} {name:?}", node.op_type())
}

/// Whether the operator is of ONNX's own set.
pub(crate) fn is_default_domain(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

pub(crate) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|a| a.name() == name)
}

/// Calls `visit` on every tensor that the node reads from the graph around it:
/// its inputs, and what the graphs in its attributes (the branches of an `If`,
/// the body of a `Loop`) take from outside themselves.
pub(crate) fn each_read<'a>(node: &'a NodeProto, visit: &mut dyn FnMut(&'a str)) {
    for input in node.input.iter().filter(|i| !i.is_empty()) {
        visit(input);
    }
    for inner in inner_graphs(node) {
        each_capture(inner, visit);
    }
}

pub(crate) fn inner_graphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|a| a.g.as_deref().into_iter().chain(&a.graphs))
}

pub(crate) fn inner_graphs_mut(node: &mut NodeProto) -> impl Iterator<Item = &mut GraphProto> {
    node.attribute.iter_mut().flat_map(|a| a.g.as_deref_mut().into_iter().chain(&mut a.graphs))
}

/// Recursion is bounded by the depth that the decoder accepts.
fn each_capture<'a>(graph: &'a GraphProto, visit: &mut dyn FnMut(&'a str)) {
    let mut own = std::collections::HashSet::new();
    own.extend(graph.input.iter().map(|i| i.name()));
    own.extend(graph.initializer.iter().map(|i| i.name()));
    own.extend(graph.sparse_initializer.iter().filter_map(|s| Some(s.values.as_ref()?.name())));
    own.extend(graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)));
    for node in &graph.node {
        each_read(node, &mut |name| {
            if !own.contains(name) {
                visit(name);
            }
        });
    }
    for output in graph.output.iter().map(|o| o.name()).filter(|n| !n.is_empty()) {
        if !own.contains(output) {
            visit(output);
        }
    }
}
