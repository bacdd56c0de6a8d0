//! Flags about how texts become features.

use clap::{Args, ValueEnum};
use graft_host::encoder::StatedEncoder;
use graft_host::texts::{TablePrecision, TextRecipe};
use graft_spec::Pooling;

#[derive(Args)]
#[command(next_help_heading = "Texts, with word vectors or a sentence encoder")]
pub struct TextArgs {
    /// How the vectors of a text's words become its features [default: mean]
    #[arg(long, value_enum)]
    pooling: Option<PoolingName>,

    /// Words that travel beside those of the texts learned from: the most frequent
    /// ones, if the file has those first [default: 20000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1 << 23))]
    vocab: Option<u32>,

    /// How the vectors that travel are written [default: i8]
    #[arg(long, value_enum)]
    precision: Option<PrecisionName>,

    /// Tokens of a text that a sentence encoder reads; what is beyond is left out
    /// [default: as its makers say, or 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=8192))]
    max_tokens: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PoolingName {
    /// Their mean
    Mean,
    /// Their mean, frequent words counting less, and what all texts have in common
    /// taken out (smooth inverse frequency)
    Weighted,
    /// The largest of each number, and their mean
    MaxMean,
}

#[derive(Clone, Copy, ValueEnum)]
enum PrecisionName {
    /// As the file has them
    F32,
    /// Half of that
    F16,
    /// A byte a number, and a scale a word
    I8,
}

impl TextArgs {
    /// Whether anything was stated that word vectors alone have.
    pub fn is_of_vectors(&self) -> bool {
        self.pooling.is_some() || self.vocab.is_some() || self.precision.is_some()
    }

    pub fn states_pooling(&self) -> bool {
        self.pooling.is_some()
    }

    /// Whether anything was stated that a sentence encoder alone has.
    pub fn is_of_encoder(&self) -> bool {
        self.max_tokens.is_some()
    }

    pub fn encoder(&self) -> StatedEncoder {
        StatedEncoder { max_tokens: self.max_tokens, pooling: None }
    }

    pub fn recipe(&self) -> TextRecipe {
        TextRecipe {
            pooling: match self.pooling.unwrap_or(PoolingName::Mean) {
                PoolingName::Mean => Pooling::Mean,
                PoolingName::Weighted => Pooling::Weighted,
                PoolingName::MaxMean => Pooling::MaxMean,
            },
            precision: match self.precision.unwrap_or(PrecisionName::I8) {
                PrecisionName::F32 => TablePrecision::F32,
                PrecisionName::F16 => TablePrecision::F16,
                PrecisionName::I8 => TablePrecision::I8,
            },
            other_words: self.vocab.unwrap_or(20_000) as usize,
        }
    }
}
