//! What transfer bought: the same task learned in three ways, with ever more
//! photos and several seeds, judged by the same held-out photos.
//!
//! The held-out part chooses nothing: epochs are fixed, the last epoch's weights
//! are used, and strengths of heads come from cross-validation on what is learned
//! from.

mod error;
mod learners;
mod plan;
mod provenance;
mod scratch;
mod shown;
mod trials;

use std::path::Path;
use std::time::Duration;

pub use graft_learn::ReliabilityBin;
pub use graft_learn::curves::{
    Benefit, Check, EpochPoint, Estimate, Forecast, Forecasted, Gain, Measure, PowerLaw, SizePoint,
    Verdict,
};
use graft_learn::curves::{Curves, benefits, forecast, still_learning};
use graft_spec::Labels;
use serde::Serialize;

pub use self::error::ReportError;
pub use self::provenance::{Prepared, Provenance, ScratchFacts};
pub use self::scratch::Scratch;
pub use self::shown::{Exemplar, Shown};
pub use self::trials::Method;

use self::learners::{Learners, Source};
use self::plan::Plan;
use self::provenance::provenance;
use self::shown::{Judged, shown};
use self::trials::{Trials, trials};
use crate::answer::NOTHING_KNOWN;
use crate::backbone::Backbone;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::examples::{Dataset, Example};
use crate::features::{FeatureCost, FeatureOptions, Features, FeaturesError, features};
use crate::finetune::{self, FineTuning};
use crate::graft::join_blank;
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::sides::sides;
use crate::texts::{TextLessons, TextRecipe, TextTask, check_pooling, known};
use crate::train::{TUNED_STATISTICS, data_digest, majority, note_leaks};

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

fn note(on: OnEvent<'_>, text: &str) -> Result<(), ReportError> {
    match on(Event::Note(text)).is_break() {
        true => Err(ReportError::Cancelled),
        false => Ok(()),
    }
}
