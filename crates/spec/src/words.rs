use serde::{Deserialize, Serialize};

use crate::SpecError;

/// The most values of one word's vector.
pub const MAX_DIMENSIONS: u32 = 4096;
/// The most words whose rows stand side by side.
pub const MAX_LAST_WORDS: u32 = 64;
/// The longest text that any spec takes whole, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: u32 = 1 << 20;

/// How a text becomes a network's input tensor: its tokens are looked up in the
/// bundle's word table, and the rows that are found are pooled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsSpec {
    /// How a text is taken apart.
    pub tokens: Tokeniser,
    /// How the rows of a text become one.
    pub pooling: Pooling,
    /// Values of a row of the table.
    pub dimensions: u32,
    /// The longest text, in bytes of UTF-8. What is beyond is left out, from the
    /// character on that does not fit; where the last words count, at its beginning.
    pub max_bytes: u32,
}

/// How a text is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tokeniser {
    /// Words, numbers and marks, as `docs/format.md` tells them apart.
    Words {
        /// Whether the table's words are in lower case, and so are the tokens
        /// before they are looked up.
        lowercase: bool,
    },
}

/// How the rows of a text become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The mean of the rows, each times its word's weight in the table: smooth
    /// inverse frequency (Arora, Liang and Ma 2017, "A simple but tough-to-beat
    /// baseline for sentence embeddings").
    Weighted,
    /// Their largest values, then their mean.
    MaxMean,
    /// The rows of so many last words, side by side, the last word's first: for what
    /// comes next. A word that is unknown or not there has a row of zeros.
    Last(u32),
}

impl WordsSpec {
    /// Checks the rules that the types alone do not hold.
    pub fn check(&self) -> Result<(), SpecError> {
        for (field, value, most) in [
            ("dimensions", self.dimensions, MAX_DIMENSIONS),
            ("max_bytes", self.max_bytes, MAX_TEXT_BYTES),
        ] {
            if !(1..=most).contains(&value) {
                return Err(SpecError::new(field, format!("is {value}, must be 1 to {most}")));
            }
        }
        match self.pooling {
            Pooling::Last(words) if !(1..=MAX_LAST_WORDS).contains(&words) => Err(SpecError::new(
                "pooling",
                format!("last is {words}, must be 1 to {MAX_LAST_WORDS}"),
            )),
            _ => Ok(()),
        }
    }

    /// How many last words count, if it is they.
    pub fn last_words(&self) -> Option<usize> {
        match self.pooling {
            Pooling::Last(words) => Some(words as usize),
            Pooling::Mean | Pooling::Weighted | Pooling::MaxMean => None,
        }
    }

    /// Number of values of one pooled text.
    pub fn feature_length(&self) -> usize {
        let rows = match self.pooling {
            Pooling::Mean | Pooling::Weighted => 1,
            Pooling::MaxMean => 2,
            Pooling::Last(words) => words as usize,
        };
        rows * self.dimensions as usize
    }

    /// Shape of a tensor of `batch` texts.
    pub fn shape(&self, batch: usize) -> [usize; 2] {
        [batch, self.feature_length()]
    }
}
