//! Which examples are learned from, which are held out, and in which fold each
//! of the first is.

use std::collections::HashMap;
use std::hash::Hash;

use graft_learn::{
    Split as Parts, SplitError, grouped_folds, grouped_split, stratified_folds, stratified_split,
};

use crate::digest::Digest;
use crate::examples::{Example, Split};

/// The sides of a split, as rising indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Learned from.
    pub train: Vec<usize>,
    /// Held out.
    pub test: Vec<usize>,
    /// The fold of each of `train`.
    pub folds: Vec<usize>,
    /// Groups that the data set itself has on both sides.
    pub torn_groups: Vec<String>,
}

/// Sides that can't be told.
#[derive(Debug, thiserror::Error)]
pub enum SidesError {
    /// Some examples have a split, some don't.
    #[error("{without} of {total} examples have no split: say train or test for all, or for none")]
    Partial { without: usize, total: usize },
    /// One side has nobody.
    #[error("no usable example is on the {} side of the split", if *side == Split::Train { "train" } else { "test" })]
    Empty { side: Split },
    /// They can't be split.
    #[error("the examples cannot be split")]
    Split(#[source] SplitError),
}

/// Takes the data set's own split, or makes one that keeps groups whole and
/// strata in proportion.
pub fn sides(
    examples: &[&Example],
    test_share: f64,
    folds: usize,
    seed: u64,
) -> Result<Sides, SidesError> {
    let strata = strata(examples);
    let groups = groups(examples);
    let Parts { train, test } = match (stated(examples)?, &groups) {
        (Some(parts), _) => parts,
        (None, Some(groups)) => {
            grouped_split(&strata, groups, test_share, seed).map_err(SidesError::Split)?
        }
        (None, None) => stratified_split(&strata, test_share, seed).map_err(SidesError::Split)?,
    };
    for (side, members) in [(Split::Train, &train), (Split::Test, &test)] {
        if members.is_empty() {
            return Err(SidesError::Empty { side });
        }
    }
    let of_train = |numbers: &[usize]| train.iter().map(|&i| numbers[i]).collect::<Vec<_>>();
    let folds = match &groups {
        Some(groups) => grouped_folds(&of_train(&strata), &of_train(groups), folds, seed),
        None => stratified_folds(&of_train(&strata), folds, seed),
    }
    .map_err(SidesError::Split)?;
    let torn_groups = torn_groups(examples, &train, &test);
    Ok(Sides { train, test, folds, torn_groups })
}

/// Photos with the same bytes on both sides: each inner array holds indices.
pub fn duplicates(photos: &[Digest], sides: &Sides) -> Vec<Vec<usize>> {
    let mut by_content: HashMap<Digest, Vec<usize>> = HashMap::new();
    for &i in &sides.train {
        by_content.entry(photos[i]).or_default().push(i);
    }
    let mut shared: HashMap<Digest, Vec<usize>> = HashMap::new();
    for &i in &sides.test {
        if let Some(train) = by_content.get(&photos[i]) {
            shared.entry(photos[i]).or_insert_with(|| train.clone()).push(i);
        }
    }
    let mut found: Vec<Vec<usize>> = shared.into_values().collect();
    found.sort();
    found
}

fn stated(examples: &[&Example]) -> Result<Option<Parts>, SidesError> {
    let without = examples.iter().filter(|e| e.split.is_none()).count();
    if without == examples.len() {
        return Ok(None);
    }
    if without > 0 {
        return Err(SidesError::Partial { without, total: examples.len() });
    }
    let on = |side| (0..examples.len()).filter(|&i| examples[i].split == Some(side)).collect();
    Ok(Some(Parts { train: on(Split::Train), test: on(Split::Test) }))
}

fn torn_groups(examples: &[&Example], train: &[usize], test: &[usize]) -> Vec<String> {
    let of = |side: &[usize]| -> std::collections::BTreeSet<String> {
        side.iter().filter_map(|&i| examples[i].group.clone()).collect()
    };
    of(train).intersection(&of(test)).cloned().collect()
}

/// What a split keeps in proportion, numbered.
pub(crate) fn strata(examples: &[&Example]) -> Vec<usize> {
    numbers(examples.iter().map(|e| (e.label, e.stratum.as_deref())))
}

/// What a split keeps whole, numbered, if the data set says.
pub(crate) fn groups(examples: &[&Example]) -> Option<Vec<usize>> {
    examples.iter().any(|e| e.group.is_some()).then(|| {
        // An example without a group is a group of its own.
        numbers(examples.iter().enumerate().map(|(i, e)| match &e.group {
            Some(name) => Ok(name),
            None => Err(i),
        }))
    })
}

/// Numbers values in the order in which they first occur.
fn numbers<T: Eq + Hash>(values: impl Iterator<Item = T>) -> Vec<usize> {
    let mut seen: HashMap<T, usize> = HashMap::new();
    values
        .map(|value| {
            let next = seen.len();
            *seen.entry(value).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(label: usize, split: Option<Split>, group: Option<&str>) -> Example {
        let group = group.map(str::to_owned);
        Example { path: "x".into(), label, split, group, stratum: None }
    }

    fn split(examples: &[Example]) -> Result<Sides, SidesError> {
        sides(&examples.iter().collect::<Vec<_>>(), 0.25, 2, 1)
    }

    #[test]
    fn takes_the_data_sets_own_split() {
        let examples: Vec<Example> = (0..8)
            .map(|i| {
                let side = if i < 6 { Split::Train } else { Split::Test };
                example(i % 2, Some(side), Some(if i >= 5 { "torn" } else { "whole" }))
            })
            .collect();
        let sides = split(&examples).unwrap();
        assert_eq!(sides.train, [0, 1, 2, 3, 4, 5]);
        assert_eq!(sides.test, [6, 7]);
        assert_eq!(sides.torn_groups, ["torn"]);
    }

    #[test]
    fn keeps_groups_whole() {
        let names: Vec<String> = (0..40).map(|i| format!("object {}", i / 4)).collect();
        let examples: Vec<Example> =
            (0..40).map(|i| example(i / 4 % 2, None, Some(&names[i]))).collect();
        let sides = split(&examples).unwrap();
        assert!(sides.torn_groups.is_empty());
        assert_eq!(sides.train.len() + sides.test.len(), 40);
        for (&a, fold_a) in sides.train.iter().zip(&sides.folds) {
            for (&b, fold_b) in sides.train.iter().zip(&sides.folds) {
                assert!(names[a] != names[b] || fold_a == fold_b);
            }
        }
    }

    #[test]
    fn half_a_split_is_an_error() {
        let examples = [example(0, Some(Split::Train), None), example(1, None, None)];
        assert!(matches!(split(&examples), Err(SidesError::Partial { without: 1, total: 2 })));
        let examples = [example(0, Some(Split::Train), None), example(1, Some(Split::Train), None)];
        assert!(matches!(split(&examples), Err(SidesError::Empty { side: Split::Test })));
    }

    #[test]
    fn finds_the_same_photo_on_both_sides() {
        let photos: Vec<Digest> = [1, 2, 1, 3, 2].iter().map(|n| Digest::of(&[*n])).collect();
        let sides = Sides {
            train: vec![0, 1],
            test: vec![2, 3, 4],
            folds: vec![0, 1],
            torn_groups: Vec::new(),
        };
        assert_eq!(duplicates(&photos, &sides), [vec![0, 2], vec![1, 4]]);
    }
}
