//! The three benefits of transfer (Torrey and Shavlik 2009), each as a number
//! with an interval.

use serde::Serialize;

use super::interval::{Estimate, contrast};
use super::{Curves, CurvesError, Trial};

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Benefit {
    /// Skill before there was much to learn from.
    HigherStart,
    /// How fast skill grows.
    HigherSlope,
    /// Skill at the end.
    HigherAsymptote,
}

/// How a benefit is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Accuracy with the fewest examples before the first epoch: right after the
    /// head, where there is one; that of first weights, from scratch.
    BeforeTraining,
    /// Accuracy with the fewest examples, after training.
    FewestExamples,
    /// Slope of the accuracy by epochs in the first half of them (of the method
    /// that has fewer), with the most examples: a least-squares line.
    PerEpoch,
    /// Slope of the accuracy after training by the binary logarithm of the number
    /// of examples: a least-squares line.
    PerDoubling,
    /// Accuracy with the most examples, after training.
    MostExamples,
}

/// What can be said with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies above 0.
    Helps,
    /// 0 is in it.
    NoDifferenceSeen,
    /// It lies below 0.
    Hurts,
}

/// A benefit, measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Which.
    pub benefit: Benefit,
    /// How.
    pub measure: Measure,
    /// With transfer.
    pub transfer: f64,
    /// From scratch.
    pub scratch: f64,
    /// The first less the second.
    pub gain: Estimate,
    /// What it says.
    pub verdict: Verdict,
}

/// A run's measurement as a weighted sum of its rows of right answers: every
/// measure is linear in accuracies.
type Weights = Vec<(usize, usize, f64)>;

/// What `transfer` is worth against `scratch`: what can be measured of the two,
/// by the seeds that both have.
///
/// # Errors
///
/// Methods that share no seed, or were not given the same sizes and photos.
pub fn benefits(transfer: &Curves, scratch: &Curves) -> Result<Vec<Gain>, CurvesError> {
    let (ours, theirs) = (transfer.seeds(), scratch.seeds());
    let seeds: Vec<u64> = ours.into_iter().filter(|seed| theirs.contains(seed)).collect();
    let same = transfer.sizes() == scratch.sizes() && transfer.photos() == scratch.photos();
    if seeds.is_empty() || !same {
        return Err(CurvesError::NothingShared);
    }
    let measured = [
        (Benefit::HigherStart, Measure::BeforeTraining),
        (Benefit::HigherStart, Measure::FewestExamples),
        (Benefit::HigherSlope, Measure::PerEpoch),
        (Benefit::HigherSlope, Measure::PerDoubling),
        (Benefit::HigherAsymptote, Measure::MostExamples),
    ];
    let early = transfer.epochs().min(scratch.epochs()).div_ceil(2);
    Ok(measured
        .into_iter()
        .filter_map(|(benefit, measure)| {
            let a = weights(transfer, measure, early)?;
            let b = weights(scratch, measure, early)?;
            let ours: Vec<Vec<f64>> = seeds.iter().map(|&seed| apply(transfer, &a, seed)).collect();
            let theirs: Vec<Vec<f64>> =
                seeds.iter().map(|&seed| apply(scratch, &b, seed)).collect();
            let differences: Vec<Vec<f64>> = ours
                .iter()
                .zip(&theirs)
                .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
                .collect();
            // With few seeds the interval is wider than anything that could be measured.
            let ([low_a, high_a], [low_b, high_b]) = (range(&a), range(&b));
            let gain = contrast(&differences).within([low_a - high_b, high_a - low_b]);
            let (transfer, scratch) = (contrast(&ours).value, contrast(&theirs).value);
            let verdict = Verdict::of(&gain);
            Some(Gain { benefit, measure, transfer, scratch, gain, verdict })
        })
        .collect())
}

/// Whether accuracy still rose in the last third of the epochs, with the most
/// examples: then what more epochs would bring is not known. Nothing for a method
/// with fewer than three.
pub fn still_learning(curves: &Curves) -> Option<bool> {
    let (last, epochs) = (curves.sizes().len() - 1, curves.epochs());
    let from = epochs - epochs / 3;
    let x: Vec<f64> = (from..=epochs).map(|epoch| epoch as f64).collect();
    let slopes = if epochs < 3 { None } else { slope_weights(&x) }?;
    let weights: Weights =
        slopes.into_iter().enumerate().map(|(i, w)| (last, from + i, w)).collect();
    let rows: Vec<Vec<f64>> =
        curves.seeds().into_iter().map(|seed| apply(curves, &weights, seed)).collect();
    Some(Verdict::of(&contrast(&rows)) == Verdict::Helps)
}

impl Verdict {
    fn of(gain: &Estimate) -> Verdict {
        match gain.interval {
            [low, _] if low > 0.0 => Verdict::Helps,
            [_, high] if high < 0.0 => Verdict::Hurts,
            _ => Verdict::NoDifferenceSeen,
        }
    }
}

/// `(size, epoch, weight)`; nothing where the method has no such measure.
fn weights(curves: &Curves, measure: Measure, early: usize) -> Option<Weights> {
    let (sizes, epochs) = (curves.sizes(), curves.epochs());
    let last = sizes.len() - 1;
    match measure {
        Measure::BeforeTraining => Some(vec![(0, 0, 1.0)]),
        Measure::FewestExamples => Some(vec![(0, epochs, 1.0)]),
        Measure::MostExamples => (last > 0).then(|| vec![(last, epochs, 1.0)]),
        Measure::PerEpoch => {
            let x: Vec<f64> = (0..=early).map(|epoch| epoch as f64).collect();
            let slopes = slope_weights(&x)?;
            Some(slopes.into_iter().enumerate().map(|(epoch, w)| (last, epoch, w)).collect())
        }
        Measure::PerDoubling => {
            let x: Vec<f64> = sizes.iter().map(|&size| (size as f64).log2()).collect();
            let slopes = slope_weights(&x)?;
            Some(slopes.into_iter().enumerate().map(|(size, w)| (size, epochs, w)).collect())
        }
    }
}

/// The least-squares slope is Σ w y with these w.
fn slope_weights(x: &[f64]) -> Option<Vec<f64>> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let squares: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
    (squares > 0.0).then(|| x.iter().map(|x| (x - mean) / squares).collect())
}

/// Between what a measure can be: an accuracy is 0 to 1.
fn range(weights: &Weights) -> [f64; 2] {
    let sum = |keep: fn(f64) -> bool| -> f64 {
        weights.iter().map(|&(_, _, weight)| weight).filter(|&weight| keep(weight)).sum()
    };
    [sum(|weight| weight < 0.0), sum(|weight| weight > 0.0)]
}

/// The measurement of each photo.
fn apply(curves: &Curves, weights: &Weights, seed: u64) -> Vec<f64> {
    let mut sums = vec![0.0; curves.photos()];
    for &(size, epoch, weight) in weights {
        let trial: &Trial = curves.trial(size, seed).expect("invariant: every size has every seed");
        for (sum, &right) in sums.iter_mut().zip(&trial.right[epoch]) {
            *sum += weight * f64::from(u8::from(right));
        }
    }
    sums
}
