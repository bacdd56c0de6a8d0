//! What a sentence encoder sees of a text: the ids of its tokens.
//!
//! The tokenizer travels in the bundle as the file `tokenizer.json` of Hugging Face's
//! library `tokenizers`. What BERT and its kin have is read here: BERT's normaliser and
//! pre-tokenizer, WordPiece (Schuster and Nakajima 2012), and tokens at both ends. The
//! library itself is 2.4 MB of a device's program, has panics that a broken file can
//! reach, and regular expressions whose memory nobody bounds; this is small, total, and
//! gives the same ids: `tests/tokens.rs` holds it to the library's own answers. Whatever
//! else such a file may ask for is refused by name.
//!
//! Host and device call this same code: `docs/format.md` is normative ("Preparing a
//! text for a sentence encoder"). It is behind the feature `tokens`; a program without
//! it refuses such bundles.

#[cfg(feature = "tokens")]
mod normalise;
#[cfg(feature = "tokens")]
mod pieces;
#[cfg(feature = "tokens")]
mod prepare;
#[cfg(feature = "tokens")]
mod read;
mod synthetic;

#[cfg(feature = "tokens")]
pub use prepare::TokenPreparer;
pub use synthetic::synthetic_sentence;

/// A tokenizer that is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TokenizerError {
    /// Not JSON, or without a part that it must have.
    #[error("the tokenizer cannot be read: {detail}")]
    Read {
        /// What is wrong, with the line.
        detail: String,
    },
    /// A part that is not read here.
    #[error("the tokenizer's {part} is not read here: {detail}")]
    Part {
        /// Its key in the file.
        part: &'static str,
        /// What it is, and what would be read.
        detail: String,
    },
    /// A token that another part names.
    #[error("the tokenizer's {part} names the token {token:?}, which is not in its vocabulary")]
    NoToken {
        /// The part that names it.
        part: &'static str,
        /// The token.
        token: String,
    },
    /// No room for a text.
    #[error(
        "the tokenizer adds {added} tokens to a text, and {max_tokens} are allowed in all: none of the text is left"
    )]
    NoRoom {
        /// Tokens at the ends.
        added: usize,
        /// By the spec.
        max_tokens: u32,
    },
    /// The encoder has no row for a token.
    #[error(
        "the tokenizer gives token {token:?} the id {id}, and the encoder knows {vocabulary} tokens: they are not of the same model"
    )]
    Beyond {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// Ids are below.
        vocabulary: u32,
    },
    /// The spec breaks a rule.
    #[error(transparent)]
    Spec(#[from] graft_spec::SpecError),
}
