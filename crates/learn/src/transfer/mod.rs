//! How well a source would serve a task, told before anything is trained: scores
//! from one pass over some examples.
//!
//! Three kinds. [`logme`], [`h_score`] and [`regularised_h_score`] fit the
//! features to the labels in closed form. [`leep`] and [`nce`] see only what the
//! source's own class head answers. [`neighbour_accuracy`] and
//! [`probe`](crate::probe()) are accuracies, the second of the head that would be
//! grafted: it is what the others try to foretell, and [`kendall_tau`] says how
//! well they do.

mod agreement;
mod eigen;
mod evidence;
mod neighbours;
mod pareto;
mod separation;
mod source_classes;
mod spectrum;

use std::fmt;

use crate::{Examples, TrainError};

pub use agreement::kendall_tau;
pub use evidence::logme;
pub use neighbours::{NEIGHBOURS, neighbour_accuracy};
pub use pareto::{Trade, pareto_front};
pub use separation::{h_score, regularised_h_score};
pub use source_classes::{SourceClasses, SourceClassesError, leep, nce};

/// Why there is no score.
#[derive(Clone, Debug, PartialEq)]
pub enum TransferError {
    /// Classes or folds that nothing can be learned from.
    Train(TrainError),
    /// Not one row of the source's probabilities an example.
    Lengths {
        /// Examples given.
        examples: usize,
        /// Rows of probabilities.
        rows: usize,
    },
}

impl From<TrainError> for TransferError {
    fn from(error: TrainError) -> TransferError {
        TransferError::Train(error)
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransferError::Train(error) => error.fmt(f),
            TransferError::Lengths { examples, rows } => {
                write!(f, "{examples} examples have {rows} rows of the source's probabilities")
            }
        }
    }
}

impl std::error::Error for TransferError {}

/// Examples of each class, at least one of each of at least two.
fn class_sizes(examples: &Examples<'_>) -> Result<Vec<usize>, TransferError> {
    crate::train::check_classes(examples)?;
    let mut sizes = vec![0usize; examples.classes()];
    examples.labels().iter().for_each(|&label| sizes[label] += 1);
    Ok(sizes)
}
