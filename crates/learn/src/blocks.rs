//! Intervals of what was measured on texts, whose words are no independent examples.

use crate::random::SplitMix64;

const RESAMPLES: usize = 2000;

/// The 95 % interval of a number that was measured on `blocks` blocks, by the
/// percentile bootstrap (Efron 1979, "Bootstrap methods: another look at the
/// jackknife"): `statistic` is asked for the number of as many blocks, drawn with
/// replacement. Words of one block depend on each other, blocks hardly do, so whole
/// blocks are drawn.
///
/// The same seed gives the same interval. Values that are no numbers are left out; if
/// there are no others, the ends are none.
pub fn block_interval(
    blocks: usize,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> f64,
) -> [f64; 2] {
    let mut random = SplitMix64::new(seed);
    let mut drawn = vec![0; blocks];
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.iter_mut().for_each(|block| *block = random.below(blocks.max(1)));
            statistic(&drawn)
        })
        .filter(|value| !value.is_nan())
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1);
        values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    };
    [at(0.025), at(0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of n values has a normal interval of 1.96 standard errors.
    #[test]
    fn of_a_mean_it_is_the_normal_one() {
        let mut random = SplitMix64::new(1);
        let values: Vec<f64> =
            (0..400).map(|_| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0).collect();
        let mean = |of: &[usize]| of.iter().map(|&i| values[i]).sum::<f64>() / of.len() as f64;
        let all: Vec<usize> = (0..400).collect();
        let centre = mean(&all);
        let deviation =
            (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / 399.0).sqrt() / 20.0;
        let [low, high] = block_interval(400, 7, mean);
        for (found, expected) in
            [(low, centre - 1.96 * deviation), (high, centre + 1.96 * deviation)]
        {
            assert!((found - expected).abs() < 0.15 * deviation, "{found} {expected}");
        }
        assert_eq!(block_interval(400, 7, mean), [low, high]);
    }

    #[test]
    fn without_a_number_there_is_no_interval() {
        assert!(block_interval(0, 1, |_| f64::NAN).iter().all(|end| end.is_nan()));
        assert_eq!(block_interval(1, 1, |of| of.len() as f64), [1.0, 1.0]);
    }
}
