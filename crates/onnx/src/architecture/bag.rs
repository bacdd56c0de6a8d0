//! The network from the words of a text to its features, its vectors being weights.

use crate::graph::Graph;
use crate::pool::{FEATURES, node};
use crate::proto::tensor_proto::DataType;
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto, TensorProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// What the vectors of [`Graph::bag`] are called.
pub const VECTORS: &str = "vectors";

impl Graph {
    /// A sum of vectors: of its input's rows `[N, words + dimensions]` the first numbers
    /// say how much each word counts, the others are added as they are, so
    /// [`FEATURES`](crate::FEATURES) `[N, dimensions]` is `counts · vectors + rest`.
    /// The vectors, `[words, dimensions]`, are the weight [`VECTORS`].
    ///
    /// Gathering the rows of each word says the same, but for texts of any length
    /// it takes padding to the longest, and its gradient a scatter, which engines do
    /// a row at a time; this is two matrix products.
    ///
    /// # Panics
    ///
    /// If there are no vectors, or not `words * dimensions` numbers.
    pub fn bag(input: &str, words: usize, dimensions: usize, vectors: &[f32]) -> Graph {
        assert!(!vectors.is_empty() && vectors.len() == words * dimensions, "a row a word");
        let info = |name: &str, length: usize| {
            let shape = vec![Dim::Symbol("batch".to_owned()), Dim::Fixed(length as u64)];
            let element = Some(ElementType::F32);
            TensorInfo { name: name.to_owned(), element, shape: Some(shape) }.to_value_info()
        };
        let place = |name: &str, value: usize| TensorProto {
            dims: vec![1],
            data_type: Some(DataType::Int64 as i32),
            name: Some(name.to_owned()),
            raw_data: Some((value as i64).to_le_bytes().to_vec().into()),
            ..TensorProto::default()
        };
        let raw: Vec<u8> = vectors.iter().flat_map(|value| value.to_le_bytes()).collect();
        let table = TensorProto {
            dims: vec![words as i64, dimensions as i64],
            data_type: Some(DataType::Float as i32),
            name: Some(VECTORS.to_owned()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        };
        let slice = |from: &str, to: &str, output: &str| {
            let inputs = [input, from, to, "axis"].map(str::to_owned);
            node("Slice", inputs, output.to_owned(), Vec::new())
        };
        let both = |op: &str, a: &str, b: &str, output: &str| {
            node(op, [a.to_owned(), b.to_owned()], output.to_owned(), Vec::new())
        };
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("graft".to_owned()),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
            graph: Some(GraphProto {
                name: Some("bag".to_owned()),
                node: vec![
                    slice("begin", "words", "counts"),
                    slice("words", "end", "rest"),
                    both("MatMul", "counts", VECTORS, "known"),
                    both("Add", "known", "rest", FEATURES),
                ],
                initializer: vec![
                    place("begin", 0),
                    place("words", words),
                    place("end", words + dimensions),
                    place("axis", 1),
                    table,
                ],
                input: vec![info(input, words + dimensions)],
                output: vec![info(FEATURES, dimensions)],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Graph::of_model(model).expect("invariant: four nodes, each behind what it reads")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DenseLayer, HeadWeights};

    #[test]
    fn its_vectors_and_its_head_are_what_can_be_trained() {
        let layer = DenseLayer { inputs: 3, outputs: 2, weights: vec![1.0; 6], bias: vec![0.0; 2] };
        let graph = Graph::bag("texts", 4, 3, &[0.5; 12])
            .append_head(&HeadWeights { layers: vec![layer] })
            .unwrap();
        let weights: Vec<(String, Vec<usize>)> =
            graph.weights().into_iter().map(|w| (w.name, w.shape)).collect();
        let named = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
        assert_eq!(
            weights,
            [named(VECTORS, &[4, 3]), named("head.0.weight", &[2, 3]), named("head.0.bias", &[2])]
        );
    }
}
