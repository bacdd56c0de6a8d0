//! What more labels would bring: err(n) = a + b · n^−c.
//!
//! Errors of learners fall by a power of the number of examples over wide ranges
//! (Hestness et al. 2017, "Deep learning scaling is predictable, empirically"),
//! down to what no number of examples cures.

use serde::Serialize;

use super::{Curves, Trial};
use crate::SplitMix64;
use crate::metrics::wilson;

/// Exponents that are looked for. Hestness et al. found 0.07 to 0.35, theory gives
/// up to 1; below the least the law is a straight line in ln n, whose offset and
/// height cannot be told apart.
const EXPONENTS: [f64; 2] = [0.05, 2.0];
/// Steps of the first search for the exponent: the sum of squares has seldom more
/// than one dip, and these find the deepest.
const STEPS: usize = 64;
/// Samples of seeds and photos.
const RESAMPLES: usize = 400;

/// One number of examples and the error there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeError {
    /// Examples, above 0.
    pub examples: f64,
    /// Share answered wrong.
    pub error: f64,
    /// How much it counts: one over its variance.
    pub weight: f64,
}

/// err(n) = offset + factor · n^−exponent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PowerLaw {
    /// What no number of examples cures, 0 or more.
    pub offset: f64,
    /// 0 or more.
    pub factor: f64,
    /// 0.05 to 2.
    pub exponent: f64,
}

impl PowerLaw {
    /// Whether the exponent is at an end of what is looked for: the sizes then don't
    /// say how errors fall.
    pub fn is_at_limit(&self) -> bool {
        EXPONENTS.iter().any(|end| (end - self.exponent).abs() < 1e-9)
    }
}

/// A forecast and how far it can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Fitted to the mean errors.
    pub law: PowerLaw,
    /// Accuracies with more labels.
    pub at: Vec<Forecasted>,
    /// What the law would have said of the most examples without having seen them;
    /// needs four sizes.
    pub check: Option<Check>,
}

/// An accuracy that nobody measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecasted {
    /// Labels, as a multiple of the most that were there.
    pub times: f64,
    /// Labels.
    pub examples: f64,
    /// By the law.
    pub accuracy: f64,
    /// 95 %, over samples of seeds and of held-out photos; that the law holds is
    /// taken for granted.
    pub interval: [f64; 2],
}

/// The law of the smaller sizes, held against the largest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The largest size.
    pub examples: usize,
    /// What the smaller ones foretold.
    pub forecast: f64,
    /// What it was.
    pub measured: f64,
}

impl PowerLaw {
    /// The error at a number of examples.
    pub fn error(&self, examples: f64) -> f64 {
        self.offset + self.factor * examples.powf(-self.exponent)
    }
}

/// Weighted least squares over all laws with an offset and a factor of 0 or more
/// and an exponent between 0.05 and 2. For an exponent the other two are a linear
/// problem, so that the search is in one dimension and misses no dip.
///
/// Nothing for fewer than three sizes, or for points that are not finite and
/// positive.
pub fn power_law(points: &[SizeError]) -> Option<PowerLaw> {
    let mut sizes: Vec<f64> = points.iter().map(|p| p.examples).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let fine = |p: &SizeError| {
        p.examples >= 1.0 && p.weight > 0.0 && p.error >= 0.0 && (p.examples * p.weight).is_finite()
    };
    if sizes.len() < 3 || !points.iter().all(fine) {
        return None;
    }
    let at =
        |step: usize| EXPONENTS[0] + (EXPONENTS[1] - EXPONENTS[0]) * step as f64 / STEPS as f64;
    let squares: Vec<f64> = (0..=STEPS).map(|step| with_exponent(points, at(step)).1).collect();
    let best = (0..=STEPS).reduce(|a, b| if squares[b] < squares[a] { b } else { a })?;
    let (mut low, mut high) = (at(best.saturating_sub(1)), at((best + 1).min(STEPS)));
    // Golden section: the ends close in on the dip.
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    while high - low > 1e-11 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if with_exponent(points, left).1 <= with_exponent(points, right).1 {
            high = right;
        } else {
            low = left;
        }
    }
    // An end of the range is a solution too, and the section never quite gets there.
    let middle = 0.5 * (low + high);
    [EXPONENTS[0], middle, EXPONENTS[1]]
        .into_iter()
        .map(|exponent| with_exponent(points, exponent))
        .reduce(|a, b| if b.1 < a.1 { b } else { a })
        .map(|(law, _)| law)
}

