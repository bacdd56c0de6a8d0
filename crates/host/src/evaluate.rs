//! How good a bundle's answers are.

use graft_bundle::Bundle;
use graft_learn::{Evaluation, EvaluationError, Targets};
use graft_spec::{Answer, Calibration};

use crate::answer::Answers;
use crate::examples::Dataset;
use crate::train::majority;

/// Answers that can't be judged.
#[derive(Debug, thiserror::Error)]
#[error("the answers cannot be judged")]
pub struct JudgeError(#[source] EvaluationError);

/// Judges a bundle's answers to a data set that has the bundle's labels. The
/// baseline is the data set's own most frequent label: a bundle doesn't carry
/// the training part's.
pub fn judge(
    bundle: &Bundle<'_>,
    dataset: &Dataset,
    answers: &Answers,
) -> Result<Evaluation, JudgeError> {
    let Answer::Class(calibration) = &bundle.manifest().answer;
    let calibration: &Calibration = calibration;
    let labels: Vec<usize> = answers.usable.iter().map(|&i| dataset.examples[i].label).collect();
    let names = bundle.labels();
    let targets =
        Targets { labels: &labels, names, majority: majority(&labels, names.names().len()) };
    graft_learn::evaluate(answers.logits.view(), &targets, calibration).map_err(JudgeError)
}
