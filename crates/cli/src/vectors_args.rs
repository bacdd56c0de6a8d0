//! Flags about files of word vectors.

use clap::{Args, ValueEnum};
use graft_host::vectors::{Format, StatedVectors};

#[derive(Args)]
#[command(next_help_heading = "Word vectors")]
pub struct VectorsArgs {
    /// How the file is written [default: as it shows]
    #[arg(long, value_enum)]
    format: Option<FormatName>,

    /// Leave out words that are not UTF-8, and count them
    #[arg(long)]
    skip_not_utf8: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatName {
    /// A word and its numbers a line
    Glove,
    /// The same, behind a line of how many words and numbers
    Word2vecText,
    /// That line, then words and their numbers as bytes
    Word2vecBinary,
}

impl VectorsArgs {
    pub fn stated(&self) -> StatedVectors {
        StatedVectors {
            format: self.format.map(|name| match name {
                FormatName::Glove => Format::Glove,
                FormatName::Word2vecText => Format::Word2vecText,
                FormatName::Word2vecBinary => Format::Word2vecBinary,
            }),
            skip_not_utf8: self.skip_not_utf8,
        }
    }
}
