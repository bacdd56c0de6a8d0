use std::f64::consts::PI;

use super::spectrum::Spectrum;
use super::{TransferError, class_sizes};
use crate::Examples;

/// Iterations at most, and the change of α/β below which they end: those of the
/// authors' code. It converges in two or three.
const ITERATIONS: usize = 11;
const TOLERANCE: f64 = 1e-3;
/// Keeps α and β finite where there is nothing left to explain.
const EPSILON: f64 = 1e-5;

/// The logarithm of the maximum evidence, in nats an example, mean of the classes
/// (You et al. 2021, "LogME: practical assessment of pre-trained models for
/// transfer learning"; the fixed-point iteration is that of You et al. 2022,
/// "Ranking and tuning pre-trained models: a new paradigm for exploiting model
/// hubs"). Higher is better.
///
/// Each class's indicator is explained by Bayesian linear regression without
/// intercept on the features as they are; prior and noise are chosen so that the
/// indicator is most probable.
///
/// With a rank below the number of features, the authors' code leaves
/// (features − rank) / 2 · ln α out of what the paper sums; here it is in.
///
/// # Errors
///
/// A class without examples, or one alone.
pub fn logme(examples: &Examples<'_>) -> Result<f64, TransferError> {
    let sizes = class_sizes(examples)?;
    let spectrum = Spectrum::of(examples.features().mapv(f64::from).view());
    let of_classes = sizes.iter().enumerate().map(|(class, &size)| {
        let squares = projections(&spectrum, examples.labels(), class);
        evidence(&spectrum.squares, &squares, size, examples.count())
    });
    Ok(of_classes.sum::<f64>() / sizes.len() as f64)
}

/// The square of the class's indicator along each singular vector.
pub(super) fn projections(spectrum: &Spectrum, labels: &[usize], class: usize) -> Vec<f64> {
    let mut sums = vec![0.0; spectrum.squares.len()];
    for (row, _) in spectrum.vectors.outer_iter().zip(labels).filter(|(_, label)| **label == class)
    {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().map(|sum| sum * sum).collect()
}

fn evidence(sigma: &[f64], squares: &[f64], ones: usize, examples: usize) -> f64 {
    let n = examples as f64;
    // The indicator's length squared is the number of its ones.
    let outside = (ones as f64 - squares.iter().sum::<f64>()).max(0.0);
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        sigma.iter().zip(squares).map(|(&s, &x)| of(s, x)).sum()
    };
    let (mut alpha, mut beta) = (1.0f64, 1.0f64);
    let (mut weights, mut residual) = (0.0, 0.0);
    for _ in 0..ITERATIONS {
        let t = alpha / beta;
        let explained = sum(&|s, _| s / (s + t));
        weights = sum(&|s, x| s * x / (t + s).powi(2));
        residual = sum(&|s, x| x * (t / (t + s)).powi(2)) + outside;
        alpha = explained / (weights + EPSILON);
        beta = (n - explained) / (residual + EPSILON);
        if (alpha / beta - t).abs() <= TOLERANCE * t {
            break;
        }
    }
    // D/2 · ln α − ½ Σ ln(α + βσ), all D of them, is what is left of the pairs.
    let spread = -0.5 * sum(&|s, _| (beta * s / alpha).ln_1p());
    (spread + n / 2.0 * beta.ln()
        - beta / 2.0 * residual
        - alpha / 2.0 * weights
        - n / 2.0 * (2.0 * PI).ln())
        / n
}
