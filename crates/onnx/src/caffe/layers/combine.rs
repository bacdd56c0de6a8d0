//! Several blobs become one, or one several.

use super::super::CaffeError;
use super::super::error::LayerProblem;
use super::super::fields::Fields;
use super::{Shapes, Site};
use crate::pool::int;

/// `axis`, or what it was called before.
fn axis(fields: &mut Fields<'_, '_>, old: &'static str) -> Result<i64, CaffeError> {
    let (axis, old) = (fields.int("axis")?, fields.int(old)?);
    Ok(axis.or(old).unwrap_or(1))
}

pub(super) fn concat(site: &mut Site<'_, '_>) -> Shapes {
    let top = site.one_top()?;
    let axis = site.layer.parameters("concat_param", |fields| axis(fields, "concat_dim"))?;
    let Some(first) = site.bottoms.first().cloned() else {
        return Err(site.fail(LayerProblem::Bottoms { takes: "one blob or more", found: 0 }));
    };
    let axis = site.axis(axis, &first)?;
    let mut shape = first.shape;
    shape[axis] = 0;
    for bottom in &site.bottoms {
        let agrees = bottom.shape.len() == shape.len()
            && (0..shape.len()).all(|i| i == axis || bottom.shape[i] == shape[i]);
        if !agrees {
            let shapes = site.bottoms.iter().map(|b| b.shape.clone()).collect();
            return Err(site.fail(LayerProblem::Shapes { shapes }));
        }
        shape[axis] += bottom.shape[axis];
    }
    let reads = site.bottoms.iter().map(|b| b.tensor.clone()).collect();
    site.builder.wide_node("Concat", reads, vec![top], vec![int("axis", axis as i64 + 1)]);
    Ok(vec![shape])
}

pub(super) fn slice(site: &mut Site<'_, '_>) -> Shapes {
    let [bottom] = site.bottoms.as_slice() else {
        let found = site.bottoms.len();
        return Err(site.fail(LayerProblem::Bottoms { takes: "one blob", found }));
    };
    let bottom = bottom.clone();
    let (axis, points) = site.layer.parameters("slice_param", |fields| {
        Ok((axis(fields, "slice_dim")?, fields.counts("slice_point")?))
    })?;
    let axis = site.axis(axis, &bottom)?;
    let (length, pieces) = (bottom.shape[axis], site.tops.len() as u64);
    let lengths: Vec<u64> = if points.is_empty() {
        if pieces == 0 || length % pieces != 0 {
            let rule = "must state slice_point, since its tops do not divide the axis";
            return Err(site.fail(LayerProblem::Setting { rule }));
        }
        vec![length / pieces; site.tops.len()]
    } else {
        let rising = points.windows(2).all(|w| w[0] < w[1]);
        let inside = points.iter().all(|&p| p > 0 && p < length);
        if !rising || !inside || points.len() + 1 != site.tops.len() {
            let rule = "must have rising slice_point inside of the axis, one fewer than tops";
            return Err(site.fail(LayerProblem::Setting { rule }));
        }
        let starts = [0].into_iter().chain(points.iter().copied());
        let ends = points.iter().copied().chain([length]);
        starts.zip(ends).map(|(start, end)| end - start).collect()
    };
    let sizes: Vec<i64> = lengths.iter().map(|&n| n as i64).collect();
    let sizes = site.ints("lengths", &sizes);
    let reads = vec![bottom.tensor, sizes];
    let attributes = vec![int("axis", axis as i64 + 1)];
    site.builder.wide_node("Split", reads, site.tops.clone(), attributes);
    let shape = |length| {
        let mut shape = bottom.shape.clone();
        shape[axis] = length;
        shape
    };
    Ok(lengths.into_iter().map(shape).collect())
}

