use std::collections::HashSet;
use std::sync::LazyLock;

use tract_onnx::pb::{GraphProto, NodeProto};

use crate::error::OpenError;

/// The domains whose operators the engine means when it knows a name. It looks
/// at the name alone, so without this list a stranger's `Relu` would pass for
/// ONNX's.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

static NAMES: LazyLock<HashSet<String>> =
    LazyLock::new(|| tract_onnx::onnx().op_register.0.into_keys().collect());

/// Whether the device engine has an ONNX operator; `domain` is empty for ONNX's
/// own.
///
/// It may still lack an attribute or a data type of it: [`crate::check_onnx`]
/// finds that out for a whole model.
pub fn supports_operator(domain: &str, name: &str) -> bool {
    DOMAINS.contains(&domain) && NAMES.contains(name)
}

/// Checks every node of a graph and of the graphs inside its nodes.
pub(crate) fn check(graph: &GraphProto) -> Result<(), OpenError> {
    for node in &graph.node {
        if !supports_operator(&node.domain, &node.op_type) {
            return Err(OpenError::Operator { operator: operator(node), node: name(node) });
        }
        let attributes = node.attribute.iter();
        attributes.flat_map(|a| a.g.iter().chain(&a.graphs)).try_for_each(check)?;
    }
    Ok(())
}

fn operator(node: &NodeProto) -> String {
    match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}::{}", node.op_type),
    }
}

fn name(node: &NodeProto) -> String {
    match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => output.clone(),
        (name, _) => name.to_owned(),
    }
}
