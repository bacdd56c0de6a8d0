//! How much a linear head can make of features.

use std::ops::ControlFlow;

use crate::{Examples, LinearRecipe, Progress, Setting, TrainError, train_linear};

/// What a linear head answers right about examples that it has not seen.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Probe {
    /// Share of out-of-fold examples answered right.
    pub accuracy: f64,
    /// Of that share: √(p (1 − p) / n), each example answered once.
    pub standard_error: f64,
    /// The L2 strength that was chosen.
    pub strength: f64,
    /// Of out-of-fold logits, after the best single temperature.
    pub log_loss: f64,
}

/// Cross-validates a linear head (a *linear probe*, Alain and Bengio 2016), its
/// strength chosen as [`train_linear`] chooses it. The best of a few strengths is
/// reported, so the accuracy is too good by a little; by the same little for all
/// features that are compared.
///
/// # Errors
///
/// Those of [`train_linear`].
pub fn probe(
    examples: &Examples<'_>,
    recipe: &LinearRecipe,
    folds: &[usize],
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Probe, TrainError> {
    let trained = train_linear(examples, recipe, folds, on)?;
    let chosen = trained.path.iter().find(|point| point.setting == trained.chosen);
    let point = chosen.expect("the chosen setting was tried");
    let Setting::Strength(strength) = point.setting else {
        unreachable!("a linear head is chosen by strength")
    };
    let n = examples.labels().len() as f64;
    Ok(Probe {
        accuracy: point.accuracy,
        standard_error: (point.accuracy * (1.0 - point.accuracy) / n).sqrt(),
        strength,
        log_loss: point.log_loss,
    })
}
