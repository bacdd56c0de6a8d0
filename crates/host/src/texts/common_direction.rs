//! What all texts have in common: the direction in which their rows are longest
//! (Arora, Liang and Ma 2017). Taking it out of a row is linear, so the head does it
//! on the device.

use graft_learn::Head;
use ndarray::{Array1, Array2, Axis};

/// Steps of the power method; the direction of texts stands out, and settles in a
/// few.
const STEPS: usize = 100;

/// A direction, of length 1.
pub(super) struct Common(Array1<f64>);

impl Common {
    /// The first right singular vector of the rows.
    pub(super) fn of(rows: &Array2<f32>) -> Common {
        let rows = rows.mapv(f64::from);
        // The mean is near it, and not orthogonal to it.
        let mut direction = unit(rows.sum_axis(Axis(0)));
        for _ in 0..STEPS {
            let next = unit(rows.t().dot(&rows.dot(&direction)));
            let moved = (&next - &direction).mapv(|d| d * d).sum();
            direction = next;
            if moved < 1e-20 {
                break;
            }
        }
        Common(direction)
    }

    /// Takes it out of rows.
    pub(super) fn remove(&self, rows: &mut Array2<f32>) {
        for mut row in rows.outer_iter_mut() {
            let along: f64 = row.iter().zip(&self.0).map(|(&x, u)| f64::from(x) * u).sum();
            row.iter_mut().zip(&self.0).for_each(|(x, u)| *x = (f64::from(*x) - along * u) as f32);
        }
    }

    /// The head for rows of which it was not taken out: W (x - u uᵀ x) is
    /// (W - W u uᵀ) x.
    pub(super) fn fold_into(&self, mut head: Head) -> Head {
        if let Some(first) = head.layers.first_mut() {
            for mut weights in first.weights.outer_iter_mut() {
                let along: f64 = weights.iter().zip(&self.0).map(|(&w, u)| f64::from(w) * u).sum();
                weights
                    .iter_mut()
                    .zip(&self.0)
                    .for_each(|(w, u)| *w = (f64::from(*w) - along * u) as f32);
            }
        }
        head
    }
}

fn unit(vector: Array1<f64>) -> Array1<f64> {
    let length = vector.dot(&vector).sqrt();
    if length > 0.0 {
        return vector / length;
    }
    // Rows that cancel out have no common direction: any will do.
    let mut axis = Array1::zeros(vector.len());
    axis[0] = 1.0;
    axis
}

#[cfg(test)]
mod tests {
    use graft_learn::Dense;
    use ndarray::array;

    use super::*;

    /// As numpy.linalg.svd of numpy 2.4 gives it, but for the sign.
    #[test]
    fn it_is_the_first_singular_vector() {
        let rows = array![[1.0f32, 2.0, 0.5], [2.0, 1.5, 0.25], [0.5, 1.0, 0.75], [1.5, 2.0, 0.5]];
        let Common(direction) = Common::of(&rows);
        for (found, expected) in direction.iter().zip([0.610_010_1, 0.764_711_16, 0.207_616_29]) {
            assert!((found - expected).abs() < 1e-6, "{direction}");
        }
    }

    #[test]
    fn a_folded_head_gives_what_the_head_gives_without_it() {
        let rows = array![[1.0f32, 2.0, 0.5], [2.0, 1.5, 0.25], [0.5, 1.0, 0.75]];
        let common = Common::of(&rows);
        let weights = array![[1.0f32, -2.0, 0.25], [0.5, 0.5, 3.0]];
        let head = Head { layers: vec![Dense { weights, bias: array![0.5, -0.5] }] };
        let mut without = rows.clone();
        common.remove(&mut without);
        let expected = head.logits(without.view());
        let found = common.fold_into(head).logits(rows.view());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
