use graft_onnx::{Graph, GraphError, Pool};

use super::{Content, Cost, Entry, InputSpec, OutputSpec};
use crate::stated::sized;

/// Counts what a model costs up to its features.
pub(super) fn count(
    graph: Graph,
    bytes: usize,
    input: &InputSpec,
    output: &OutputSpec,
) -> Result<Cost, GraphError> {
    let features = match &output.features {
        Some(features) => features.clone(),
        None => graph.classifier()?.features,
    };
    let graph = sized(graph, input)?;
    let summary = graph.pooled_features(&features, Pool::Mean)?.summary();
    Ok(Cost {
        bytes: bytes as u64,
        multiply_adds: summary.multiply_adds.exact(),
        parameters: summary.parameters,
    })
}

impl Entry {
    /// What its `model.toml` says that it costs, or what its graph does. `None` if
    /// neither is there, or the file can't be used, which is for those to say who
    /// open it.
    pub fn cost(&self) -> Option<Cost> {
        self.spec.cost.or_else(|| {
            let Content::Network { input, output } = &self.spec.content else { return None };
            let bytes = self.read().ok()?;
            let graph = Graph::parse(&bytes).ok()?;
            count(graph, bytes.len(), input, output).ok()
        })
    }
}
