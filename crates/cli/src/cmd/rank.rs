use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use graft_host::engine::{Engine, EngineError};
use graft_host::examples::Dataset;
use graft_host::progress::Event;
use graft_host::rank::{Candidate, Latencies, Metric, RankRecipe, Ranking, Told, rank};
use graft_host::stated::StatedInput;
use graft_host::texts::{
    Opening, Running, TextRankRecipe, TextRanking, TextSource, Texts, are_texts, rank_texts,
};
use serde::Serialize;

use crate::args::Context;
use crate::feature_args::{FeatureArgs, FoldArgs};
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;
use crate::text_args::TextArgs;
use crate::vectors_args::VectorsArgs;

/// Find the source that suits a task: score backbones on some of its photos
///
/// Some photos, classes in proportion, run through each backbone once. Of the
/// features: what a linear head answers by cross-validation, and scores that are
/// cheaper. Beside them what each costs on the device. A backbone that can't be used
/// is named, and the others go on.
///
/// A task about texts is looked at in the same way, with word vectors and sentence
/// encoders in the backbones' place.
#[derive(Args)]
pub struct Cmd {
    /// A folder with a sub-folder a class, or a .csv or .tsv with the columns
    /// path and label, and optionally split, group and stratify. Of texts: a folder
    /// of text files a class, or a .csv, .tsv or .jsonl with text for path. What it
    /// holds out is not looked at
    data: PathBuf,

    /// The backbones: names that `graft models` lists, folders with a model.toml, or
    /// ONNX files. For texts: names of word vectors or sentence encoders, files or
    /// folders of them, or random:N for N numbers a word that nothing was learned by
    /// [default: all models that are here]
    #[arg(long, value_name = "MODEL,…", value_delimiter = ',')]
    models: Vec<String>,

    /// Photos or texts to look at, about
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(4..))]
    examples: u32,

    /// What comes first
    #[arg(long, value_enum, default_value_t = By::Probe)]
    by: By,

    /// Take latencies from what `graft bench --json` said of bundles on a board, and
    /// not from this machine; a file may hold one document or an array of them
    #[arg(long, value_name = "FILE,…", value_delimiter = ',')]
    latency: Vec<PathBuf>,

    /// A photo that can't be used is an error
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    division: FoldArgs,

    #[command(flatten)]
    features: FeatureArgs,

    #[command(flatten)]
    texts: TextArgs,

    #[command(flatten)]
    vectors: VectorsArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// Accuracy of a linear head, by cross-validation
    Probe,
    /// Accuracy of the five nearest neighbours
    Neighbours,
    /// LogME
    Logme,
    /// H-score with shrunk covariance
    RegularisedHScore,
    /// H-score
    HScore,
    /// LEEP, of the source's own classes
    Leep,
    /// NCE, of the source's own classes
    Nce,
    /// Time of a photo, least first
    Latency,
}

impl From<By> for Metric {
    fn from(by: By) -> Metric {
        match by {
            By::Probe => Metric::Probe,
            By::Neighbours => Metric::Neighbours,
            By::Logme => Metric::Logme,
            By::RegularisedHScore => Metric::RegularisedHScore,
            By::HScore => Metric::HScore,
            By::Leep => Metric::Leep,
            By::Nce => Metric::Nce,
            By::Latency => Metric::Latency,
        }
    }
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub ranking: Ranking,
    pub folds: u16,
    pub seed: u64,
    pub provider: &'static str,
    pub onnx_runtime: String,
    pub threads: usize,
    pub total_seconds: f64,
}

