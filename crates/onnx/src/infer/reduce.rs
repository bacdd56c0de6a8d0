//! Operators that take axes away by summing or choosing along them.

use super::call::Call;
use super::{Extent, axis};

pub(super) fn reduced(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let shape = call.shape(0)?;
    let keep = call.int("keepdims") != Some(0);
    let axes = call.ints_either("axes", 1)?.unwrap_or_default();
    if axes.is_empty() && call.int("noop_with_empty_axes") == Some(1) {
        return Some(shape.to_vec());
    }
    let mut gone = vec![axes.is_empty(); shape.len()];
    for a in axes {
        gone[axis(a, shape.len())?] = true;
    }
    Some(without(shape, &gone, keep))
}

pub(super) fn arg(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let shape = call.shape(0)?;
    let mut gone = vec![false; shape.len()];
    gone[axis(call.int("axis").unwrap_or(0), shape.len())?] = true;
    Some(without(shape, &gone, call.int("keepdims") != Some(0)))
}

fn without(shape: &[Extent], gone: &[bool], keep: bool) -> Vec<Extent> {
    let axes = shape.iter().zip(gone);
    if keep {
        axes.map(|(&extent, &gone)| if gone { Extent::Fixed(1) } else { extent }).collect()
    } else {
        axes.filter(|(_, gone)| !**gone).map(|(&extent, _)| extent).collect()
    }
}
