use std::fmt;
use std::ops::ControlFlow;

use ndarray::Array2;

use crate::{Examples, Head};

/// How much each class counts in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every example counts 1.
    Uniform,
    /// An example counts `n / (classes · n_class)`, so that each class has the
    /// same say (scikit-learn's `balanced`).
    Balanced,
}

/// What training has to say while it goes on. Answered with
/// [`ControlFlow::Break`], it ends with
/// [`TrainError::Interrupted`].
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The data was gone through once more for the strength of this index.
    Pass {
        /// Strengths that are done; equal to `total` in the final fit.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// A setting was cross-validated: a strength, or a number of epochs.
    Tried {
        /// Settings done, with this one.
        done: usize,
        /// Settings at most.
        total: usize,
        /// What came of it.
        point: PathPoint,
    },
    /// An epoch of the final fit is done.
    Epoch {
        /// Epochs done.
        done: usize,
        /// Epochs to do.
        total: usize,
    },
}

/// What cross-validation chooses.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// L2 strength λ of a linear head: the penalty is λ/2 · ‖w‖², so λ is
    /// scikit-learn's 1/C.
    Strength(f64),
    /// Epochs of an MLP head.
    Epochs(usize),
}

/// One cross-validated setting.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PathPoint {
    /// What was tried.
    pub setting: Setting,
    /// Mean log-loss of out-of-fold logits after the best single temperature,
    /// each example counted by its class weight. The smallest is chosen.
    pub log_loss: f64,
    /// Share of out-of-fold examples answered right.
    pub accuracy: f64,
}

/// A trained head and how it came to be.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Works on features as they are: standardisation is in its weights.
    pub head: Head,
    /// The setting that was chosen.
    pub chosen: Setting,
    /// Every setting that was tried, in the order it was tried.
    pub path: Vec<PathPoint>,
    /// `[examples, classes]`: what models that had not seen the example's fold
    /// said of it, at the chosen setting.
    pub out_of_fold_logits: Array2<f32>,
    /// Passes over the data in all: evaluations of the objective, or epochs.
    pub iterations: usize,
}

/// Why there is no head.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainError {
    /// All examples are of one class.
    OneClass {
        /// That class.
        class: usize,
    },
    /// A class has no example to learn from.
    EmptyClass {
        /// That class.
        class: usize,
    },
    /// Not one fold number for each example.
    FoldLengths {
        /// Examples given.
        examples: usize,
        /// Fold numbers given.
        folds: usize,
    },
    /// Not one group number for each example.
    GroupLengths {
        /// Examples given.
        examples: usize,
        /// Group numbers given.
        groups: usize,
    },
    /// A fold without examples, or one that holds them all.
    Fold {
        /// The fold.
        fold: usize,
        /// Its examples.
        examples: usize,
    },
    /// A recipe that cannot be followed.
    Recipe {
        /// The field.
        field: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The caller asked to stop.
    Interrupted,
    /// The numbers ran out of range, which no recipe within reason does.
    Diverged,
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainError::OneClass { class } => {
                write!(f, "all examples are of class {class}; two classes are needed")
            }
            TrainError::EmptyClass { class } => {
                write!(f, "class {class} has no example to learn from")
            }
            TrainError::FoldLengths { examples, folds } => {
                write!(f, "{examples} examples have {folds} fold numbers")
            }
            TrainError::GroupLengths { examples, groups } => {
                write!(f, "{examples} examples have {groups} group numbers")
            }
            TrainError::Fold { fold, examples } => {
                write!(
                    f,
                    "fold {fold} has {examples} examples, some must be in it and some outside"
                )
            }
            TrainError::Recipe { field, must } => write!(f, "{field} must be {must}"),
            TrainError::Interrupted => f.write_str("interrupted"),
            TrainError::Diverged => {
                f.write_str("training diverged; a lower learning rate or other features may help")
            }
        }
    }
}

impl std::error::Error for TrainError {}

/// Reports, and hears whether to go on.
pub(crate) fn tell(
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    progress: Progress,
) -> Result<(), TrainError> {
    match on(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TrainError::Interrupted),
    }
}

/// That every class has something to learn from.
pub(crate) fn check_classes(examples: &Examples<'_>) -> Result<(), TrainError> {
    let mut counts = vec![0usize; examples.classes()];
    for &label in examples.labels() {
        counts[label] += 1;
    }
    if let Some(class) = counts.iter().position(|&n| n == examples.count()) {
        return Err(TrainError::OneClass { class });
    }
    match counts.iter().position(|&n| n == 0) {
        Some(class) => Err(TrainError::EmptyClass { class }),
        None => Ok(()),
    }
}

/// The number of folds, each of which has examples in it and outside.
pub(crate) fn count_folds(examples: &Examples<'_>, folds: &[usize]) -> Result<usize, TrainError> {
    if folds.len() != examples.count() {
        return Err(TrainError::FoldLengths { examples: examples.count(), folds: folds.len() });
    }
    // No more folds than examples, whatever number one of them bears.
    let last = folds.iter().copied().max().unwrap_or(0);
    if last >= folds.len() {
        return Err(TrainError::Fold { fold: last - 1, examples: 0 });
    }
    let mut counts = vec![0usize; last + 1];
    folds.iter().for_each(|&fold| counts[fold] += 1);
    match counts.iter().position(|&n| n == 0 || n == folds.len()) {
        Some(fold) => Err(TrainError::Fold { fold, examples: counts[fold] }),
        None => Ok(counts.len()),
    }
}

impl ClassWeights {
    /// The weight of an example of each class, by how often the classes occur in
    /// `labels`; 1 for a class that does not.
    pub fn per_class(self, labels: &[usize], classes: usize) -> Vec<f64> {
        let mut weights = vec![1.0; classes];
        for (&label, weight) in labels.iter().zip(self.of(labels, classes, |_| true)) {
            weights[label] = weight;
        }
        weights
    }

    /// The weight of each example of `labels`; 0 where `keep` is false.
    pub(crate) fn of(
        self,
        labels: &[usize],
        classes: usize,
        keep: impl Fn(usize) -> bool,
    ) -> Vec<f64> {
        let mut counts = vec![0usize; classes];
        for (i, &label) in labels.iter().enumerate() {
            counts[label] += usize::from(keep(i));
        }
        let kept: usize = counts.iter().sum();
        // Classes without examples take no share, as in scikit-learn, which
        // does not see them.
        let present = counts.iter().filter(|&&n| n > 0).count();
        labels
            .iter()
            .enumerate()
            .map(|(i, &label)| match (keep(i), self) {
                (false, _) => 0.0,
                (true, ClassWeights::Uniform) => 1.0,
                (true, ClassWeights::Balanced) => kept as f64 / (present * counts[label]) as f64,
            })
            .collect()
    }
}
