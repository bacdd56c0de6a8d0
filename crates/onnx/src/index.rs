//! Who makes which tensor, and which tensors are constant.

use std::collections::{HashMap, HashSet};

use crate::nodes::each_read;
use crate::proto::{GraphProto, NodeProto};

pub(crate) struct Index<'a> {
    graph: &'a GraphProto,
    producers: HashMap<&'a str, usize>,
    constants: HashSet<&'a str>,
}

impl<'a> Index<'a> {
    /// Of a graph whose nodes are sorted.
    pub(crate) fn new(graph: &'a GraphProto) -> Index<'a> {
        let mut constants: HashSet<&str> = graph.initializer.iter().map(|i| i.name()).collect();
        constants.extend(
            graph.sparse_initializer.iter().filter_map(|s| Some(s.values.as_ref()?.name())),
        );
        let mut producers = HashMap::new();
        for (i, node) in graph.node.iter().enumerate() {
            let mut constant = !is_random(node);
            each_read(node, &mut |name| constant &= constants.contains(name));
            for output in node.output.iter().filter(|o| !o.is_empty()) {
                producers.insert(output.as_str(), i);
                if constant {
                    constants.insert(output);
                }
            }
        }
        Index { graph, producers, constants }
    }

    pub(crate) fn producer(&self, tensor: &str) -> Option<(usize, &'a NodeProto)> {
        let &i = self.producers.get(tensor)?;
        Some((i, &self.graph.node[i]))
    }

    /// Whether the tensor is a weight, or follows from weights alone.
    pub(crate) fn is_constant(&self, tensor: &str) -> bool {
        self.constants.contains(tensor)
    }

    pub(crate) fn is_input(&self, tensor: &str) -> bool {
        !self.is_constant(tensor) && self.graph.input.iter().any(|i| i.name() == tensor)
    }
}

fn is_random(node: &NodeProto) -> bool {
    node.op_type().starts_with("Random") || matches!(node.op_type(), "Bernoulli" | "Multinomial")
}
