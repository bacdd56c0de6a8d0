//! A part of a data set that is large enough to choose by.

use graft_learn::{SplitError, grouped_folds, grouped_split, stratified_folds, stratified_split};

use crate::examples::{Example, Split};
use crate::sides::{groups, strata};

/// Those that the data set does not hold out: who looks at the others to choose a
/// source has no held-out examples any more.
pub(crate) fn not_held_out(examples: &[Example]) -> Vec<&Example> {
    examples.iter().filter(|e| e.split != Some(Split::Test)).collect()
}

/// About `wanted` of them, strata in proportion and groups whole.
pub(crate) fn subset(
    all: Vec<&Example>,
    wanted: usize,
    seed: u64,
) -> Result<Vec<&Example>, SplitError> {
    if wanted >= all.len() {
        return Ok(all);
    }
    let strata = strata(&all);
    let rest = 1.0 - wanted as f64 / all.len() as f64;
    // The side on which each stratum keeps an example, however rare.
    let kept = match groups(&all) {
        Some(groups) => grouped_split(&strata, &groups, rest, seed)?.train,
        None => stratified_split(&strata, rest, seed)?.train,
    };
    Ok(kept.into_iter().map(|i| all[i]).collect())
}

/// How the usable ones are cross-validated.
pub(crate) struct Division {
    /// The fold of each.
    pub(crate) folds: Vec<usize>,
    /// The group of each; its own, if the data set knows none.
    pub(crate) groups: Vec<usize>,
}

pub(crate) fn divide(
    examples: &[&Example],
    folds: usize,
    seed: u64,
) -> Result<Division, SplitError> {
    let strata = strata(examples);
    Ok(match groups(examples) {
        Some(groups) => Division { folds: grouped_folds(&strata, &groups, folds, seed)?, groups },
        None => Division {
            folds: stratified_folds(&strata, folds, seed)?,
            groups: (0..examples.len()).collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(label: usize, split: Option<Split>, group: Option<String>) -> Example {
        Example { path: "x".into(), label, split, group, stratum: None }
    }

    #[test]
    fn classes_keep_their_shares_and_the_rare_one_its_photo() {
        let label = |i: usize| if i == 7 { 2 } else { usize::from(i.is_multiple_of(4)) };
        let examples: Vec<Example> = (0..400).map(|i| example(label(i), None, None)).collect();
        let subset = subset(not_held_out(&examples), 100, 3).unwrap();
        let of = |label: usize| subset.iter().filter(|e| e.label == label).count();
        assert_eq!((of(0), of(1), of(2)), (74, 25, 1));
    }

    #[test]
    fn groups_stay_whole_and_held_out_photos_are_not_looked_at() {
        let examples: Vec<Example> = (0..300)
            .map(|i| {
                let split = if i < 240 { Split::Train } else { Split::Test };
                example(i / 5 % 2, Some(split), Some(format!("object {}", i / 5)))
            })
            .collect();
        let subset = subset(not_held_out(&examples), 100, 3).unwrap();
        assert_eq!(subset.len(), 100);
        assert!(subset.iter().all(|e| e.split == Some(Split::Train)));
        for one in &subset {
            assert_eq!(subset.iter().filter(|e| e.group == one.group).count(), 5);
        }
        let Division { folds, groups } = divide(&subset, 5, 3).unwrap();
        for (fold, group) in folds.iter().zip(&groups) {
            assert!(folds.iter().zip(&groups).all(|(f, g)| g != group || f == fold));
        }
    }
}
