//! What transfer bought: accuracies by examples and by epochs, and what of two
//! methods' curves differs.
//!
//! All runs are judged by the same held-out photos, and runs of two methods with
//! the same seed had the same photos to learn from. So there are two errors. That
//! of the runs: another draw of photos, of first weights and of their order, seen
//! in the spread between seeds. That of the held-out photos: others would have
//! given other answers, and all runs share it however many there are. The first
//! is a t interval over seeds, the second a normal one over photos; their half
//! widths are added as squares. The second has the first in it divided by the
//! number of seeds, so intervals are a little too wide rather than too narrow.

mod benefits;
mod interval;
mod power_law;
mod student_t;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

pub use benefits::{Benefit, Gain, Measure, Verdict, benefits, still_learning};
pub use interval::{Estimate, contrast};
pub use power_law::{Check, Forecast, Forecasted, PowerLaw, SizeError, forecast, power_law};
pub use student_t::t_quantile;

/// One run of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Of its photos and its random numbers.
    pub seed: u64,
    /// Photos that it learned from.
    pub examples: usize,
    /// Which held-out photos it answered right: before the first epoch, and after
    /// each. A method without epochs has one entry.
    pub right: Vec<Vec<bool>>,
}

/// All runs of a method: every seed with every number of examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Of each size, one a seed, both rising.
    by_size: Vec<Vec<Trial>>,
}

/// Runs that make no curves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CurvesError {
    /// No runs.
    Empty,
    /// A run with this seed and this number of examples is missing, or there twice.
    Grid {
        /// Its seed.
        seed: u64,
        /// Its examples.
        examples: usize,
        /// How many there are.
        found: usize,
    },
    /// Runs with different numbers of epochs.
    Epochs {
        /// Of one run.
        one: usize,
        /// Of another.
        other: usize,
    },
    /// Runs that were judged by different numbers of photos, or by fewer than two.
    Photos {
        /// By one.
        one: usize,
        /// By another.
        other: usize,
    },
    /// Two methods that share neither seeds nor sizes.
    NothingShared,
}

/// Accuracy with one number of examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SizePoint {
    /// Photos that were learned from.
    pub examples: usize,
    /// At the end of training.
    pub accuracy: Estimate,
}

/// Accuracy along the epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochPoint {
    /// 0 is before the first.
    pub epoch: usize,
    /// After it.
    pub accuracy: Estimate,
}

impl Curves {
    /// Checks that there is one run for each seed and size, with as many epochs
    /// and held-out photos as the others.
    ///
    /// # Errors
    ///
    /// What is missing, or differs.
    pub fn new(trials: Vec<Trial>) -> Result<Curves, CurvesError> {
        let first = trials.first().ok_or(CurvesError::Empty)?;
        let epochs = first.right.len();
        let photos = first.right.first().map_or(0, Vec::len);
        for trial in &trials {
            if trial.right.len() != epochs {
                return Err(CurvesError::Epochs { one: epochs, other: trial.right.len() });
            }
            let other = trial.right.iter().map(Vec::len).find(|&other| other != photos);
            if let Some(other) = other.or((photos < 2).then_some(photos)) {
                return Err(CurvesError::Photos { one: photos, other });
            }
        }
        let sizes: BTreeSet<usize> = trials.iter().map(|t| t.examples).collect();
        let seeds: BTreeSet<u64> = trials.iter().map(|t| t.seed).collect();
        let mut by_size = Vec::with_capacity(sizes.len());
        for &examples in &sizes {
            let mut of_size = Vec::with_capacity(seeds.len());
            for &seed in &seeds {
                let mut found = trials.iter().filter(|t| t.seed == seed && t.examples == examples);
                match (found.next(), found.count()) {
                    (Some(trial), 0) => of_size.push(trial.clone()),
                    (one, more) => {
                        let found = usize::from(one.is_some()) + more;
                        return Err(CurvesError::Grid { seed, examples, found });
                    }
                }
            }
            by_size.push(of_size);
        }
        Ok(Curves { by_size })
    }

    /// Numbers of examples, rising.
    pub fn sizes(&self) -> Vec<usize> {
        self.by_size.iter().map(|trials| trials[0].examples).collect()
    }

    /// Seeds, rising.
    pub fn seeds(&self) -> Vec<u64> {
        self.by_size[0].iter().map(|trial| trial.seed).collect()
    }

    /// Held-out photos.
    pub fn photos(&self) -> usize {
        self.by_size[0][0].right[0].len()
    }

    /// Epochs of a run; 0 for a method that has none.
    pub fn epochs(&self) -> usize {
        self.by_size[0][0].right.len() - 1
    }

    /// Accuracy at the end of training, by examples.
    pub fn by_examples(&self) -> Vec<SizePoint> {
        self.by_size
            .iter()
            .map(|trials| SizePoint {
                examples: trials[0].examples,
                accuracy: interval::band(&at_end(trials)),
            })
            .collect()
    }

