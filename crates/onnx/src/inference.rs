//! Nodes that were exported in training mode, as inference runs them.

use std::collections::HashSet;

use crate::nodes::{attribute, each_read, is_default_domain};
use crate::proto::GraphProto;

/// Turns batch normalisation and dropout that stand in training mode into what
/// they do at inference. What a training step reads of them (running statistics)
/// stays, and with it the mode, for the check that refuses training graphs.
pub(crate) fn settle(graph: &mut GraphProto) {
    let modes = |node: &crate::proto::NodeProto| {
        is_default_domain(node.domain())
            && (node.op_type() == "BatchNormalization"
                && attribute(node, "training_mode").is_some_and(|a| a.i() != 0)
                || node.op_type() == "Dropout" && node.input.len() > 2)
    };
    if !graph.node.iter().any(modes) {
        return;
    }
    let mut read: HashSet<String> = graph.output.iter().map(|o| o.name().to_owned()).collect();
    for node in &graph.node {
        each_read(node, &mut |name| {
            read.insert(name.to_owned());
        });
    }
    for node in graph.node.iter_mut().filter(|node| modes(node)) {
        if node.output.iter().skip(1).any(|output| read.contains(output)) {
            continue;
        }
        node.output.truncate(1);
        if node.op_type() == "Dropout" {
            node.input.truncate(2);
        } else {
            node.attribute.retain(|a| a.name() != "training_mode");
        }
    }
}
