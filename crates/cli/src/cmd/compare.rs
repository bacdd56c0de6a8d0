use std::path::{Path, PathBuf};

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
use crate::text;

/// Hold the device engine's answers against ONNX Runtime's
///
/// The same photos, prepared once, run through both, one thread each, taking
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

    /// A photo that can't be used is an error
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
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        let dataset = part(context, &self.data, self.split)?;
        let paths: Vec<&Path> = dataset.examples.iter().map(|e| e.path.as_path()).collect();
        let locations = Locations::find()?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let mut display = Display::new(context);
        let mut on = |event: graft_host::progress::Event<'_>| display.show(event);
        let comparison = compare(&engine, &bundle, &paths, self.tolerance, &mut on)?;
        crate::progress::refuse(&comparison.skipped_files, paths.len(), self.strict)?;
        let passed = comparison.passed;
        let report = Report {
            comparison,
            bundle: file.facts(&bundle),
            split: self.split.map(SplitName::word),
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
