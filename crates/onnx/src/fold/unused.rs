//! What no output needs.

use std::collections::HashSet;

use crate::nodes::each_read;
use crate::proto::GraphProto;

/// Removes nodes, weights and declarations that no output of the graph depends
/// on, and weights from the list of inputs. Inputs proper stay: they are what a
/// caller must give.
pub(super) fn remove(graph: &mut GraphProto) {
    let mut needed: HashSet<String> = graph.output.iter().map(|o| o.name().to_owned()).collect();
    let mut keep = vec![false; graph.node.len()];
    // Nodes are sorted: whoever needs a tensor comes after its maker.
    for (node, keep) in graph.node.iter().zip(&mut keep).rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            *keep = true;
            each_read(node, &mut |name| {
                needed.insert(name.to_owned());
            });
        }
    }
    let mut keep = keep.into_iter();
    graph.node.retain(|_| keep.next().expect("one flag a node"));
    let sparse = graph.sparse_initializer.iter().filter_map(|s| Some(s.values.as_ref()?.name()));
    let weights: HashSet<&str> = graph.initializer.iter().map(|i| i.name()).chain(sparse).collect();
    graph.input.retain(|input| !weights.contains(input.name()));
    graph.initializer.retain(|tensor| needed.contains(tensor.name()));
    graph
        .sparse_initializer
        .retain(|s| s.values.as_ref().is_some_and(|values| needed.contains(values.name())));
    let mut left = HashSet::new();
    left.extend(graph.node.iter().flat_map(|n| &n.output).map(String::as_str));
    graph.value_info.retain(|info| left.contains(info.name()));
    left.extend(graph.initializer.iter().map(|i| i.name()));
    left.extend(graph.input.iter().map(|i| i.name()));
    graph.quantization_annotation.retain(|a| left.contains(a.tensor_name()));
}
