use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use graft_host::Skipped;
use graft_host::atomic::{check_writable, write_whole};
use graft_host::backbone::{Backbone, Pool, Pretrained};
use graft_host::bundle_file::{BundleFacts, BundleFile, is_bundle};
use graft_host::cuts::{Rule, cuts};
use graft_host::engine::{Engine, cpu_features};
use graft_host::examples::Dataset;
use graft_host::features::FeatureOptions;
use graft_host::finetune::EpochFacts;
use graft_host::inspect::InputFacts;
use graft_host::progress::Event;
use graft_host::provider::Provider;
use graft_host::texts::{SentenceFacts, TextFacts};
use graft_host::train::{
    ClassWeights, Evaluation, HeadRecipe, LinearRecipe, MlpRecipe, PathPoint, Recipe, Run, Setting,
    train,
};
use graft_spec::Name;
use serde::Serialize;

use crate::args::{Context, ProviderArgs, part, share};
use crate::cmd::cuts::Sweep;
use crate::fine_tune_args::{FineTuneArgs, Shared};
use crate::input_args::{ImageSizeArgs, InputArgs};
use crate::locations::Locations;
use crate::model_args::{CutsArgs, PoolName, pretrained};
use crate::next_word_args::NextWordArgs;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;
use crate::text_args::TextArgs;
use crate::vectors_args::VectorsArgs;

pub mod next_word;
mod texts;

use self::texts::TextSource;

/// Learn a task from labelled photos or texts and write a bundle
///
/// Photos become features through the backbone, in ONNX Runtime; features that
/// were computed before are found again. A head is trained on them, its strength
/// chosen by cross-validation, its probabilities calibrated, and its answers
/// measured on held-out photos. Backbone and head become one network, whose
/// answers are verified in the device engine before the bundle is written.
///
/// With word vectors in the backbone's place the task is about texts: their words are
/// looked up, and what is found is pooled; with a sentence encoder, the network reads
/// their tokens. Everything from there on is the same.
#[derive(Args)]
pub struct Cmd {
    /// A folder with a sub-folder a class, or a .csv or .tsv with the columns
    /// path and label, and optionally split, group and stratify. Of texts: a folder
    /// of text files a class, or a .csv, .tsv or .jsonl with text for path
    data: PathBuf,

    /// The backbone: a name that `graft models` lists, a folder with a model.toml,
    /// an ONNX file, a file of word vectors, or a folder of a sentence encoder
    #[arg(long, value_name = "MODEL", default_value = "mobilenet_v2")]
    model: String,

    /// The bundle to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// The bundle's name [default: the file's]
    #[arg(long, value_parser = name)]
    name: Option<Name>,

    /// Cut the backbone at this tensor [default: before its last dense layer];
    /// "auto": at the cheapest cut within one standard error of the best, as
    /// `graft cuts` finds it; "best": at the best
    #[arg(long, value_name = "TENSOR")]
    at: Option<String>,

    #[command(flatten)]
    cuts: CutsArgs,

    /// What is grafted
    #[arg(long, value_enum, default_value_t = HeadName::Linear)]
    head: HeadName,

    /// How much each class counts [default: uniform]
    #[arg(long, value_enum)]
    class_weights: Option<WeightsName>,

    /// L2 strengths to choose from, for a linear head [default: 0.001 to 10000, a
    /// decade apart]
    #[arg(long, value_name = "X,…", value_delimiter = ',', value_parser = strength_flag)]
    strengths: Option<Vec<f64>>,

    /// Units of the hidden layer, of an mlp head or for the next word
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    hidden: Option<u16>,

    /// Epochs, of fine-tuning; at most, for an mlp head and for the next word
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    epochs: Option<u16>,

    /// Folds of cross-validation
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    folds: u16,

    /// Share of the photos that is held out, if the data set doesn't say
    #[arg(long, value_name = "SHARE", default_value_t = 0.25, value_parser = part)]
    test_share: f64,

    /// Share of known photos that is to be answered with a label; the others are
    /// "unknown". 1 answers everything
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    answered: f64,

    /// Of splits, folds, first weights and augmentation [default: the recipe's, or 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Licence of the photos, for the bundle's provenance
    #[arg(long, value_name = "LICENCE")]
    data_licence: Option<String>,

    /// A photo that can't be used is an error
    #[arg(long)]
    strict: bool,

    /// Neither look for features nor keep them
    #[arg(long)]
    no_cache: bool,

    /// Photos in one run of the network [default: 2 on a processor, 32 on a GPU].
    /// On a processor it changes the speed and no feature
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: Option<u16>,

    #[command(flatten)]
    image_size: ImageSizeArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    #[command(flatten)]
    fine_tune: FineTuneArgs,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    texts: TextArgs,

    #[command(flatten)]
    next_word: NextWordArgs,

