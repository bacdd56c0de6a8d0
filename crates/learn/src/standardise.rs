use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::kernel::{BLOCK, LANES, Lanes};

/// Deviations below this share of the mean deviation are taken for it: nearly
/// dead features would otherwise turn their rare flickers into huge values.
const FLOOR: f64 = 1e-3;

/// A copy of the features is kept up to this size; of more, each pass standardises its
/// blocks anew, which costs arithmetic where a copy would cost memory that may not be
/// there. The numbers are the same.
const LARGEST_COPY_BYTES: usize = 1 << 30;

/// The features with mean 0 and deviation 1, laid out for the kernel.
pub(crate) struct Standardised<'a> {
    rows: Rows<'a>,
    /// Lanes of a row.
    width: usize,
    examples: usize,
    features: usize,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Of the deviation.
    inverse: Vec<f64>,
}

enum Rows<'a> {
    /// All of them, standardised.
    Copy(Vec<Lanes>),
    /// As they were given.
    Source(&'a [f32]),
}

impl<'a> Standardised<'a> {
    /// Mean and population deviation are taken over all rows: they know nothing
    /// of labels, so held-out folds leak nothing that matters through them.
    pub(crate) fn new(x: ArrayView2<'a, f32>) -> Standardised<'a> {
        Standardised::with_copy_up_to(LARGEST_COPY_BYTES, x)
    }

    fn with_copy_up_to(bytes: usize, x: ArrayView2<'a, f32>) -> Standardised<'a> {
        let (examples, features) = x.dim();
        let n = examples as f64;
        // Rows as slices: loops over them become SIMD.
        let owned;
        let source = x.to_slice();
        let x = match source {
            Some(source) => source,
            None => {
                owned = x.as_standard_layout();
                owned.as_slice().expect("standard layout is contiguous")
            }
        };
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

        let inverse: Vec<f64> = deviation.iter().map(|s| 1.0 / s).collect();
        let mut standardised = Standardised {
            rows: Rows::Copy(Vec::new()),
            // An odd number of cache lines a row spreads a column over all sets of
            // the cache; with a power of two its lines would evict one another.
            width: features.div_ceil(LANES) | 1,
            examples,
            features,
            mean,
            deviation,
            inverse,
        };
        standardised.rows = match source {
            Some(source) if size_of_val(source) > bytes => Rows::Source(source),
            _ => {
                let mut copy = vec![Lanes::ZERO; examples * standardised.width];
                standardised.write(x, &mut copy);
                Rows::Copy(copy)
            }
        };
        standardised
    }

    /// Standardises rows; what is beyond their features stays as it is.
    fn write(&self, x: &[f32], rows: &mut [Lanes]) {
        let rows = rows.chunks_exact_mut(self.width).zip(x.chunks_exact(self.features));
        for (to, from) in rows {
            let columns = self.mean.chunks(LANES).zip(self.inverse.chunks(LANES));
            for ((to, from), (mean, inverse)) in to.iter_mut().zip(from.chunks(LANES)).zip(columns)
            {
                for (((to, &v), m), s) in to.0.iter_mut().zip(from).zip(mean).zip(inverse) {
                    *to = ((f64::from(v) - m) * s) as f32;
                }
            }
        }
    }

    /// Number of features, without the padding.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Length of a row in lanes; what is beyond the features is 0.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Blocks of at most [`BLOCK`] rows, counted.
    pub(crate) fn blocks(&self) -> usize {
        self.examples.div_ceil(BLOCK)
    }

    /// One of them. `buffer` is its place if no copy is kept; between blocks of one
    /// matrix it is left alone.
    pub(crate) fn block<'b>(&'b self, index: usize, buffer: &'b mut Vec<Lanes>) -> &'b [Lanes] {
        let rows = index * BLOCK..self.examples.min((index + 1) * BLOCK);
        match &self.rows {
            Rows::Copy(copy) => &copy[rows.start * self.width..rows.end * self.width],
            Rows::Source(source) => {
                buffer.resize(BLOCK * self.width, Lanes::ZERO);
                let block = &mut buffer[..rows.len() * self.width];
                self.write(&source[rows.start * self.features..rows.end * self.features], block);
                block
            }
        }
    }

    /// `[examples, features]`, without the padding.
    pub(crate) fn dense(&self) -> Array2<f32> {
        let mut dense = Array2::zeros((self.examples, self.features));
        let mut buffer = Vec::new();
        let mut to = dense.outer_iter_mut();
        for block in 0..self.blocks() {
            for from in self.block(block, &mut buffer).chunks_exact(self.width) {
                let to = to.next().expect("as many rows as examples");
                to.into_iter()
                    .zip(from.iter().flat_map(|lanes| lanes.0))
                    .for_each(|(to, from)| *to = from);
            }
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
    fn blocks_are_the_same_with_and_without_a_copy() {
        let x =
            Array2::from_shape_fn((2 * BLOCK + 7, 19), |(i, j)| ((i * 31 + j * j) % 101) as f32);
        let kept = Standardised::with_copy_up_to(usize::MAX, x.view());
        let anew = Standardised::with_copy_up_to(0, x.view());
        assert!(matches!((&kept.rows, &anew.rows), (Rows::Copy(_), Rows::Source(_))));
        assert_eq!((kept.blocks(), anew.blocks()), (3, 3));
        let (mut unused, mut buffer) = (Vec::new(), Vec::new());
        // In any order: what was in the buffer leaves no trace.
        for block in [2, 0, 1, 2] {
            let bits = |lanes: &[Lanes]| -> Vec<u32> {
                lanes.iter().flat_map(|l| l.0.map(f32::to_bits)).collect()
            };
            let expected = bits(kept.block(block, &mut unused));
            assert_eq!(bits(anew.block(block, &mut buffer)), expected);
        }
        assert_eq!(kept.dense(), anew.dense());
        // Columns of a larger matrix have no rows in one piece.
        let part = Standardised::with_copy_up_to(0, x.slice(ndarray::s![.., 3..12]));
        assert!(matches!(part.rows, Rows::Copy(_)));
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
