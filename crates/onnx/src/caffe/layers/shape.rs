//! The same values in another shape or order. The batch stays the first axis.

use super::super::error::LayerProblem;
use super::super::fields::Fields;
use super::super::weights::product;
use super::{Shapes, Site};
use crate::pool::ints;

pub(super) fn flatten(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let (first, last) = site.layer.parameters("flatten_param", |fields| {
        Ok((fields.int("axis")?.unwrap_or(1), fields.int("end_axis")?.unwrap_or(-1)))
    })?;
    let (first, last) = (site.axis(first, &bottom)?, site.axis(last, &bottom)?);
    if last < first {
        let rule = "must have an end_axis that is not before its axis";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    let Some(length) = product(&bottom.shape[first..=last]) else {
        return Err(site.fail(LayerProblem::TooLarge));
    };
    let mut shape = bottom.shape;
    shape.splice(first..=last, [length]);
    reshape_to(site, &bottom.tensor, &shape, &top);
    Ok(vec![shape])
}

pub(super) fn reshape(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let (dims, axis, axes) = site.layer.parameters("reshape_param", |fields| {
        let dims = Fields::of(fields.message("shape")?).ints("dim")?;
        Ok((dims, fields.int("axis")?.unwrap_or(0), fields.int("num_axes")?.unwrap_or(-1)))
    })?;
    // Caffe counts the batch as any other axis; here it is a placeholder of 0.
    let all: Vec<u64> = [0].into_iter().chain(bottom.shape.iter().copied()).collect();
    // A negative axis counts from behind the last, so that -1 appends.
    let first = match axis {
        0.. => site.axis_or_end(axis, all.len())?,
        _ => site
            .axis_or_end(axis + 1, all.len())
            .map(|at| if axis == -1 { all.len() } else { at })?,
    };
    let end = match usize::try_from(axes) {
        Err(_) if axes == -1 => all.len(),
        Ok(axes) if axes <= all.len() - first => first + axes,
        _ => return Err(site.fail(LayerProblem::Axis { axis: axes, axes: all.len() })),
    };
    let mut shape = all.clone();
    let mut inferred = None;
    let mut new = Vec::new();
    for (i, &dim) in dims.iter().enumerate() {
        match (dim, all[first..end].get(i)) {
            (0, Some(&same)) => new.push(same),
            (-1, _) if inferred.is_none() => {
                inferred = Some(first + i);
                new.push(1);
            }
            (1.., _) => new.push(dim.unsigned_abs()),
            _ => {
                let rule = "must have dims that are a length, 0 for the bottom's, or -1 once";
                return Err(site.fail(LayerProblem::Setting { rule }));
            }
        }
    }
    shape.splice(first..end, new);
    let behind = |shape: &[u64]| product(shape.get(1..).unwrap_or_default());
    let (Some(there), Some(stated)) = (behind(&all), behind(&shape)) else {
        return Err(site.fail(LayerProblem::TooLarge));
    };
    match inferred {
        // A batch that is inferred, or stated as the prototxt's, is the batch.
        Some(at) if at > 0 && stated > 0 && there % stated == 0 => shape[at] = there / stated,
        _ => {}
    }
    if shape.is_empty() || behind(&shape) != Some(there) {
        let batch_moves = shape.first().is_some_and(|&first| first > 1);
        if batch_moves {
            return Err(site.fail(LayerProblem::AcrossBatch));
        }
        let shapes = vec![all[1..].to_vec(), shape.get(1..).unwrap_or_default().to_vec()];
        return Err(site.fail(LayerProblem::Shapes { shapes }));
    }
    let shape = shape[1..].to_vec();
    reshape_to(site, &bottom.tensor, &shape, &top);
    Ok(vec![shape])
}

fn reshape_to(site: &mut Site<'_, '_>, from: &str, shape: &[u64], top: &str) {
    // 0 keeps the batch as it comes.
    let lengths = [0].into_iter().chain(shape.iter().map(|&n| n as i64));
    let lengths = site.ints("shape", &lengths.collect::<Vec<_>>());
    site.builder.node("Reshape", [from, &lengths], top, Vec::new());
}

pub(super) fn permute(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let mut order = site.layer.parameters("permute_param", |fields| fields.counts("order"))?;
    let axes = bottom.shape.len() as u64 + 1;
    // Axes that are not named follow in their own order.
    for axis in 0..axes {
        if !order.contains(&axis) {
            order.push(axis);
        }
    }
    if order.len() as u64 != axes {
        let rule = "must have an order that names each axis at most once";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    if order[0] != 0 {
        return Err(site.fail(LayerProblem::AcrossBatch));
    }
    let permutation: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
    site.builder.node("Transpose", [&bottom.tensor], &top, vec![ints("perm", &permutation)]);
    Ok(vec![order[1..].iter().map(|&axis| bottom.shape[axis as usize - 1]).collect()])
}
