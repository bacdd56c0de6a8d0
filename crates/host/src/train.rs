//! The main job: labelled photos and a backbone in, a bundle and a report out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use graft_input::words::TableError;
use graft_learn::{
    CalibrationError, EvaluationError, Examples, ExamplesError, Head, Progress, Targets,
    TrainError, Trained,
};
pub use graft_learn::{ClassWeights, Evaluation, LinearRecipe, MlpRecipe, PathPoint, Setting};
use graft_onnx::{Graph, Summary};
use graft_spec::{Calibration, Input, Labels, Name, SpecError};
use ndarray::ArrayView2;

use crate::backbone::{Backbone, Origin, Pool};
use crate::engine::Engine;
use crate::examples::{Dataset, Example};
use crate::features::{
    FeatureCost, FeatureOptions, Features, FeaturesError, Rows, SpillError, features,
};
use crate::finetune::{self, Checkpoints, FineTuneError, FineTuning, SupplyError, TuningFacts};
use crate::graft::{Description, GraftError, Grafted, Subject, bundle, join, join_blank};
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent, Stage};
use crate::provider::Provider;
use crate::sides::{Sides, SidesError, duplicates, sides};
use crate::vectors::VectorsError;

mod record;

pub(crate) use record::data_digest;
use record::provenance;

/// How to train.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The bundle's name.
    pub name: Name,
    /// Which head.
    pub head: HeadRecipe,
    /// Folds of cross-validation.
    pub folds: usize,
    /// Share that is held out, if the data set doesn't say.
    pub test_share: f64,
    /// Share of known examples that is to be answered; the rest is unknown.
    /// `None`: everything is answered.
    pub answered: Option<f64>,
    /// Of splits, folds and an MLP's first weights.
    pub seed: u64,
    /// Of the photos.
    pub data_licence: Option<String>,
    /// An unusable photo is an error.
    pub strict: bool,
    /// How the backbone itself is tuned, if it is, and where its checkpoints go. The
    /// head is then a linear one.
    pub fine_tuning: Option<(FineTuning, Checkpoints)>,
}

/// Which head is grafted.
#[derive(Clone, Debug)]
pub enum HeadRecipe {
    /// Multinomial logistic regression.
    Linear(LinearRecipe),
    /// One hidden layer.
    Mlp(MlpRecipe),
}

/// A finished training run.
#[derive(Debug)]
pub struct Run {
    /// The bundle, opened and verified in the device engine.
    pub grafted: Grafted,
    /// Held-out results.
    pub evaluation: Evaluation,
    /// Everything else there is to say.
    pub facts: Facts,
}

/// What happened in a training run.
#[derive(Debug)]
pub struct Facts {
    /// Usable examples.
    pub examples: usize,
    /// Of them learned from.
    pub trained: usize,
    /// Of them held out.
    pub tested: usize,
    /// Files that could not be used.
    pub skipped: Vec<Skipped>,
    /// Photos with the same bytes on both sides.
    pub duplicates_across_split: Vec<Vec<PathBuf>>,
    /// Groups that the data set's own split has on both sides.
    pub groups_across_split: Vec<String>,
    /// In the order of the logits.
    pub labels: Labels,
    /// Of the backbone or the word vectors.
    pub origin: Origin,
    /// The tensor that gave features.
    pub at: String,
    /// Features of one example.
    pub feature_length: usize,
    /// How examples are prepared.
    pub input: Input,
    /// What was chosen.
    pub chosen: Setting,
    /// What was tried.
    pub path: Vec<PathPoint>,
    /// Temperature and unknown threshold.
    pub calibration: Calibration,
    /// What features took.
    pub features: FeatureCost,
    /// Solving, cross-validation included.
    pub head_seconds: f64,
    /// What fine-tuning did, if there was any.
    pub tuning: Option<Tuning>,
    /// Joining, references, writing, replaying.
    pub bundle_seconds: f64,
    /// Of the grafted network.
    pub summary: Summary,
}

/// A fine-tuning, and what would have come without it.
#[derive(Debug)]
pub struct Tuning {
    /// How it went.
    pub facts: TuningFacts,
    /// Held-out results of the frozen backbone with the linear head, which had all
    /// of the training part to learn from.
    pub linear_probe: Evaluation,
    /// Wall time.
    pub seconds: f64,
}

