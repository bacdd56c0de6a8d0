use ndarray::{Array2, Axis, s};

use super::{TransferError, class_sizes};
use crate::Examples;
use crate::train::count_folds;

/// Neighbours that vote.
pub const NEIGHBOURS: usize = 5;

/// Rows whose similarities to all others are held at a time.
const BLOCK: usize = 128;

/// The share of examples whose nearest examples of *other folds* vote for their
/// class (Cover and Hart 1967, "Nearest neighbor pattern classification"), one vote
/// each, the lower class if several have most.
///
/// Near by the cosine of the features as they are: photos that an object fills or
/// hardly fills differ in the length of their features more than in the direction.
/// Other folds, and not all others: examples of one group stay in one fold, so that
/// no photo finds its own object. With as many folds as examples it is leave-one-out.
///
/// # Errors
///
/// A class without examples, or one alone; folds that are none.
pub fn neighbour_accuracy(
    examples: &Examples<'_>,
    folds: &[usize],
    neighbours: usize,
) -> Result<f64, TransferError> {
    class_sizes(examples)?;
    count_folds(examples, folds)?;
    let labels = examples.labels();
    let x = unit_rows(examples);
    let mut right = 0usize;
    for start in (0..labels.len()).step_by(BLOCK) {
        let end = labels.len().min(start + BLOCK);
        let similarities = x.slice(s![start..end, ..]).dot(&x.t());
        for (row, i) in similarities.outer_iter().zip(start..end) {
            let mut others: Vec<usize> =
                (0..labels.len()).filter(|&j| folds[j] != folds[i]).collect();
            let nearest = neighbours.clamp(1, others.len());
            // Of equals, whichever comes first.
            let by_nearness = |&a: &usize, &b: &usize| row[b].total_cmp(&row[a]).then(a.cmp(&b));
            others.select_nth_unstable_by(nearest - 1, by_nearness);
            let mut votes = vec![0usize; examples.classes()];
            others[..nearest].iter().for_each(|&j| votes[labels[j]] += 1);
            let answer = (0..votes.len()).rev().max_by_key(|&class| votes[class]);
            right += usize::from(answer == Some(labels[i]));
        }
    }
    Ok(right as f64 / labels.len() as f64)
}

/// Rows of length 1, but for those of length 0.
fn unit_rows(examples: &Examples<'_>) -> Array2<f64> {
    let mut x = examples.features().mapv(f64::from);
    for mut row in x.axis_iter_mut(Axis(0)) {
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row.mapv_inplace(|v| v / length);
        }
    }
    x
}