pub(super) fn eltwise(site: &mut Site<'_, '_>) -> Shapes {
    let top = site.one_top()?;
    let (operation, factors) = site.layer.parameters("eltwise_param", |fields| {
        fields.ignore(&["stable_prod_grad"]);
        let operations = &["PROD", "SUM", "MAX"];
        let operation = fields.word("operation", operations, "PROD, SUM or MAX")?;
        Ok((operation.unwrap_or("SUM"), fields.numbers("coeff")?))
    })?;
    let bottoms = site.bottoms.clone();
    if bottoms.len() < 2 {
        let found = bottoms.len();
        return Err(site.fail(LayerProblem::Bottoms { takes: "two blobs or more", found }));
    }
    let shape = bottoms[0].shape.clone();
    if bottoms.iter().any(|b| b.shape != shape) {
        let shapes = bottoms.into_iter().map(|b| b.shape).collect();
        return Err(site.fail(LayerProblem::Shapes { shapes }));
    }
    if !factors.is_empty() && (operation != "SUM" || factors.len() != bottoms.len()) {
        let rule = "must have one coeff a bottom, and only for a SUM";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    let op = match operation {
        "PROD" => "Mul",
        "MAX" => "Max",
        _ => "Add",
    };
    let mut terms = Vec::new();
    for (i, bottom) in bottoms.iter().enumerate() {
        let factor = factors.get(i).copied().unwrap_or(1.0);
        if factor == 1.0 {
            terms.push(bottom.tensor.clone());
            continue;
        }
        let constant = site.floats("coeff", &[1], &[factor]);
        let term = site.inner("term");
        site.builder.node("Mul", [&bottom.tensor, &constant], &term, Vec::new());
        terms.push(term);
    }
    let mut so_far = terms[0].clone();
    for (i, term) in terms.iter().enumerate().skip(1) {
        let to = if i + 1 == terms.len() { top.clone() } else { site.inner("partial") };
        site.builder.node(op, [&so_far, term], &to, Vec::new());
        so_far = to;
    }
    Ok(vec![shape])
}

/// Cuts the first bottom to the size of the second, from an axis on.
pub(super) fn crop(site: &mut Site<'_, '_>) -> Shapes {
    let top = site.one_top()?;
    let (axis, offsets) = site.layer.parameters("crop_param", |fields| {
        Ok((fields.int("axis")?.unwrap_or(2), fields.counts("offset")?))
    })?;
    let [bottom, size] = site.bottoms.as_slice() else {
        let found = site.bottoms.len();
        return Err(site.fail(LayerProblem::Bottoms { takes: "two blobs", found }));
    };
    let (bottom, size) = (bottom.clone(), size.clone());
    let first = site.axis(axis, &bottom)?;
    let misfit = || {
        let shapes = vec![bottom.shape.clone(), size.shape.clone()];
        Err(site.fail(LayerProblem::Shapes { shapes }))
    };
    if bottom.shape.len() != size.shape.len() {
        return misfit();
    }
    let cut = bottom.shape.len() - first;
    let offsets = match offsets.as_slice() {
        [] => vec![0; cut],
        &[all] => vec![all; cut],
        each if each.len() == cut => each.to_vec(),
        _ => {
            let rule = "must state no offset, one for all axes that it crops, or one for each";
            return Err(site.fail(LayerProblem::Setting { rule }));
        }
    };
    let mut shape = bottom.shape.clone();
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for (i, offset) in (first..).zip(offsets) {
        if offset + size.shape[i] > bottom.shape[i] {
            return misfit();
        }
        shape[i] = size.shape[i];
        starts.push(offset as i64);
        ends.push((offset + size.shape[i]) as i64);
    }
    let axes: Vec<i64> = (first..bottom.shape.len()).map(|i| i as i64 + 1).collect();
    let starts = site.ints("starts", &starts);
    let ends = site.ints("ends", &ends);
    let axes = site.ints("axes", &axes);
    site.builder.node("Slice", [&bottom.tensor, &starts, &ends, &axes], &top, Vec::new());
    Ok(vec![shape])
}
