//! Products of matrices.

use super::Extent;
use super::call::Call;
use super::elementwise::broadcast;

pub(super) fn gemm(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let (&[a0, a1], &[b0, b1]) = (call.shape(0)?, call.shape(1)?) else { return None };
    let set = |name| call.int(name).is_some_and(|flag| flag != 0);
    let (rows, inner_a) = if set("transA") { (a1, a0) } else { (a0, a1) };
    let (inner_b, columns) = if set("transB") { (b1, b0) } else { (b0, b1) };
    may_meet(inner_a, inner_b).then(|| vec![rows, columns])
}

/// Lengths that differ have no product: what comes of it is unknown.
fn may_meet(a: Extent, b: Extent) -> bool {
    !matches!((a, b), (Extent::Fixed(a), Extent::Fixed(b)) if a != b)
}

/// As NumPy's `matmul`: one-axis operands are vectors, leading axes broadcast.
pub(super) fn matmul(a: Option<&[Extent]>, b: Option<&[Extent]>) -> Option<Vec<Extent>> {
    let (a, b) = (a?, b?);
    let (&inner_a, lead_a) = a.split_last()?;
    let (inner_b, columns, lead_b) = match b {
        [] => return None,
        &[inner] => (inner, None, &[][..]),
        &[ref lead @ .., inner, columns] => (inner, Some(columns), lead),
    };
    if !may_meet(inner_a, inner_b) {
        return None;
    }
    let (rows, lead_a) = match lead_a.split_last() {
        None => (None, &[][..]),
        Some((&rows, lead)) => (Some(rows), lead),
    };
    let mut shape = broadcast(lead_a, lead_b)?;
    shape.extend(rows);
    shape.extend(columns);
    Some(shape)
}
