use std::fmt;

use graft_spec::Calibration;
use ndarray::ArrayView2;

/// Temperatures outside are taken for the nearest end: logits that are all right,
/// or worse than none, have no best one.
const TEMPERATURES: (f64, f64) = (0.1, 100.0);

/// Why there is no calibration.
#[derive(Clone, Debug, PartialEq)]
pub enum CalibrationError {
    /// No logits.
    Empty,
    /// Not one label a row.
    Lengths {
        /// Rows of logits.
        examples: usize,
        /// Labels given.
        labels: usize,
    },
    /// A label without a logit.
    Label {
        /// The row.
        row: usize,
        /// Its label.
        label: usize,
        /// Logits a row.
        classes: usize,
    },
    /// A logit that is NaN or infinite.
    NotFinite {
        /// The row.
        row: usize,
    },
    /// A share to answer that is not above 0 and at most 1.
    Share(f64),
}

/// Temperature and, if a share to answer is given, threshold from logits
/// `[examples, classes]` of examples that their models had not seen.
///
/// # Errors
///
/// Logits and labels that don't belong together, or a share that is none.
pub fn calibrate(
    logits: ArrayView2<'_, f32>,
    labels: &[usize],
    answered: Option<f64>,
) -> Result<Calibration, CalibrationError> {
    let temperature = temperature(logits, labels)?;
    let unknown_below =
        answered.map(|share| unknown_below(logits, temperature, share)).transpose()?;
    Ok(Calibration { temperature, unknown_below })
}

/// The temperature that makes the log-loss of `logits / temperature` smallest
/// (Guo et al. 2017, "On calibration of modern neural networks"), between 0.1
/// and 100.
///
/// # Errors
///
/// Logits and labels that don't belong together.
pub fn temperature(logits: ArrayView2<'_, f32>, labels: &[usize]) -> Result<f32, CalibrationError> {
    Ok(best_scale(logits, labels)?.temperature as f32)
}

/// The mean log-loss (natural logarithm) at that temperature: how much the logits
/// know, however confident they are. What a fine-tuned network is stopped by, as
/// its confidence goes on growing after its knowledge has stopped to.
///
/// # Errors
///
/// Logits and labels that don't belong together.
pub fn log_loss_at_best_temperature(
    logits: ArrayView2<'_, f32>,
    labels: &[usize],
) -> Result<f64, CalibrationError> {
    Ok(best_scale(logits, labels)?.log_loss)
}

fn best_scale(logits: ArrayView2<'_, f32>, labels: &[usize]) -> Result<Scaled, CalibrationError> {
    let (examples, classes) = logits.dim();
    if examples == 0 || classes == 0 {
        return Err(CalibrationError::Empty);
    }
    if labels.len() != examples {
        return Err(CalibrationError::Lengths { examples, labels: labels.len() });
    }
    if let Some(row) = labels.iter().position(|&label| label >= classes) {
        return Err(CalibrationError::Label { row, label: labels[row], classes });
    }
    check_finite(logits)?;
    let logits = logits.mapv(f64::from);
    Ok(scaled_log_loss(logits.view(), labels, &vec![1.0; examples]))
}

/// The largest threshold under which at least `share` of the examples keeps its
/// answer: a quantile of their largest probabilities, computed as the device
/// does.
///
/// # Errors
///
/// No examples, logits that are not finite, or a share not above 0 and at most 1.
pub fn unknown_below(
    logits: ArrayView2<'_, f32>,
    temperature: f32,
    share: f64,
) -> Result<f32, CalibrationError> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(CalibrationError::Share(share));
    }
    if logits.is_empty() {
        return Err(CalibrationError::Empty);
    }
    check_finite(logits)?;
    let calibration = Calibration { temperature, unknown_below: None };
    let mut largest: Vec<f32> = logits
        .outer_iter()
        .map(|row| {
            let mut row = row.to_vec();
            calibration.decide(&mut row);
            row.into_iter().fold(0.0, f32::max)
        })
        .collect();
    largest.sort_by(|a, b| b.total_cmp(a));
    // A share of 0.95 of 20 is 19, not the 19.000000000000004 that f64 makes.
    let answered = (share * largest.len() as f64 - 1e-9).ceil() as usize;
    Ok(largest[answered.clamp(1, largest.len()) - 1])
}

fn check_finite(logits: ArrayView2<'_, f32>) -> Result<(), CalibrationError> {
    match logits.outer_iter().position(|row| row.iter().any(|v| !v.is_finite())) {
        Some(row) => Err(CalibrationError::NotFinite { row }),
        None => Ok(()),
    }
}

/// The best temperature and what it makes of the log-loss.
pub(crate) struct Scaled {
    pub(crate) temperature: f64,
    /// Weighted mean.
    pub(crate) log_loss: f64,
}

