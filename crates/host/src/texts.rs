//! Tasks about texts: word vectors instead of a network, and the same way from
//! there on.
//!
//! ```text
//! data.rs        a table, JSON lines or a folder become labelled texts
//! vocabulary.rs  the words that travel, from a file of vectors that may be huge
//! pooled.rs      texts become rows, by the code that runs on the device
//! common.rs      what all texts have in common, taken out of weighted rows
//! train.rs       …and into the head, the calibration and the bundle of `train`
//! ```

mod common;
mod data;
mod pooled;
mod train;
pub(crate) mod vocabulary;

pub use data::Texts;
pub use graft_input::words::{TableError, TablePrecision};
pub use train::{TextFacts, TextRecipe, TextTask, train_texts};
