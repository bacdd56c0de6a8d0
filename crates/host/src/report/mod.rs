//! What transfer bought: the same task learned in three ways, with ever more
//! photos and several seeds, judged by the same held-out photos.
//!
//! The held-out part chooses nothing: epochs are fixed, the last epoch's weights
//! are used, and strengths of heads come from cross-validation on what is learned
//! from.

mod learners;
mod plan;
mod scratch;
mod shown;
mod trials;

use std::path::Path;
use std::time::Duration;

use graft_input::words::TableError;
pub use graft_learn::ReliabilityBin;
pub use graft_learn::curves::{
    Benefit, Check, EpochPoint, Estimate, Forecast, Forecasted, Gain, Measure, PowerLaw, SizePoint,
    Verdict,
};
use graft_learn::curves::{Curves, CurvesError, benefits, forecast, still_learning};
use graft_learn::{CalibrationError, EvaluationError, ExamplesError, SplitError, TrainError};
use graft_onnx::Architecture;
use graft_spec::{ImageSpec, Labels, WordsSpec};
use serde::Serialize;

pub use self::scratch::Scratch;
pub use self::shown::{Exemplar, Shown};
pub use self::trials::Method;

use self::learners::{Learners, Source};
use self::plan::Plan;
use self::shown::{Judged, shown};
use self::trials::{Trials, trials};
use crate::answer::NOTHING_KNOWN;
use crate::backbone::Backbone;
use crate::digest::Digest;
use crate::engine::{Engine, cpu_features};
use crate::examples::{Dataset, Example};
use crate::features::{FeatureCost, FeatureOptions, Features, FeaturesError, features};
use crate::finetune::{self, FineTuneError, FineTuning, SupplyError};
use crate::graft::{GraftError, join_blank};
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::sides::{SidesError, sides};
use crate::texts::{TextLessons, TextRecipe, TextTask, WordsError, check_pooling, known};
use crate::train::{TUNED_STATISTICS, data_digest, majority, note_leaks};
use crate::vectors::VectorsError;

/// Multiples of the labels that forecasts are made for.
const FORECASTS: [f64; 2] = [2.0, 4.0];

/// How to compare.
#[derive(Clone, Debug)]
pub struct ReportRecipe {
    /// In the order in which they run.
    pub methods: Vec<Method>,
    /// Training-set sizes at most, each half of the next.
    pub sizes: usize,
    /// Runs of each method and size.
    pub seeds: usize,
    /// The first of them, and that of the split.
    pub seed: u64,
    /// Folds of cross-validation.
    pub folds: usize,
    /// Share that is held out, if the data set doesn't say.
    pub test_share: f64,
    /// How the backbone is tuned. Its shares for stopping and calibrating mean
    /// nothing: all photos are learned from, to the last epoch.
    pub fine_tuning: FineTuning,
    /// What learns without transfer.
    pub scratch: Scratch,
    /// Whether thumbnails are made.
    pub photos: Photos,
    /// An unusable photo is an error.
    pub strict: bool,
}

/// Whether a report has photos in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Photos {
    /// Small ones.
    Shown,
    /// Their licence forbids it.
    LeftOut,
}

/// What examples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Photos, for networks.
    Photos,
    /// Texts, for vectors of words.
    Texts,
}

impl About {
    /// For people.
    pub fn plural(self) -> &'static str {
        match self {
            About::Photos => "photos",
            About::Texts => "texts",
        }
    }
}

/// How examples are prepared for the source.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Prepared {
    /// A photo.
    Photo(ImageSpec),
    /// A text.
    Text(WordsSpec),
}

/// What transfer bought. Field names are those of docs/json.md.
#[derive(Debug, Serialize)]
pub struct TransferReport {
    /// What was learned about.
    pub about: About,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Usable photos.
    pub examples: usize,
    /// Of them learned from, at most.
    pub trained: usize,
    /// Of them held out.
    pub tested: usize,
    /// Accuracy of always giving the training part's most frequent label.
    pub baseline_accuracy: f64,
    /// Numbers of photos that were learned from.
    pub sizes: Vec<usize>,
    /// Of the runs.
    pub seeds: Vec<u64>,
    /// Curves of each method.
    pub methods: Vec<MethodCurves>,
    /// What each method that transfers is worth against training from scratch.
    pub benefits: Vec<Benefits>,
    /// One run, in detail.
    pub shown: Shown,
    /// What was compared.
    pub provenance: Provenance,
    /// Files that could not be used.
    pub skipped_files: Vec<Skipped>,
}

