use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::TransferError;
use crate::{Examples, LinearRecipe, Progress, Setting, train_linear};

/// How well the head that would be grafted does, by cross-validation.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Probe {
    /// Share of the examples answered right by heads that had not seen their fold.
    pub accuracy: f64,
    /// Of the accuracy.
    pub standard_error: f64,
    /// The L2 strength that was chosen.
    pub strength: f64,
    /// Mean log-loss of the same answers, after the best temperature.
    pub log_loss: f64,
}

/// The accuracy of [`train_linear`]'s out-of-fold answers at the strength that it
/// chooses.
///
/// The standard error is that of a mean over groups, √(Σ over groups of (Σ over the
/// group of (right − accuracy))²) / examples (Liang and Zeger 1986): where no
/// example has a group it is the binomial √(p (1 − p) / n), and where photos of one
/// object are right or wrong together, they don't count as that many. The spread
/// between folds, which is often taken instead, is known from five numbers and
/// therefore hardly known. Neither knows of the choice of the strength among
/// few, nor that folds share what they learn from.
///
/// # Errors
///
/// As [`train_linear`]; not one group an example.
pub fn linear_probe(
    examples: &Examples<'_>,
    recipe: &LinearRecipe,
    folds: &[usize],
    groups: Option<&[usize]>,
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Probe, TransferError> {
    let labels = examples.labels();
    if let Some(groups) = groups
        && groups.len() != labels.len()
    {
        let examples = labels.len();
        return Err(TransferError::GroupLengths { examples, groups: groups.len() });
    }
    let trained = train_linear(examples, recipe, folds, on)?;
    let point = trained.path.iter().find(|point| point.setting == trained.chosen);
    let point = point.expect("what is chosen was tried");
    let Setting::Strength(strength) = trained.chosen else {
        unreachable!("a linear head is chosen by its strength")
    };
    let right: Vec<bool> = trained
        .out_of_fold_logits
        .outer_iter()
        .zip(labels)
        .map(|(row, &label)| {
            let best = (0..row.len()).reduce(|a, b| if row[b] > row[a] { b } else { a });
            best == Some(label)
        })
        .collect();
    let n = right.len() as f64;
    let accuracy = right.iter().filter(|&&right| right).count() as f64 / n;
    Ok(Probe {
        accuracy,
        standard_error: standard_error(&right, accuracy, groups),
        strength,
        log_loss: point.log_loss,
    })
}

fn standard_error(right: &[bool], accuracy: f64, groups: Option<&[usize]>) -> f64 {
    let mut of_groups: BTreeMap<usize, f64> = BTreeMap::new();
    for (i, &right) in right.iter().enumerate() {
        let group = groups.map_or(i, |groups| groups[i]);
        *of_groups.entry(group).or_default() += f64::from(u8::from(right)) - accuracy;
    }
    of_groups.values().map(|sum| sum * sum).sum::<f64>().sqrt() / right.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_count_as_one() {
        let right: Vec<bool> = (0..100).map(|i| i % 10 < 8).collect();
        let alone = standard_error(&right, 0.8, None);
        assert!((alone - (0.8f64 * 0.2 / 100.0).sqrt()).abs() < 1e-12);
        // Twenty objects of five photos, all right or all wrong: as twenty examples.
        let right: Vec<bool> = (0..100).map(|i| i / 5 % 10 < 8).collect();
        let groups: Vec<usize> = (0..100).map(|i| i / 5).collect();
        let together = standard_error(&right, 0.8, Some(&groups));
        assert!((together - (0.8f64 * 0.2 / 20.0).sqrt()).abs() < 1e-12);
    }
}
