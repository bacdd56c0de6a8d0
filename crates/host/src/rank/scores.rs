use std::ops::ControlFlow;

use graft_learn::transfer::{
    NEIGHBOURS, SourceClasses, SourceClassesError, TransferError, h_score, leep, logme, nce,
    neighbour_accuracy, regularised_h_score,
};
use graft_learn::{
    Examples, ExamplesError, LinearRecipe, Probe, Progress, TrainError, grouped_probe,
};
use ndarray::ArrayView2;
use serde::Serialize;

use crate::progress::{Event, OnEvent, Stage};
use crate::subset::Division;

/// How well a source's features suit the task; of each, more is better. Field names
/// are those of docs/json.md.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Of a linear head, by cross-validation.
    pub probe_accuracy: f64,
    /// Of that.
    pub probe_standard_error: f64,
    /// The L2 strength that was chosen for it.
    pub probe_strength: f64,
    /// Of the nearest examples of other folds.
    pub neighbour_accuracy: f64,
    /// Log of the maximum evidence, nats an example.
    pub logme: f64,
    /// With shrunk covariance.
    pub regularised_h_score: f64,
    /// As it was first defined.
    pub h_score: f64,
    /// Of the source's own classes; nothing if it has none that can be asked.
    pub leep: Option<f64>,
    /// The same.
    pub nce: Option<f64>,
    /// Classes that the source was trained on.
    pub source_classes: Option<usize>,
    /// Why it has none.
    pub source_classes_problem: Option<String>,
}

/// Scores that can't be computed.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// Features that can't be learned from.
    #[error("the features cannot be learned from")]
    Examples(#[source] ExamplesError),
    /// The closed forms.
    #[error("the features cannot be scored")]
    Transfer(#[source] TransferError),
    /// The probe.
    #[error("a head cannot be trained on the features")]
    Probe(#[source] TrainError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// The rows that scores are of.
pub(crate) struct Seen<'a> {
    pub(crate) features: ArrayView2<'a, f32>,
    /// The source's own scores, or why there are none.
    pub(crate) logits: Result<ArrayView2<'a, f32>, String>,
    pub(crate) labels: &'a [usize],
    pub(crate) classes: usize,
}

pub(crate) fn scores(
    seen: &Seen<'_>,
    division: &Division,
    on: OnEvent<'_>,
) -> Result<Scores, ScoreError> {
    let examples =
        Examples::new(seen.features, seen.labels, seen.classes).map_err(ScoreError::Examples)?;
    let probe = watched_probe(&examples, division, on)?;
    let go_on = |on: OnEvent<'_>| match on(Event::Advance { done: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ScoreError::Cancelled),
    };
    let neighbour_accuracy =
        neighbour_accuracy(&examples, &division.folds, NEIGHBOURS).map_err(ScoreError::Transfer)?;
    go_on(on)?;
    let logme = logme(&examples).map_err(ScoreError::Transfer)?;
    go_on(on)?;
    let regularised_h_score = regularised_h_score(&examples).map_err(ScoreError::Transfer)?;
    let h_score = h_score(&examples).map_err(ScoreError::Transfer)?;
    let source = match &seen.logits {
        Ok(logits) => SourceClasses::of_logits(*logits).map_err(|e| match e {
            SourceClassesError::TooFew { .. } => "its own head has a single output".to_owned(),
            other => other.to_string(),
        }),
        Err(why) => Err(why.clone()),
    };
    let asked = |score: fn(&Examples<'_>, &SourceClasses) -> Result<f64, TransferError>| {
        let score = source.as_ref().ok().map(|source| score(&examples, source));
        score.transpose().map_err(ScoreError::Transfer)
    };
    let (leep, nce) = (asked(leep)?, asked(nce)?);
    Ok(Scores {
        probe_accuracy: probe.accuracy,
        probe_standard_error: probe.standard_error,
        probe_strength: probe.strength,
        neighbour_accuracy,
        logme,
        regularised_h_score,
        h_score,
        leep,
        nce,
        source_classes: match (&source, &seen.logits) {
            (Ok(_), Ok(logits)) => Some(logits.ncols()),
            _ => None,
        },
        source_classes_problem: source.err(),
    })
}

fn watched_probe(
    examples: &Examples<'_>,
    division: &Division,
    on: OnEvent<'_>,
) -> Result<Probe, ScoreError> {
    let recipe = LinearRecipe::default();
    let total = Some(recipe.strengths.len() as u64);
    if on(Event::Begin { stage: Stage::Head, total }).is_break() {
        return Err(ScoreError::Cancelled);
    }
    let mut tried = 0;
    let mut progress = |step: Progress| {
        if let Progress::Tried { done, .. } = step {
            tried = done as u64;
        }
        on(Event::Advance { done: tried })
    };
    let Division { folds, groups } = division;
    let probe = grouped_probe(examples, &recipe, folds, groups, &mut progress);
    let _ = on(Event::End);
    probe.map_err(|e| match e {
        TrainError::Interrupted => ScoreError::Cancelled,
        other => ScoreError::Probe(other),
    })
}
