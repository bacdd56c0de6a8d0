use super::evidence::projections;
use super::spectrum::{Spectrum, centred};
use super::{TransferError, class_sizes};
use crate::Examples;

/// tr(cov(f)⁺ · cov(E\[f | y\])): how much of the features' variance is between
/// classes, each direction counted alike (Bao et al. 2019, "An
/// information-theoretic approach to transferability in task transfer
/// learning"). Between 0 and the number of classes less one, which is reached
/// whenever there are as many independent features as examples: then it says
/// nothing, and [`regularised_h_score`] is meant.
///
/// # Errors
///
/// A class without examples, or one alone.
pub fn h_score(examples: &Examples<'_>) -> Result<f64, TransferError> {
    let sizes = class_sizes(examples)?;
    let spectrum = Spectrum::of(centred(examples.features()).view());
    Ok(between(&spectrum, examples.labels(), &sizes).iter().sum())
}

/// The H-score with the covariance shrunk towards a multiple of the identity by
/// Ledoit's and Wolf's (2004) rule, α: tr(cov_α⁻¹ · (1 − α) cov(E\[f | y\]))
/// (Ibrahim, Ponomareva, Mazumder 2021, "Newer is not always better: rethinking
/// transferability metrics, their peculiarities, stability and performance").
/// Higher is better. All covariances divide by the number of examples.
///
/// # Errors
///
/// A class without examples, or one alone.
pub fn regularised_h_score(examples: &Examples<'_>) -> Result<f64, TransferError> {
    let sizes = class_sizes(examples)?;
    let x = centred(examples.features());
    let spectrum = Spectrum::of(x.view());
    let (n, features) = (x.nrows() as f64, x.ncols() as f64);
    let variance = spectrum.squares.iter().sum::<f64>() / n;
    if variance == 0.0 {
        return Ok(0.0);
    }
    // Σ over examples of ‖x‖⁴, and ‖cov‖².
    let fourth: f64 = x.outer_iter().map(|row| row.dot(&row).powi(2)).sum();
    let square = spectrum.squares.iter().map(|s| (s / n).powi(2)).sum::<f64>();
    let mean = variance / features;
    let distance = square - variance * mean;
    let noise = ((fourth / n - square) / n).min(distance);
    let shrinkage = if noise > 0.0 { noise / distance } else { 0.0 };
    let between = between(&spectrum, examples.labels(), &sizes);
    let terms = spectrum.squares.iter().zip(between).map(|(s, between)| {
        let kept = (1.0 - shrinkage) * s / n;
        kept / (kept + shrinkage * mean) * between
    });
    Ok(terms.sum())
}

/// The share of each singular vector that the class means make up.
fn between(spectrum: &Spectrum, labels: &[usize], sizes: &[usize]) -> Vec<f64> {
    let mut shares = vec![0.0; spectrum.squares.len()];
    for (class, &size) in sizes.iter().enumerate() {
        let squares = projections(spectrum, labels, class);
        shares.iter_mut().zip(squares).for_each(|(share, square)| *share += square / size as f64);
    }
    shares
}
