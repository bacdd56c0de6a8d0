use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cost::millis;

/// How long a step takes when it is repeated, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the frames took no longer.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// None took longer.
    pub max_ms: f64,
}

impl Latency {
    /// `None` if there is no time to speak of.
    pub(super) fn of(times: &[Duration]) -> Option<Latency> {
        let mut times: Vec<f64> = times.iter().copied().map(millis).collect();
        times.sort_by(f64::total_cmp);
        let max_ms = *times.last()?;
        let quantile = |share| quantile(&times, share);
        let (p50_ms, p90_ms, p99_ms) = (quantile(0.5), quantile(0.9), quantile(0.99));
        Some(Latency { p50_ms, p90_ms, p99_ms, max_ms })
    }
}

/// Of sorted values, between which it is interpolated: the seventh definition of
/// Hyndman and Fan, "Sample quantiles in statistical packages", 1996, as NumPy
/// and R have it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0.5, 0.9, 0.99]), NumPy 2.
        let times = [3, 1, 4, 1, 5, 9, 2, 6].map(Duration::from_millis);
        let found = Latency::of(&times).expect("there are times");
        for (found, expected) in
            [(found.p50_ms, 3.5), (found.p90_ms, 6.9), (found.p99_ms, 8.79), (found.max_ms, 9.0)]
        {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }

    #[test]
    fn one_time_is_all_quantiles_and_none_has_none() {
        let one = Latency::of(&[Duration::from_millis(7)]).expect("there is one");
        assert_eq!(one, Latency { p50_ms: 7.0, p90_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 });
        assert_eq!(Latency::of(&[]), None);
    }
}
