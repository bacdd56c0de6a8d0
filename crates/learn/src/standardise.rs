use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::kernel::{BLOCK, LANES, Lanes};

/// Deviations below this share of the mean deviation are taken for it: nearly
/// dead features would otherwise turn their rare flickers into huge values.
const FLOOR: f64 = 1e-3;

/// A copy of the features with mean 0 and deviation 1, laid out for the kernel.
pub(crate) struct Standardised {
    rows: Vec<Lanes>,
    width: usize,
    features: usize,
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standardised {
    /// Mean and population deviation are taken over all rows: they know nothing
    /// of labels, so held-out folds leak nothing that matters through them.
    pub(crate) fn new(x: ArrayView2<'_, f32>) -> Standardised {
        let (examples, features) = x.dim();
        let n = examples as f64;
        // Rows as slices: loops over them become SIMD.
        let x = x.as_standard_layout();
        let x = x.as_slice().expect("standard layout is contiguous");
        let mut mean = vec![0f64; features];
        for row in x.chunks_exact(features) {
            mean.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v));
        }
        mean.iter_mut().for_each(|m| *m /= n);
        let mut deviation = vec![0f64; features];
        for row in x.chunks_exact(features) {
            for ((s, &m), &v) in deviation.iter_mut().zip(&mean).zip(row) {
                let away = f64::from(v) - m;
                *s += away * away;
            }
        }
        deviation.iter_mut().for_each(|s| *s = (*s / n).sqrt());
        let floor = FLOOR * deviation.iter().sum::<f64>() / features as f64;
        // All features constant: they become 0 whatever they are divided by.
        let floor = if floor > 0.0 { floor } else { 1.0 };
        deviation.iter_mut().for_each(|s| *s = s.max(floor));

        // An odd number of cache lines a row spreads a column over all sets of
        // the cache; with a power of two its lines would evict one another.
        let width = features.div_ceil(LANES) | 1;
        let inverse: Vec<f64> = deviation.iter().map(|s| 1.0 / s).collect();
        let mut rows = vec![Lanes::ZERO; examples * width];
        for (to, from) in rows.chunks_exact_mut(width).zip(x.chunks_exact(features)) {
            let columns = mean.chunks(LANES).zip(inverse.chunks(LANES));
            for ((to, from), (mean, inverse)) in to.iter_mut().zip(from.chunks(LANES)).zip(columns)
            {
                for (((to, &v), m), s) in to.0.iter_mut().zip(from).zip(mean).zip(inverse) {
                    *to = ((f64::from(v) - m) * s) as f32;
                }
            }
        }
        Standardised { rows, width, features, mean, deviation }
    }

    /// Number of examples.
    pub(crate) fn examples(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Number of features, without the padding.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Length of a row in lanes; what is beyond the features is 0.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Blocks of at most [`BLOCK`] rows, in order.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &[Lanes]> {
        self.rows.chunks(BLOCK * self.width)
    }

    /// `[examples, features]`, without the padding.
    pub(crate) fn dense(&self) -> Array2<f32> {
        let mut dense = Array2::zeros((self.examples(), self.features));
        for (mut to, from) in dense.outer_iter_mut().zip(self.rows.chunks_exact(self.width)) {
            to.iter_mut()
                .zip(from.iter().flat_map(|lanes| lanes.0))
                .for_each(|(to, from)| *to = from);
        }
        dense
    }

    /// Weights `[outputs, features]` and bias for standardised features, turned
    /// into those that give the same logits on the features as they were.
    pub(crate) fn fold(
        &self,
        weights: ArrayView2<'_, f64>,
        bias: &[f64],
    ) -> (Array2<f32>, Array1<f32>) {
        let mut folded = Array2::zeros(weights.dim());
        let mut shifted = Array1::zeros(bias.len());
        for (k, row) in weights.axis_iter(Axis(0)).enumerate() {
            let mut offset = bias[k];
            for (j, &w) in row.iter().enumerate() {
                let w = w / self.deviation[j];
                folded[[k, j]] = w as f32;
                offset -= w * self.mean[j];
            }
            shifted[k] = offset as f32;
        }
        (folded, shifted)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn folding_undoes_standardising() {
        let x = Array2::from_shape_fn((5, 3), |(i, j)| (i * i + 3 * j) as f32 * [1.0, 0.1, 7.0][j]);
        let standard = Standardised::new(x.view());
        let weights = array![[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]];
        let (folded, bias) = standard.fold(weights.view(), &[0.25, -1.0]);
        let logits = x.dot(&folded.t()) + &bias;
        let dense = standard.dense();
        for i in 0..5 {
            for k in 0..2 {
                let direct: f64 =
                    (0..3).map(|j| f64::from(dense[[i, j]]) * weights[[k, j]]).sum::<f64>()
                        + [0.25, -1.0][k];
                assert!((f64::from(logits[[i, k]]) - direct).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn dead_and_constant_features_stay_small() {
        let x = Array2::from_shape_fn((100, 3), |(i, j)| match j {
            0 => (i % 10) as f32,
            1 => 4.2,
            _ => f32::from(u8::from(i == 50)) * 1e-6,
        });
        let standard = Standardised::new(x.view());
        let dense = standard.dense();
        for row in dense.outer_iter() {
            assert!(row[1].abs() < 1e-6 && row[2].abs() < 0.01, "{row}");
        }
        // numpy 2.4: (9 - 4.5) / np.arange(10).std()
        assert!((dense[[9, 0]] - 1.566_698_9).abs() < 1e-6);
    }
}
