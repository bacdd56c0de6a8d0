//! Products of matrices.

use super::Extent;
use super::call::Call;
use super::elementwise::broadcast;

pub(super) fn gemm(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let (&[a0, a1], &[b0, b1]) = (call.shape(0)?, call.shape(1)?) else { return None };
    let set = |name| call.int(name).is_some_and(|flag| flag != 0);
    let rows = if set("transA") { a1 } else { a0 };
    let columns = if set("transB") { b0 } else { b1 };
    Some(vec![rows, columns])
}

/// As NumPy's `matmul`: one-axis operands are vectors, leading axes broadcast.
pub(super) fn matmul(a: Option<&[Extent]>, b: Option<&[Extent]>) -> Option<Vec<Extent>> {
    let (a, b) = (a?, b?);
    let (_inner, lead_a) = a.split_last()?;
    let (columns, lead_b) = match b {
        [] => return None,
        [_] => (None, &[][..]),
        [lead @ .., _, columns] => (Some(*columns), lead),
    };
    let (rows, lead_a) = match lead_a.split_last() {
        None => (None, &[][..]),
        Some((&rows, lead)) => (Some(rows), lead),
    };
    let mut shape = broadcast(lead_a, lead_b)?;
    shape.extend(rows);
    shape.extend(columns);
    Some(shape)
}
