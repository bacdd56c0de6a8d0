use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use graft_host::Skipped;
use graft_host::atomic::{check_writable, write_whole};
use graft_host::catalogue::{self, About, InputSpec};
use graft_host::develop::{Architecture, Development, Source, develop};
use graft_host::engine::Engine;
use graft_host::examples::Dataset;
use graft_host::features::FeatureOptions;
use graft_host::finetune::EpochFacts;
use graft_host::progress::Event;
use graft_host::train::Evaluation;
use graft_spec::{Colour, ImageSpec, Name};
use serde::Serialize;

use crate::architecture_args::ArchitectureName;
use crate::args::{Context, ProviderArgs, part};
use crate::fine_tune_args::LearnArgs;
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

/// Train a small network from nothing, to reuse it as a backbone
///
/// A source of your own: on a task with plenty of photos a small network learns
/// from random weights what tasks with few photos can reuse. It is held against
/// naive models (the most frequent class, a linear model of the pixels); if it
/// does not beat them it is written all the same, and the exit code is 1: it is
/// not worth reusing.
#[derive(Args)]
pub struct Cmd {
    /// A folder with a sub-folder a class, or a .csv or .tsv with the columns
    /// path and label, and optionally split, group and stratify
    data: PathBuf,

    /// Kind of network
    #[arg(long, value_enum, default_value_t = ArchitectureName::Mobilenet)]
    architecture: ArchitectureName,

    /// Factor of the channels of every layer
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = width)]
    width: f32,

    /// Size of its input in pixels
    #[arg(long, value_name = "WxH", value_parser = crate::input_args::size)]
    size: (u32, u32),

    /// Channels of its input
    #[arg(long, value_enum, default_value_t = ColourName::Rgb)]
    colour: ColourName,

    /// The ONNX file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Put it into the catalogue too, under this name
    #[arg(long, value_name = "NAME")]
    add: Option<String>,

    /// Licence of the weights, for the catalogue
    #[arg(long, value_name = "LICENCE", requires = "add")]
    licence: Option<String>,

    /// Times that every photo is learned from [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    epochs: Option<u16>,

    /// Share of the photos that is held out, if the data set doesn't say
    #[arg(long, value_name = "SHARE", default_value_t = 0.25, value_parser = part)]
    test_share: f64,

    /// Of splits, first weights, order and augmentation [default: the recipe's, or 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// A photo that can't be used is an error
    #[arg(long)]
    strict: bool,

    /// Neither look for pixels nor keep them
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    provider: ProviderArgs,

    #[command(flatten)]
    learn: LearnArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum ColourName {
    /// Three channels
    Rgb,
    /// One
    Grey,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub accuracy: f64,
    pub naive_accuracy: f64,
    pub pixels_accuracy: f64,
    pub baseline_accuracy: f64,
    pub worth_reusing: bool,
    pub examples: usize,
    pub trained: usize,
    pub tested: usize,
    pub skipped: usize,
    pub train_seconds: f64,
    pub total_seconds: f64,
    pub evaluation: Evaluation,
    pub skipped_files: Vec<Skipped>,
    pub labels: Vec<String>,
    pub architecture: &'static str,
    pub width: f32,
    pub parameters: usize,
    pub bytes: u64,
    pub path: String,
    pub catalogue_name: Option<String>,
    pub input: ImageSpec,
    pub epochs: Vec<EpochFacts>,
    pub best_epoch: usize,
    pub resumed_from: usize,
    pub recipe: String,
    pub provider: &'static str,
    pub onnx_runtime: String,
    pub threads: usize,
}

pub(super) fn width(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(width) if (0.1..=8.0).contains(&width) => Ok(width),
        _ => Err("must be a number from 0.1 to 8".to_owned()),
    }
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let locations = Locations::find()?;
        check_writable(&self.output)?;
        let name = self.add.as_deref().map(Name::new).transpose()?;
        let development = self.development()?;
        let dataset = Dataset::open(&self.data)?;
        let labels = dataset.checked_labels(&self.data)?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let options = FeatureOptions {
            provider: self.provider.provider(&locations),
            threads: context.global.threads(),
            batch: None,
            cache: (!self.no_cache).then(|| locations.features()),
            spill: Some(locations.spill()),
        };
        let checkpoints = self.learn.checkpoints(&self.output);
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| display.show(event);
        let source =
            develop(&engine, &dataset, &labels, &development, &options, &checkpoints, &mut on)?;

        context.go_on()?;
        let bytes = source.network.to_bytes();
        write_whole(&self.output, &bytes)?;
        if let Some(name) = name {
            let about = About {
                name,
                title: format!("{} of {}", self.design(), self.data.display()),
                origin: format!("trained from nothing by graft {}", env!("CARGO_PKG_VERSION")),
                licence: self.licence.clone().unwrap_or_else(|| "not stated".to_owned()),
                features: None,
            };
            let input = InputSpec { tensor: None, image: source.input.clone() };
            catalogue::add(&locations.models(), &self.output, about, input)?;
        }
        if self.learn.forgets_checkpoints() {
            checkpoints.remove();
        }
        let worth = source.is_worth_reusing();
        let report =
            self.report(source, &development, labels.names(), &engine, &options, &bytes, start);
        print(context.global, "develop", &report, || text::develop::result(&report))?;
        Ok(if worth { Outcome::Yes } else { Outcome::No })
    }

    fn design(&self) -> &'static str {
        Architecture::from(self.architecture).name()
    }

    fn development(&self) -> anyhow::Result<Development> {
        let (width, height) = self.size;
        Ok(Development {
            architecture: self.architecture.into(),
            width: self.width,
            size: [width, height],
            colour: match self.colour {
                ColourName::Rgb => Colour::Rgb,
                ColourName::Grey => Colour::Grey,
            },
            tuning: self.learn.recipe_from_nothing(self.epochs, self.seed)?,
            test_share: self.test_share,
            folds: 3,
            strict: self.strict,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "a record of everything needs everything, once")]
    fn report(
        &self,
        source: Source,
        development: &Development,
        labels: &[String],
        engine: &Engine,
        options: &FeatureOptions,
        bytes: &[u8],
        start: Instant,
    ) -> Report {
        let [trained, tested] = source.examples;
        Report {
            accuracy: source.evaluation.accuracy,
            naive_accuracy: source.naive_accuracy(),
            pixels_accuracy: source.pixels.accuracy,
            baseline_accuracy: source.evaluation.baseline_accuracy,
            worth_reusing: source.is_worth_reusing(),
            examples: trained + tested,
            trained,
            tested,
            skipped: source.skipped.len(),
            train_seconds: source.seconds,
            total_seconds: start.elapsed().as_secs_f64(),
            evaluation: source.evaluation,
            skipped_files: source.skipped,
            labels: labels.to_vec(),
            architecture: self.design(),
            width: self.width,
            parameters: source.tuning.parameters,
            bytes: bytes.len() as u64,
            path: self.output.display().to_string(),
            catalogue_name: self.add.clone(),
            input: source.input,
            epochs: source.tuning.epochs,
            best_epoch: source.tuning.best_epoch,
            resumed_from: source.tuning.resumed_from,
            recipe: development.tuning.to_toml(),
            provider: options.provider.name(),
            onnx_runtime: engine.version().to_owned(),
            threads: options.threads,
        }
    }
}
