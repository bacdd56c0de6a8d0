//! Flags about what comes next in a text.

use clap::{Args, ValueEnum};
use graft_host::next_word::Embedding;

#[derive(Args)]
#[command(next_help_heading = "The next word, with word vectors")]
pub struct NextWordArgs {
    /// Learn which word comes next, from texts without labels: a text file, a folder of
    /// .txt files, or a .csv, .tsv or .jsonl with text
    #[arg(long)]
    pub next_word: bool,

    /// Words before that are looked at [default: 4]
    #[arg(long, value_name = "N", requires = "next_word", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub context: Option<u16>,

    /// Words to choose from, the most frequent ones of the texts [default: 5000, or as
    /// many as there are]
    #[arg(long, value_name = "N", requires = "next_word", value_parser = clap::value_parser!(u32).range(10..=65_536))]
    pub words: Option<u32>,

    /// Which vectors learn too [default: tied]
    #[arg(long, value_enum, requires = "next_word")]
    pub output_vectors: Option<EmbeddingName>,

    /// Learn from random vectors too, and compare
    #[arg(long, requires = "next_word")]
    pub against_random: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum EmbeddingName {
    /// None: they stay as they are in the file
    Frozen,
    /// Those of the words to choose from, apart from those of the words before, which stay
    Tuned,
    /// Those of all words that are learned from, the same for what stands before and for
    /// what comes next
    Tied,
}

impl NextWordArgs {
    pub fn embedding(&self) -> Embedding {
        match self.output_vectors {
            Some(EmbeddingName::Frozen) => Embedding::Frozen,
            Some(EmbeddingName::Tuned) => Embedding::Tuned,
            Some(EmbeddingName::Tied) | None => Embedding::Tied,
        }
    }
}
