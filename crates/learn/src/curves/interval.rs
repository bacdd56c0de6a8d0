//! Means over seeds and photos with 95 % intervals.

use serde::Serialize;

use super::student_t::t_quantile;
use crate::metrics::{Z, wilson};

/// A number and where it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over seeds.
    pub value: f64,
    /// 95 %.
    pub interval: [f64; 2],
}

impl Estimate {
    /// Of something that lies in this range, whatever was measured.
    pub(super) fn within(self, [low, high]: [f64; 2]) -> Estimate {
        Estimate { interval: self.interval.map(|bound| bound.clamp(low, high)), ..self }
    }
}

/// A mean over seeds and photos: `rows` has one row a seed with a value a photo,
/// in the same order of photos. What is compared photo by photo and seed by seed
/// goes in as differences, so what both sides share drops out.
///
/// With one seed the spread between seeds is unknown, and the interval is that of
/// the photos alone.
///
/// # Panics
///
/// If there is no row, or rows are not of one length of two or more.
pub fn contrast(rows: &[Vec<f64>]) -> Estimate {
    let photos = rows[0].len();
    assert!(photos >= 2 && rows.iter().all(|row| row.len() == photos), "one value a photo");
    let of_seeds: Vec<f64> = rows.iter().map(|row| mean(row)).collect();
    let of_photos: Vec<f64> = (0..photos)
        .map(|photo| rows.iter().map(|row| row[photo]).sum::<f64>() / rows.len() as f64)
        .collect();
    let value = mean(&of_seeds);
    let half = between_seeds(&of_seeds).hypot(Z * standard_error(&of_photos));
    Estimate { value, interval: [value - half, value + half] }
}

/// An accuracy. Its photos' part is half of Wilson's interval, which is wide
/// enough where all answers are right, or none.
pub(super) fn band(rows: &[&[bool]]) -> Estimate {
    let shares: Vec<f64> = rows
        .iter()
        .map(|row| row.iter().filter(|&&right| right).count() as f64 / row.len() as f64)
        .collect();
    let value = mean(&shares);
    let [low, high] = wilson(value, rows[0].len());
    let spread = between_seeds(&shares);
    // Wilson's is not centred, and each side keeps its own width.
    let low = value - spread.hypot(value - low);
    let high = value + spread.hypot(high - value);
    Estimate { value, interval: [low.max(0.0), high.min(1.0)] }
}

/// Half of the t interval of a mean; 0 of a single value, which has no spread.
fn between_seeds(values: &[f64]) -> f64 {
    match values.len() {
        0 | 1 => 0.0,
        n => t_quantile(0.975, (n - 1) as f64) * standard_error(values),
    }
}

/// Of a mean.
fn standard_error(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (squares / (n - 1.0) / n).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
