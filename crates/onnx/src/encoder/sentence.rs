//! From a tensor of token ids to one row a text.
//!
//! A bundle prepares one tensor of 32-bit floats for one example, whatever that is; so
//! the ids travel as floats, which hold whole numbers up to 2^24, and a negative number
//! stands for padding. Ids and mask, which exporters have for inputs of their own, are
//! made of it in the graph.

use super::bert::cast;
use super::build::Build;
use super::{EncoderError, SentenceEncoder};
use crate::error::GraphError;
use crate::graph::Graph;
use crate::infer::BatchAs;
use crate::names::{rename, taken};
use crate::pool::{FEATURES, int};
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// What the input of a [`SentenceEncoder`] is called.
pub const TOKENS: &str = "tokens";

/// How the rows of a text's tokens become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TokenPooling {
    /// Their mean, as of most sentence encoders.
    #[default]
    Mean,
    /// The row of the first token, which such a model was trained to sum up in.
    First,
}

/// What is made of the input.
pub(super) struct Read {
    /// 64-bit integers, `[N, S]`; 0 for padding.
    pub(super) ids: String,
    /// 1 for a token, 0 for padding, `[N, S]`.
    pub(super) mask: String,
}

impl Read {
    pub(super) fn tokens(build: &mut Build) -> Read {
        let zero = build.floats("tokens.zero", &[], &[0.0]);
        let one = build.floats("tokens.one", &[], &[1.0]);
        let whole = build.node("Max", &[TOKENS, &zero], "tokens.whole", vec![]);
        let ids = cast(build, &whole, ElementType::I64, "tokens.ids");
        // -1, 0, 1, 2, … plus 1 is 0, 1, 2, 3, …
        let more = build.node("Add", &[TOKENS, &one], "tokens.more", vec![]);
        let mask = build.node("Clip", &[&more, &zero, &one], "tokens.mask", vec![]);
        Read { ids, mask }
    }
}

/// Pools `rows`, `[N, S, length]`, and brings what comes of it to length 1.
pub(super) fn sentence(
    mut build: Build,
    read: &Read,
    rows: &str,
    pooling: TokenPooling,
    length: usize,
    opset: i64,
) -> ModelProto {
    let pooled = match pooling {
        TokenPooling::Mean => mean(&mut build, read, rows, opset),
        TokenPooling::First => {
            let zero = build.wholes("sentence.zero", &[0]);
            let one = build.wholes("sentence.one", &[1]);
            let first = build.node("Slice", &[rows, &zero, &one, &one], "sentence.first", vec![]);
            squeeze(&mut build, &first, opset, "sentence.pooled")
        }
    };
    of_length_1(&mut build, &pooled, opset);
    model(build, length, opset)
}

/// As sentence-transformers does: padding counts nothing.
fn mean(build: &mut Build, read: &Read, rows: &str, opset: i64) -> String {
    let axes = build.wholes("sentence.last", &[2]);
    let least = build.floats("sentence.least", &[], &[1e-9]);
    let column = if opset < 13 {
        build.node(
            "Unsqueeze",
            &[&read.mask],
            "sentence.column",
            vec![crate::pool::ints("axes", &[2])],
        )
    } else {
        build.node("Unsqueeze", &[&read.mask, &axes], "sentence.column", vec![])
    };
    let kept = build.node("Mul", &[rows, &column], "sentence.kept", vec![]);
    let sum = reduce_sum(build, &kept, "sentence.sum", opset, 1, 0);
    let count = reduce_sum(build, &read.mask, "sentence.count", opset, 1, 1);
    let count = build.node("Max", &[&count, &least], "sentence.counted", vec![]);
    build.node("Div", &[&sum, &count], "sentence.pooled", vec![])
}

fn of_length_1(build: &mut Build, pooled: &str, opset: i64) {
    let least = build.floats("sentence.shortest", &[], &[1e-12]);
    let squares = build.node("Mul", &[pooled, pooled], "sentence.squares", vec![]);
    let square = reduce_sum(build, &squares, "sentence.square", opset, 1, 1);
    let long = build.node("Sqrt", &[&square], "sentence.long", vec![]);
    let long = build.node("Max", &[&long, &least], "sentence.length", vec![]);
    build.prefix.clear();
    build.node("Div", &[pooled, &long], FEATURES, vec![]);
}

fn reduce_sum(build: &mut Build, from: &str, to: &str, opset: i64, axis: i64, keep: i64) -> String {
    let keep = int("keepdims", keep);
    if opset < 13 {
        return build.node(
            "ReduceSum",
            &[from],
            to,
            vec![crate::pool::ints("axes", &[axis]), keep],
        );
    }
    let axes = build.wholes(&format!("{to}.axes"), &[axis]);
    build.node("ReduceSum", &[from, &axes], to, vec![keep])
}

fn squeeze(build: &mut Build, from: &str, opset: i64, to: &str) -> String {
    if opset < 13 {
        return build.node("Squeeze", &[from], to, vec![crate::pool::ints("axes", &[1])]);
    }
    let axes = build.wholes(&format!("{to}.axes"), &[1]);
    build.node("Squeeze", &[from, &axes], to, vec![])
}