    /// Accuracy along the epochs with all examples; empty for a method that has
    /// none.
    pub fn by_epoch(&self) -> Vec<EpochPoint> {
        let largest = self.by_size.last().expect("invariant: there is a size");
        let epochs = if self.epochs() > 0 { 0..self.epochs() + 1 } else { 0..0 };
        epochs
            .map(|epoch| {
                let rows: Vec<&[bool]> = largest.iter().map(|t| &t.right[epoch][..]).collect();
                EpochPoint { epoch, accuracy: interval::band(&rows) }
            })
            .collect()
    }

    /// Of the run with a seed and this size, counted from the smallest.
    fn trial(&self, size: usize, seed: u64) -> Option<&Trial> {
        self.by_size[size].iter().find(|trial| trial.seed == seed)
    }
}

fn at_end(trials: &[Trial]) -> Vec<&[bool]> {
    trials.iter().map(|trial| trial.end()).collect()
}

impl Trial {
    /// After the last epoch.
    fn end(&self) -> &[bool] {
        self.right.last().expect("invariant: Curves::new found held-out photos in it")
    }
}

impl fmt::Display for CurvesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CurvesError::Empty => f.write_str("there are no runs to make curves of"),
            CurvesError::Grid { seed, examples, found } => write!(
                f,
                "there are {found} runs with seed {seed} and {examples} examples, and must be one"
            ),
            CurvesError::Epochs { one, other } => {
                write!(f, "runs have {one} and {other} measurements along their epochs")
            }
            CurvesError::Photos { one, other } => write!(
                f,
                "runs were judged by {one} and {other} photos; it must be the same two or more"
            ),
            CurvesError::NothingShared => {
                f.write_str("the methods have no seed, or not the same sizes and photos, in common")
            }
        }
    }
}

impl std::error::Error for CurvesError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(seed: u64, examples: usize, right: &[&[u8]]) -> Trial {
        let right = right.iter().map(|row| row.iter().map(|&r| r == 1).collect()).collect();
        Trial { seed, examples, right }
    }

    #[test]
    fn what_is_no_curve_is_named() {
        let whole = trial(0, 8, &[&[1, 0], &[1, 1]]);
        let check = |trials: Vec<Trial>, words: &str| {
            let error = Curves::new(trials).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check(vec![], "no runs");
        check(vec![whole.clone(), whole.clone()], "2 runs with seed 0 and 8");
        check(vec![whole.clone(), trial(1, 16, &[&[1, 0], &[1, 1]])], "0 runs with seed 1 and 8");
        check(vec![whole.clone(), trial(1, 8, &[&[1, 0]])], "2 and 1 measurements");
        check(vec![whole, trial(1, 8, &[&[1, 0], &[1]])], "2 and 1 photos");
        check(vec![trial(0, 8, &[])], "0 and 0 photos");
        check(vec![trial(0, 8, &[&[1]])], "1 and 1 photos");
    }

    /// Two seeds that say the opposite: 12.7 standard errors are 1300 points.
    #[test]
    fn no_interval_is_wider_than_what_can_be_measured() {
        let of = |seed, few: u8, many: u8| {
            let row = |r: u8| [r; 4];
            let (before, after) = (row(0), row(few));
            let (late, last) = (row(0), row(many));
            [trial(seed, 8, &[&before, &after]), trial(seed, 16, &[&late, &last])]
        };
        let transfer = Curves::new([of(0, 1, 1), of(1, 0, 0)].concat()).unwrap();
        let scratch = Curves::new([of(0, 0, 0), of(1, 1, 1)].concat()).unwrap();
        let gains = benefits(&transfer, &scratch).unwrap();
        let interval =
            |measure| gains.iter().find(|gain| gain.measure == measure).unwrap().gain.interval;
        assert_eq!(interval(Measure::FewestExamples), [-1.0, 1.0]);
        // A line through two points rises by 1 at the most, and so falls the other.
        assert_eq!(interval(Measure::PerEpoch), [-2.0, 2.0]);
        assert_eq!(interval(Measure::PerDoubling), [0.0, 0.0]);
    }

    #[test]
    fn accuracies_are_means_over_seeds() {
        let curves = Curves::new(vec![
            trial(1, 16, &[&[0, 0, 0, 0], &[1, 1, 1, 0]]),
            trial(0, 16, &[&[0, 1, 0, 0], &[1, 1, 1, 1]]),
            trial(0, 8, &[&[0, 0, 0, 0], &[0, 1, 0, 0]]),
            trial(1, 8, &[&[0, 0, 0, 0], &[0, 1, 1, 1]]),
        ])
        .unwrap();
        assert_eq!((curves.sizes(), curves.seeds()), (vec![8, 16], vec![0, 1]));
        let ends: Vec<f64> = curves.by_examples().iter().map(|p| p.accuracy.value).collect();
        assert_eq!(ends, [0.5, 0.875]);
        let epochs: Vec<f64> = curves.by_epoch().iter().map(|p| p.accuracy.value).collect();
        assert_eq!(epochs, [0.125, 0.875]);
    }
}
