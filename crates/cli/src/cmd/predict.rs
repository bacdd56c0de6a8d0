use std::path::{Path, PathBuf};

use clap::Args;
use graft_host::Skipped;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_spec::{Answer, Decision};
use serde::Serialize;

use crate::args::Context;
use crate::bundle_args::{EngineArgs, EngineName};
use crate::output::{Outcome, print};
use crate::text;

/// Say what a bundle sees in photos
///
/// The bundle's references are replayed first. A photo that can't be used is
/// skipped and listed; it is an error if none can.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// Photos
    #[arg(required = true)]
    photos: Vec<PathBuf>,

    /// Labels to show a photo
    #[arg(long, value_name = "N", default_value_t = 3)]
    top: usize,

    /// A photo that can't be used is an error
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub predictions: Vec<Prediction>,
    pub skipped: usize,
    pub skipped_files: Vec<Skipped>,
    pub bundle: BundleFacts,
    pub engine: EngineName,
}

#[derive(Serialize)]
pub struct Prediction {
    #[serde(serialize_with = "graft_host::lossy::path")]
    pub path: PathBuf,
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
        let paths: Vec<&Path> = self.photos.iter().map(PathBuf::as_path).collect();
        let answers = self.engine.answer(context, &file, &paths)?;
        crate::progress::refuse(&answers.skipped, paths.len(), self.strict)?;
        let Answer::Class(calibration) = &bundle.manifest().answer;
        let labels = bundle.labels();
        let predictions = answers
            .usable
            .iter()
            .zip(answers.logits.rows())
            .zip(&answers.took)
            .map(|((&index, logits), took)| {
                let mut probabilities = logits.to_vec();
                let decision = calibration.decide(&mut probabilities);
                let mut order: Vec<usize> = (0..probabilities.len()).collect();
                // Stable: of equal probabilities the lower index comes first, as
                // it does in a decision.
                order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
                Prediction {
                    path: self.photos[index].clone(),
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
            skipped: answers.skipped.len(),
            skipped_files: answers.skipped,
            bundle: file.facts(&bundle),
            engine: self.engine.name(),
        };
        print(context.global, "predict", &report, || text::predict(&report))?;
        Ok(Outcome::Yes)
    }
}
