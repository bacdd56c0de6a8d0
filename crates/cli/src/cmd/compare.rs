use std::path::PathBuf;

use clap::Args;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::compare::{Comparison, compare};
use graft_host::engine::Engine;
use serde::Serialize;

use crate::args::Context;
use crate::bundle_args::{SplitName, part};
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text::{self, What};

/// Hold the device engine's answers against ONNX Runtime's
///
/// The same photos or texts, prepared once, run through both, one thread each, taking
/// turns. Exit status 1 if probabilities differ by more than the tolerance, or an
/// answer differs that was not a tie.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// A data set, as for `graft train`; labels are not looked at
    data: PathBuf,

    /// Only this side of the data set's split
    #[arg(long, value_enum)]
    split: Option<SplitName>,

    /// How far probabilities may differ
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = tolerance)]
    tolerance: f32,

    /// An example that can't be used is an error
    #[arg(long)]
    strict: bool,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub comparison: Comparison,
    pub bundle: BundleFacts,
    pub split: Option<&'static str>,
    #[serde(skip)]
    pub what: What,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        let labelled = part(context, &self.data, &bundle.manifest().input, self.split)?;
        let questions = labelled.questions();
        let locations = Locations::find()?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let mut display = Display::new(context);
        let mut on = |event: graft_host::progress::Event<'_>| display.show(event);
        let mut comparison = compare(&engine, &bundle, &questions, self.tolerance, &mut on)?;
        comparison.skipped_files.extend_from_slice(labelled.skipped());
        comparison.skipped = comparison.skipped_files.len();
        let total = questions.paths().len() + labelled.skipped().len();
        crate::progress::refuse(&comparison.skipped_files, total, self.strict)?;
        let passed = comparison.passed;
        let report = Report {
            comparison,
            bundle: file.facts(&bundle),
            split: self.split.map(SplitName::word),
            what: What::of(&bundle.manifest().input),
        };
        print(context.global, "compare", &report, || text::compare(&report))?;
        Ok(passed.into())
    }
}

fn tolerance(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(tolerance) if tolerance >= 0.0 => Ok(tolerance),
        _ => Err("must be a number of 0 or more".to_owned()),
    }
}
