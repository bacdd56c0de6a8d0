//! Which word comes next: learned from texts as they are written, with word vectors for
//! a backbone on both sides of the network.
//!
//! ```text
//! data.rs      a file, a table or a folder becomes texts
//! corpus.rs    …and these blocks of numbered words, and places where one is asked for
//! parts.rs     which blocks are learned from, which stop, which are held out
//! fit.rs       the network learns, through the differentiator
//! tied.rs      …and with it the vectors of the words before, which are those of the output
//! judge.rs     how good it is
//! rivals.rs    …and others, asked for the same words
//! train.rs     all of it, and the bundle
//! evaluate.rs  a bundle on other texts
//! going_on.rs  …and texts that it lets go on
//! ```
//!
//! The network says a vector from the vectors of the last words, and each word is as
//! probable as its own vector points that way: see `graft_onnx::NextWord`.

mod corpus;
mod data;
mod error;
mod evaluate;
mod fit;
mod going_on;
mod judge;
mod parts;
mod rivals;
mod tied;
mod train;

use graft_input::words::TablePrecision;
use graft_spec::{Input, Name};

pub use data::{RunningText, RunningTexts, RunningTextsError};
pub use error::{LEAST_OUTPUTS, LEAST_WORDS, NextWordError};
pub use evaluate::{Judged, contexts, evaluate};
pub use going_on::{Choice, GoingOn};
pub use judge::{Rival, RivalName, Scores};
pub use train::{NextWordFacts, NextWordRun, train_next_word};

/// What the network's input is called.
const INPUT: &str = "texts";

/// Of a text so many bytes at the end are looked at: more than any few words have.
const MAX_BYTES: u32 = 4096;

/// How to learn what comes next.
#[derive(Clone, Debug)]
pub struct NextWordRecipe {
    /// The bundle's name.
    pub name: Name,
    /// Words before that are looked at.
    pub context: usize,
    /// Words to choose from, the most frequent ones of the texts. `None`:
    /// [`NextWordRecipe::USUAL_WORDS`], or as many as there are.
    pub words: Option<usize>,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// At most.
    pub epochs: usize,
    /// Whether vectors learn too, and which.
    pub embedding: Embedding,
    /// The largest learning rate.
    pub rate: f64,
    /// AdamW's.
    pub weight_decay: f32,
    /// How the table that travels is written.
    pub precision: TablePrecision,
    /// Words that travel beside those of the texts learned from.
    pub other_words: usize,
    /// Share of the texts that is held out, if they don't say.
    pub test_share: f64,
    /// Of blocks, first weights and the order of places.
    pub seed: u64,
    /// Of the texts.
    pub data_licence: Option<String>,
    /// An unusable text is an error.
    pub strict: bool,
    /// Whether the same network learns from random vectors too, to be compared.
    pub against_random: bool,
}

impl NextWordRecipe {
    /// Words to choose from, if nothing is said.
    pub const USUAL_WORDS: usize = 5000;
}

/// Which vectors learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// None: they stay those of the file.
    Frozen,
    /// The output's, which begin as those of the file. Those of the words before stay.
    Tuned,
    /// Those of all words that are learned from, the same on both sides.
    Tied,
}

/// How many words before a bundle looks at, if it says what comes next.
pub fn last_words(input: &Input) -> Option<usize> {
    input.words().and_then(graft_spec::WordsSpec::last_words)
}
