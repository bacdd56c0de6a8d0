//! Tasks about texts: word vectors or a sentence encoder instead of a network for
//! photos, and the same way from there on.
//!
//! ```text
//! data.rs        a table, JSON lines or a folder become labelled texts
//! vocabulary.rs  the words that travel, from a file of vectors that may be huge
//! pooled.rs      texts become rows, by the code that runs on the device
//! common.rs      what all texts have in common, taken out of weighted rows
//! train.rs       …and into the head, the calibration and the bundle of `train`
//! encoded.rs     rows of a sentence encoder instead, and
//! sentences.rs   the same way on from them
//! ```

mod common;
mod data;
mod encoded;
mod pooled;
mod sentences;
mod train;
mod vocabulary;

pub use data::Texts;
pub use encoded::{Encoded, encoded};
pub use graft_input::words::{TableError, TablePrecision};
pub use sentences::{SentenceFacts, SentenceTask, train_sentences};
pub use train::{TextFacts, TextRecipe, TextTask, train_texts};
