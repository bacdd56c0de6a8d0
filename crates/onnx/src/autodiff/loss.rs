//! What training makes small, and its gradient.

use super::emit::{Emitter, Tensor};
use crate::pool::int;

/// What is made small, as a sum over the rows of a batch. Each row has a weight:
/// one over the number of rows for the mean, 0 for a row that only fills the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// `-Σ_c t_c · log softmax(logits)_c`: rows of targets are probabilities, of
    /// one class or smoothed over all; weights of classes are factors in them.
    CrossEntropy,
    /// The mean over the outputs of `(logits - t)²`.
    MeanSquaredError,
}

/// The loss, without axes, and the gradient of the logits.
pub(super) fn loss(
    e: &mut Emitter,
    loss: Loss,
    logits: &Tensor,
    targets: &Tensor,
    row_weights: &Tensor,
) -> (Tensor, Tensor) {
    let column = e.reshape(row_weights, &[logits.shape[0], 1]);
    match loss {
        Loss::CrossEntropy => {
            let log = e.op("LogSoftmax", &[logits], vec![int("axis", 1)], logits.shape.clone());
            let weighted = e.mul(targets, &column);
            let product = e.mul(&weighted, &log);
            let sum = e.total("ReduceSum", &product);
            let value = e.unary("Neg", &sum);
            let probabilities = e.unary("Exp", &log);
            let whole = e.reduce("ReduceSum", &weighted, &[1]);
            let expected = e.mul(&probabilities, &whole);
            (value, e.sub(&expected, &weighted))
        }
        Loss::MeanSquaredError => {
            let difference = e.sub(logits, targets);
            let share = e.scaled(&column, 1.0 / logits.shape[1] as f64);
            let weighted = e.mul(&difference, &share);
            let product = e.mul(&weighted, &difference);
            let value = e.total("ReduceSum", &product);
            (value, e.scaled(&weighted, 2.0))
        }
    }
}
