use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::{MAX_DIMENSIONS, MAX_WORD_BYTES};

/// Where in a file, once it is decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// From 1.
    Line(u64),
    /// From 0.
    Byte(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}

/// Why a file of word vectors is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error("cannot open {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    /// It refused later.
    #[error("cannot read on")]
    Read { source: io::Error },
    /// gzip's own checks failed, or it ends early.
    #[error("the gzip stream is damaged or ends early, after {offset} bytes of what it holds")]
    Gzip { offset: u64, source: io::Error },
    /// Nothing in it.
    #[error("there is no word in it")]
    Empty,
    /// The first line isn't what the stated kind begins with.
    #[error(
        "line 1 is no header: it must be two numbers, how many words there are and how many numbers each has"
    )]
    NoHeader,
    /// Nothing, or too much to be meant.
    #[error("{stated} numbers a word, by the header; it must be 1 to {MAX_DIMENSIONS}")]
    Dimensions { stated: u64 },
    /// A line with more numbers than are read.
    #[error("{place} has more than {MAX_DIMENSIONS} numbers")]
    TooWide { place: Place },
    /// A row that lacks numbers.
    #[error("{place} is short: {found} numbers, where {expected} are due")]
    TooFew { place: Place, found: usize, expected: usize },
    /// A row with numbers to spare.
    #[error("{place} has more than the {expected} numbers that are due")]
    TooMany { place: Place, expected: usize },
    /// Something else where a number is due.
    #[error("{place}: number {position} is {found:?}, which is no number")]
    NotANumber { place: Place, position: usize, found: String },
    /// A number that no vector can have.
    #[error("{place}: number {position} is {value}; it must be finite")]
    NotFinite { place: Place, position: usize, value: f32 },
    /// Numbers of no word.
    #[error("{place} has no word before its numbers")]
    NoWord { place: Place },
    /// A line, or a word, that doesn't end.
    #[error(
        "{place}: no word ends within {MAX_WORD_BYTES} bytes, no line within what its numbers can take"
    )]
    TooLong { place: Place },
    /// A word in another encoding.
    #[error("{place}: the word {lossy:?}, at byte {offset}, is not UTF-8")]
    NotUtf8 { place: Place, offset: u64, lossy: String },
    /// The header promised more.
    #[error("the header says {stated} words, the file has {found}")]
    FewerWords { stated: u64, found: u64 },
    /// The header promised less.
    #[error("the header says {stated} words; at {place} there are more")]
    MoreWords { stated: u64, place: Place },
    /// A binary file that ends inside of a word or its numbers.
    #[error("the file ends at byte {offset}, inside of word {word} of {stated}")]
    Truncated { offset: u64, word: u64, stated: u64 },
}

/// Why there is no answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No vector for it.
    #[error("the word {word:?} is not among these vectors")]
    UnknownWord { word: String },
    /// A vector of another space.
    #[error("a vector of {found} numbers, where words have {expected}")]
    Dimensions { found: usize, expected: usize },
    /// What was asked for points nowhere.
    #[error("the vectors asked for add up to zero, which is near nothing")]
    Zero,
}
