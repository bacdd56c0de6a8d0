//! A network that has learnt nothing: its features are pixels.

use crate::graph::Graph;
use crate::pool::{FEATURES, int, ints, node};
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

impl Graph {
    /// From `images`, `[batch, channels, height, width]`, to `features`: the pixels
    /// in a row, at most `most` of them, means of squares if there are more. What a
    /// linear model makes of them is what any network must beat.
    pub fn pixels(channels: usize, sides: [usize; 2], most: usize) -> Graph {
        let length = |square: usize| channels * (sides[0] / square) * (sides[1] / square);
        let largest = sides[0].min(sides[1]).max(1);
        let square = (1..largest).find(|&square| length(square) <= most).unwrap_or(largest);
        let mut nodes = Vec::new();
        let mut at = "images".to_owned();
        if square > 1 {
            let side = [square as i64; 2];
            let attributes = vec![ints("kernel_shape", &side), ints("strides", &side)];
            nodes.push(node("AveragePool", [at], "squares".to_owned(), attributes));
            at = "squares".to_owned();
        }
        nodes.push(node("Flatten", [at], FEATURES.to_owned(), vec![int("axis", 1)]));
        let info = |name: &str, rest: &[usize]| {
            let rest = rest.iter().map(|&d| Dim::Fixed(d as u64));
            let shape = [Dim::Symbol("batch".to_owned())].into_iter().chain(rest).collect();
            TensorInfo {
                name: name.to_owned(),
                element: Some(ElementType::F32),
                shape: Some(shape),
            }
            .to_value_info()
        };
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("graft".to_owned()),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
            graph: Some(GraphProto {
                name: Some("pixels".to_owned()),
                node: nodes,
                input: vec![info("images", &[channels, sides[0], sides[1]])],
                output: vec![info(FEATURES, &[length(square)])],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Graph::of_model(model).expect("invariant: two nodes, one after the other")
    }
}
