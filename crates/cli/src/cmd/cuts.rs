use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use graft_host::Skipped;
use graft_host::cuts::{Cut, Cuts, Rule, cuts};
use graft_host::engine::{Engine, cpu_features};
use graft_host::examples::Dataset;
use graft_host::progress::Event;
use serde::Serialize;

use crate::args::{Context, part};
use crate::feature_args::{FeatureArgs, FoldArgs};
use crate::input_args::ImageSizeArgs;
use crate::locations::Locations;
use crate::model_args::{CutsArgs, pretrained};
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

/// Measure how much of a backbone to reuse
///
/// One pass over the photos to learn from gives features at every place where the
/// backbone can be cut; a linear head is cross-validated on each. Held-out photos
/// are not looked at. The cheapest cut within one standard error of the best is
/// chosen, as `graft train --at auto` does.
#[derive(Args)]
pub struct Cmd {
    /// A folder with a sub-folder a class, or a .csv or .tsv, as for `graft train`
    data: PathBuf,

    /// The backbone: a name that `graft models` lists, a folder with a model.toml,
    /// or an ONNX file
    #[arg(long, value_name = "MODEL", default_value = "mobilenet_v2")]
    model: String,

    #[command(flatten)]
    image_size: ImageSizeArgs,

    /// Which cut is chosen
    #[arg(long, value_enum, default_value_t = RuleName::Auto)]
    at: RuleName,

    #[command(flatten)]
    cuts: CutsArgs,

    /// Share of the photos that is held out, if the data set doesn't say
    #[arg(long, value_name = "SHARE", default_value_t = 0.25, value_parser = part)]
    test_share: f64,

    #[command(flatten)]
    division: FoldArgs,

    #[command(flatten)]
    features: FeatureArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum RuleName {
    /// The cheapest within one standard error of the best
    Auto,
    /// The most accurate
    Best,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub model: String,
    pub model_sha256: String,
    #[serde(flatten)]
    pub sweep: Sweep,
    pub skipped: usize,
    pub skipped_files: Vec<Skipped>,
    pub provider: &'static str,
    pub onnx_runtime: String,
    pub cpu: String,
    pub threads: usize,
    pub seed: u64,
    pub total_seconds: f64,
}

/// What `train --at auto` reports too.
#[derive(Serialize)]
pub struct Sweep {
    pub examples: usize,
    pub cuts: Vec<Cut>,
    /// Indices of `cuts`.
    pub chosen: usize,
    pub best: usize,
    pub usual: Option<usize>,
    pub features_seconds: f64,
    pub features_cached: usize,
    pub features_computed: usize,
    pub probe_seconds: f64,
    pub latency_seconds: f64,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let locations = Locations::find()?;
        let rule = match self.at {
            RuleName::Auto => Rule::OneStandardError,
            RuleName::Best => Rule::Best,
        };
        let FoldArgs { folds, seed } = self.division;
        let recipe = self.cuts.recipe(rule, folds, self.test_share, seed)?;
        let dataset = Dataset::open(&self.data)?;
        dataset.checked_labels(&self.data)?;
        let pretrained =
            pretrained(&self.model, &self.features.input, &self.image_size, &locations)?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let options = self.features.options(None, context, &locations);
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let mut found = cuts(&engine, &pretrained, &dataset, &recipe, &options, &mut on)?;
        let skipped_files = std::mem::take(&mut found.skipped);
        let report = Report {
            model: pretrained.origin.name.clone(),
            model_sha256: pretrained.origin.sha256.to_string(),
            sweep: Sweep::of(found),
            skipped: skipped_files.len(),
            skipped_files,
            provider: options.provider.name(),
            onnx_runtime: engine.version().to_owned(),
            cpu: cpu_features(),
            threads: options.threads,
            seed,
            total_seconds: start.elapsed().as_secs_f64(),
        };
        print(context.global, "cuts", &report, || text::cuts::result(&report))?;
        Ok(Outcome::Yes)
    }
}

impl Sweep {
    pub fn of(cuts: Cuts) -> Sweep {
        Sweep {
            examples: cuts.examples,
            chosen: cuts.chosen,
            best: cuts.best,
            usual: cuts.usual,
            features_seconds: cuts.cost.wall.as_secs_f64(),
            features_cached: cuts.cost.cached,
            features_computed: cuts.cost.computed,
            probe_seconds: cuts.probe_seconds,
            latency_seconds: cuts.latency_seconds,
            cuts: cuts.cuts,
        }
    }
}
