use std::path::PathBuf;

use clap::{Args, Subcommand};
use graft_host::progress::Event;
use graft_host::vectors::{Format, VectorsFile};
use graft_words::{Neighbour, Summary, Term, WordVectors};
use serde::Serialize;

use crate::args::Context;
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;
use crate::vectors_args::VectorsArgs;

pub mod info;

/// Ask word vectors: which words are near, what completes an analogy
///
/// Reads what word2vec and GloVe write, plain or .gz. The kind is told from the
/// file.
#[derive(Args)]
pub struct Cmd {
    /// A file of word vectors, or a name that `graft models` lists
    #[arg(value_name = "FILE|MODEL")]
    source: String,

    #[command(flatten)]
    stated: VectorsArgs,

    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    /// The words whose vectors point most nearly where that of WORD does
    Nearest {
        word: String,

        #[command(flatten)]
        count: Count,
    },
    /// What is to C as B is to A: man king woman gives queen
    Analogy {
        a: String,
        b: String,
        c: String,

        #[command(flatten)]
        count: Count,
    },
    /// How many there are, how they are written, and how long they are
    Info,
}

#[derive(Args)]
struct Count {
    /// Words to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    count: usize,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Answer {
    #[serde(flatten)]
    pub source: Source,
    pub question: &'static str,
    pub terms: Vec<String>,
    pub neighbours: Vec<Near>,
    pub duplicates: u64,
}

/// What was asked.
#[derive(Serialize)]
pub struct Source {
    pub name: String,
    #[serde(serialize_with = "graft_host::lossy::path")]
    pub path: PathBuf,
    pub format: Format,
    pub compressed: bool,
    pub words: u64,
    pub dimensions: usize,
    pub not_utf8: u64,
}

#[derive(Serialize)]
pub struct Near {
    pub word: String,
    pub similarity: f64,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let models = Locations::find()?.models();
        let file = VectorsFile::named(&models, &self.source, self.stated.stated())?;
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| display.show(event);
        let (question, terms, count) = match &self.question {
            Question::Nearest { word, count } => ("nearest", vec![word.clone()], count.count),
            Question::Analogy { a, b, c, count } => {
                ("analogy", vec![a.clone(), b.clone(), c.clone()], count.count)
            }
            Question::Info => {
                let report = info::look(&file, &mut on)?;
                print(context.global, "words", &report, || text::words::info(&report))?;
                return Ok(Outcome::Yes);
            }
        };
        let (vectors, summary) = file.load(&mut on)?;
        let found = match &self.question {
            Question::Analogy { a, b, c, .. } => vectors.analogy(a, b, c, count)?,
            _ => vectors.nearest(&[Term::plus(&terms[0])], count)?,
        };
        let answer = Answer {
            source: Source::of(&file, &summary),
            question,
            neighbours: near(&vectors, &found),
            terms,
            duplicates: vectors.duplicates(),
        };
        print(context.global, "words", &answer, || text::words::answer(&answer))?;
        Ok(Outcome::Yes)
    }
}

fn near(vectors: &WordVectors, found: &[Neighbour]) -> Vec<Near> {
    let word = |near: &Neighbour| Near {
        word: vectors.word(near.index).to_owned(),
        similarity: near.similarity,
    };
    found.iter().map(word).collect()
}

impl Source {
    fn of(file: &VectorsFile, summary: &Summary) -> Source {
        Source {
            name: file.origin.name.clone(),
            path: file.path.clone(),
            format: summary.kind.into(),
            compressed: summary.compressed,
            words: summary.words,
            dimensions: summary.dimensions,
            not_utf8: summary.not_utf8,
        }
    }
}
