//! A graph without what stands between it and an engine: the same answers from
//! fewer nodes.

mod affine;
mod aliases;
mod behind;
mod constants;
mod in_front;
mod shapes;
mod unused;

use std::collections::HashSet;

use crate::graph::Graph;

impl Graph {
    /// The same network with less in it. Constant subgraphs and shapes that are
    /// known become weights; `Identity` and `Dropout` go; batch normalisation
    /// and what else multiplies or shifts channels behind a convolution or dense
    /// layer goes into its weights, as does batch normalisation in front of one
    /// where nothing is padded; what nothing reads goes, and weights are no longer
    /// listed as inputs.
    ///
    /// Inputs and outputs stay as they are, and so do the names of all tensors
    /// that are left. Outputs change by rounding alone. The file may grow by at
    /// most 1 MiB and its own weights: a `ConstantOfShape` that fills a large tensor
    /// stays a node.
    #[must_use]
    pub fn simplified(mut self) -> Graph {
        // The first version in which weights need not be inputs; nothing that
        // was valid before means something else since.
        self.model.ir_version = Some(self.model.ir_version().max(4));
        let opset = self.opset();
        let graph = self.graph_mut();
        aliases::remove(graph, opset);
        shapes::fold(graph, opset);
        constants::fold(graph, opset, &HashSet::new());
        unused::remove(graph);
        behind::fold(graph, opset);
        in_front::fold(graph);
        unused::remove(graph);
        self
    }
}

/// What follows from fixed shapes and constants alone becomes constants; what is made of
/// weights that move stays nodes, as it moves with them.
pub(crate) fn shapes_known(mut graph: Graph, moving: &HashSet<&str>) -> Graph {
    graph.model.ir_version = Some(graph.model.ir_version().max(4));
    let opset = graph.opset();
    let inner = graph.graph_mut();
    shapes::fold(inner, opset);
    constants::fold(inner, opset, moving);
    unused::remove(inner);
    graph
}

#[cfg(test)]
mod tests;
