//! Eigenvectors of symmetric matrices: Householder's reduction to a tridiagonal
//! one, then QL steps with implicit shifts (Golub and Van Loan, "Matrix
//! computations", sections 8.3.1 and 8.3.3; Wilkinson and Reinsch 1971).
//!
//! Written here since a few hundred rows are all it is for: the crates that have it
//! bring a dozen others along.

use ndarray::{Array1, Array2, Axis, Zip, s};

/// Steps for one eigenvalue. It takes two on average; matrices that take more than
/// thirty are not known.
const STEPS: usize = 60;

/// Eigenvalues in no particular order, and the eigenvector of each in a row.
pub(super) struct Eigen {
    pub(super) values: Vec<f64>,
    pub(super) vectors: Array2<f64>,
}

/// Of a symmetric matrix.
pub(super) fn symmetric_eigen(matrix: Array2<f64>) -> Eigen {
    let Tridiagonal { mut diagonal, mut beside, mut vectors } = tridiagonal(matrix);
    for from in 0..diagonal.len() {
        for _ in 0..STEPS {
            let to = end_of_block(&diagonal, &beside, from);
            if to == from {
                break;
            }
            step(&mut diagonal, &mut beside, &mut vectors, from, to);
        }
    }
    Eigen { values: diagonal, vectors }
}

/// A matrix T with `matrix = Qᵀ · T · Q`.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Element i is beside the diagonal's elements i and i + 1; one more is 0.
    beside: Vec<f64>,
    /// Q, whose rows the steps turn into eigenvectors.
    vectors: Array2<f64>,
}

fn tridiagonal(mut a: Array2<f64>) -> Tridiagonal {
    let n = a.nrows();
    let mut beside = Vec::with_capacity(n);
    // H = I − v · vᵀ, from the column on that it clears.
    let mut reflections: Vec<Array1<f64>> = Vec::new();
    for k in 0..n.saturating_sub(1) {
        let mut v = a.slice(s![k + 1.., k]).to_owned();
        let length = v.dot(&v).sqrt();
        // Away from the first element, so that nothing is cancelled.
        let target = if v[0] > 0.0 { -length } else { length };
        beside.push(target);
        v[0] -= target;
        let square = v.dot(&v);
        if square > 0.0 {
            v *= (2.0 / square).sqrt();
        }
        // H · A · H = A − v · wᵀ − w · vᵀ
        let mut rest = a.slice_mut(s![k + 1.., k + 1..]);
        let mut w = rest.dot(&v);
        let half = 0.5 * w.dot(&v);
        w.scaled_add(-half, &v);
        for (mut row, (&v_i, &w_i)) in rest.outer_iter_mut().zip(v.iter().zip(&w)) {
            row.scaled_add(-v_i, &w);
            row.scaled_add(-w_i, &v);
        }
        reflections.push(v);
    }
    beside.resize(n, 0.0);
    let mut q = Array2::<f64>::eye(n);
    for (k, v) in reflections.iter().enumerate().rev() {
        let mut rest = q.slice_mut(s![k + 1.., k + 1..]);
        let along = v.dot(&rest);
        for (mut row, &v_i) in rest.outer_iter_mut().zip(v) {
            row.scaled_add(-v_i, &along);
        }
    }
    let vectors = q.reversed_axes().as_standard_layout().into_owned();
    Tridiagonal { diagonal: a.diag().to_vec(), beside, vectors }
}

/// The last row from `from` on that is still tied to it.
fn end_of_block(diagonal: &[f64], beside: &[f64], from: usize) -> usize {
    let free = |i: usize| {
        let around = diagonal[i].abs() + diagonal[i + 1].abs();
        beside[i].abs() <= f64::EPSILON * around
    };
    (from..diagonal.len() - 1).find(|&i| free(i)).unwrap_or(diagonal.len() - 1)
}

/// One QL step on the rows `from` to `to`, with the shift of Wilkinson.
fn step(d: &mut [f64], e: &mut [f64], vectors: &mut Array2<f64>, from: usize, to: usize) {
    let slope = (d[from + 1] - d[from]) / (2.0 * e[from]);
    let mut g = d[to] - d[from] + e[from] / (slope + slope.hypot(1.0).copysign(slope));
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (from..to).rev() {
        let (f, b) = (sine * e[i], cosine * e[i]);
        let r = f.hypot(g);
        e[i + 1] = r;
        if r == 0.0 {
            // The block has come apart here.
            d[i + 1] -= shift;
            e[to] = 0.0;
            return;
        }
        (sine, cosine) = (f / r, g / r);
        let h = d[i + 1] - shift;
        let t = (d[i] - h) * sine + 2.0 * cosine * b;
        shift = sine * t;
        d[i + 1] = h + shift;
        g = cosine * t - b;
        let (upper, lower) = vectors.view_mut().split_at(Axis(0), i + 1);
        let low = upper.index_axis_move(Axis(0), i);
        let high = lower.index_axis_move(Axis(0), 0);
        Zip::from(low).and(high).for_each(|low, high| {
            (*low, *high) = (cosine * *low - sine * *high, sine * *low + cosine * *high);
        });
    }
    d[from] -= shift;
    e[from] = g;
    e[to] = 0.0;
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::SplitMix64;

    fn check(matrix: &Array2<f64>) -> Vec<f64> {
        let n = matrix.nrows();
        let Eigen { values, vectors } = symmetric_eigen(matrix.clone());
        let size = matrix.iter().fold(1e-300f64, |m, v| m.max(v.abs()));
        let identity = vectors.dot(&vectors.t()) - Array2::<f64>::eye(n);
        assert!(identity.iter().all(|v| v.abs() < 1e-12), "not orthonormal");
        let scaled = &vectors * &Array1::from(values.clone()).insert_axis(Axis(1));
        let off = vectors.t().dot(&scaled) - matrix;
        let bound = 1e-13 * size * n as f64;
        assert!(off.iter().all(|v| v.abs() < bound), "not the matrix");
        let mut values = values;
        values.sort_by(f64::total_cmp);
        values
    }

    /// A string of n beads, whose frequencies everybody knows.
    #[test]
    fn strings_vibrate_as_they_should() {
        for n in [1, 2, 3, 10, 101] {
            let beads = Array2::from_shape_fn((n, n), |(i, j)| match i.abs_diff(j) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            });
            for (k, value) in (1..).zip(check(&beads)) {
                let angle = PI * f64::from(k) / (n + 1) as f64;
                let expected = 2.0 - 2.0 * angle.cos();
                assert!((value - expected).abs() < 1e-12, "{n}, {k}: {value} {expected}");
            }
        }
    }

    #[test]
    fn odd_matrices() {
        let zero = Array2::zeros((4, 4));
        assert_eq!(check(&zero), [0.0; 4]);
        // One direction only, and the same value many times over.
        let ones = Array2::from_elem((30, 30), 1.0);
        let values = check(&ones);
        assert!((values[29] - 30.0).abs() < 1e-12 && values[28].abs() < 1e-12);
        assert_eq!(check(&Array2::eye(7)), [1.0; 7]);
        // Sizes of very different order.
        let graded = Array2::from_shape_fn((20, 20), |(i, j)| 10f64.powi(-((i + j) as i32)));
        check(&graded);
        let mut random = SplitMix64::new(5);
        let x = Array2::from_shape_fn((60, 40), |_| (random.bits() >> 11) as f64 / 2f64.powi(53));
        check(&x.dot(&x.t()));
        check(&(x.t().dot(&x) * 1e9));
    }
}
