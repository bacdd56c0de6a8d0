//! Which source: pretrained networks scored on a part of a task's photos.
//!
//! One pass through each network gives its features and, where it has a class head
//! of its own, what that says; everything else is arithmetic on those rows.

mod candidate;
mod latency;
pub(crate) mod order;
mod scores;

use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use graft_input::words::TableError;
use graft_learn::SplitError;
use graft_runtime::bench::Latency;
use graft_spec::Labels;
use ndarray::s;
use serde::Serialize;

pub use self::candidate::Candidate;
pub(crate) use self::latency::TIME;
pub use self::latency::{BenchedBackbone, Latencies, LatencyFileError, Machine, Told};
use self::order::Standing;
pub use self::order::{Agreement, Metric};
pub use self::scores::{ScoreError, Scores};
pub(crate) use self::scores::{Seen, scores};
use crate::backbone::{Backbone, BackboneError, OpenEntryError, Pool, Pretrained, Tap};
use crate::causes::with_causes;
use crate::digest::Digest;
use crate::encoder::EncoderError;
use crate::engine::Engine;
use crate::examples::{Dataset, Example};
use crate::features::{FeatureOptions, FeaturesError, features};
use crate::graft::GraftError;
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::subset::{divide, not_held_out, subset};
use crate::vectors::VectorsError;

/// How to rank.
#[derive(Clone, Debug)]
pub struct RankRecipe {
    /// Photos to look at, about.
    pub examples: usize,
    /// Folds of cross-validation.
    pub folds: usize,
    /// Of the choice of photos and the folds.
    pub seed: u64,
    /// What comes first.
    pub by: Metric,
    /// Whose latencies.
    pub latencies: Latencies,
    /// An unusable photo is an error.
    pub strict: bool,
}

/// Sources, best first. Field names are those of docs/json.md.
#[derive(Debug, Serialize)]
pub struct Ranking {
    /// What they are sorted by.
    pub by: Metric,
    /// The sources that could be used.
    pub sources: Vec<Ranked>,
    /// The others.
    pub unusable: Vec<Unusable>,
    /// How well each score foretells the probe.
    pub agreement: Vec<Agreement>,
    /// Whose the latencies are.
    pub latency_of: Machine,
    /// Photos that were looked at.
    pub examples: usize,
    /// Of so many, those that the data set holds out not counted.
    pub of_examples: usize,
    /// Classes of the task.
    pub classes: usize,
    /// Accuracy of always giving the most frequent answer.
    pub baseline_accuracy: f64,
    /// Photos that can't be used.
    pub skipped_files: Vec<Skipped>,
}

/// A source and what it is worth.
#[derive(Debug, Serialize)]
pub struct Ranked {
    /// In the catalogue, or the file's.
    pub name: String,
    /// SPDX expression or a sentence.
    pub licence: String,
    /// Of the ONNX file.
    pub sha256: Digest,
    /// Where it is cut.
    pub at: String,
    /// Features of a photo.
    pub feature_length: usize,
    /// How well it suits.
    #[serde(flatten)]
    pub scores: Scores,
    /// Of the ONNX file.
    pub file_bytes: u64,
    /// Of the part up to the cut.
    pub part_bytes: u64,
    /// Of that part.
    pub parameters: u64,
    /// Of that part; nothing if some operator can't be counted.
    pub multiply_adds: Option<u64>,
    /// Of a photo in the device engine, preparation not counted.
    pub latency: Option<Latency>,
    /// No other is more accurate and faster.
    pub pareto: bool,
    /// Making its features.
    pub features_seconds: f64,
    /// Rows that were found.
    pub features_cached: usize,
    /// Rows that ran through the network.
    pub features_computed: usize,
    /// Computing its scores.
    pub scores_seconds: f64,
}

impl Standing for Ranked {
    fn name(&self) -> &str {
        &self.name
    }

    fn scores(&self) -> &Scores {
        &self.scores
    }

    fn latency(&self) -> Option<Latency> {
        self.latency
    }

    fn put_on_front(&mut self, on_front: bool) {
        self.pareto = on_front;
    }
}

/// A source that can't be used, and why.
#[derive(Debug, Serialize)]
pub struct Unusable {
    /// As in [`Ranked`].
    pub name: String,
    /// The error and its causes.
    #[serde(rename = "reason", serialize_with = "reason")]
    pub error: SourceError,
}