    #[command(flatten)]
    vectors: VectorsArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum HeadName {
    /// Multinomial logistic regression
    Linear,
    /// One hidden layer
    Mlp,
}

#[derive(Clone, Copy, ValueEnum)]
enum WeightsName {
    /// Every photo counts the same
    Uniform,
    /// Every class counts the same
    Balanced,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub accuracy: f64,
    pub linear_probe: Option<f64>,
    pub baseline_accuracy: f64,
    pub ece: f64,
    pub examples: usize,
    pub trained: usize,
    pub tested: usize,
    pub skipped: usize,
    pub features_seconds: f64,
    pub preparation_seconds: f64,
    pub inference_seconds: f64,
    pub head_seconds: f64,
    pub fine_tune_seconds: Option<f64>,
    pub bundle_seconds: f64,
    pub total_seconds: f64,
    pub evaluation: Evaluation,
    pub skipped_files: Vec<Skipped>,
    pub duplicates_across_split: Vec<Vec<String>>,
    pub groups_across_split: Vec<String>,
    pub labels: Vec<String>,
    pub bundle: BundleFacts,
    pub model: ModelFacts,
    pub input: InputFacts,
    pub head: HeadFacts,
    pub provider: &'static str,
    pub onnx_runtime: String,
    pub cpu: String,
    pub threads: usize,
    pub seed: u64,
    pub features_cached: usize,
    pub features_computed: usize,
    pub references_max_abs_diff: f32,
    pub reused: Reused,
    pub sweep: Option<Sweep>,
    pub fine_tuning: Option<TuningFacts>,
    pub texts: Option<TextFacts>,
    pub sentences: Option<SentenceFacts>,
}

#[derive(Serialize)]
pub struct TuningFacts {
    pub from: String,
    pub tensor: Option<String>,
    pub weights: usize,
    pub parameters: usize,
    pub learned_from: usize,
    pub stopped_by: usize,
    pub calibrated_by: usize,
    pub epochs: Vec<EpochFacts>,
    pub best_epoch: usize,
    pub resumed_from: usize,
    pub needed_bytes: u64,
    pub available_bytes: Option<u64>,
    pub recipe: String,
}

#[derive(Serialize)]
pub struct ModelFacts {
    pub name: String,
    pub sha256: String,
    pub licence: String,
    pub at: String,
    pub feature_length: usize,
}

#[derive(Serialize)]
pub struct HeadFacts {
    pub kind: &'static str,
    pub strength: Option<f64>,
    pub epochs: Option<usize>,
    pub temperature: f32,
    pub unknown_below: Option<f32>,
    pub path: Vec<PathFacts>,
}

#[derive(Serialize)]
pub struct PathFacts {
    pub strength: Option<f64>,
    pub epochs: Option<usize>,
    pub log_loss: f64,
    pub accuracy: f64,
}

#[derive(Serialize)]
pub struct Reused {
    pub parameters: u64,
    pub multiply_adds: Option<u64>,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let locations = Locations::find()?;
        // What can fail at once fails before the long work.
        check_writable(&self.output)?;
        refuse_to_overwrite(&self.output, &self.data)?;
        if self.next_word.next_word {
            return self.run_next_word(context, &locations, start);
        }
        let recipe = self.recipe()?;
        let seed = recipe.seed;
        match self.text_source(&locations) {
            Some(TextSource::Vectors) => {
                return self.run_texts(context, &locations, &recipe, start);
            }
            Some(TextSource::Encoder) => {
                return self.run_sentences(context, &locations, &recipe, start);
            }
            None => {}
        }
        let dataset = Dataset::open(&self.data)?;
        let labels = dataset.checked_labels(&self.data)?;
        let pretrained = pretrained(&self.model, &self.input, &self.image_size, &locations)?;
        let named = match self.rule() {
            Some(_) => None,
            None => Some(self.named_cut(&pretrained)?),
        };
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let options = FeatureOptions {
            provider: self.provider.provider(&locations),
            threads: context.global.threads(),
            batch: self.batch.map(usize::from),
            cache: (!self.no_cache).then(|| locations.features()),
            spill: Some(locations.spill()),
        };

        let mut display = Display::new(context);
        note_unused(&dataset.unused_columns, &mut display);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let (backbone, sweep) = match (named, self.rule()) {
            (Some(backbone), _) => (backbone, None),
            (None, rule) => {
                let (folds, share) = (self.folds, self.test_share);
                let sweep = self.cuts.recipe(rule.unwrap_or_default(), folds, share, seed)?;
                let found = cuts(&engine, &pretrained, &dataset, &sweep, &options, &mut on)?;
                let chosen = &found.cuts[found.chosen];
                let backbone = pretrained.cut(Some(&chosen.tensor), chosen.pool.into())?;
                (backbone, Some(Sweep::of(found)))
            }
        };
        let run = train(&engine, &backbone, &dataset, &labels, &recipe, &options, &mut on)?;

