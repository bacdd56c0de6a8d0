//! The network that says which word comes next.

use crate::graph::Graph;
use crate::head::LOGITS;
use crate::pool::{FEATURES, int, node};
use crate::proto::tensor_proto::DataType;
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto, TensorProto, ValueInfoProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// A next-word network before it has learnt: from the rows of the last words to a
/// vector, and from there to a number for each word, which is large where the word's
/// own vector points alike.
///
/// `v = C x + c + B relu(H x + h)` is the log-bilinear model of Mnih and Hinton 2007
/// ("Three new graphical models for statistical language modelling") beside the hidden
/// layer of Bengio et al. 2003 ("A neural probabilistic language model"), and
/// `logits = E v + b`, where E begins as the words' vectors. [`NextWord::tied`] keeps them
/// one while they learn (Press and Wolf 2017, "Using the output embedding to improve
/// language models").
#[derive(Clone, Copy, Debug)]
pub struct NextWord<'a> {
    /// What the input is called.
    pub input: &'a str,
    /// Values of the rows of the last words together.
    pub inputs: usize,
    /// Values of a word's vector.
    pub dimensions: usize,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// `[words][dimensions]`, row-major: the vectors of the words that can come.
    pub embedding: &'a [f32],
    /// `[words]`: their first biases.
    pub bias: &'a [f32],
}

impl NextWord<'_> {
    /// The name of E, `[words, dimensions]`.
    pub const EMBEDDING: &'static str = "words.weight";

    /// The name of the table in [`NextWord::tied`], `[rows, dimensions]`.
    pub const TABLE: &'static str = "table.weight";

    /// The network from its input `[batch, inputs]` to its outputs `features`, the vector
    /// `[batch, dimensions]`, and `logits`, `[batch, words]`.
    ///
    /// C and B are 0, so that the logits are the biases before the first step. H is drawn
    /// from `normal`, which gives numbers of mean 0 and variance 1.
    ///
    /// # Panics
    ///
    /// If the embedding has not `dimensions` values a bias.
    pub fn network(&self, normal: &mut dyn FnMut() -> f32) -> Graph {
        let NextWord { input, inputs, dimensions, hidden, embedding, bias } = *self;
        let words = bias.len();
        assert_eq!(embedding.len(), words * dimensions, "a vector a word");
        let deviation = (2.0 / inputs as f32).sqrt();
        let drawn = (0..hidden * inputs).map(|_| normal() * deviation).collect();
        let weights = [
            ("context.weight", vec![dimensions, inputs], vec![0.0; dimensions * inputs]),
            ("context.bias", vec![dimensions], vec![0.0; dimensions]),
            ("hidden.weight", vec![hidden, inputs], drawn),
            ("hidden.bias", vec![hidden], vec![0.0; hidden]),
            ("back.weight", vec![dimensions, hidden], vec![0.0; dimensions * hidden]),
            (NextWord::EMBEDDING, vec![words, dimensions], embedding.to_vec()),
            ("words.bias", vec![words], bias.to_vec()),
        ];
        let dense = |from: &str, layer: &str, to: &str| {
            let parts = [from.to_owned(), format!("{layer}.weight"), format!("{layer}.bias")];
            node("Gemm", parts, to.to_owned(), vec![int("transB", 1)])
        };
        // The sum has the bias of the other part.
        let back = ["hidden.relu", "back.weight"].map(str::to_owned);
        let nodes = vec![
            dense(input, "context", "context"),
            dense(input, "hidden", "hidden"),
            node("Relu", ["hidden".to_owned()], "hidden.relu".to_owned(), Vec::new()),
            node("Gemm", back, "back".to_owned(), vec![int("transB", 1)]),
            node("Add", ["context".to_owned(), "back".to_owned()], FEATURES.to_owned(), Vec::new()),
            dense(FEATURES, "words", LOGITS),
        ];
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("graft".to_owned()),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
            graph: Some(GraphProto {
                name: Some("next_word".to_owned()),
                node: nodes,
                initializer: weights.into_iter().map(tensor).collect(),
                input: vec![rows_of(input, inputs)],
                output: vec![rows_of(FEATURES, dimensions), rows_of(LOGITS, words)],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Graph::of_model(model).expect("invariant: nodes read the input, weights and each other")
    }

    /// What learns in the place of such a network if both sides have one table: E is its
    /// first rows, and the input, `[batch, last words]`, has for each word the number of
    /// its row, counted from 1. 0 is no word, whose row is 0 and stays so. Numbers are
    /// whole, in floats, as all that a training step takes.
    ///
    /// # Panics
    ///
    /// If the table is not rows, of which E is the first.
    pub fn tied(&self, network: &Graph, table: &[f32]) -> Graph {
        let NextWord { input, inputs, dimensions, bias, .. } = *self;
        let words = bias.len();
        assert!(
            table.len().is_multiple_of(dimensions) && table.len() >= words * dimensions,
            "a row for each word that can come"
        );
        let rows = table.len() / dimensions;
        let whole = |name: &str, values: &[i64]| TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(DataType::Int64 as i32),
            name: Some(name.to_owned()),
            raw_data: Some(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into()),
            ..TensorProto::default()
        };
        let owned = |names: [&str; 2]| names.map(str::to_owned);
        let to_whole = vec![int("to", DataType::Int64 as i64)];
        let first =
            [NextWord::TABLE, "table.begin", "table.words", "table.axis"].map(str::to_owned);
        let mut nodes = vec![
            node("Cast", [NUMBERS.to_owned()], "numbers.whole".to_owned(), to_whole),
            node("Pad", owned([NextWord::TABLE, "table.before"]), "table.all".to_owned(), vec![]),
            node(
                "Gather",
                owned(["table.all", "numbers.whole"]),
                "table.found".to_owned(),
                vec![int("axis", 0)],
            ),
            node("Flatten", ["table.found".to_owned()], input.to_owned(), vec![int("axis", 1)]),
            node("Slice", first, NextWord::EMBEDDING.to_owned(), vec![]),
        ];
        let mut graph = network.clone();
        let inner = graph.graph_mut();
        nodes.append(&mut inner.node);
        inner.node = nodes;
        inner.initializer.retain(|weight| weight.name() != NextWord::EMBEDDING);
        inner.initializer.extend([
            tensor((NextWord::TABLE, vec![rows, dimensions], table.to_vec())),
            whole("table.before", &[1, 0, 0, 0]),
            whole("table.begin", &[0]),
            whole("table.words", &[words as i64]),
            whole("table.axis", &[0]),
        ]);
        inner.input = vec![rows_of(NUMBERS, inputs / dimensions)];
        graph
    }
}

/// What the input of [`NextWord::tied`] is called.
const NUMBERS: &str = "numbers";

/// Of 32-bit floats, so many each.
fn rows_of(name: &str, length: usize) -> ValueInfoProto {
    let shape = vec![Dim::Symbol("batch".to_owned()), Dim::Fixed(length as u64)];
    let element = Some(ElementType::F32);
    TensorInfo { name: name.to_owned(), element, shape: Some(shape) }.to_value_info()
}

fn tensor((name, dims, values): (&str, Vec<usize>, Vec<f32>)) -> TensorProto {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorProto {
        dims: dims.iter().map(|&d| d as i64).collect(),
        data_type: Some(DataType::Float as i32),
        name: Some(name.to_owned()),
        raw_data: Some(raw.into()),
        ..TensorProto::default()
    }
}
