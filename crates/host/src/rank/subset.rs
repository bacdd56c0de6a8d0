use graft_learn::{SplitError, grouped_folds, grouped_split, stratified_folds, stratified_split};

use crate::examples::{Example, Split};
use crate::sides::{groups, strata};

/// About `wanted` examples, strata in proportion and groups whole. Those that the
/// data set holds out are left alone: who looks at them for the choice of a source
/// has no held-out examples any more.
pub(super) fn subset(
    examples: &[Example],
    wanted: usize,
    seed: u64,
) -> Result<Vec<&Example>, SplitError> {
    let all: Vec<&Example> = examples.iter().filter(|e| e.split != Some(Split::Test)).collect();
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
pub(super) struct Division {
    /// The fold of each.
    pub(super) folds: Vec<usize>,
    /// The group of each; its own, if the data set knows none.
    pub(super) groups: Vec<usize>,
}

pub(super) fn divide(
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
        let subset = subset(&examples, 100, 3).unwrap();
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
        let subset = subset(&examples, 100, 3).unwrap();
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
