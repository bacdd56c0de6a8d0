//! Sentence encoders: transformers that read the tokens of a text, pooled to one row
//! of features.
//!
//! ```text
//! config.rs    what the config.json of Hugging Face's transformers says
//! weights.rs   tensors of a .safetensors file, held to the shapes they must have
//! bert.rs      both become a graph: token ids and a mask in, a row a token out
//! sentence.rs  from the one tensor that a bundle prepares to one row a text; also
//!              around the graphs of exporters
//! build.rs     nodes and constants
//! ```

mod bert;
mod build;
mod config;
mod sentence;
mod weights;

pub use sentence::{TOKENS, TokenPooling};

use crate::error::GraphError;
use crate::graph::Graph;

/// A sentence encoder: one input [`TOKENS`], 32-bit floats `[N, S]` with the ids of
/// tokens and a negative number behind the last one of a text; one output
/// [`FEATURES`](crate::FEATURES), `[N, length]`, each row of length 1.
#[derive(Clone, Debug)]
pub struct SentenceEncoder {
    /// The network.
    pub graph: Graph,
    /// Numbers of a row.
    pub length: usize,
    /// Rows of its embedding: ids of tokens are below.
    pub vocabulary: usize,
    /// The most tokens of one text, where the network has an end.
    pub positions: Option<usize>,
}

/// A sentence encoder that can't be made of what is there.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// `config.json` isn't one.
    #[error("config.json: {detail}")]
    Config {
        /// What is wrong, with the line.
        detail: String,
    },
    /// Another kind of network.
    #[error("config.json: {key} is {found:?}, which is not written here; {known} is")]
    Kind {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        known: &'static str,
    },
    /// Sizes that contradict each other.
    #[error("config.json: {detail}")]
    Sizes {
        /// Which.
        detail: String,
    },
    /// Not a `.safetensors` file.
    #[error("not a safetensors file: {detail}")]
    SafeTensors {
        /// In the library's words.
        detail: String,
    },
    /// A weight that config.json promises.
    #[error("there is no tensor {name:?}, which config.json asks for")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A weight of another shape.
    #[error("tensor {name:?} has shape {found:?}, config.json asks for {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// As it is.
        found: Vec<usize>,
        /// As it must be.
        expected: Vec<usize>,
    },
    /// A weight of another type.
    #[error("tensor {name:?} is of type {found}; F32, F16 and BF16 are read")]
    Element {
        /// Its name.
        name: String,
        /// Its type.
        found: String,
    },
    /// A weight that is no number.
    #[error("tensor {name:?} has a value that is not finite")]
    NotFinite {
        /// Its name.
        name: String,
    },
    /// The graph of an exporter lacks what an encoder has.
    #[error("the graph is no sentence encoder: {detail}")]
    Graph {
        /// What it lacks.
        detail: String,
    },
    /// The graph itself.
    #[error("{0}")]
    Invalid(#[from] Box<GraphError>),
}

#[cfg(test)]
mod tests;
