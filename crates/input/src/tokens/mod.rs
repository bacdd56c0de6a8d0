//! What a sentence encoder sees of a text: the ids of its tokens.
//!
//! The tokenizer travels in the bundle as the file `tokenizer.json` of Hugging Face's
//! library `tokenizers`, and that library reads it: WordPiece, BPE, Unigram and
//! WordLevel, with whatever it knows of normalisers and post-processors. What encoders
//! learned from is what it does, corners included, so code of our own could only be as
//! good as its imitation. What the file says of padding and of where texts are cut is not
//! followed: the spec says that.
//!
//! Such a file is nearly a program: it has regular expressions and replacements, some
//! files make the library panic, and nothing bounds the time or the memory that one takes
//! which was made to take much. Panics are caught here where they unwind, and become a
//! [`TokenizerError`]; a program that aborts on a panic dies of such a file. Whoever opens
//! bundles of strangers demands a signature.
//!
//! Host and device call this same code: `docs/format.md` is normative ("Preparing a
//! text for a sentence encoder"). It is behind the feature `tokens`; a program without
//! it refuses such bundles.

#[cfg(feature = "tokens")]
mod library;
#[cfg(feature = "tokens")]
mod prepare;
mod synthetic;

#[cfg(feature = "tokens")]
pub use prepare::TokenPreparer;
pub use synthetic::synthetic_sentence;

/// A tokenizer that is refused, or that refuses a text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TokenizerError {
    /// Not such a file, in the words of the library.
    #[error("the tokenizer cannot be read: {detail}")]
    Read {
        /// What is wrong.
        detail: String,
    },
    /// It makes no sense for an encoder of sentences.
    #[error("the tokenizer's {part} {detail}")]
    Part {
        /// Its key in the file.
        part: &'static str,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// What stands for unknown words is unknown.
    #[error("the tokenizer's model names the token {token:?}, which is not in its vocabulary")]
    NoToken {
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
    /// It has no tokens for a text, in the words of the library.
    #[error("the tokenizer does not take the text apart: {detail}")]
    Text {
        /// What is wrong.
        detail: String,
    },
    /// The library panicked, and the panic was caught.
    #[error("the tokenizer is broken: the library that reads it panicked: {detail}")]
    Panicked {
        /// Its words.
        detail: String,
    },
    /// The spec breaks a rule.
    #[error(transparent)]
    Spec(#[from] graft_spec::SpecError),
}
