//! Where a graph narrows to one tensor.

use std::collections::{HashMap, HashSet};

use crate::graph::Graph;
use crate::index::Index;
use crate::nodes::each_read;
use crate::proto::NodeProto;

/// How what a network sees flows to some tensors, the shapes that travel beside
/// it left out.
pub(crate) struct Flow<'a> {
    /// The tensors through which all of it passes, in order, the targets'
    /// included if there is but one.
    pub(crate) narrows: Vec<&'a str>,
    /// Who reads a tensor on the way.
    pub(crate) readers: HashMap<&'a str, Vec<&'a NodeProto>>,
}

impl Graph {
    /// The flow to tensors that nodes make.
    pub(crate) fn flow(&self, targets: &[&str]) -> Flow<'_> {
        let index = Index::new(self.graph());
        let (needed, _) = self.needed_for(targets);
        let mut data: HashSet<&str> = HashSet::new();
        for input in self.graph().input.iter().map(|i| i.name()) {
            if index.is_input(input) {
                data.insert(input);
            }
        }
        let mut live = data.clone();
        let mut last_read: HashMap<&str, usize> = HashMap::new();
        let mut readers: HashMap<&str, Vec<&NodeProto>> = HashMap::new();
        let nodes = || self.graph().node.iter().enumerate().filter(|&(i, _)| needed[i]);
        for (i, node) in nodes() {
            // A shape says nothing of the picture.
            if matches!(node.op_type(), "Shape" | "Size") {
                continue;
            }
            let mut sees = false;
            each_read(node, &mut |name| {
                if data.contains(name) {
                    sees = true;
                    last_read.insert(name, i);
                    let of = readers.entry(name).or_default();
                    if !of.last().is_some_and(|last| std::ptr::eq(*last, node)) {
                        of.push(node);
                    }
                }
            });
            if sees {
                data.extend(node.output.iter().filter(|o| !o.is_empty()).map(String::as_str));
            }
        }
        for target in targets {
            if let Some(target) = data.get(target) {
                last_read.insert(target, usize::MAX);
            }
        }
        let mut narrows = Vec::new();
        live.retain(|input| last_read.contains_key(input));
        for (i, node) in nodes() {
            live.retain(|tensor| last_read[tensor] > i);
            let before = live.len();
            for output in node.output.iter().map(String::as_str) {
                if data.contains(output) && last_read.get(output).is_some_and(|&last| last > i) {
                    live.insert(output);
                }
            }
            if before == 0 && live.len() == 1 {
                narrows.extend(live.iter());
            }
        }
        Flow { narrows, readers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a way leads from an input to the target when a tensor is taken out.
    fn reaches_past(graph: &Graph, taken_out: &str, target: &str) -> bool {
        let index = Index::new(graph.graph());
        let mut reached: HashSet<&str> = HashSet::new();
        reached.extend(graph.graph().input.iter().map(|i| i.name()).filter(|i| index.is_input(i)));
        for node in &graph.graph().node {
            if matches!(node.op_type(), "Shape" | "Size") {
                continue;
            }
            let mut sees = false;
            each_read(node, &mut |name| sees |= name != taken_out && reached.contains(name));
            if sees {
                reached.extend(node.output.iter().map(String::as_str));
            }
        }
        reached.contains(target) && taken_out != target
    }

    /// Against taking out each tensor in turn.
    #[test]
    fn a_graph_narrows_where_nothing_goes_past() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/");
        let light = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/light/light_");
        for path in [
            format!("{models}tiny/tiny.onnx"),
            format!("{models}mobilenet_v2/mobilenet_v2.onnx"),
            format!("{light}inception_v1.onnx"),
            format!("{light}shufflenet.onnx"),
            format!("{light}squeezenet.onnx"),
        ] {
            let graph = Graph::parse(&std::fs::read(&path).unwrap()).unwrap();
            let target = graph.graph().output[0].name().to_owned();
            let index = Index::new(graph.graph());
            let narrows = graph.flow(&[&target]).narrows;
            let made = graph.graph().node.iter().flat_map(|node| &node.output);
            let expected: Vec<&str> = made
                .map(String::as_str)
                .filter(|tensor| !tensor.is_empty() && !index.is_constant(tensor))
                .filter(|tensor| !reaches_past(&graph, tensor, &target))
                .collect();
            assert!(expected.len() > 5, "{path}");
            assert_eq!(narrows, expected, "{path}");
        }
    }
}
