//! The network before a head whose features are made elsewhere.

use crate::graph::Graph;
use crate::pool::{FEATURES, node};
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

impl Graph {
    /// Gives the rows `[N, length]` of its input `input` as its output
    /// [`FEATURES`](crate::FEATURES).
    pub fn rows(input: &str, length: usize) -> Graph {
        let info = |name: &str| {
            let shape = vec![Dim::Symbol("batch".to_owned()), Dim::Fixed(length as u64)];
            let element = Some(ElementType::F32);
            TensorInfo { name: name.to_owned(), element, shape: Some(shape) }.to_value_info()
        };
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("graft".to_owned()),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
            graph: Some(GraphProto {
                name: Some("rows".to_owned()),
                node: vec![node("Identity", [input.to_owned()], FEATURES.to_owned(), Vec::new())],
                input: vec![info(input)],
                output: vec![info(FEATURES)],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Graph::of_model(model).expect("invariant: one node, which reads the input")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DenseLayer, HeadWeights, LOGITS};

    #[test]
    fn a_head_can_be_put_on_it() {
        let layer = DenseLayer { inputs: 3, outputs: 2, weights: vec![1.0; 6], bias: vec![0.0; 2] };
        let graph =
            Graph::rows("texts", 3).append_head(&HeadWeights { layers: vec![layer] }).unwrap();
        assert_eq!(graph.inputs()[0].name, "texts");
        let outputs: Vec<String> = graph.outputs().into_iter().map(|o| o.name).collect();
        assert_eq!(outputs, [FEATURES, LOGITS]);
        assert_eq!(graph.summary().parameters, 8);
    }
}
