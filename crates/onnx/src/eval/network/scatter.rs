//! Operators that find or put values where another tensor says.

use crate::eval::Evaluation;
use crate::eval::layout::{axis, count, places, strides};
use crate::eval::value::{Data, Value};

pub(super) fn gather_elements(of: &Evaluation<'_>) -> Option<Value> {
    let (x, indices) = (of.input(0)?, of.input(1)?);
    let places = element_places(of, x, indices)?;
    Some(x.picked(indices.dims.clone(), places))
}

pub(super) fn scatter_elements(of: &Evaluation<'_>) -> Option<Value> {
    let (x, indices, updates) = (of.input(0)?, of.input(1)?, of.input(2)?);
    if indices.dims != updates.dims {
        return None;
    }
    put(of, x, &element_places(of, x, indices)?, updates)
}

/// For each index, the place that it means: its own, but along one axis.
fn element_places(of: &Evaluation<'_>, x: &Value, indices: &Value) -> Option<Vec<usize>> {
    let along = axis(of.int("axis").unwrap_or(0), x.dims.len())?;
    let mut others = x.dims.iter().zip(&indices.dims).enumerate();
    let inside = others.all(|(i, (length, index))| i == along || index <= length);
    if x.dims.len() != indices.dims.len() || !inside {
        return None;
    }
    let strides = strides(&x.dims);
    let rest = places(&indices.dims, |i, index| if i == along { 0 } else { index * strides[i] });
    let chosen = indices.whole()?.iter().map(|&index| axis(index, x.dims[along]));
    let places = rest.into_iter().zip(chosen);
    places.map(|(rest, index)| Some(rest + index? * strides[along])).collect()
}

pub(super) fn gather_nd(of: &Evaluation<'_>) -> Option<Value> {
    let (x, indices) = (of.input(0)?, of.input(1)?);
    let batch = usize::try_from(of.int("batch_dims").unwrap_or(0)).ok()?;
    let (starts, inner) = row_starts(x, indices, batch)?;
    let depth = *indices.dims.last()?;
    let places = starts.iter().flat_map(|&start| start..start + inner).collect();
    let rows = &indices.dims[..indices.dims.len() - 1];
    Some(x.picked([rows, &x.dims[batch + depth..]].concat(), places))
}

pub(super) fn scatter_nd(of: &Evaluation<'_>) -> Option<Value> {
    let (x, indices, updates) = (of.input(0)?, of.input(1)?, of.input(2)?);
    let (starts, inner) = row_starts(x, indices, 0)?;
    let places: Vec<usize> = starts.iter().flat_map(|&start| start..start + inner).collect();
    put(of, x, &places, updates)
}

/// Where each row of values begins that a tuple of indices means, and its length.
/// The first `batch` axes of both tensors go together.
fn row_starts(x: &Value, indices: &Value, batch: usize) -> Option<(Vec<usize>, usize)> {
    let (&depth, rows) = indices.dims.split_last()?;
    if batch > rows.len() || batch + depth > x.dims.len() || x.dims[..batch] != rows[..batch] {
        return None;
    }
    let strides = strides(&x.dims);
    let tuples_a_batch = count(&rows[batch..])?;
    let batch_stride = batch.checked_sub(1).map_or(0, |last| strides[last]);
    let start = |row: usize| {
        let tuple = &indices.whole()?[row * depth..][..depth];
        let mut start = row / tuples_a_batch * batch_stride;
        for (i, &index) in tuple.iter().enumerate() {
            start += axis(index, x.dims[batch + i])? * strides[batch + i];
        }
        Some(start)
    };
    let starts = (0..count(rows)?).map(start).collect::<Option<_>>()?;
    Some((starts, count(&x.dims[batch + depth..])?))
}

fn put(of: &Evaluation<'_>, x: &Value, places: &[usize], updates: &Value) -> Option<Value> {
    if places.len() != updates.len() {
        return None;
    }
    let reduction = of.text("reduction", "none");
    let data = match (&x.data, &updates.data) {
        (Data::Real(values), Data::Real(updates)) => {
            let step: fn(f64, f64) -> f64 = match reduction {
                "none" => |_, new| new,
                "add" => |old, new| old + new,
                "mul" => |old, new| old * new,
                "max" => f64::max,
                "min" => f64::min,
                _ => return None,
            };
            Data::Real(stepped(values, places, updates, step))
        }
        (Data::Whole(values), Data::Whole(updates)) => {
            let step: fn(i64, i64) -> i64 = match reduction {
                "none" => |_, new| new,
                "add" => |old, new| old + new,
                "mul" => |old, new| old * new,
                "max" => i64::max,
                "min" => i64::min,
                _ => return None,
            };
            Data::Whole(stepped(values, places, updates, step))
        }
        _ => return None,
    };
    Some(Value { element: x.element, dims: x.dims.clone(), data })
}

fn stepped<T: Copy>(values: &[T], places: &[usize], new: &[T], step: fn(T, T) -> T) -> Vec<T> {
    let mut values = values.to_vec();
    for (&at, &new) in places.iter().zip(new) {
        values[at] = step(values[at], new);
    }
    values
}

pub(super) fn one_hot(of: &Evaluation<'_>) -> Option<Value> {
    let (indices, values) = (of.input(0)?, of.input(2)?);
    let depth = match of.input(1)?.in_reals()?[..] {
        [depth] if depth >= 0.0 => depth as usize,
        _ => return None,
    };
    if values.dims != [2] {
        return None;
    }
    let rank = indices.dims.len() + 1;
    let along = axis(of.int("axis").unwrap_or(-1), rank)?;
    let mut dims = indices.dims.clone();
    dims.insert(along, depth);
    // Indices out of range are off everywhere.
    let on: Vec<Option<usize>> =
        indices.in_reals()?.iter().map(|&index| axis(index as i64, depth)).collect();
    let strides_of_indices = strides(&indices.dims);
    let which = places(&dims, |i, index| match i {
        _ if i == along => 0,
        _ => index * strides_of_indices[i - usize::from(i > along)],
    });
    let class = places(&dims, |i, index| if i == along { index } else { 0 });
    let places = which.into_iter().zip(class).map(|(at, class)| usize::from(on[at] == Some(class)));
    Some(values.picked(dims, places.collect()))
}
