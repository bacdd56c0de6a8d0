//! Plain types that the host and the device share: how an input is prepared,
//! what the labels are, how an answer is decided, and the manifest that carries
//! all of it in a bundle.
//!
//! Nothing here does any work or any I/O. Types whose fields have rules are
//! checked when they are read: a [`Manifest`] that exists is one that
//! `docs/format.md` allows.
//!
//! ```
//! use graft_spec::{Colour, Fit, ImageSpec, Layout};
//!
//! let spec = ImageSpec {
//!     width: 224,
//!     height: 224,
//!     fit: Fit::Stretch,
//!     resize: None,
//!     layout: Layout::Nchw,
//!     colour: Colour::Rgb,
//!     scale: 255.0,
//!     mean: vec![0.485, 0.456, 0.406],
//!     std: vec![0.229, 0.224, 0.225],
//!     background: [0, 0, 0],
//! };
//! spec.check()?;
//! assert_eq!(spec.shape(1), [1, 3, 224, 224]);
//! # Ok::<(), graft_spec::SpecError>(())
//! ```

mod decision;
mod image;
mod labels;
mod manifest;
mod provenance;
mod tokens;
mod words;

pub use decision::{Answer, Calibration, Decision};
pub use image::{Colour, Fit, ImageSpec, Layout, MAX_SIDE};
pub use labels::{Labels, MAX_LABELS};
pub use manifest::{Form, Input, MAX_FORMS, Manifest, ModelFormat, Name, Precision, Tolerance};
pub use provenance::{BackboneOrigin, DataOrigin, EngineOrigin, Provenance, TestSummary};
pub use tokens::{MAX_TOKENS, MAX_VOCABULARY, PADDING, TokensLength, TokensSpec};
pub use words::{MAX_DIMENSIONS, MAX_LAST_WORDS, MAX_TEXT_BYTES, Pooling, Tokeniser, WordsSpec};

/// A value that `docs/format.md` does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The field, in the words of `docs/format.md`.
    pub field: &'static str,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

impl SpecError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        SpecError { field, problem: problem.into() }
    }
}

impl std::fmt::Display for SpecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for SpecError {}