        context.go_on()?;
        write_whole(&self.output, &run.grafted.bytes)?;
        self.forget_checkpoints(&recipe);
        let made = Made { run, sweep, texts: None, sentences: None };
        let threads = options.threads;
        let report = self.report(made, &engine, &options.provider, threads, &recipe, start)?;
        print(context.global, "train", &report, || text::train::result(&report))?;
        Ok(Outcome::Yes)
    }

    /// Those that are of no use once the bundle is written.
    fn forget_checkpoints(&self, recipe: &Recipe) {
        if let Some((_, checkpoints)) = &recipe.fine_tuning
            && self.fine_tune.forgets_checkpoints()
        {
            checkpoints.remove();
        }
    }

    fn recipe(&self) -> anyhow::Result<Recipe> {
        let class_weights = self.class_weights.map(|weights| match weights {
            WeightsName::Uniform => ClassWeights::Uniform,
            WeightsName::Balanced => ClassWeights::Balanced,
        });
        let shared = Shared { epochs: self.epochs, seed: self.seed, class_weights };
        let fine_tuning = self.fine_tune.fine_tuning(&shared)?;
        let (seed, class_weights) = match &fine_tuning {
            Some(recipe) => (recipe.seed, recipe.class_weights),
            None => (self.seed.unwrap_or(0), class_weights.unwrap_or(ClassWeights::Uniform)),
        };
        let head = match self.head {
            HeadName::Linear => {
                if self.hidden.is_some() {
                    anyhow::bail!("--hidden is for --head mlp");
                }
                if self.epochs.is_some() && fine_tuning.is_none() {
                    anyhow::bail!("--epochs is for --fine-tune and for --head mlp");
                }
                let default = LinearRecipe::default();
                let strengths = self.strengths.clone().unwrap_or(default.strengths);
                HeadRecipe::Linear(LinearRecipe {
                    strengths,
                    class_weights,
                    ..LinearRecipe::default()
                })
            }
            HeadName::Mlp => {
                if fine_tuning.is_some() {
                    anyhow::bail!("fine-tuning begins with --head linear");
                }
                if self.strengths.is_some() {
                    anyhow::bail!("--strengths is for --head linear");
                }
                let default = MlpRecipe::default();
                HeadRecipe::Mlp(MlpRecipe {
                    hidden: self.hidden.map_or(default.hidden, usize::from),
                    epochs: self.epochs.map_or(default.epochs, usize::from),
                    class_weights,
                    seed,
                    ..default
                })
            }
        };
        Ok(Recipe {
            name: self.bundle_name()?,
            head,
            folds: self.folds.into(),
            test_share: self.test_share,
            answered: (self.answered < 1.0).then_some(self.answered),
            seed,
            data_licence: self.data_licence.clone(),
            strict: self.strict,
            fine_tuning: fine_tuning
                .map(|recipe| (recipe, self.fine_tune.checkpoints(&self.output))),
        })
    }

