use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use graft_host::Skipped;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::evaluate::judge;
use graft_host::next_word::last_words;
use graft_host::train::Evaluation;
use serde::Serialize;

use crate::args::{Context, share};
use crate::bundle_args::{EngineArgs, EngineName, SplitName, part};
use crate::output::{Outcome, print};
use crate::text::{self, What};

pub mod next_word;

/// Measure how good a bundle's answers are on labelled photos or texts
///
/// The bundle's references are replayed first. Exit status 1 if --at-least is
/// missed. A bundle that continues texts is asked for each word of texts without labels.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// A data set, as for `graft train`
    data: PathBuf,

    /// Only this side of the data set's split
    #[arg(long, value_enum)]
    split: Option<SplitName>,

    /// Answer "no" below this accuracy; of a bundle that continues texts, below this
    /// share of words that are among its first three
    #[arg(long, value_name = "SHARE", value_parser = share)]
    at_least: Option<f64>,

    /// An example that can't be used is an error
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub accuracy: f64,
    pub baseline_accuracy: f64,
    pub ece: f64,
    pub evaluation: Evaluation,
    pub skipped: usize,
    pub skipped_files: Vec<Skipped>,
    pub bundle: BundleFacts,
    pub split: Option<&'static str>,
    #[serde(skip)]
    pub what: What,
    pub engine: EngineName,
    pub at_least: Option<f64>,
    pub passed: bool,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        if last_words(&bundle.manifest().input).is_some() {
            return self.run_next_word(context, &file);
        }
        let part = part(context, &self.data, &bundle.manifest().input, self.split)?;
        let labelled = part.with_labels(bundle.labels()).map_err(|label| {
            anyhow!(
                "{} has label {label:?}, which the bundle does not know (it knows {})",
                self.data.display(),
                bundle.labels().names().join(", ")
            )
        })?;
        let questions = labelled.questions();
        let answers = self.engine.answer(context, &file, &questions)?.of_known(questions.paths());
        let skipped_files = [labelled.skipped(), &answers.skipped].concat();
        let total = questions.paths().len() + labelled.skipped().len();
        crate::progress::refuse(&skipped_files, total, self.strict)?;
        let evaluation = judge(&bundle, labelled.dataset(), &answers)?;
        let passed = self.at_least.is_none_or(|least| evaluation.accuracy >= least);
        let report = Report {
            accuracy: evaluation.accuracy,
            baseline_accuracy: evaluation.baseline_accuracy,
            ece: evaluation.ece,
            evaluation,
            skipped: skipped_files.len(),
            skipped_files,
            bundle: file.facts(&bundle),
            split: self.split.map(SplitName::word),
            what: What::of(&bundle.manifest().input),
            engine: self.engine.name(),
            at_least: self.at_least,
            passed,
        };
        print(context.global, "evaluate", &report, || text::evaluate(&report))?;
        Ok(passed.into())
    }
}