/// Why a source can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenEntryError),
    /// It can't be cut.
    #[error(transparent)]
    Cut(#[from] BackboneError),
    /// The board couldn't run it.
    #[error("the device engine cannot run it up to {at:?}")]
    Device { at: String, source: graft_runtime::OpenError },
    /// Its features can't be made.
    #[error(transparent)]
    Features(FeaturesError),
    /// Its features are of no use.
    #[error(transparent)]
    Scores(ScoreError),
    /// Its vectors can't be read.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// It is no sentence encoder that can be had.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The words that would travel can't be written.
    #[error("the words cannot be put into a table")]
    Table(#[source] TableError),
    /// It knows no word of the task.
    #[error("none of the {texts} texts that were looked at has a word that it knows")]
    NothingKnown { texts: usize },
    /// The board couldn't answer with it.
    #[error("the device engine cannot run a head on it")]
    Answer(#[source] graft_runtime::OpenError),
}

impl SourceError {
    /// The error and its causes in one line, each said once: some wrappers repeat
    /// what they wrap.
    pub fn words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut next: Option<&dyn Error> = Some(self);
        while let Some(error) = next {
            let cause = error.to_string();
            if !words.last().is_some_and(|last| last.ends_with(&cause)) {
                words.push(cause);
            }
            next = error.source();
        }
        words.join(": ")
    }
}

/// A ranking that failed.
#[derive(Debug, thiserror::Error)]
pub enum RankError {
    /// No candidates.
    #[error("there is no source to rank")]
    NoSource,
    /// None of them can be used.
    #[error("none of the sources can be used: {}", reasons(unusable))]
    NoneUsable { unusable: Vec<Unusable> },
    /// The photos can't be divided.
    #[error("the examples cannot be divided")]
    Split(#[source] SplitError),
    /// A class lost all its photos.
    #[error("no usable example of class {label:?} is among the {examples} that were looked at")]
    NoPhotoOf { label: String, examples: usize },
    /// Unusable photos, in a strict run.
    #[error("{} of {total} examples cannot be used, first {}: {}", skipped.len(), skipped[0].path.display(), skipped[0].reason)]
    Strict { skipped: Vec<Skipped>, total: usize },
    /// No usable photo at all.
    #[error("none of {total} examples can be used, first {}: {}", first.path.display(), first.reason)]
    NoPhotos { total: usize, first: Skipped },
    /// What is no source's fault.
    #[error("{0}")]
    Features(FeaturesError),
    /// A head that is only there to be timed.
    #[error("{0}")]
    Head(#[source] GraftError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// Scores each candidate on a part of the data set. `labels` are the data set's,
/// checked.
///
/// # Errors
///
/// What no other source would cure. A source that can't be used is in the answer,
/// unless none is left.
pub fn rank(
    engine: &Engine,
    candidates: Vec<Candidate>,
    dataset: &Dataset,
    labels: &Labels,
    recipe: &RankRecipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Ranking, RankError> {
    if candidates.is_empty() {
        return Err(RankError::NoSource);
    }
    let examples = subset(not_held_out(&dataset.examples), recipe.examples, recipe.seed)
        .map_err(RankError::Split)?;
    check_classes(labels, &examples)?;
    let task = Task { engine, labels, examples: &examples, recipe, options };
    let (mut sources, mut unusable, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    let of = candidates.len();
    for (number, candidate) in (1..).zip(candidates) {
        let name = candidate.name();
        if on(Event::Source { name: &name, number, of }).is_break() {
            return Err(RankError::Cancelled);
        }
        match task.source(candidate, on) {
            Ok((ranked, of_source)) => {
                sources.push(ranked);
                skipped = of_source;
            }
            Err(Failure::Source(error)) => {
                let note = format!("{name} is left out: {}", error.words());
                if on(Event::Note(&note)).is_break() {
                    return Err(RankError::Cancelled);
                }
                unusable.push(Unusable { name, error });
            }
            Err(Failure::All(error)) => return Err(error),
        }
    }
    if sources.is_empty() {
        return Err(RankError::NoneUsable { unusable });
    }
    order::mark_front(&mut sources);
    order::sort(&mut sources, recipe.by);
    let counts =
        (0..labels.names().len()).map(|label| examples.iter().filter(|e| e.label == label).count());
    Ok(Ranking {
        by: recipe.by,
        agreement: order::agreement(&sources),
        sources,
        unusable,
        latency_of: recipe.latencies.machine(),
        examples: examples.len() - skipped.len(),
        of_examples: not_held_out(&dataset.examples).len(),
        classes: labels.names().len(),
        baseline_accuracy: counts.max().unwrap_or(0) as f64 / examples.len() as f64,
        skipped_files: skipped,
    })
}

/// What every source is asked.
struct Task<'a> {
    engine: &'a Engine,
    labels: &'a Labels,
    examples: &'a [&'a Example],
    recipe: &'a RankRecipe,
    options: &'a FeatureOptions,
}

/// Whose fault it is.
enum Failure {
    Source(SourceError),
    All(RankError),
}

impl<E: Into<SourceError>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Source(error.into())
    }
}

impl Task<'_> {
    fn source(
        &self,
        candidate: Candidate,
        on: OnEvent<'_>,
    ) -> Result<(Ranked, Vec<Skipped>), Failure> {
        let name = candidate.name();
        let (pretrained, file_bytes) = candidate.open()?;
        let part = pretrained.cut(None, Pool::Mean)?;
        let latency = self.recipe.latencies.of(&part).map_err(|source| {
            Failure::Source(SourceError::Device { at: part.at.clone(), source })
        })?;
        let Taps { backbone, features: columns, logits } = taps(&pretrained, &part);
        let paths: Vec<&Path> = self.examples.iter().map(|e| e.path.as_path()).collect();
        let made = features(self.engine, &backbone, &paths, self.options, on).map_err(whose)?;
        self.check_photos(&made.skipped).map_err(Failure::All)?;
        let usable: Vec<&Example> = made.usable.iter().map(|&i| self.examples[i]).collect();
        check_classes(self.labels, &usable).map_err(Failure::All)?;

        let start = Instant::now();
        let division = divide(&usable, self.recipe.folds, self.recipe.seed)
            .map_err(|e| Failure::All(RankError::Split(e)))?;
        let labels: Vec<usize> = usable.iter().map(|e| e.label).collect();
        let rows = made.rows.view();
        let seen = Seen {
            features: rows.slice(s![.., columns]),
            logits: logits.map(|columns| rows.slice(s![.., columns])),
            labels: &labels,
            classes: self.labels.names().len(),
        };
        let scores = scores(&seen, &division, on).map_err(|error| match error {
            ScoreError::Cancelled => Failure::All(RankError::Cancelled),
            other => Failure::Source(SourceError::Scores(other)),
        })?;
        let summary = part.graph().summary();
        let ranked = Ranked {
            name,
            licence: part.origin.licence.clone(),
            sha256: part.origin.sha256,
            at: part.at.clone(),
            feature_length: part.feature_length,
            scores,
            file_bytes,
            part_bytes: part.graph().to_bytes().len() as u64,
            parameters: summary.parameters,
            multiply_adds: summary.multiply_adds.exact(),
            latency,
            pareto: false,
            features_seconds: made.cost.wall.as_secs_f64(),
            features_cached: made.cost.cached,
            features_computed: made.cost.computed,
            scores_seconds: start.elapsed().as_secs_f64(),
        };
        Ok((ranked, made.skipped))
    }

    fn check_photos(&self, skipped: &[Skipped]) -> Result<(), RankError> {
        let total = self.examples.len();
        match skipped.first() {
            Some(first) if skipped.len() == total => {
                Err(RankError::NoPhotos { total, first: first.clone() })
            }
            Some(_) if self.recipe.strict => {
                Err(RankError::Strict { skipped: skipped.to_vec(), total })
            }
            _ => Ok(()),
        }
    }
}

/// A backbone whose rows hold features and, if it can be, the source's own scores.
struct Taps {
    backbone: Backbone,
    features: Range<usize>,
    /// Or why there are none.
    logits: Result<Range<usize>, String>,
}

fn taps(pretrained: &Pretrained, part: &Backbone) -> Taps {
    let without = |why: String| Taps {
        backbone: part.clone(),
        features: 0..part.feature_length,
        logits: Err(why),
    };
    let Some(logits) = pretrained.logits_tensor() else {
        return without("it has no class head of its own that can be asked".to_owned());
    };
    let tap = |tensor: &str| Tap { tensor: tensor.to_owned(), pool: Pool::Mean };
    match pretrained.tapped(&[tap(&part.at), tap(&logits)]) {
        Ok((backbone, columns)) => match <[Range<usize>; 2]>::try_from(columns) {
            Ok([features, logits]) => Taps { backbone, features, logits: Ok(logits) },
            Err(_) => without("its own head cannot be tapped".to_owned()),
        },
        Err(error) => without(with_causes(&error)),
    }
}

/// A full disk is no network's fault, nor is Ctrl-C.
fn whose(error: FeaturesError) -> Failure {
    match error {
        FeaturesError::Cancelled => Failure::All(RankError::Cancelled),
        FeaturesError::Cache(_) | FeaturesError::Spill(_) => {
            Failure::All(RankError::Features(error))
        }
        FeaturesError::Network(_)
        | FeaturesError::Batch { .. }
        | FeaturesError::NotFinite { .. }
        | FeaturesError::Tokenizer { .. } => Failure::Source(SourceError::Features(error)),
    }
}

pub(crate) fn check_classes(labels: &Labels, examples: &[&Example]) -> Result<(), RankError> {
    let missing = |label: &usize| examples.iter().all(|e| e.label != *label);
    match (0..labels.names().len()).find(missing) {
        None => Ok(()),
        Some(label) => {
            let label = labels[label].to_owned();
            Err(RankError::NoPhotoOf { label, examples: examples.len() })
        }
    }
}

fn reasons(unusable: &[Unusable]) -> String {
    let one = |u: &Unusable| format!("{}: {}", u.name, u.error.words());
    unusable.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn reason<S: serde::Serializer>(error: &SourceError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&error.words())
}
