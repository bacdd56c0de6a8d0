use std::ffi::OsString;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use graft_host::Skipped;
use graft_host::answer::Questions;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::next_word::{Choice, GoingOn};
use graft_host::progress::Event;
use graft_spec::{Answer, Decision, Input};
use serde::Serialize;

use crate::args::Context;
use crate::bundle_args::{EngineArgs, EngineName};
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

/// Say what a bundle sees in photos, or reads in texts
///
/// The bundle's references are replayed first. A photo that can't be used is
/// skipped and listed; it is an error if none can. A text of whose words the bundle
/// knows none is "unknown". A bundle that continues texts says which word comes next.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// Photos; of a bundle about texts the texts themselves, or none, and then each
    /// line of standard input is one
    #[arg(value_name = "PHOTO|TEXT")]
    examples: Vec<OsString>,

    /// Labels to show an example
    #[arg(long, value_name = "N", default_value_t = 3)]
    top: usize,

    /// Of a bundle that continues texts: let each text go on by so many words
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    generate: Option<u16>,

    /// With --generate: draw each word as often as it is probable, by this seed
    /// [default: the likeliest]
    #[arg(long, value_name = "N", requires = "generate")]
    seed: Option<u64>,

    /// An example that can't be used is an error
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub predictions: Vec<Prediction>,
    /// What each text goes on to be, if that was asked for.
    pub generated: Option<Vec<String>>,
    pub skipped: usize,
    pub skipped_files: Vec<Skipped>,
    pub bundle: BundleFacts,
    pub engine: EngineName,
}

#[derive(Serialize)]
pub struct Prediction {
    /// `None` for a text.
    #[serde(serialize_with = "graft_host::lossy::maybe_path")]
    pub path: Option<PathBuf>,
    /// `None` for a photo.
    pub text: Option<String>,
    /// Of a text.
    pub words: Option<u32>,
    /// Of them those that the bundle knows.
    pub known_words: Option<u32>,
    /// `None` for unknown.
    pub answer: Option<String>,
    pub probability: f32,
    pub top: Vec<Probability>,
    pub ms: f64,
}

#[derive(Serialize)]
pub struct Probability {
    pub label: String,
    pub probability: f32,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        let asked = self.asked(&bundle.manifest().input)?;
        if let Asked::Texts { texts, .. } = &asked {
            self.note_files(texts, context);
        }
        let generated = self.generated(&file, &asked)?;
        let questions = asked.questions();
        let answers = self.engine.answer(context, &file, &questions)?;
        crate::progress::refuse(&answers.skipped, questions.paths().len(), self.strict)?;
        let Answer::Class(calibration) = &bundle.manifest().answer;
        let labels = bundle.labels();
        let predictions = answers
            .usable
            .iter()
            .zip(answers.logits.rows())
            .zip(answers.took.iter().zip(&answers.counts))
            .map(|((&index, logits), (took, counts))| {
                let mut probabilities = logits.to_vec();
                let decision = match (calibration.decide(&mut probabilities), counts) {
                    (_, Some(counts)) if counts.known == 0 => Decision::Unknown,
                    (decision, _) => decision,
                };
                let mut order: Vec<usize> = (0..probabilities.len()).collect();
                // Stable: of equal probabilities the lower index comes first, as
                // it does in a decision.
                order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
                Prediction {
                    path: asked.path(index),
                    text: asked.text(index),
                    words: counts.map(|counts| counts.tokens),
                    known_words: counts.map(|counts| counts.known),
                    answer: match decision {
                        Decision::Label(label) => Some(labels[label].to_owned()),
                        Decision::Unknown => None,
                    },
                    probability: probabilities[order[0]],
                    top: order
                        .iter()
                        .take(self.top)
                        .map(|&i| Probability {
                            label: labels[i].to_owned(),
                            probability: probabilities[i],
                        })
                        .collect(),
                    ms: took.as_secs_f64() * 1e3,
                }
            })
            .collect();
        let report = Report {
            predictions,
            generated,
            skipped: answers.skipped.len(),
            skipped_files: answers.skipped,
            bundle: file.facts(&bundle),
            engine: self.engine.name(),
        };
        print(context.global, "predict", &report, || text::predict(&report))?;
        Ok(Outcome::Yes)
    }
}

/// What was asked, by the kind that the bundle answers.
enum Asked {
    Photos(Vec<PathBuf>),
    Texts { places: Vec<PathBuf>, texts: Vec<String> },
}

fn borrowed(paths: &[PathBuf]) -> Vec<&Path> {
    paths.iter().map(PathBuf::as_path).collect()
}

impl Asked {
    fn questions(&self) -> Questions<'_> {
        match self {
            Asked::Photos(paths) => Questions::Photos(borrowed(paths)),
            Asked::Texts { places, texts } => Questions::Texts {
                places: borrowed(places),
                texts: texts.iter().map(String::as_str).collect(),
            },
        }
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        match self {
            Asked::Photos(paths) => Some(paths[index].clone()),
            Asked::Texts { .. } => None,
        }
    }

    fn text(&self, index: usize) -> Option<String> {
        match self {
            Asked::Photos(_) => None,
            Asked::Texts { texts, .. } => Some(texts[index].clone()),
        }
    }
}

impl Cmd {
    fn generated(&self, file: &BundleFile, asked: &Asked) -> anyhow::Result<Option<Vec<String>>> {
        let (Some(words), Asked::Texts { texts, .. }) = (self.generate, asked) else {
            anyhow::ensure!(self.generate.is_none(), "--generate is for texts");
            return Ok(None);
        };
        if self.engine.name() != EngineName::Device {
            anyhow::bail!("--generate is for --engine device");
        }
        let choice = match self.seed {
            Some(seed) => Choice::Drawn { seed },
            None => Choice::Likeliest,
        };
        let mut model = GoingOn::open(&file.parse()?)?;
        let texts = texts.iter().map(|text| model.text(text, words.into(), choice));
        Ok(Some(texts.collect::<Result<_, _>>()?))
    }

    /// Somebody may have meant what is in a file.
    fn note_files(&self, texts: &[String], context: &Context<'_>) {
        let stated = !self.examples.is_empty();
        if let Some(file) = texts.iter().find(|text| stated && Path::new(text).is_file()) {
            let note = format!(
                "{file} is a file, and is taken for a text of that name; what its lines say: < {file}"
            );
            let _ = Display::new(context).show(Event::Note(&note));
        }
    }

    fn asked(&self, input: &Input) -> anyhow::Result<Asked> {
        match input {
            Input::Image(_) if self.examples.is_empty() => {
                anyhow::bail!("name the photos to look at")
            }
            Input::Image(_) => Ok(Asked::Photos(self.examples.iter().map(PathBuf::from).collect())),
            Input::Words(_) | Input::Tokens(_) => {
                let given = self.examples.iter().enumerate().map(|(at, text)| {
                    let text = text.to_str().map(str::to_owned);
                    text.with_context(|| format!("text {} is not UTF-8", at + 1))
                });
                let texts: Vec<String> = match self.examples.as_slice() {
                    [] => std::io::stdin()
                        .lock()
                        .lines()
                        .collect::<Result<_, _>>()
                        .context("cannot read texts from standard input")?,
                    _ => given.collect::<Result<_, _>>()?,
                };
                if texts.is_empty() {
                    anyhow::bail!("there is no text: name some, or give them on standard input");
                }
                let places = (1..=texts.len()).map(|at| format!("text {at}").into()).collect();
                Ok(Asked::Texts { places, texts })
            }
        }
    }
}
