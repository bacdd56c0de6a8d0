//! Tasks about texts: word vectors or a sentence encoder instead of a network for
//! photos, and the same way from there on.
//!
//! ```text
//! data.rs        a table, JSON lines or a folder become labelled texts
//! vocabulary.rs  the words that travel, from a file of vectors that may be huge
//! pooled.rs      texts become rows, by the code that runs on the device
//! words.rs       both together, with the weights of the words
//! common_direction.rs  what all texts have in common, taken out of weighted rows
//! train.rs       …and into the head, the calibration and the bundle of `train`
//! tune.rs        …the vectors moved before, if that is asked
//! report.rs      the ways to learn that `report` compares
//! rank.rs        or into the scores of `rank`, for one source after another
//! encoded.rs     rows of a sentence encoder instead, and
//! sentences.rs   the same way on from them
//! ```

mod common_direction;
mod data;
mod encoded;
mod pooled;
mod rank;
mod report;
mod sentences;
mod train;
mod tune;
pub(crate) mod vocabulary;
mod words;

pub use data::{Texts, are_texts};
pub use encoded::{Encoded, encoded};
pub use graft_input::words::{TableError, TablePrecision};
pub use rank::{
    Opening, RankedText, Running, TextRankRecipe, TextRanking, TextSource, TextSourceError,
    rank_texts,
};
pub(crate) use report::{Beginning, TextLessons, check_pooling, known};
pub use sentences::{SentenceFacts, SentenceTask, train_sentences};
pub use train::{TextFacts, TextRecipe, TextTask, train_texts};
pub(crate) use words::WordsError;