/// How one method did.
#[derive(Debug, Serialize)]
pub struct MethodCurves {
    /// Which.
    pub method: Method,
    /// Epochs of each of its runs; 0 where a head is solved.
    pub epochs: usize,
    /// Accuracy by examples.
    pub by_examples: Vec<SizePoint>,
    /// Accuracy by epochs, with all examples.
    pub by_epoch: Vec<EpochPoint>,
    /// Whether accuracy was still rising when the epochs were over.
    pub still_learning: Option<bool>,
    /// What more labels would bring.
    pub forecast: Option<Forecast>,
    /// All its runs.
    pub seconds: f64,
}

/// What a method is worth against training from scratch.
#[derive(Debug, Serialize)]
pub struct Benefits {
    /// Which.
    pub method: Method,
    /// Each benefit, by each measure that there is.
    pub gains: Vec<Gain>,
}

/// What was compared, to make it again.
#[derive(Debug, Serialize)]
pub struct Provenance {
    /// Of the backbone.
    pub model: String,
    /// Of its file.
    pub model_sha256: Digest,
    /// Of its weights.
    pub model_licence: String,
    /// Where it is cut.
    pub at: String,
    /// Photos, labels and split.
    pub data_sha256: Digest,
    /// How examples are prepared for it.
    pub input: Prepared,
    /// The whole recipe of fine-tuning, as TOML, if there was any.
    pub fine_tuning: Option<String>,
    /// The network that learned from scratch, if one did.
    pub scratch: Option<ScratchFacts>,
    /// Folds of cross-validation of the heads.
    pub folds: usize,
    /// Where ONNX Runtime computed.
    pub provider: &'static str,
    /// Its version.
    pub onnx_runtime: String,
    /// Instruction sets that decide about kernels.
    pub cpu: String,
    /// Of this program.
    pub graft: &'static str,
}

/// The network that learned from scratch.
#[derive(Debug, Serialize)]
pub struct ScratchFacts {
    /// Its kind.
    pub architecture: &'static str,
    /// Its numbers.
    pub parameters: u64,
    /// Width and height of its pictures; nothing of texts.
    pub size: Option<[u32; 2]>,
    /// Epochs.
    pub epochs: usize,
    /// Photos of a step, about.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
}

