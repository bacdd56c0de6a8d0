use serde::{Deserialize, Serialize};

use crate::SpecError;

/// What one answer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// One of the labels, or unknown.
    Class(Calibration),
}

/// How logits become probabilities and a decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Logits are divided by it before the softmax (Guo et al. 2017, "On
    /// calibration of modern neural networks").
    pub temperature: f32,
    /// A largest probability below this is answered with "unknown".
    pub unknown_below: Option<f32>,
}

/// A decided answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The index of the label.
    Label(usize),
    /// No label is probable enough.
    Unknown,
}

impl Calibration {
    /// Probabilities as the softmax makes them, and always an answer.
    pub const NONE: Calibration = Calibration { temperature: 1.0, unknown_below: None };

    /// Checks the rules that the types alone do not hold.
    pub fn check(&self) -> Result<(), SpecError> {
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(SpecError::new(
                "temperature",
                format!("is {}, must be finite and above 0", self.temperature),
            ));
        }
        match self.unknown_below {
            Some(t) if !(0.0..=1.0).contains(&t) => {
                Err(SpecError::new("unknown_below", format!("is {t}, must be 0 to 1")))
            }
            _ => Ok(()),
        }
    }

    /// Turns logits into probabilities in place and decides.
    ///
    /// The arithmetic is in f64 and in a fixed order, so every machine gets the
    /// same answer from the same logits up to its `exp`. `logits` must not be
    /// empty. A logit that is NaN makes every probability NaN and the decision
    /// unknown: a broken network is never sure.
    pub fn decide(&self, logits: &mut [f32]) -> Decision {
        let temperature = f64::from(self.temperature);
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exp = |v: f32| ((f64::from(v) - f64::from(largest)) / temperature).exp();
        let sum: f64 = logits.iter().map(|&v| exp(v)).sum();
        let mut best = 0;
        for i in 0..logits.len() {
            logits[i] = (exp(logits[i]) / sum) as f32;
            if logits[i] > logits[best] {
                best = i;
            }
        }
        let probability = logits[best];
        if probability.is_nan() || self.unknown_below.is_some_and(|t| probability < t) {
            Decision::Unknown
        } else {
            Decision::Label(best)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        temperature: f32,
        unknown_below: Option<f32>,
        logits: &[f32],
        expected: (&[f32], Decision),
    ) {
        let mut values = logits.to_vec();
        let decision = Calibration { temperature, unknown_below }.decide(&mut values);
        assert_eq!(decision, expected.1, "{logits:?}");
        for (a, b) in values.iter().zip(expected.0) {
            assert!((a - b).abs() < 1e-6, "{values:?} is not {:?}", expected.0);
        }
    }

    #[test]
    fn decides() {
        // Expected values by scipy.special.softmax 1.17.
        let ln3 = 3f32.ln();
        check(1.0, None, &[0.0, ln3], (&[0.25, 0.75], Decision::Label(1)));
        check(2.0, None, &[0.0, 2.0 * ln3], (&[0.25, 0.75], Decision::Label(1)));
        check(1.0, Some(0.8), &[0.0, ln3], (&[0.25, 0.75], Decision::Unknown));
        check(1.0, None, &[5.0, 5.0], (&[0.5, 0.5], Decision::Label(0)));
        check(1.0, None, &[3e38, -3e38], (&[1.0, 0.0], Decision::Label(0)));
    }

    #[test]
    fn broken_logits_are_never_sure() {
        let mut logits = [f32::NAN, 1.0];
        assert_eq!(Calibration::NONE.decide(&mut logits), Decision::Unknown);
        let mut logits = [f32::INFINITY, 1.0];
        assert_eq!(Calibration::NONE.decide(&mut logits), Decision::Unknown);
    }
}
