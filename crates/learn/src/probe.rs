//! How much a linear head can make of features.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::{Examples, LinearRecipe, Progress, Setting, TrainError, train_linear};

/// What a linear head answers right about examples that it has not seen.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Probe {
    /// Share of out-of-fold examples answered right.
    pub accuracy: f64,
    /// Of that share; see [`grouped_probe`].
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
    let alone: Vec<usize> = (0..examples.labels().len()).collect();
    grouped_probe(examples, recipe, folds, &alone, on)
}

/// As [`probe`], of examples that belong together: `groups` has a number for each.
///
/// The standard error is that of a mean over groups, √(Σ over groups of (Σ over the
/// group of (right − accuracy))²) / n (Liang and Zeger 1986). Where each example is
/// a group of its own it is √(p (1 − p) / n); where photos of one object are right
/// or wrong together, they don't count as that many. The spread between folds,
/// which is often taken instead, is known from five numbers and so hardly known.
///
/// # Errors
///
/// Those of [`train_linear`], and not one group number an example.
pub fn grouped_probe(
    examples: &Examples<'_>,
    recipe: &LinearRecipe,
    folds: &[usize],
    groups: &[usize],
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Probe, TrainError> {
    let labels = examples.labels();
    if groups.len() != labels.len() {
        let (examples, groups) = (labels.len(), groups.len());
        return Err(TrainError::GroupLengths { examples, groups });
    }
    let trained = train_linear(examples, recipe, folds, on)?;
    let chosen = trained.path.iter().find(|point| point.setting == trained.chosen);
    let point = chosen.expect("the chosen setting was tried");
    let Setting::Strength(strength) = point.setting else {
        unreachable!("a linear head is chosen by strength")
    };
    let answers = trained.out_of_fold_logits.outer_iter().map(|row| {
        (0..row.len()).reduce(|a, b| if row[b] > row[a] { b } else { a }).expect("two classes")
    });
    let right: Vec<bool> = answers.zip(labels).map(|(answer, &label)| answer == label).collect();
    let accuracy = right.iter().filter(|&&right| right).count() as f64 / right.len() as f64;
    Ok(Probe {
        accuracy,
        standard_error: standard_error(&right, accuracy, groups),
        strength,
        log_loss: point.log_loss,
    })
}

fn standard_error(right: &[bool], accuracy: f64, groups: &[usize]) -> f64 {
    let mut of_groups: BTreeMap<usize, f64> = BTreeMap::new();
    for (&right, &group) in right.iter().zip(groups) {
        *of_groups.entry(group).or_default() += f64::from(u8::from(right)) - accuracy;
    }
    of_groups.values().map(|sum| sum * sum).sum::<f64>().sqrt() / right.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_count_as_one() {
        let alone: Vec<usize> = (0..100).collect();
        let right: Vec<bool> = (0..100).map(|i| i % 10 < 8).collect();
        let error = standard_error(&right, 0.8, &alone);
        assert!((error - (0.8f64 * 0.2 / 100.0).sqrt()).abs() < 1e-12);
        // Twenty objects of five photos, all right or all wrong: as twenty examples.
        let right: Vec<bool> = (0..100).map(|i| i / 5 % 10 < 8).collect();
        let groups: Vec<usize> = (0..100).map(|i| i / 5).collect();
        let error = standard_error(&right, 0.8, &groups);
        assert!((error - (0.8f64 * 0.2 / 20.0).sqrt()).abs() < 1e-12);
    }
}