/// A report that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No methods.
    #[error("there is no method to report on")]
    NoMethod,
    /// Sizes could not double.
    #[error(
        "{examples} examples are left to learn from beside the held-out ones; {needed} are needed, 4 a class, for two sizes to compare"
    )]
    TooFew { examples: usize, needed: usize },
    /// The held-out part tells nothing.
    #[error("{tested} example is held out; 2 or more are needed to know how sure a result is")]
    NothingHeldOut { tested: usize },
    /// Features.
    #[error("{0}")]
    Features(#[source] FeaturesError),
    /// Word vectors.
    #[error("{0}")]
    Vectors(#[source] VectorsError),
    /// The words can't be written.
    #[error("the words cannot be put into a table")]
    Table(#[source] TableError),
    /// Unusable photos, in a strict run.
    #[error("{} of {total} examples cannot be used, first {}: {}", skipped.len(), skipped[0].path.display(), skipped[0].reason)]
    Strict { skipped: Vec<Skipped>, total: usize },
    /// No usable photo at all.
    #[error("none of {total} examples can be used, first {}: {}", first.path.display(), first.reason)]
    NoPhotos { total: usize, first: Skipped },
    /// A class lost all its photos.
    #[error("class {label:?} has {count} usable example to learn from; 2 or more are needed")]
    NothingToLearn { label: String, count: usize },
    /// The held-out part.
    #[error("{0}")]
    Sides(#[from] SidesError),
    /// Smaller sets.
    #[error("the examples cannot be divided into smaller sets")]
    Split(#[source] SplitError),
    /// Features that can't be learned from.
    #[error("the features cannot be learned from")]
    Examples(#[source] ExamplesError),
    /// A head.
    #[error("a head cannot be trained")]
    Head(#[source] TrainError),
    /// A temperature.
    #[error("a head cannot be calibrated")]
    Calibration(#[source] CalibrationError),
    /// A head that can't be joined.
    #[error("{0}")]
    Graft(#[from] GraftError),
    /// A training.
    #[error("{0}")]
    FineTune(#[source] FineTuneError),
    /// The held-out answers.
    #[error("the answers cannot be judged")]
    Evaluation(#[source] EvaluationError),
    /// Runs that can't be compared.
    #[error("{0}")]
    Curves(#[from] CurvesError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

impl From<WordsError> for ReportError {
    fn from(error: WordsError) -> ReportError {
        match error {
            WordsError::Cancelled => ReportError::Cancelled,
            WordsError::Vectors(error) => ReportError::Vectors(error),
            WordsError::Table(error) => ReportError::Table(error),
        }
    }
}

impl From<FineTuneError> for ReportError {
    fn from(error: FineTuneError) -> ReportError {
        match error {
            FineTuneError::Cancelled | FineTuneError::Supply(SupplyError::Cancelled) => {
                ReportError::Cancelled
            }
            other => ReportError::FineTune(other),
        }
    }
}

/// Compares the methods of the recipe on a task. `labels` are the data set's,
/// checked. What it will take is told before the long part begins.
pub fn report(
    engine: &Engine,
    backbone: &Backbone,
    dataset: &Dataset,
    labels: &Labels,
    recipe: &ReportRecipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<TransferReport, ReportError> {
    // Before minutes of features: what no photo can change.
    if recipe.methods.is_empty() {
        return Err(ReportError::NoMethod);
    }
    let all: Vec<&Example> = dataset.examples.iter().collect();
    let (_, planned) = plan(&all, labels, recipe)?;
    if recipe.methods.contains(&Method::FineTuned) {
        let classes = labels.names().len();
        finetune::check(&finetune::Outline {
            backbone,
            joined: &join_blank(backbone.graph(), backbone.feature_length, classes)?,
            recipe: &recipe.fine_tuning,
            statistics: TUNED_STATISTICS,
            examples: planned.train.len(),
            checkpoints: None,
        })?;
    }

    let features = usable_features(engine, backbone, dataset, recipe, options, on)?;
    let usable = features.usable.iter().map(|&i| &dataset.examples[i]).collect();
    let material =
        Material { source: Source::Photos(backbone), usable, features, texts: None, labels };
    of_material(engine, material, recipe, options, on)
}

/// The same of a task about texts. What `recipe` says of networks means nothing, and
/// `options` keep nothing.
pub fn report_texts(
    engine: &Engine,
    task: &TextTask<'_>,
    recipe: &ReportRecipe,
    text_recipe: &TextRecipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<TransferReport, ReportError> {
    let TextTask { vectors, texts, labels } = *task;
    if recipe.methods.is_empty() {
        return Err(ReportError::NoMethod);
    }
    if recipe.methods.iter().any(|&method| method != Method::Frozen) {
        check_pooling(text_recipe.pooling)?;
        finetune::check_for_texts(&recipe.fine_tuning)?;
    }
    let all: Vec<&Example> = texts.dataset.examples.iter().collect();
    plan(&all, labels, recipe)?;
    let contents: Vec<&str> = texts.texts.iter().map(String::as_str).collect();
    let known = known(vectors, &contents, text_recipe, on)?;
    let kept: Vec<usize> = (0..all.len()).filter(|&i| known[i]).collect();
    let unknown = all.iter().zip(&known).filter(|(_, known)| !**known);
    let unknown = unknown.map(|(example, _)| Skipped {
        path: example.path.clone(),
        reason: NOTHING_KNOWN.to_owned(),
    });
    let skipped: Vec<Skipped> = texts.skipped.iter().cloned().chain(unknown).collect();
    let total = all.len() + texts.skipped.len();
    match skipped.first() {
        Some(first) if kept.is_empty() => {
            return Err(ReportError::NoPhotos { total, first: first.clone() });
        }
        Some(_) if recipe.strict => return Err(ReportError::Strict { skipped, total }),
        _ => {}
    }
    let usable: Vec<&Example> = kept.iter().map(|&i| all[i]).collect();
    let contents: Vec<&str> = kept.iter().map(|&i| contents[i]).collect();
    let (_, sides) = plan(&usable, labels, recipe)?;
    let (lessons, rows) =
        TextLessons::new(vectors, contents.clone(), &sides.train, text_recipe, on)?;
    let features = Features {
        rows: rows.into(),
        photos: contents.iter().map(|text| Digest::of(text.as_bytes())).collect(),
        usable: kept,
        skipped,
        batch: 1,
        cost: FeatureCost::default(),
    };
    let source = Source::Texts(&lessons);
    let material = Material { source, usable, features, texts: Some(contents), labels };
    of_material(engine, material, recipe, options, on)
}

/// What is learned from.
struct Material<'a> {
    source: Source<'a>,
    usable: Vec<&'a Example>,
    features: Features,
    texts: Option<Vec<&'a str>>,
    labels: &'a Labels,
}

fn of_material(
    engine: &Engine,
    material: Material<'_>,
    recipe: &ReportRecipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<TransferReport, ReportError> {
    let Material { source, usable, features: made, texts, labels } = material;
    let about = match source {
        Source::Photos(_) => About::Photos,
        Source::Texts(_) => About::Texts,
    };
    let (plan, sides) = plan(&usable, labels, recipe)?;
    // It fails for a stop alone.
    note_leaks(&made, &usable, &sides, on).map_err(|_| ReportError::Cancelled)?;
    let class_of: Vec<usize> = usable.iter().map(|e| e.label).collect();
    let of_side = |side: &[usize]| side.iter().map(|&i| class_of[i]).collect::<Vec<_>>();
    let majority = majority(&of_side(&sides.train), labels.names().len());

    let of = (usable.as_slice(), &made);
    let mut learners = Learners::new(engine, source, of, labels, recipe, options);
    let methods = recipe.methods.as_slice();
    let takes = learners.estimate(&plan, methods, on)?;
    note(on, &what_follows(&plan, methods, about, takes))?;
    let mut learn = |lesson: &trials::Lesson<'_>, on: OnEvent<'_>| learners.learn(lesson, on);
    let runs = trials(&plan, (methods, about), &class_of, &mut learn, on)?;

    let judged =
        Judged { texts: texts.as_deref(), examples: &usable, test: &plan.test, labels, majority };
    let closest = runs.iter().max_by_key(|run| run.method).ok_or(ReportError::NoMethod)?;
    let of = (sides.train.len(), plan.seeds[0]);
    let shown = shown(closest.method, &closest.shown, of, &judged, recipe.photos)?;
    let baseline_accuracy = plan.test.iter().filter(|&&i| class_of[i] == majority).count() as f64
        / plan.test.len() as f64;
    let (methods, benefits) = compared(runs, recipe.seed)?;
    let data_sha256 = data_digest(&made, &usable, &sides);
    Ok(TransferReport {
        about,
        labels: labels.names().to_vec(),
        examples: usable.len(),
        trained: sides.train.len(),
        tested: plan.test.len(),
        baseline_accuracy,
        sizes: plan.sizes,
        seeds: plan.seeds,
        methods,
        benefits,
        shown,
        provenance: provenance(
            engine,
            (source, &sides.train),
            labels,
            recipe,
            options,
            data_sha256,
        ),
        skipped_files: made.skipped,
    })
}

fn plan(
    examples: &[&Example],
    labels: &Labels,
    recipe: &ReportRecipe,
) -> Result<(Plan, crate::sides::Sides), ReportError> {
    let sides = sides(examples, recipe.test_share, recipe.folds, recipe.seed)?;
    if sides.test.len() < 2 {
        return Err(ReportError::NothingHeldOut { tested: sides.test.len() });
    }
    let mut counts = vec![0usize; labels.names().len()];
    sides.train.iter().for_each(|&i| counts[examples[i].label] += 1);
    if let Some((class, &count)) = counts.iter().enumerate().find(|(_, count)| **count < 2) {
        return Err(ReportError::NothingToLearn { label: labels[class].to_owned(), count });
    }
    let seeds: Vec<u64> = (0..recipe.seeds as u64).map(|k| recipe.seed.wrapping_add(k)).collect();
    let (train, test) = (&sides.train, &sides.test);
    let plan = Plan::new(examples, train, test, counts.len(), recipe.sizes, &seeds)?;
    Ok((plan, sides))
}

fn usable_features(
    engine: &Engine,
    backbone: &Backbone,
    dataset: &Dataset,
    recipe: &ReportRecipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Features, ReportError> {
    let paths: Vec<&Path> = dataset.examples.iter().map(|e| e.path.as_path()).collect();
    let made = features(engine, backbone, &paths, options, on).map_err(|error| match error {
        FeaturesError::Cancelled => ReportError::Cancelled,
        other => ReportError::Features(other),
    })?;
    let total = paths.len();
    match made.skipped.first() {
        Some(first) if made.usable.is_empty() => {
            Err(ReportError::NoPhotos { total, first: first.clone() })
        }
        Some(_) if recipe.strict => Err(ReportError::Strict { skipped: made.skipped, total }),
        _ => Ok(made),
    }
}

fn what_follows(plan: &Plan, methods: &[Method], about: About, takes: Duration) -> String {
    let words: Vec<&str> = methods.iter().map(|method| method.words()).collect();
    let seconds = takes.as_secs();
    let time = match seconds {
        0..90 => format!("{} s", seconds.max(1)),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    };
    format!(
        "{} runs follow: {}; with {} {}; {} seeds. About {time}, and what the heads take",
        methods.len() * plan.sizes.len() * plan.seeds.len(),
        words.join(", "),
        plan.sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
        about.plural(),
        plan.seeds.len(),
    )
}

/// Curves of each method, and what each is worth against training from scratch.
fn compared(
    runs: Vec<Trials>,
    seed: u64,
) -> Result<(Vec<MethodCurves>, Vec<Benefits>), ReportError> {
    let mut curves = Vec::with_capacity(runs.len());
    for run in runs {
        curves.push((run.method, run.wall, Curves::new(run.trials)?));
    }
    let scratch = curves.iter().find(|(method, ..)| *method == Method::Scratch);
    let mut worth = Vec::new();
    if let Some((.., scratch)) = scratch {
        for (method, _, transfer) in curves.iter().filter(|(m, ..)| *m != Method::Scratch) {
            worth.push(Benefits { method: *method, gains: benefits(transfer, scratch)? });
        }
    }
    let methods = curves.iter().map(|(method, wall, curves)| MethodCurves {
        method: *method,
        epochs: curves.epochs(),
        by_examples: curves.by_examples(),
        by_epoch: curves.by_epoch(),
        still_learning: still_learning(curves),
        forecast: forecast(curves, &FORECASTS, seed),
        seconds: wall.as_secs_f64(),
    });
    Ok((methods.collect(), worth))
}

fn provenance(
    engine: &Engine,
    (source, train): (Source<'_>, &[usize]),
    labels: &Labels,
    recipe: &ReportRecipe,
    options: &FeatureOptions,
    data_sha256: Digest,
) -> Provenance {
    let with = |method: Method| recipe.methods.contains(&method);
    let of = &recipe.scratch;
    let classes = labels.names().len();
    let (origin, at, input, architecture, parameters, size) = match source {
        Source::Photos(backbone) => {
            let input = of.input(&backbone.input);
            let network = of.network(&input, classes, recipe.seed);
            (
                &backbone.origin,
                backbone.at.clone(),
                Prepared::Photo(backbone.input.clone()),
                Architecture::name(of.architecture),
                network.summary().parameters,
                Some([input.width, input.height]),
            )
        }
        Source::Texts(lessons) => {
            let spec = lessons.spec();
            let numbers = lessons.moving(train) * spec.dimensions as usize;
            let head = classes * (spec.dimensions as usize + 1);
            (
                lessons.origin,
                "texts".to_owned(),
                Prepared::Text(spec.clone()),
                "word_vectors",
                (numbers + head) as u64,
                None,
            )
        }
    };
    Provenance {
        model: origin.name.clone(),
        model_sha256: origin.sha256,
        model_licence: origin.licence.clone(),
        at,
        data_sha256,
        input,
        fine_tuning: with(Method::FineTuned).then(|| recipe.fine_tuning.to_toml()),
        scratch: with(Method::Scratch).then_some(ScratchFacts {
            architecture,
            parameters,
            size,
            epochs: of.epochs,
            batch: of.batch,
            rate: of.rate,
        }),
        folds: recipe.folds,
        provider: options.provider.name(),
        onnx_runtime: engine.version().to_owned(),
        cpu: cpu_features(),
        graft: env!("CARGO_PKG_VERSION"),
    }
}

fn note(on: OnEvent<'_>, text: &str) -> Result<(), ReportError> {
    match on(Event::Note(text)).is_break() {
        true => Err(ReportError::Cancelled),
        false => Ok(()),
    }
}
