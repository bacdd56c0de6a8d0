//! The training part, split once more: what is learned from, what stops the
//! learning, what calibrates it.

use graft_learn::{SplitError, grouped_split, stratified_split};
use graft_spec::Labels;

use super::recipe::FineTuning;
use crate::examples::Example;
use crate::sides::{groups, strata};

/// Parts of the training side, as rising indices of all examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) train: Vec<usize>,
    /// Empty if the recipe keeps the last epoch's weights.
    pub(crate) stop: Vec<usize>,
    pub(crate) calibrate: Vec<usize>,
}

/// Parts that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// Nothing of a class is left beside what is learned from.
    #[error(
        "class {label:?} has {count} usable example to learn from; fine-tuning needs 2 or more of each class, as it learns from some and judges itself by others"
    )]
    OneExample { label: String, count: usize },
    /// A class fell to the other parts as a whole: groups are kept together.
    #[error(
        "no example of class {label:?} is left to learn from after the stop and calibrate parts took whole groups"
    )]
    NothingToLearn { label: String },
    /// They can't be split.
    #[error(
        "the training part cannot be split into what is learned from, stopped by and calibrated by"
    )]
    Split(#[source] SplitError),
}

/// Splits `side`, strata in proportion and groups whole.
pub(super) fn parts(
    examples: &[&Example],
    side: &[usize],
    labels: &Labels,
    recipe: &FineTuning,
) -> Result<Parts, PartsError> {
    let counts = |members: &[usize]| {
        let mut counts = vec![0usize; labels.names().len()];
        members.iter().for_each(|&i| counts[examples[i].label] += 1);
        counts
    };
    if let Some((class, &count)) = counts(side).iter().enumerate().find(|(_, count)| **count < 2) {
        return Err(PartsError::OneExample { label: labels[class].to_owned(), count });
    }
    let FineTuning { stop_share, calibrate_share, seed, .. } = *recipe;
    let (train, held) = split(examples, side, stop_share + calibrate_share, seed)?;
    let (calibrate, stop) = match stop_share > 0.0 {
        true => split(examples, &held, stop_share / (stop_share + calibrate_share), seed)?,
        false => (held, Vec::new()),
    };
    match counts(&train).iter().position(|&count| count == 0) {
        Some(class) => Err(PartsError::NothingToLearn { label: labels[class].to_owned() }),
        None => Ok(Parts { train, stop, calibrate }),
    }
}

fn split(
    examples: &[&Example],
    members: &[usize],
    share: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), PartsError> {
    let chosen: Vec<&Example> = members.iter().map(|&i| examples[i]).collect();
    let strata = strata(&chosen);
    let split = match groups(&chosen) {
        Some(groups) => grouped_split(&strata, &groups, share, seed),
        // Where each stratum has one example left, none could be spared by rights.
        None => match stratified_split(&strata, share, seed) {
            Err(SplitError::Singles) => stratified_split(&vec![0; strata.len()], share, seed),
            other => other,
        },
    }
    .map_err(PartsError::Split)?;
    let of = |side: Vec<usize>| side.into_iter().map(|i| members[i]).collect();
    Ok((of(split.train), of(split.test)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(label: usize, group: Option<String>) -> Example {
        Example { path: "x".into(), label, split: None, group, stratum: None }
    }

    fn labels() -> Labels {
        Labels::new(vec!["good".to_owned(), "cracked".to_owned()]).unwrap()
    }

    fn of(examples: &[Example], side: &[usize], recipe: &FineTuning) -> Result<Parts, PartsError> {
        parts(&examples.iter().collect::<Vec<_>>(), side, &labels(), recipe)
    }

    #[test]
    fn three_parts_have_their_shares_of_each_class_and_nothing_else() {
        let examples: Vec<Example> =
            (0..500).map(|i| example(usize::from(i % 4 == 0), None)).collect();
        let side: Vec<usize> = (0..500).filter(|i| i % 5 != 0).collect();
        let recipe = FineTuning::default();
        let parts = of(&examples, &side, &recipe).unwrap();
        let mut all = [parts.train.clone(), parts.stop.clone(), parts.calibrate.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, side);
        assert_eq!((parts.train.len(), parts.stop.len(), parts.calibrate.len()), (320, 40, 40));
        let of_class = |part: &[usize]| part.iter().filter(|&&i| examples[i].label == 1).count();
        assert_eq!(
            (of_class(&parts.train), of_class(&parts.stop), of_class(&parts.calibrate)),
            (80, 10, 10)
        );
        assert_eq!(of(&examples, &side, &recipe).unwrap(), parts);
        let other = FineTuning { seed: 1, ..recipe.clone() };
        assert_ne!(of(&examples, &side, &other).unwrap(), parts);
        let without = FineTuning { stop_share: 0.0, ..recipe };
        let parts = of(&examples, &side, &without).unwrap();
        assert_eq!((parts.train.len(), parts.stop.len(), parts.calibrate.len()), (360, 0, 40));
    }

    #[test]
    fn groups_stay_whole() {
        let examples: Vec<Example> =
            (0..300).map(|i| example(i / 5 % 2, Some(format!("object {}", i / 5)))).collect();
        let side: Vec<usize> = (0..300).collect();
        let parts = of(&examples, &side, &FineTuning::default()).unwrap();
        let part_of = |i: usize| {
            [&parts.train, &parts.stop, &parts.calibrate].iter().position(|p| p.contains(&i))
        };
        for object in 0..60 {
            let first = part_of(5 * object);
            assert!((0..5).all(|k| part_of(5 * object + k) == first));
        }
        assert_eq!(parts.stop.len(), 30);
        assert_eq!(parts.calibrate.len(), 30);
    }

    #[test]
    fn a_class_with_one_example_is_named() {
        let examples: Vec<Example> = (0..20).map(|i| example(usize::from(i == 3), None)).collect();
        let side: Vec<usize> = (0..20).collect();
        let error = of(&examples, &side, &FineTuning::default()).unwrap_err();
        assert!(error.to_string().contains("\"cracked\" has 1 usable example"), "{error}");
        let two: Vec<Example> = (0..4).map(|i| example(i % 2, None)).collect();
        let parts = of(&two, &[0, 1, 2, 3], &FineTuning::default());
        assert!(parts.is_err(), "two photos a class make no three parts: {parts:?}");
    }
}