fn model(build: Build, length: usize, opset: i64) -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        producer_name: Some("graft".to_owned()),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        graph: Some(GraphProto {
            name: Some("sentence".to_owned()),
            node: build.nodes,
            initializer: build.constants,
            input: vec![info(TOKENS, Dim::Symbol("tokens".to_owned()))],
            output: vec![info(FEATURES, Dim::Fixed(length as u64))],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

fn info(name: &str, last: Dim) -> crate::proto::ValueInfoProto {
    let shape = Some(vec![Dim::Symbol("batch".to_owned()), last]);
    TensorInfo { name: name.to_owned(), element: Some(ElementType::F32), shape }.to_value_info()
}

/// What exporters call the ids, the mask and the types of tokens.
const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";

/// The rows of tokens, by the names that exporters give them.
const ROWS: [&str; 3] = ["last_hidden_state", "token_embeddings", "hidden_states"];

impl SentenceEncoder {
    /// An encoder as exporters write it: inputs `input_ids`, `attention_mask` and
    /// perhaps `token_type_ids`, and an output with a row a token, which is pooled
    /// here.
    ///
    /// # Errors
    ///
    /// [`EncoderError::Graph`] if it lacks one of them, or has others.
    pub fn of_graph(graph: Graph, pooling: TokenPooling) -> Result<SentenceEncoder, EncoderError> {
        let refuse = |detail: String| EncoderError::Graph { detail };
        let inputs: Vec<String> = graph.inputs().into_iter().map(|input| input.name).collect();
        let known = [IDS, MASK, TYPES];
        if let Some(other) = inputs.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(refuse(format!(
                "it has an input {other:?}; {} are known",
                known.join(", ")
            )));
        }
        for needed in [IDS, MASK] {
            if !inputs.iter().any(|name| name == needed) {
                return Err(refuse(format!("it has no input {needed}")));
            }
        }
        let outputs: Vec<String> = graph.outputs().into_iter().map(|output| output.name).collect();
        let rows = ROWS.into_iter().find(|name| outputs.iter().any(|output| output == name));
        let Some(rows) = rows else {
            let (outputs, rows) = (outputs.join(", "), ROWS.join(", "));
            return Err(refuse(format!("none of its outputs {outputs} is one of {rows}")));
        };
        let facts = graph.facts(BatchAs::Declared);
        let dims = facts.dims(rows);
        let Some(&Dim::Fixed(length)) = dims.as_deref().and_then(|dims| dims.get(2)) else {
            return Err(refuse(format!("how many numbers a row of {rows} has is not known")));
        };
        let vocabulary = graph.vocabulary().ok_or_else(|| {
            refuse(format!(
                "there is no table that {IDS} picks rows of, so its tokens are not known"
            ))
        })?;
        drop(facts);
        let graph = graph.cut_at(rows).map_err(Box::new)?.around(rows, pooling, length as usize)?;
        Ok(SentenceEncoder { graph, length: length as usize, vocabulary, positions: None })
    }
}

impl Graph {
    /// Rows of the table that the ids pick from.
    fn vocabulary(&self) -> Option<usize> {
        let facts = self.facts(BatchAs::Declared);
        let gathers = self.graph().node.iter().filter(|node| node.op_type() == "Gather");
        gathers.filter(|node| node.input.get(1).is_some_and(|ids| ids == IDS)).find_map(|node| {
            match facts.dims(node.input.first()?)?.first()? {
                Dim::Fixed(rows) => usize::try_from(*rows).ok(),
                _ => None,
            }
        })
    }

    /// Ids, mask and types made of the one input, and one row of `rows`.
    fn around(
        mut self,
        rows: &str,
        pooling: TokenPooling,
        length: usize,
    ) -> Result<Graph, EncoderError> {
        let opset = self.opset();
        if opset < 11 {
            let detail = format!("its operator set is {opset}; 11 or later is needed");
            return Err(EncoderError::Graph { detail });
        }
        let mut names = taken(self.graph());
        let mut rows = rows.to_owned();
        for name in [TOKENS, FEATURES] {
            if names.contains(name) {
                let other = crate::names::fresh(&mut names, name);
                rename(self.graph_mut(), name, &other);
                if rows == name {
                    rows = other;
                }
            }
        }
        // No name of an exporter's begins so.
        let mut build = Build { prefix: "graft.".to_owned(), ..Build::default() };
        let element = |name: &str| {
            let info = self.inputs().into_iter().find(|input| input.name == name);
            info.and_then(|info| info.element).unwrap_or(ElementType::I64)
        };
        let (ids, mask, types) = (element(IDS), element(MASK), element(TYPES));
        let read = Read::tokens(&mut build);
        build.prefix.clear();
        let inputs = self.inputs();
        let is_read = |name: &str| inputs.iter().any(|input| input.name == name);
        if is_read(IDS) {
            cast(&mut build, &read.ids, ids, IDS);
        }
        if is_read(MASK) {
            cast(&mut build, &read.mask, mask, MASK);
        }
        if is_read(TYPES) {
            let none = build.floats("graft.tokens.none", &[], &[0.0]);
            let zeros = build.node("Mul", &[&read.mask, &none], "graft.tokens.zeros", vec![]);
            cast(&mut build, &zeros, types, TYPES);
        }
        build.prefix = "graft.".to_owned();
        build.nodes.append(&mut self.graph_mut().node);
        let made = sentence(build, &read, &rows, pooling, length, opset);
        let made = made.graph.expect("invariant: it was just made");
        let graph = self.graph_mut();
        graph.node = made.node;
        graph.initializer.extend(made.initializer);
        graph.input = made.input;
        graph.output = made.output;
        graph.value_info.clear();
        let fail = |error: GraphError| EncoderError::Invalid(Box::new(error));
        Ok(Graph::of_model(self.model).map_err(fail)?.simplified())
    }
}
