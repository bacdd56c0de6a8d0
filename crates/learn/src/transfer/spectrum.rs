use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::eigen::symmetric_eigen;

/// The left singular vectors and squared singular values of a matrix, those of
/// its null space left out.
///
/// All closed-form scores are sums over these: none needs a features × features
/// matrix where there are fewer examples than features.
pub(super) struct Spectrum {
    /// `[examples, rank]`, orthonormal columns.
    pub(super) vectors: Array2<f64>,
    /// Squared singular values, each above 0.
    pub(super) squares: Vec<f64>,
}

impl Spectrum {
    /// From the eigenvectors of the smaller of `x · xᵀ` and `xᵀ · x`.
    pub(super) fn of(x: ArrayView2<'_, f64>) -> Spectrum {
        let (examples, features) = x.dim();
        let wide = features >= examples;
        let gram = if wide { x.dot(&x.t()) } else { x.t().dot(&x) };
        let eigen = symmetric_eigen(gram);
        let largest = eigen.values.iter().fold(0f64, |m, &v| m.max(v));
        // What rounding leaves of eigenvalues that are 0.
        let floor = largest * f64::EPSILON * examples.max(features) as f64;
        let floor = floor.max(f64::MIN_POSITIVE);
        let kept: Vec<usize> =
            (0..eigen.values.len()).filter(|&i| eigen.values[i] > floor).collect();
        let squares: Vec<f64> = kept.iter().map(|&i| eigen.values[i]).collect();
        let columns = eigen.vectors.select(Axis(0), &kept).reversed_axes();
        let vectors = if wide {
            columns
        } else {
            let lengths: Array1<f64> = squares.iter().map(|square| square.sqrt()).collect();
            x.dot(&columns) / &lengths
        };
        Spectrum { vectors, squares }
    }
}

/// `x` less the mean of each column.
pub(super) fn centred(x: ArrayView2<'_, f32>) -> Array2<f64> {
    let x = x.mapv(f64::from);
    let mean = x.mean_axis(Axis(0)).expect("there are examples");
    x - &mean
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn both_shapes_have_one_spectrum() {
        // Rank 2: the third row is the sum of the others.
        let x = array![[3.0, 1.0, 0.0, 2.0], [0.0, 1.0, 5.0, 1.0], [3.0, 2.0, 5.0, 3.0]];
        for x in [x.view(), x.t()] {
            let spectrum = Spectrum::of(x);
            assert_eq!(spectrum.squares.len(), 2);
            // x · xᵀ = u · s² · uᵀ.
            let lengths: Array1<f64> = spectrum.squares.iter().copied().collect();
            let again = (&spectrum.vectors * &lengths).dot(&spectrum.vectors.t());
            let off = (again - x.dot(&x.t())).mapv(f64::abs);
            assert!(off.iter().all(|&v| v < 1e-10), "{off}");
        }
        assert!(Spectrum::of(Array2::zeros((3, 2)).view()).squares.is_empty());
    }
}
