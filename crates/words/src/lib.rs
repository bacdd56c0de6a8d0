//! Word vectors as they are passed around: the C tool's binary and text formats
//! of word2vec, and GloVe's text, plain or compressed with gzip.
//!
//! [`read_file`] streams a file of any size, a word at a time; [`WordVectors`]
//! holds what was kept of it and answers which words are near and what completes
//! an analogy. Any bytes are read without a panic and in bounded memory: a file
//! that is wrong is an error that says where.
//!
//! ```
//! use graft_words::{Reading, Term, WordVectors, read};
//!
//! let file = "king 1 1\nqueen 1 -1\nman 0.2 1\nwoman 0.2 -1\n";
//! let mut vectors = WordVectors::default();
//! read(file.as_bytes(), &Reading::default(), |word, row| vectors.keep(word, row))?;
//!
//! let found = vectors.analogy("man", "king", "woman", 1)?;
//! assert_eq!(vectors.word(found[0].index), "queen");
//! # let _ = vectors.nearest(&[Term::plus("king")], 3)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod binary;
#[allow(missing_docs, reason = "each field is in the message of its variant")]
mod error;
mod kind;
mod nearest;
mod read;
mod text;
mod vectors;

pub use error::{Place, QueryError, ReadError};
pub use kind::Kind;
pub use nearest::{Neighbour, Sign, Term, TermOf};
pub use read::{NotUtf8, Reading, Summary, read, read_file};
pub use vectors::WordVectors;

/// Numbers a word, at most; the widest vectors in use have some 1,000.
pub const MAX_DIMENSIONS: usize = 4096;

/// Bytes a word, at most: a file in which no space follows isn't read into memory
/// in search of one.
pub const MAX_WORD_BYTES: usize = 4096;
