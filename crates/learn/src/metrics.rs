use std::fmt;

use graft_spec::{Calibration, Decision, Labels};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// Bins of the expected calibration error.
pub(crate) const BINS: usize = 15;
/// The 97.5 % quantile of the normal distribution.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// How good a head is on examples it has not seen. Shares are of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Examples measured.
    pub examples: usize,
    /// Share answered right, unknown not applied.
    pub accuracy: f64,
    /// 95 % interval of the accuracy (Wilson 1927).
    pub accuracy_interval: [f64; 2],
    /// Accuracy of always answering `baseline_label`.
    pub baseline_accuracy: f64,
    /// The most frequent label of the training part.
    pub baseline_label: String,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: f64,
    /// Mean F1 of the classes that occur or were answered.
    pub f1: f64,
    /// Mean log-loss after temperature scaling, in nats.
    pub log_loss: f64,
    /// Expected calibration error after temperature scaling: see
    /// [`expected_calibration_error`].
    pub ece: f64,
    /// The same of the bare softmax.
    pub ece_uncalibrated: f64,
    /// Share answered with a label when the unknown threshold applies.
    pub answered: f64,
    /// Share of those that is right, if there are any.
    pub answered_accuracy: Option<f64>,
    /// Each class, in the order of the labels.
    pub classes: Vec<ClassScores>,
    /// Counts, unknown not applied: rows are true classes, columns answers.
    pub confusion: Vec<Vec<usize>>,
}

/// Scores of one class. What would be 0 / 0 is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Its name.
    pub label: String,
    /// Examples of it.
    pub examples: usize,
    /// Share of the answers with this label that is right.
    pub precision: f64,
    /// Share of its examples answered right.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

/// What the logits should have said.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// The class of each example.
    pub labels: &'a [usize],
    /// The names of the classes, one a logit.
    pub names: &'a Labels,
    /// The most frequent class of the training part.
    pub majority: usize,
}

/// Why there is no evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum EvaluationError {
    /// No examples.
    Empty,
    /// Not one label a row of logits.
    Lengths {
        /// Rows of logits.
        examples: usize,
        /// Labels given.
        labels: usize,
    },
    /// Not one name a logit.
    Classes {
        /// Logits a row.
        logits: usize,
        /// Names given.
        names: usize,
    },
    /// A label, or the majority, that is no class.
    Label {
        /// The label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A logit that is NaN or infinite.
    NotFinite {
        /// The row.
        row: usize,
    },
}

/// Measures logits `[examples, classes]`, as they are before the temperature.
///
/// # Errors
///
/// Logits, labels and names that don't belong together.
pub fn evaluate(
    logits: ArrayView2<'_, f32>,
    targets: &Targets<'_>,
    calibration: &Calibration,
) -> Result<Evaluation, EvaluationError> {
    let Targets { labels, names, majority } = *targets;
    check(logits, targets)?;
    let (examples, classes) = logits.dim();
    let n = examples as f64;

    let scaled = Calibration { unknown_below: None, ..*calibration };
    let mut confusion = vec![vec![0usize; classes]; classes];
    let (mut answered, mut answered_right) = (0usize, 0usize);
    let (mut confidences, mut bare) = (Vec::with_capacity(examples), Vec::with_capacity(examples));
    let mut log_loss = 0.0;
    for (row, &label) in logits.outer_iter().zip(labels) {
        let mut probabilities = row.to_vec();
        let answer = match scaled.decide(&mut probabilities) {
            Decision::Label(answer) => answer,
            Decision::Unknown => unreachable!("the logits are finite and nothing is refused"),
        };
        confusion[label][answer] += 1;
        let right = answer == label;
        confidences.push((probabilities[answer], right));
        if calibration.unknown_below.is_none_or(|t| probabilities[answer] >= t) {
            answered += 1;
            answered_right += usize::from(right);
        }
        log_loss += row_log_loss(row.iter().copied(), label, calibration.temperature);
        let mut probabilities = row.to_vec();
        Calibration::NONE.decide(&mut probabilities);
        bare.push((probabilities[answer], right));
    }

    let right: usize = (0..classes).map(|k| confusion[k][k]).sum();
    let scores: Vec<ClassScores> = (0..classes)
        .map(|k| {
            let occurs: usize = confusion[k].iter().sum();
            let said: usize = confusion.iter().map(|row| row[k]).sum();
            ClassScores {
                label: names[k].to_owned(),
                examples: occurs,
                precision: ratio(confusion[k][k], said),
                recall: ratio(confusion[k][k], occurs),
                f1: ratio(2 * confusion[k][k], occurs + said),
            }
        })
        .collect();
    let said = |k: usize| confusion.iter().any(|row| row[k] > 0);
    Ok(Evaluation {
        examples,
        accuracy: right as f64 / n,
        accuracy_interval: wilson_interval(right, examples),
        baseline_accuracy: scores[majority].examples as f64 / n,
        baseline_label: names[majority].to_owned(),
        balanced_accuracy: mean(scores.iter().filter(|s| s.examples > 0).map(|s| s.recall)),
        f1: mean((0..classes).filter(|&k| scores[k].examples > 0 || said(k)).map(|k| scores[k].f1)),
        log_loss: log_loss / n,
        ece: expected_calibration_error(&confidences),
        ece_uncalibrated: expected_calibration_error(&bare),
        answered: answered as f64 / n,
        answered_accuracy: (answered > 0).then(|| ratio(answered_right, answered)),
        classes: scores,
        confusion,
    })
}

