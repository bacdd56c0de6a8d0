use graft_input::words::TableError;
use graft_learn::CalibrationError;
use graft_onnx::GraphError;
use graft_spec::SpecError;

use super::data::RunningTextsError;
use crate::answer::AnswerError;
use crate::engine::NetworkError;
use crate::graft::GraftError;
use crate::photos::Skipped;
use crate::sides::SidesError;
use crate::vectors::VectorsError;

/// Words in all that it takes to learn from some, stop by some and judge by others.
pub const LEAST_WORDS: usize = 1000;

/// Words to choose from that make a task.
pub const LEAST_OUTPUTS: usize = 10;

/// What comes next can't be learned, or not be judged.
#[derive(Debug, thiserror::Error)]
pub enum NextWordError {
    /// The texts.
    #[error("{0}")]
    Texts(#[from] RunningTextsError),
    /// Their split.
    #[error("{0}")]
    Sides(#[from] SidesError),
    /// Word vectors.
    #[error("{0}")]
    Vectors(#[source] VectorsError),
    /// Unusable texts, in a strict run.
    #[error("{} of {total} texts cannot be used, first {}: {}", skipped.len(), skipped[0].path.display(), skipped[0].reason)]
    Strict { skipped: Vec<Skipped>, total: usize },
    /// Too little.
    #[error(
        "the texts have {found} words and marks; at least {LEAST_WORDS} are needed, to learn from some and to judge by others"
    )]
    TooShort { found: usize },
    /// A side of the split has no place where a word is asked for.
    #[error(
        "no word can be asked for in the {part} part: the texts are too few, too short, or of too few groups"
    )]
    NothingAsked { part: &'static str },
    /// Texts of another language than the vectors.
    #[error(
        "the texts learned from have {found} words that can come next and that {vectors} knows; at least {LEAST_OUTPUTS} are needed"
    )]
    NothingKnown { found: usize, vectors: String },
    /// More words to choose from than there are.
    #[error(
        "{asked} words to choose from are asked for; the texts learned from have {found} that {vectors} knows"
    )]
    TooFewWords { asked: usize, found: usize, vectors: String },
    /// A bundle that does not say what comes next.
    #[error("the bundle {name} does not continue texts: it answers from labels")]
    NotNextWord { name: String },
    /// The words that travel can't be written.
    #[error("the words cannot be put into a table")]
    Table(#[from] TableError),
    /// The training step can't be written.
    #[error("the network cannot be trained")]
    Graph(#[from] Box<GraphError>),
    /// ONNX Runtime.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// The loss is no number.
    #[error("learning went astray in epoch {epoch}, step {step}, at a rate of {rate:.1e}")]
    Diverged { epoch: usize, step: usize, rate: f64 },
    /// The temperature.
    #[error("the network cannot be calibrated")]
    Calibration(#[from] CalibrationError),
    /// The bundle.
    #[error("the bundle cannot be made")]
    Graft(#[from] GraftError),
    /// A value that a bundle can't hold.
    #[error("{0}")]
    Spec(#[from] SpecError),
    /// The bundle's answers.
    #[error("{0}")]
    Answer(#[from] AnswerError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

impl From<VectorsError> for NextWordError {
    fn from(error: VectorsError) -> NextWordError {
        match error {
            VectorsError::Cancelled => NextWordError::Cancelled,
            other => NextWordError::Vectors(other),
        }
    }
}
