use graft_input::words::TableError;
use graft_learn::curves::CurvesError;
use graft_learn::{CalibrationError, EvaluationError, ExamplesError, SplitError, TrainError};

use crate::features::FeaturesError;
use crate::finetune::{FineTuneError, SupplyError};
use crate::graft::GraftError;
use crate::photos::Skipped;
use crate::sides::SidesError;
use crate::texts::WordsError;
use crate::vectors::VectorsError;

/// A report that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No methods.
    #[error("there is no method to report on")]
    NoMethod,
    /// Sizes could not double.
    #[error(
        "{examples} examples are left to learn from beside the held-out ones; {needed} are needed, 4 a class, for two sizes to compare"
    )]
    TooFew { examples: usize, needed: usize },
    /// The held-out part tells nothing.
    #[error("{tested} example is held out; 2 or more are needed to know how sure a result is")]
    NothingHeldOut { tested: usize },
    /// Features.
    #[error("{0}")]
    Features(#[source] FeaturesError),
    /// Word vectors.
    #[error("{0}")]
    Vectors(#[source] VectorsError),
    /// The words can't be written.
    #[error("the words cannot be put into a table")]
    Table(#[source] TableError),
    /// Unusable photos, in a strict run.
    #[error("{} of {total} examples cannot be used, first {}: {}", skipped.len(), skipped[0].path.display(), skipped[0].reason)]
    Strict { skipped: Vec<Skipped>, total: usize },
    /// No usable photo at all.
    #[error("none of {total} examples can be used, first {}: {}", first.path.display(), first.reason)]
    NoPhotos { total: usize, first: Skipped },
    /// A class lost all its photos.
    #[error("class {label:?} has {count} usable example to learn from; 2 or more are needed")]
    NothingToLearn { label: String, count: usize },
    /// The held-out part.
    #[error("{0}")]
    Sides(#[from] SidesError),
    /// Smaller sets.
    #[error("the examples cannot be divided into smaller sets")]
    Split(#[source] SplitError),
    /// Features that can't be learned from.
    #[error("the features cannot be learned from")]
    Examples(#[source] ExamplesError),
    /// A head.
    #[error("a head cannot be trained")]
    Head(#[source] TrainError),
    /// A temperature.
    #[error("a head cannot be calibrated")]
    Calibration(#[source] CalibrationError),
    /// A head that can't be joined.
    #[error("{0}")]
    Graft(#[from] GraftError),
    /// A training.
    #[error("{0}")]
    FineTune(#[source] FineTuneError),
    /// The held-out answers.
    #[error("the answers cannot be judged")]
    Evaluation(#[source] EvaluationError),
    /// Runs that can't be compared.
    #[error("{0}")]
    Curves(#[from] CurvesError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

impl From<WordsError> for ReportError {
    fn from(error: WordsError) -> ReportError {
        match error {
            WordsError::Cancelled => ReportError::Cancelled,
            WordsError::Vectors(error) => ReportError::Vectors(error),
            WordsError::Table(error) => ReportError::Table(error),
        }
    }
}

impl From<FineTuneError> for ReportError {
    fn from(error: FineTuneError) -> ReportError {
        match error {
            FineTuneError::Cancelled | FineTuneError::Supply(SupplyError::Cancelled) => {
                ReportError::Cancelled
            }
            other => ReportError::FineTune(other),
        }
    }
}