/// The best law with an exponent, and its weighted sum of squares.
fn with_exponent(points: &[SizeError], exponent: f64) -> (PowerLaw, f64) {
    // Of the largest, so that numbers stay near 1.
    let unit = points.iter().fold(1.0, |m: f64, p| m.max(p.examples));
    let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let x = |p: &SizeError| (p.examples / unit).powf(-exponent);
    for p in points {
        let x = x(p);
        w += p.weight;
        wx += p.weight * x;
        wy += p.weight * p.error;
        wxx += p.weight * x * x;
        wxy += p.weight * x * p.error;
    }
    let determinant = w * wxx - wx * wx;
    let (offset, slope) = ((wxx * wy - wx * wxy) / determinant, (w * wxy - wx * wy) / determinant);
    let squares = |&(offset, slope): &(f64, f64)| -> f64 {
        points.iter().map(|p| p.weight * (p.error - offset - slope * x(p)).powi(2)).sum()
    };
    let (offset, slope) = if offset >= 0.0 && slope >= 0.0 {
        (offset, slope)
    } else {
        // The best on an edge: nothing that stays, or nothing that falls.
        let (falls, stays) = ((0.0, wxy / wxx), (wy / w, 0.0));
        if squares(&falls) <= squares(&stays) { falls } else { stays }
    };
    let law = PowerLaw { offset, factor: slope * unit.powf(exponent), exponent };
    (law, squares(&(offset, slope)))
}

/// What `times` as many labels as the most that were there would bring; nothing
/// with fewer than three sizes. `seed` is of the samples.
pub fn forecast(curves: &Curves, times: &[f64], seed: u64) -> Option<Forecast> {
    let photos = vec![1usize; curves.photos()];
    let everybody: Vec<usize> = (0..curves.seeds().len()).collect();
    let points = errors(curves, &everybody, &photos);
    let law = power_law(&points)?;
    let most = points.last()?.examples;

    let mut random = SplitMix64::new(seed);
    let mut sampled: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES); times.len()];
    for _ in 0..RESAMPLES {
        let runs: Vec<usize> = everybody.iter().map(|_| random.below(everybody.len())).collect();
        let mut counts = vec![0usize; photos.len()];
        (0..photos.len()).for_each(|_| counts[random.below(photos.len())] += 1);
        let law = power_law(&errors(curves, &runs, &counts))?;
        for (times, sampled) in times.iter().zip(&mut sampled) {
            sampled.push(1.0 - law.error(most * times));
        }
    }
    let at = times.iter().zip(&mut sampled).map(|(&times, sampled)| {
        sampled.sort_by(f64::total_cmp);
        let quantile = |q: f64| sampled[(q * (RESAMPLES - 1) as f64).round() as usize];
        let (examples, accuracy) = (most * times, 1.0 - law.error(most * times));
        Forecasted { times, examples, accuracy, interval: [quantile(0.025), quantile(0.975)] }
    });
    let at = at.collect();
    let check = points.split_last().and_then(|(last, smaller)| {
        let law = power_law(smaller)?;
        Some(Check {
            examples: last.examples as usize,
            forecast: 1.0 - law.error(last.examples),
            measured: 1.0 - last.error,
        })
    });
    Some(Forecast { law, at, check })
}

/// The mean error at each size, of these runs and of photos as often as `counts`
/// says, weighted by one over the variance of a share.
fn errors(curves: &Curves, runs: &[usize], counts: &[usize]) -> Vec<SizeError> {
    let photos: usize = counts.iter().sum();
    let wrong = |trial: &Trial| -> usize {
        trial.end().iter().zip(counts).filter(|(right, _)| !**right).map(|(_, count)| count).sum()
    };
    curves
        .by_size
        .iter()
        .map(|trials| {
            let all: usize = runs.iter().map(|&run| wrong(&trials[run])).sum();
            let error = all as f64 / (photos * runs.len()) as f64;
            // Wilson's interval knows a variance for an error of 0 too.
            let [low, high] = wilson(error, photos);
            let deviation = 0.5 * (high - low);
            let examples = trials[0].examples as f64;
            SizeError { examples, error, weight: 1.0 / (deviation * deviation) }
        })
        .collect()
}