/// A training run that failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The board couldn't run it.
    #[error("the device engine cannot run this backbone up to {at:?}{}", match nearest {
        Some(tensor) => format!("; the nearest cut below that it runs is {tensor:?}"),
        None => "; nor up to any cut below".to_owned(),
    })]
    Device { at: String, nearest: Option<String>, source: graft_runtime::OpenError },
    /// Features.
    #[error("{0}")]
    Features(#[from] FeaturesError),
    /// Unusable photos, in a strict run.
    #[error("{} of {total} examples cannot be used, first {}: {}", skipped.len(), skipped[0].path.display(), skipped[0].reason)]
    Strict { skipped: Vec<Skipped>, total: usize },
    /// A class lost all its photos.
    #[error("class {label:?} has no usable example to learn from: {}", if *skipped > 0 { format!("{skipped} files could not be used") } else { "all are held out".to_owned() })]
    NothingToLearn { label: String, skipped: usize },
    /// No usable photo at all.
    #[error("none of {total} examples can be used, first {}: {}", first.path.display(), first.reason)]
    NoPhotos { total: usize, first: Skipped },
    /// Splitting.
    #[error("{0}")]
    Sides(#[from] SidesError),
    /// Features that can't be learned from.
    #[error("the features cannot be learned from")]
    Examples(#[source] ExamplesError),
    /// The head.
    #[error("the head cannot be trained")]
    Head(#[source] TrainError),
    /// The temperature or the threshold.
    #[error("the head cannot be calibrated")]
    Calibration(#[source] CalibrationError),
    /// The held-out part.
    #[error("the head cannot be evaluated")]
    Evaluation(#[source] EvaluationError),
    /// Fine-tuning.
    #[error("{0}")]
    FineTune(#[source] FineTuneError),
    /// Word vectors.
    #[error("{0}")]
    Vectors(#[source] VectorsError),
    /// The words that travel can't be written.
    #[error("the words cannot be put into a table")]
    Table(#[from] TableError),
    /// Texts without a word that has a vector.
    #[error("none of {total} texts has a word that {vectors} knows")]
    NothingKnown { total: usize, vectors: String },
    /// The bundle.
    #[error("the bundle cannot be made")]
    Graft(#[from] GraftError),
    /// A value that a bundle can't hold.
    #[error("{0}")]
    Spec(#[from] SpecError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// Trains a head on a backbone and grafts it. `labels` are the data set's,
/// checked.
pub fn train(
    engine: &Engine,
    backbone: &Backbone,
    dataset: &Dataset,
    labels: &Labels,
    recipe: &Recipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Run, RunError> {
    // Before hours of features: a split that can't be is one whatever photos
    // turn out to be unusable, and what the board can't run is of no use.
    let all: Vec<&Example> = dataset.examples.iter().collect();
    let planned = sides(&all, recipe.test_share, recipe.folds, recipe.seed)?;
    check_classes(labels, &all, &planned, 0)?;
    if let Some((fine_tuning, checkpoints)) = &recipe.fine_tuning {
        let parts = finetune::split(&all, &planned.train, labels, fine_tuning)
            .map_err(RunError::FineTune)?;
        let classes = labels.names().len();
        finetune::check(&finetune::Outline {
            backbone,
            joined: &join_blank(backbone.graph(), backbone.feature_length, classes)?,
            recipe: fine_tuning,
            statistics: TUNED_STATISTICS,
            examples: parts.train.len(),
            checkpoints: Some(checkpoints),
        })
        .map_err(RunError::FineTune)?;
    }
    graft_runtime::check_onnx(&backbone.graph().to_bytes(), backbone.input.shape(1)).map_err(
        |source| {
            let (at, nearest) = (backbone.at.clone(), nearest_runnable(backbone));
            RunError::Device { at, nearest, source }
        },
    )?;

    let features = usable_features(engine, backbone, dataset, recipe.strict, options, on)?;
    let usable: Vec<&Example> = features.usable.iter().map(|&i| &dataset.examples[i]).collect();
    let sides = sides(&usable, recipe.test_share, recipe.folds, recipe.seed)?;
    check_classes(labels, &usable, &sides, features.skipped.len())?;
    let duplicates = note_leaks(&features, &usable, &sides, on)?;

    let start = Instant::now();
    let (trained, calibration, evaluation) = learn(&features, &usable, &sides, labels, recipe, on)?;
    let head_seconds = start.elapsed().as_secs_f64();

    let outcome = match &recipe.fine_tuning {
        None => {
            let joined = join(backbone.graph(), &trained.head)?;
            Outcome { joined, calibration, evaluation, tuning: None }
        }
        Some((fine_tuning, checkpoints)) => {
            let data = Data { features: &features, usable: &usable, sides: &sides, labels, recipe };
            let place = Place { engine, backbone, options, checkpoints };
            fine_tune(&data, &place, &trained, evaluation, fine_tuning, on)?
        }
    };
    let source = Source {
        origin: &backbone.origin,
        at: &backbone.at,
        feature_length: backbone.feature_length,
        subject: Subject::Photo(&backbone.input),
    };
    let learned = Learned {
        features,
        usable: &usable,
        sides,
        labels,
        duplicates,
        trained,
        head_seconds,
        words: BTreeMap::new(),
    };
    conclude(engine, &options.provider, &source, recipe, learned, outcome, on)
}

/// What a head was learned on.
pub(crate) struct Source<'a> {
    pub(crate) origin: &'a Origin,
    /// The tensor that gave features.
    pub(crate) at: &'a str,
    pub(crate) feature_length: usize,
    pub(crate) subject: Subject<'a>,
}

/// A head, and what it was learned from.
pub(crate) struct Learned<'a> {
    pub(crate) features: Features,
    pub(crate) usable: &'a [&'a Example],
    pub(crate) sides: Sides,
    pub(crate) labels: &'a Labels,
    pub(crate) duplicates: Vec<Vec<PathBuf>>,
    pub(crate) trained: Trained,
    pub(crate) head_seconds: f64,
    /// Of the recipe, beside what every recipe has.
    pub(crate) words: BTreeMap<String, String>,
}

/// Makes the bundle, and says everything there is to say.
pub(crate) fn conclude(
    engine: &Engine,
    provider: &Provider,
    source: &Source<'_>,
    recipe: &Recipe,
    learned: Learned<'_>,
    outcome: Outcome,
    on: OnEvent<'_>,
) -> Result<Run, RunError> {
    let start = Instant::now();
    let Outcome { joined, calibration, evaluation, tuning } = outcome;
    let provenance = provenance(engine, provider, source, recipe, &learned, &evaluation);
    let labels = learned.labels.clone();
    let description =
        Description { name: recipe.name.clone(), labels: labels.clone(), calibration, provenance };
    let Source { subject, feature_length, .. } = *source;
    let grafted = bundle(engine, provider, subject, feature_length, &joined, description)?;
    if let Some(reason) = &grafted.without_nnef {
        let note =
            format!("the bundle holds the model as ONNX alone, which opens slower: {reason}");
        if on(Event::Note(&note)).is_break() {
            return Err(RunError::Cancelled);
        }
    }
    let Learned { features, usable, sides, duplicates, trained, head_seconds, .. } = learned;
    let facts = Facts {
        examples: usable.len(),
        trained: sides.train.len(),
        tested: sides.test.len(),
        skipped: features.skipped,
        duplicates_across_split: duplicates,
        groups_across_split: sides.torn_groups,
        labels,
        origin: source.origin.clone(),
        at: source.at.to_owned(),
        feature_length,
        input: subject.input(),
        chosen: trained.chosen,
        path: trained.path,
        calibration,
        features: features.cost,
        head_seconds,
        tuning,
        bundle_seconds: start.elapsed().as_secs_f64(),
        summary: joined.summary(),
    };
    Ok(Run { grafted, evaluation, facts })
}

/// Features of every photo that can be used; there is one, or it is an error.
pub(crate) fn usable_features(
    engine: &Engine,
    backbone: &Backbone,
    dataset: &Dataset,
    strict: bool,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Features, RunError> {
    let paths: Vec<&Path> = dataset.examples.iter().map(|e| e.path.as_path()).collect();
    let features = features(engine, backbone, &paths, options, on).map_err(|e| match e {
        FeaturesError::Cancelled => RunError::Cancelled,
        other => RunError::Features(other),
    })?;
    if let Some(first) = features.skipped.first() {
        if strict {
            return Err(RunError::Strict { skipped: features.skipped, total: paths.len() });
        }
        if features.usable.is_empty() {
            return Err(RunError::NoPhotos { total: paths.len(), first: first.clone() });
        }
    }
    Ok(features)
}

/// The highest cut of a backbone up to which the device engine runs it.
fn nearest_runnable(backbone: &Backbone) -> Option<String> {
    let runs = |point: &graft_onnx::CutPoint| {
        // A batch that something above fixed may be free without it.
        let below = backbone.graph().clone().pooled_features(&point.tensor, Pool::Mean);
        let below = below.map(Graph::with_dynamic_batch);
        let shape = backbone.input.shape(1);
        below.is_ok_and(|graph| graft_runtime::check_onnx(&graph.to_bytes(), shape).is_ok())
    };
    backbone.graph().cut_points().into_iter().rev().find(runs).map(|point| point.tensor)
}

/// A class without a photo to learn from would make a head that never answers it.
pub(crate) fn check_classes(
    labels: &Labels,
    usable: &[&Example],
    sides: &Sides,
    skipped: usize,
) -> Result<(), RunError> {
    let mut counts = vec![0usize; labels.names().len()];
    for &i in &sides.train {
        counts[usable[i].label] += 1;
    }
    match counts.iter().position(|&n| n == 0) {
        None => Ok(()),
        Some(class) => Err(RunError::NothingToLearn { label: labels[class].to_owned(), skipped }),
    }
}

pub(crate) fn note_leaks(
    features: &Features,
    usable: &[&Example],
    sides: &Sides,
    on: OnEvent<'_>,
) -> Result<Vec<Vec<PathBuf>>, RunError> {
    let mut note = |text: String| match on(Event::Note(&text)) {
        ControlFlow::Break(()) => Err(RunError::Cancelled),
        ControlFlow::Continue(()) => Ok(()),
    };
    let found: Vec<Vec<PathBuf>> = duplicates(&features.photos, sides)
        .into_iter()
        .map(|same| same.into_iter().map(|i| usable[i].path.clone()).collect())
        .collect();
    if let Some(first) = found.first() {
        note(format!(
            "{} examples are on both sides of the split, byte for byte, first {} and {}: the held-out results are too good by that",
            found.len(),
            first[0].display(),
            first[1].display()
        ))?;
    }
    if let Some(first) = sides.torn_groups.first() {
        note(format!(
            "{} groups are on both sides of the data set's own split, first {first:?}: the held-out results may be too good",
            sides.torn_groups.len()
        ))?;
    }
    Ok(found)
}

pub(crate) fn learn(
    features: &Features,
    usable: &[&Example],
    sides: &Sides,
    labels: &Labels,
    recipe: &Recipe,
    on: OnEvent<'_>,
) -> Result<(Trained, Calibration, Evaluation), RunError> {
    let labels_of = |side: &[usize]| side.iter().map(|&i| usable[i].label).collect::<Vec<_>>();
    let (train_labels, test_labels) = (labels_of(&sides.train), labels_of(&sides.test));
    let train_rows = features.rows.select(&sides.train).map_err(spilled)?;
    let classes = labels.names().len();
    let examples =
        Examples::new(train_rows.view(), &train_labels, classes).map_err(RunError::Examples)?;

    let settings = match &recipe.head {
        HeadRecipe::Linear(recipe) => recipe.strengths.len(),
        HeadRecipe::Mlp(recipe) => recipe.epochs,
    };
    if on(Event::Begin { stage: Stage::Head, total: Some(settings as u64) }).is_break() {
        return Err(RunError::Cancelled);
    }
    let mut tried = 0;
    let mut progress = |step: Progress| {
        if let Progress::Tried { done, .. } = step {
            tried = done as u64;
        }
        // Each pass is told, if only so that the work can be stopped in it.
        on(Event::Advance { done: tried })
    };
    let trained = match &recipe.head {
        HeadRecipe::Linear(recipe) => {
            graft_learn::train_linear(&examples, recipe, &sides.folds, &mut progress)
        }
        HeadRecipe::Mlp(recipe) => {
            graft_learn::train_mlp(&examples, recipe, &sides.folds, &mut progress)
        }
    }
    .map_err(|e| match e {
        TrainError::Interrupted => RunError::Cancelled,
        other => RunError::Head(other),
    })?;
    let _ = on(Event::End);

    let calibration =
        graft_learn::calibrate(trained.out_of_fold_logits.view(), &train_labels, recipe.answered)
            .map_err(RunError::Calibration)?;
    drop(train_rows);
    let test_rows = features.rows.select(&sides.test).map_err(spilled)?;
    let logits = trained.head.logits(test_rows.view());
    let targets =
        Targets { labels: &test_labels, names: labels, majority: majority(&train_labels, classes) };
    let evaluation = graft_learn::evaluate(logits.view(), &targets, &calibration)
        .map_err(RunError::Evaluation)?;
    Ok((trained, calibration, evaluation))
}

/// What is learned from, and how.
struct Data<'a> {
    features: &'a Features,
    usable: &'a [&'a Example],
    sides: &'a Sides,
    labels: &'a Labels,
    recipe: &'a Recipe,
}

/// What fine-tuning runs on.
struct Place<'a> {
    engine: &'a Engine,
    backbone: &'a Backbone,
    options: &'a FeatureOptions,
    checkpoints: &'a Checkpoints,
}

/// A network that answers, and how well it does.
pub(crate) struct Outcome {
    pub(crate) joined: Graph,
    pub(crate) calibration: Calibration,
    pub(crate) evaluation: Evaluation,
    pub(crate) tuning: Option<Tuning>,
}

/// What batch normalisation does while a backbone is tuned: the statistics of a small
/// task are worse than the source's, and a batch's worse still.
pub(crate) const TUNED_STATISTICS: graft_onnx::Statistics = graft_onnx::Statistics::Frozen;

/// Solves a head on what is learned from alone, at the strength that was chosen on
/// the whole training part, and tunes the network from there.
fn fine_tune(
    data: &Data<'_>,
    place: &Place<'_>,
    probe: &Trained,
    linear_probe: Evaluation,
    recipe: &FineTuning,
    on: OnEvent<'_>,
) -> Result<Outcome, RunError> {
    let start = Instant::now();
    let Data { features, usable, sides, labels, .. } = *data;
    let parts = finetune::split(usable, &sides.train, labels, recipe).map_err(of_tuning)?;
    let classes = labels.names().len();
    let head = first_head(&features.rows, usable, &parts.train, classes, data.recipe, probe)?;
    let joined = join(place.backbone.graph(), &head)?;
    let task = finetune::Task {
        engine: place.engine,
        below: finetune::Below::Photos(place.backbone),
        joined: &joined,
        examples: usable,
        contents: &features.photos,
        parts: &parts,
        test: &sides.test,
        classes,
        recipe,
        options: place.options,
        statistics: TUNED_STATISTICS,
        checkpoints: place.checkpoints,
    };
    let tuned = finetune::tune(&task, on).map_err(of_tuning)?;
    let logits = (tuned.calibrate_logits.view(), tuned.test_logits.view());
    let (calibration, evaluation) =
        judged(logits, usable, sides, &parts, labels, data.recipe.answered)?;
    let seconds = start.elapsed().as_secs_f64();
    let tuning = Some(Tuning { facts: tuned.facts, linear_probe, seconds });
    Ok(Outcome { joined: tuned.network, calibration, evaluation, tuning })
}

/// The head that tuning begins with: of what is learned from alone.
pub(crate) fn first_head(
    rows: &Rows,
    usable: &[&Example],
    learned: &[usize],
    classes: usize,
    recipe: &Recipe,
    probe: &Trained,
) -> Result<Head, RunError> {
    let (HeadRecipe::Linear(linear), Setting::Strength(strength)) = (&recipe.head, probe.chosen)
    else {
        unreachable!("fine-tuning begins with a linear head: see Recipe")
    };
    let labels: Vec<usize> = learned.iter().map(|&i| usable[i].label).collect();
    let rows = rows.select(learned).map_err(spilled)?;
    let examples = Examples::new(rows.view(), &labels, classes).map_err(RunError::Examples)?;
    Ok(graft_learn::fit_linear(&examples, strength, linear).map_err(RunError::Head)?.head)
}

/// Calibrates a tuned network by its logits of the calibrate part, and holds those of
/// the held-out part against it.
pub(crate) fn judged(
    (to_calibrate, to_judge): (ArrayView2<'_, f32>, ArrayView2<'_, f32>),
    usable: &[&Example],
    sides: &Sides,
    parts: &finetune::Parts,
    labels: &Labels,
    answered: Option<f64>,
) -> Result<(Calibration, Evaluation), RunError> {
    let labels_of = |part: &[usize]| part.iter().map(|&i| usable[i].label).collect::<Vec<_>>();
    let known = labels_of(&parts.calibrate);
    let calibration =
        graft_learn::calibrate(to_calibrate, &known, answered).map_err(RunError::Calibration)?;
    let targets = Targets {
        labels: &labels_of(&sides.test),
        names: labels,
        majority: majority(&labels_of(&sides.train), labels.names().len()),
    };
    let evaluation =
        graft_learn::evaluate(to_judge, &targets, &calibration).map_err(RunError::Evaluation)?;
    Ok((calibration, evaluation))
}

/// A fine-tuning that failed or was stopped, as a training run.
pub(crate) fn of_tuning(error: FineTuneError) -> RunError {
    match error {
        FineTuneError::Cancelled | FineTuneError::Supply(SupplyError::Cancelled) => {
            RunError::Cancelled
        }
        other => RunError::FineTune(other),
    }
}

fn spilled(error: SpillError) -> RunError {
    RunError::Features(error.into())
}

/// The most frequent class, the first if several are.
pub fn majority(labels: &[usize], classes: usize) -> usize {
    let mut counts = vec![0usize; classes];
    for &label in labels {
        counts[label] += 1;
    }
    (0..classes).rev().max_by_key(|&class| counts[class]).unwrap_or(0)
}