/// The same of texts.
#[derive(Serialize)]
pub struct TextReport {
    #[serde(flatten)]
    pub ranking: TextRanking,
    pub folds: u16,
    pub seed: u64,
    pub total_seconds: f64,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let locations = Locations::find()?;
        if self.texts.is_of_vectors() || are_texts(&self.data) {
            return self.run_texts(context, &locations, start);
        }
        if let Some(name) = self.models.iter().find(|name| TextSource::is_random(name)) {
            anyhow::bail!(
                "{name} is a source for texts, and {} are photos, as it looks; a table of texts has the columns text and label",
                self.data.display()
            );
        }
        let recipe = self.recipe()?;
        let dataset = Dataset::open(&self.data)?;
        let labels = dataset.checked_labels(&self.data)?;
        let candidates = self.candidates(&locations)?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let options = self.features.options(None, context, &locations);
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let ranking = rank(&engine, candidates, &dataset, &labels, &recipe, &options, &mut on)?;
        context.go_on()?;
        let report = Report {
            ranking,
            folds: self.division.folds,
            seed: self.division.seed,
            provider: options.provider.name(),
            onnx_runtime: engine.version().to_owned(),
            threads: options.threads,
            total_seconds: start.elapsed().as_secs_f64(),
        };
        print(context.global, "rank", &report, || text::rank::result(&report))?;
        Ok(Outcome::Yes)
    }

    /// A task about texts.
    fn run_texts(
        &self,
        context: &Context<'_>,
        locations: &Locations,
        start: Instant,
    ) -> anyhow::Result<Outcome> {
        if !self.latency.is_empty() {
            anyhow::bail!("--latency tells of networks; texts are timed on this machine");
        }
        if matches!(self.by, By::Leep | By::Nce) {
            anyhow::bail!(
                "--by leep and nce are of a network's own classes; word vectors have none"
            );
        }
        if self.features.input.stated() != StatedInput::default() {
            anyhow::bail!(
                "what describes a network's input is for networks, and {} are texts",
                self.data.display()
            );
        }
        let texts = Texts::open(&self.data)?;
        let labels = texts.dataset.checked_labels(&self.data)?;
        let loaded = OnceCell::new();
        let running = || -> Result<Rc<Running>, EngineError> {
            if let Some(running) = loaded.get() {
                return Ok(Rc::clone(running));
            }
            let engine = Engine::load(&locations.onnx_runtime(context.global))?;
            let options = self.features.options(None, context, locations);
            Ok(Rc::clone(loaded.get_or_init(|| Rc::new(Running { engine, options }))))
        };
        let opening = Opening {
            folder: &locations.models(),
            vectors: self.vectors.stated(),
            encoder: self.texts.encoder(),
            running: &running,
        };
        let mut seen = HashSet::new();
        let once = self.models.iter().filter(|name| seen.insert(name.as_str()));
        let sources = match self.models.as_slice() {
            [] => TextSource::here(&opening)?,
            _ => once.map(|name| TextSource::named(name, &opening)).collect::<Result<_, _>>()?,
        };
        let recipe = TextRankRecipe {
            examples: self.examples as usize,
            folds: self.division.folds.into(),
            seed: self.division.seed,
            by: self.by.into(),
            texts: self.texts.recipe(),
            strict: self.strict,
        };
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let ranking = rank_texts(sources, &texts, &labels, &recipe, &mut on)?;
        context.go_on()?;
        let report = TextReport {
            ranking,
            folds: self.division.folds,
            seed: self.division.seed,
            total_seconds: start.elapsed().as_secs_f64(),
        };
        print(context.global, "rank", &report, || text::rank::of_texts(&report))?;
        Ok(Outcome::Yes)
    }

    fn recipe(&self) -> anyhow::Result<RankRecipe> {
        let latencies = match self.latency.as_slice() {
            [] => Latencies::Here,
            files => Latencies::Told(Told::read(files)?),
        };
        Ok(RankRecipe {
            examples: self.examples as usize,
            folds: self.division.folds.into(),
            seed: self.division.seed,
            by: self.by.into(),
            latencies,
            strict: self.strict,
        })
    }

    fn candidates(&self, locations: &Locations) -> anyhow::Result<Vec<Candidate>> {
        let folder = locations.models();
        if self.models.is_empty() {
            return Ok(Candidate::here(&folder)?);
        }
        let mut seen = HashSet::new();
        let once = self.models.iter().filter(|name| seen.insert(name.as_str()));
        let stated = self.features.input.stated();
        Ok(once.map(|name| Candidate::named(&folder, name, &stated)).collect::<Result<_, _>>()?)
    }
}
