use serde::{Deserialize, Serialize};

use crate::SpecError;
use crate::words::MAX_TEXT_BYTES;

/// The most tokens that one text may have.
pub const MAX_TOKENS: u32 = 8192;
/// The most tokens that a vocabulary may have: ids below are exact as 32-bit floats.
pub const MAX_VOCABULARY: u32 = 1 << 24;

/// How a text becomes the input of a sentence encoder: the bundle's tokenizer makes
/// tokens of it, and the tensor has their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensSpec {
    /// The most tokens of a text, those that the tokenizer adds at its ends among
    /// them. What is beyond is left out.
    pub max_tokens: u32,
    /// How long the tensor is.
    pub length: TokensLength,
    /// Every id is below.
    pub vocabulary: u32,
    /// The longest text, in bytes of UTF-8. What is beyond is left out, from the
    /// character on that does not fit.
    pub max_bytes: u32,
}

/// How long the tensor of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokensLength {
    /// As many values as the text has tokens: a short text costs little.
    Text,
    /// Always `max_tokens`, with [`PADDING`] behind the last token: for networks that
    /// a device runs at one length alone.
    MaxTokens,
}

/// The value behind the last token. A network gives it no weight.
pub const PADDING: f32 = -1.0;

impl TokensSpec {
    /// Checks the rules that the types alone do not hold.
    pub fn check(&self) -> Result<(), SpecError> {
        for (field, value, most) in [
            ("max_tokens", self.max_tokens, MAX_TOKENS),
            ("vocabulary", self.vocabulary, MAX_VOCABULARY),
            ("max_bytes", self.max_bytes, MAX_TEXT_BYTES),
        ] {
            if !(1..=most).contains(&value) {
                return Err(SpecError::new(field, format!("is {value}, must be 1 to {most}")));
            }
        }
        Ok(())
    }
}