    fn bundle_name(&self) -> anyhow::Result<Name> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => {
                let stem = self.output.file_stem().unwrap_or_default().to_string_lossy();
                Name::new(stem).map_err(|e| anyhow::anyhow!("{e}; state one with --name"))
            }
        }
    }

    /// The rule by which the cut is chosen, if it is.
    fn rule(&self) -> Option<Rule> {
        match self.at.as_deref() {
            Some("auto") => Some(Rule::OneStandardError),
            Some("best") => Some(Rule::Best),
            _ => None,
        }
    }

    /// Where nothing is chosen, the cut that was named.
    fn named_cut(&self, pretrained: &Pretrained) -> anyhow::Result<Backbone> {
        if self.cuts.has_limits() {
            anyhow::bail!("--max-latency-ms and --max-bytes steer --at auto and --at best");
        }
        let pool = match self.cuts.pool {
            PoolName::Mean => Pool::Mean,
            PoolName::Grid => Pool::Grid,
            PoolName::Both => anyhow::bail!("--pool both is for --at auto and --at best"),
        };
        Ok(pretrained.cut(self.at.as_deref(), pool)?)
    }

    fn report(
        &self,
        made: Made,
        engine: &Engine,
        provider: &Provider,
        threads: usize,
        recipe: &Recipe,
        start: Instant,
    ) -> anyhow::Result<Report> {
        let Made { run, sweep, texts, sentences } = made;
        let Run { grafted, evaluation, facts } = run;
        let file = BundleFile::of(&self.output, grafted.bytes);
        let bundle = file.facts(&file.parse()?);
        Ok(Report {
            accuracy: evaluation.accuracy,
            linear_probe: facts.tuning.as_ref().map(|tuning| tuning.linear_probe.accuracy),
            baseline_accuracy: evaluation.baseline_accuracy,
            ece: evaluation.ece,
            examples: facts.examples,
            trained: facts.trained,
            tested: facts.tested,
            skipped: facts.skipped.len(),
            features_seconds: facts.features.wall.as_secs_f64(),
            preparation_seconds: facts.features.preparation.as_secs_f64(),
            inference_seconds: facts.features.inference.as_secs_f64(),
            head_seconds: facts.head_seconds,
            fine_tune_seconds: facts.tuning.as_ref().map(|tuning| tuning.seconds),
            bundle_seconds: facts.bundle_seconds,
            total_seconds: start.elapsed().as_secs_f64(),
            evaluation,
            skipped_files: facts.skipped,
            duplicates_across_split: facts
                .duplicates_across_split
                .iter()
                .map(|same| same.iter().map(|p| p.to_string_lossy().into_owned()).collect())
                .collect(),
            groups_across_split: facts.groups_across_split,
            labels: facts.labels.names().to_vec(),
            bundle,
            model: ModelFacts {
                name: facts.origin.name,
                sha256: facts.origin.sha256.to_string(),
                licence: facts.origin.licence,
                at: facts.at,
                feature_length: facts.feature_length,
            },
            input: facts.input.into(),
            head: HeadFacts {
                kind: match self.head {
                    HeadName::Linear => "linear",
                    HeadName::Mlp => "mlp",
                },
                strength: strength(facts.chosen),
                epochs: epochs(facts.chosen),
                temperature: facts.calibration.temperature,
                unknown_below: facts.calibration.unknown_below,
                path: facts.path.into_iter().map(path_facts).collect(),
            },
            provider: provider.name(),
            onnx_runtime: engine.version().to_owned(),
            cpu: cpu_features(),
            threads,
            seed: recipe.seed,
            features_cached: facts.features.cached,
            features_computed: facts.features.computed,
            references_max_abs_diff: grafted.references_max_abs_diff,
            reused: Reused {
                parameters: facts.summary.parameters,
                multiply_adds: facts.summary.multiply_adds.exact(),
            },
            sweep,
            fine_tuning: facts.tuning.zip(recipe.fine_tuning.as_ref()).map(
                |(tuning, (recipe, _))| {
                    let facts = tuning.facts;
                    let [learned_from, stopped_by, calibrated_by] = facts.parts;
                    TuningFacts {
                        from: recipe.from.to_string(),
                        tensor: facts.tensor,
                        weights: facts.weights,
                        parameters: facts.parameters,
                        learned_from,
                        stopped_by,
                        calibrated_by,
                        epochs: facts.epochs,
                        best_epoch: facts.best_epoch,
                        resumed_from: facts.resumed_from,
                        needed_bytes: facts.memory.needed_bytes(),
                        available_bytes: facts.memory.available_bytes,
                        recipe: recipe.to_toml(),
                    }
                },
            ),
            texts,
            sentences,
        })
    }
}

/// What came of a run, by either way.
struct Made {
    run: Run,
    sweep: Option<Sweep>,
    texts: Option<TextFacts>,
    sentences: Option<SentenceFacts>,
}

fn note_unused(columns: &[String], display: &mut Display<'_>) {
    if !columns.is_empty() {
        let note = format!("columns that mean nothing to graft: {}", columns.join(", "));
        let _ = display.show(Event::Note(&note));
    }
}

/// A slip of the keyboard must not cost a data set: only a bundle is replaced.
fn refuse_to_overwrite(output: &Path, data: &Path) -> anyhow::Result<()> {
    if std::fs::canonicalize(output).is_ok_and(|o| Some(o) == std::fs::canonicalize(data).ok()) {
        anyhow::bail!("{} is the data set; name another file for the bundle", output.display());
    }
    if output.exists() && !is_bundle(output)? {
        anyhow::bail!(
            "{} exists and is not a bundle; move it away, or name another file",
            output.display()
        );
    }
    Ok(())
}

fn path_facts(point: PathPoint) -> PathFacts {
    PathFacts {
        strength: strength(point.setting),
        epochs: epochs(point.setting),
        log_loss: point.log_loss,
        accuracy: point.accuracy,
    }
}

fn strength(setting: Setting) -> Option<f64> {
    match setting {
        Setting::Strength(strength) => Some(strength),
        Setting::Epochs(_) => None,
    }
}

fn epochs(setting: Setting) -> Option<usize> {
    match setting {
        Setting::Epochs(epochs) => Some(epochs),
        Setting::Strength(_) => None,
    }
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|e| e.to_string())
}

fn strength_flag(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(strength) if strength > 0.0 && strength.is_finite() => Ok(strength),
        _ => Err("must be a number above 0".to_owned()),
    }
}
