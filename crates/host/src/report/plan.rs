//! Who learns from what: sizes that double, and for each seed photos of which
//! smaller sizes have a part.

use graft_learn::{SplitError, SplitMix64, grouped_split, stratified_split};

use super::ReportError;
use crate::examples::Example;
use crate::sides::{groups, strata};

/// Fewer photos a class teach nothing that could be compared.
const LEAST_A_CLASS: usize = 2;

/// What is learned from, and what judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Held out from everything.
    pub(super) test: Vec<usize>,
    /// Rising.
    pub(super) sizes: Vec<usize>,
    pub(super) seeds: Vec<u64>,
    /// `parts[seed][size]`, rising indices.
    parts: Vec<Vec<Vec<usize>>>,
}

impl Plan {
    /// `sizes` sizes at most, each half of the next and the last all of `train`.
    pub(super) fn new(
        examples: &[&Example],
        train: &[usize],
        test: &[usize],
        classes: usize,
        sizes: usize,
        seeds: &[u64],
    ) -> Result<Plan, ReportError> {
        let least = LEAST_A_CLASS * classes;
        let wanted: Vec<usize> = (0..sizes)
            .map_while(|halvings| train.len().checked_shr(halvings as u32))
            .take_while(|&size| size >= least)
            .collect();
        if wanted.len() < 2 {
            return Err(ReportError::TooFew { examples: train.len(), needed: 2 * least });
        }
        let mut parts = Vec::with_capacity(seeds.len());
        for &seed in seeds {
            let mut largest_first = vec![train.to_vec()];
            for &size in &wanted[1..] {
                let before = largest_first.last().expect("the largest is there");
                let part = part(examples, before, size, seed).map_err(ReportError::Split)?;
                largest_first.push(part);
            }
            largest_first.reverse();
            parts.push(largest_first);
        }
        let mut sizes = wanted;
        sizes.reverse();
        Ok(Plan { test: test.to_vec(), sizes, seeds: seeds.to_vec(), parts })
    }

    /// Of a seed and a size, by their places.
    pub(super) fn part(&self, seed: usize, size: usize) -> &[usize] {
        &self.parts[seed][size]
    }
}

/// About `wanted` of them, strata in proportion and groups whole.
fn part(
    examples: &[&Example],
    members: &[usize],
    wanted: usize,
    seed: u64,
) -> Result<Vec<usize>, SplitError> {
    let chosen: Vec<&Example> = members.iter().map(|&i| examples[i]).collect();
    let strata = strata(&chosen);
    let rest = 1.0 - wanted as f64 / members.len() as f64;
    let seed = SplitMix64::of(&[seed, wanted as u64]).bits();
    let kept = match groups(&chosen) {
        Some(groups) => grouped_split(&strata, &groups, rest, seed)?.train,
        None => stratified_split(&strata, rest, seed)?.train,
    };
    Ok(kept.into_iter().map(|i| members[i]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(label: usize, group: Option<String>) -> Example {
        Example { path: "x".into(), label, split: None, group, stratum: None }
    }

    #[test]
    fn sizes_halve_and_smaller_parts_lie_in_larger_ones() {
        let examples: Vec<Example> =
            (0..260).map(|i| example(usize::from(i % 4 == 0), None)).collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let train: Vec<usize> = (0..200).collect();
        let test: Vec<usize> = (200..260).collect();
        let plan = Plan::new(&examples, &train, &test, 2, 4, &[7, 8]).unwrap();
        assert_eq!(plan.sizes, [25, 50, 100, 200]);
        for seed in 0..2 {
            assert_eq!(plan.part(seed, 3), train);
            for size in 0..3 {
                let (small, large) = (plan.part(seed, size), plan.part(seed, size + 1));
                assert_eq!(small.len(), plan.sizes[size]);
                assert!(small.iter().all(|i| large.contains(i)));
                let rare = small.iter().filter(|&&i| i % 4 == 0).count();
                assert!(rare.abs_diff(small.len() / 4) <= 1, "{rare} of {}", small.len());
            }
        }
        assert_ne!(plan.part(0, 0), plan.part(1, 0));
        // Four photos are the fewest for two classes: 6 and 12 are sizes, 3 is none.
        let few = Plan::new(&examples, &train[..12], &test, 2, 9, &[0]).unwrap();
        assert_eq!(few.sizes, [6, 12]);
        let fewer = Plan::new(&examples, &train[..7], &test, 2, 9, &[0]);
        assert!(matches!(fewer, Err(ReportError::TooFew { examples: 7, needed: 8 })));
    }

    #[test]
    fn groups_stay_whole() {
        let examples: Vec<Example> =
            (0..160).map(|i| example(i / 4 % 2, Some(format!("object {}", i / 4)))).collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let train: Vec<usize> = (0..160).collect();
        let plan = Plan::new(&examples, &train, &[], 2, 3, &[1]).unwrap();
        for size in 0..3 {
            let part = plan.part(0, size);
            for &i in part {
                assert!((i / 4 * 4..i / 4 * 4 + 4).all(|k| part.contains(&k)));
            }
        }
    }
}