fn check(logits: ArrayView2<'_, f32>, targets: &Targets<'_>) -> Result<(), EvaluationError> {
    let (examples, classes) = logits.dim();
    let names = targets.names.names().len();
    if examples == 0 {
        return Err(EvaluationError::Empty);
    }
    if targets.labels.len() != examples {
        return Err(EvaluationError::Lengths { examples, labels: targets.labels.len() });
    }
    if classes != names {
        return Err(EvaluationError::Classes { logits: classes, names });
    }
    let mut labels = targets.labels.iter().copied().chain([targets.majority]);
    if let Some(label) = labels.find(|&label| label >= classes) {
        return Err(EvaluationError::Label { label, classes });
    }
    match logits.outer_iter().position(|row| row.iter().any(|v| !v.is_finite())) {
        Some(row) => Err(EvaluationError::NotFinite { row }),
        None => Ok(()),
    }
}

/// Expected calibration error (Guo et al. 2017) of (confidence, right) pairs: in
/// 15 equally wide bins of the confidence, each closed above, the difference
/// between accuracy and mean confidence, weighted by the examples of the bin. 0
/// if there are none.
pub fn expected_calibration_error(answers: &[(f32, bool)]) -> f64 {
    let mut bins = [(0f64, 0f64); BINS];
    for &(confidence, right) in answers {
        let confidence = f64::from(confidence);
        let bin = bin(confidence);
        bins[bin].0 += confidence;
        bins[bin].1 += f64::from(u8::from(right));
    }
    // |accuracy − confidence| · examples is the difference of the sums.
    let gap: f64 = bins.iter().map(|(confidence, right)| (confidence - right).abs()).sum();
    gap / answers.len().max(1) as f64
}

/// In which bin a confidence lies.
pub(crate) fn bin(confidence: f64) -> usize {
    ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1
}

/// The 95 % score interval of a share (Wilson 1927); the whole range if nothing
/// was counted.
pub fn wilson_interval(right: usize, examples: usize) -> [f64; 2] {
    if examples == 0 {
        return [0.0, 1.0];
    }
    wilson(right as f64 / examples as f64, examples)
}

/// [`wilson_interval`] of a share that need not be one of whole examples: a mean
/// over runs.
pub(crate) fn wilson(share: f64, examples: usize) -> [f64; 2] {
    let n = examples as f64;
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    [((centre - half) / whole).max(0.0), ((centre + half) / whole).min(1.0)]
}

fn row_log_loss(row: impl Iterator<Item = f32> + Clone, label: usize, temperature: f32) -> f64 {
    let scaled = row.map(|v| f64::from(v) / f64::from(temperature));
    let largest = scaled.clone().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scaled.clone().map(|v| (v - largest).exp()).sum();
    let target = scaled.clone().nth(label).expect("labels are checked");
    total.ln() + largest - target
}

/// The share of rows whose largest value (the lowest index if equal) is at the
/// label.
pub(crate) fn accuracy(logits: ArrayView2<'_, f64>, labels: &[usize]) -> f64 {
    let right = logits
        .outer_iter()
        .zip(labels)
        .filter(|(row, label)| {
            let mut best = 0;
            for (k, v) in row.iter().enumerate() {
                if *v > row[best] {
                    best = k;
                }
            }
            best == **label
        })
        .count();
    ratio(right, labels.len())
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0usize, 0.0), |(n, sum), v| (n + 1, sum + v));
    sum / count as f64
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvaluationError::Empty => f.write_str("there are no examples to measure on"),
            EvaluationError::Lengths { examples, labels } => {
                write!(f, "{examples} rows of logits have {labels} labels")
            }
            EvaluationError::Classes { logits, names } => {
                write!(f, "{logits} logits have {names} names")
            }
            EvaluationError::Label { label, classes } => {
                write!(f, "label {label} is none of the {classes} classes")
            }
            EvaluationError::NotFinite { row } => {
                write!(f, "a logit of example {row} is not finite")
            }
        }
    }
}

impl std::error::Error for EvaluationError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_is_scipys() {
        // scipy 1.17.1: binomtest(right, examples).proportion_ci(method="wilson").
        for (right, examples, expected) in [
            (8, 10, [0.490_162_471_536_641_8, 0.943_317_848_545_624_8]),
            (0, 5, [0.0, 0.434_482_464_783_174_76]),
        ] {
            let interval = wilson_interval(right, examples);
            for (a, b) in interval.iter().zip(expected) {
                assert!((a - b).abs() < 1e-9, "{interval:?}");
            }
        }
    }

    #[test]
    fn bins_are_closed_above() {
        // 0.2 = 3/15 lies in the third bin, with 0.19; 0.21 in the fourth.
        let answers = [(0.2, false), (0.19, true), (0.21, true)];
        let expected = ((0.2f64 + 0.19 - 1.0).abs() + (0.21f64 - 1.0).abs()) / 3.0;
        assert!((expected_calibration_error(&answers) - expected).abs() < 1e-6);
    }
}