/// Finds the best temperature by Newton's method on its inverse, in which the
/// log-loss is convex, inside a bracket that shrinks.
pub(crate) fn scaled_log_loss(
    logits: ArrayView2<'_, f64>,
    labels: &[usize],
    weights: &[f64],
) -> Scaled {
    let (mut low, mut high) = (1.0 / TEMPERATURES.1, 1.0 / TEMPERATURES.0);
    let mut inverse = 1.0;
    let mut loss = f64::NAN;
    for _ in 0..100 {
        let slopes = Slopes::at(inverse, logits, labels, weights);
        loss = slopes.loss;
        if slopes.first > 0.0 {
            high = inverse
        } else {
            low = inverse
        }
        let newton = inverse - slopes.first / slopes.second;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - inverse).abs() <= 1e-10 * inverse {
            break;
        }
        inverse = next;
    }
    Scaled { temperature: 1.0 / inverse, log_loss: loss }
}

/// Mean log-loss of `inverse · logits` with its derivatives by `inverse`.
struct Slopes {
    loss: f64,
    first: f64,
    second: f64,
}

impl Slopes {
    fn at(inverse: f64, logits: ArrayView2<'_, f64>, labels: &[usize], weights: &[f64]) -> Slopes {
        let mut slopes = Slopes { loss: 0.0, first: 0.0, second: 0.0 };
        for ((row, &label), weight) in logits.outer_iter().zip(labels).zip(weights) {
            let largest = row.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
            // Of z − largest under the softmax: total, mean, mean square.
            let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
            for z in row.iter().map(|z| z - largest) {
                let e = (inverse * z).exp();
                total += e;
                mean += e * z;
                square += e * z * z;
            }
            mean /= total;
            let target = row[label] - largest;
            slopes.loss += weight * (total.ln() - inverse * target);
            slopes.first += weight * (mean - target);
            slopes.second += weight * (square / total - mean * mean).max(0.0);
        }
        let all: f64 = weights.iter().sum();
        slopes.loss /= all;
        slopes.first /= all;
        slopes.second /= all;
        slopes
    }
}

impl fmt::Display for CalibrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CalibrationError::Empty => f.write_str("there are no logits to calibrate by"),
            CalibrationError::Lengths { examples, labels } => {
                write!(f, "{examples} rows of logits have {labels} labels")
            }
            CalibrationError::Label { row, label, classes } => {
                write!(f, "example {row} has label {label}, there are {classes} logits")
            }
            CalibrationError::NotFinite { row } => {
                write!(f, "a logit of example {row} is not finite")
            }
            CalibrationError::Share(share) => {
                write!(f, "the share to answer is {share}, must be above 0 and at most 1")
            }
        }
    }
}

impl std::error::Error for CalibrationError {}

#[cfg(test)]
mod tests {
    use graft_spec::Decision;
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn the_share_is_answered() {
        let logits = Array2::from_shape_fn((20, 2), |(i, k)| if k == 0 { 0.0 } else { i as f32 });
        for (share, answered) in [(0.95, 19), (0.5, 10), (1.0, 20), (0.01, 1), (0.951, 20)] {
            let threshold = unknown_below(logits.view(), 2.0, share).unwrap();
            let calibration = Calibration { temperature: 2.0, unknown_below: Some(threshold) };
            calibration.check().unwrap();
            let count = logits
                .outer_iter()
                .filter(|row| calibration.decide(&mut row.to_vec()) != Decision::Unknown)
                .count();
            assert_eq!(count, answered, "{share}");
        }
    }

    #[test]
    fn endless_confidence_has_an_end() {
        let logits = array![[5.0, 0.0], [0.0, 5.0]];
        assert!((temperature(logits.view(), &[0, 1]).unwrap() - 0.1).abs() < 1e-3);
        assert!((temperature(logits.view(), &[1, 0]).unwrap() - 100.0).abs() < 0.1);
        let flat = Array2::zeros((2, 2));
        assert!(temperature(flat.view(), &[0, 1]).unwrap().is_finite());
    }

    #[test]
    fn names_what_is_wrong() {
        let logits = array![[5.0, 0.0], [0.0, f32::NAN]];
        assert_eq!(
            temperature(logits.view(), &[0, 1]),
            Err(CalibrationError::NotFinite { row: 1 })
        );
        assert_eq!(
            calibrate(array![[1.0, 0.0]].view(), &[0], Some(0.0)),
            Err(CalibrationError::Share(0.0))
        );
        assert_eq!(
            calibrate(array![[1.0, 0.0]].view(), &[2], None).unwrap_err().to_string(),
            "example 0 has label 2, there are 2 logits"
        );
    }
}
