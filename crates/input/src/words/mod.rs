//! What a network sees of a text.
//!
//! A text is taken apart into tokens ([`tokens`]), which are looked up in the
//! bundle's [`WordTable`] ([`look_up`]); a [`TextPreparer`] pools the rows that
//! are found into one feature vector. Host and device call this same code, and it
//! gives the same bytes on both: `docs/format.md` is normative ("Preparing a
//! text", "`WORD`: the word table").
//!
//! ```
//! use graft_input::words::{TablePrecision, TextPreparer, WordTable, write_table};
//! use graft_spec::{Pooling, Tokeniser, WordsSpec};
//!
//! let rows = [("cat", 1.0, [1.0, 0.0].as_slice()), ("'s", 1.0, &[0.0, 4.0])];
//! let bytes = write_table(rows, 2, TablePrecision::F32)?;
//! let spec = WordsSpec {
//!     tokens: Tokeniser::Words { lowercase: true },
//!     pooling: Pooling::Mean,
//!     dimensions: 2,
//!     max_bytes: 1000,
//! };
//! let mut preparer = TextPreparer::new(&spec, WordTable::parse(&bytes)?)?;
//! let mut features = [0.0; 2];
//! let counts = preparer.fill("The cat's", &mut features);
//! assert_eq!((counts.tokens, counts.known), (3, 2));
//! assert_eq!(features, [0.5, 2.0]);
//! # Ok::<(), graft_input::words::TableError>(())
//! ```

mod half;
mod pool;
mod synthetic;
mod table;
mod tokens;
mod write;

pub use pool::{Counts, TextPreparer};
pub use synthetic::{MAX_SYNTHETIC_WORDS, synthetic_text};
pub use table::{MAX_WORD_BYTES, MAX_WORDS, TableError, TablePrecision, WordTable};
pub use tokens::{look_up, tokens};
pub use write::write_table;
