//! Operators that move, join and cut values without computing.

use super::Evaluation;
use super::value::{Data, Value};
use crate::nodes::attribute;
use crate::tensor::ElementType;

/// More axes than any operator has use for.
const MAX_RANK: usize = 32;

pub(super) fn lengths(dims: &[i64]) -> Option<Vec<usize>> {
    let fits = dims.len() <= MAX_RANK;
    fits.then(|| dims.iter().map(|&d| usize::try_from(d).ok()).collect())?
}

pub(super) fn count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |count, &length| count.checked_mul(length))
}

/// An axis as ONNX counts it, from the end if negative.
pub(super) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    (0..rank).contains(&axis).then_some(axis as usize)
}

/// Distance in memory from one index of an axis to the next.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; dims.len()];
    for i in (1..dims.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(dims[i]);
    }
    strides
}

/// For each place of a tensor of `dims`, in order, the sum of what each index
/// contributes by `offset(axis, index)`.
pub(super) fn places(dims: &[usize], offset: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    // Of one empty axis and a huge one nothing must be counted.
    if dims.contains(&0) {
        return Vec::new();
    }
    let mut places = vec![0];
    for (i, &length) in dims.iter().enumerate() {
        let indices = 0..length;
        places = places
            .iter()
            .flat_map(|base| indices.clone().map(move |index| (base, index)))
            .map(|(base, index)| base + offset(i, index))
            .collect();
    }
    places
}

pub(super) fn shape(of: &Evaluation<'_>) -> Option<Value> {
    // `start` and `end` came with opset 15; shape inference knows them.
    let dims = &of.input(0)?.dims;
    if of.int("start").is_some() || of.int("end").is_some() {
        return None;
    }
    let lengths = dims.iter().map(|&length| length as i64).collect();
    Some(Value::whole_of(ElementType::I64, vec![dims.len()], lengths))
}

pub(super) fn reshape(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let target = of.ints("shape", 1)??;
    let copies = of.int("allowzero") != Some(1);
    let mut dims = Vec::with_capacity(target.len().min(MAX_RANK));
    let mut rest = None;
    for (i, &length) in target.iter().enumerate().take(MAX_RANK) {
        dims.push(match length {
            -1 if rest.is_none() => {
                rest = Some(i);
                1
            }
            0 if copies => *value.dims.get(i)?,
            length => usize::try_from(length).ok()?,
        });
    }
    if let Some(i) = rest {
        dims[i] = value.len().checked_div(count(&dims)?)?;
    }
    (target.len() <= MAX_RANK).then(|| value.reshaped(dims))?
}

pub(super) fn flatten(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let rank = value.dims.len();
    let at = of.int("axis").unwrap_or(1);
    let at = if at == rank as i64 { rank } else { axis(at, rank)? };
    let (rows, columns) = value.dims.split_at(at);
    value.reshaped(vec![count(rows)?, count(columns)?])
}

pub(super) fn squeeze(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let mut gone: Vec<bool> = value.dims.iter().map(|&length| length == 1).collect();
    if let Some(axes) = of.ints("axes", 1)? {
        gone.fill(false);
        for a in axes {
            gone[axis(a, value.dims.len())?] = true;
        }
    }
    let kept = value.dims.iter().zip(gone).filter(|(_, gone)| !gone);
    value.reshaped(kept.map(|(&length, _)| length).collect())
}

pub(super) fn unsqueeze(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let axes = of.ints("axes", 1)??;
    let rank = value.dims.len().checked_add(axes.len()).filter(|&rank| rank <= MAX_RANK)?;
    let mut new = vec![false; rank];
    for a in axes {
        new[axis(a, rank)?] = true;
    }
    let mut old = value.dims.iter().copied();
    let dims = new.iter().map(|&new| if new { Some(1) } else { old.next() });
    value.reshaped(dims.collect::<Option<_>>()?)
}

pub(super) fn transpose(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let rank = value.dims.len();
    let order: Vec<usize> = match attribute(of.node, "perm") {
        None => (0..rank).rev().collect(),
        Some(perm) => perm.ints.iter().map(|&p| axis(p, rank)).collect::<Option<_>>()?,
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return None;
    }
    let strides = strides(&value.dims);
    let dims: Vec<usize> = order.iter().map(|&from| value.dims[from]).collect();
    let places = places(&dims, |i, index| index * strides[order[i]]);
    Some(value.picked(dims, places))
}

pub(super) fn concat(of: &Evaluation<'_>) -> Option<Value> {
    let parts: Vec<&Value> = of.inputs.iter().copied().collect::<Option<_>>()?;
    let first = *parts.first()?;
    let along = axis(of.int("axis").unwrap_or(1), first.dims.len())?;
    let mut dims = first.dims.clone();
    dims[along] = 0;
    for part in &parts {
        let rest = |dims: &[usize]| [&dims[..along], &dims[along + 1..]].concat();
        if part.element != first.element
            || part.dims.len() != dims.len()
            || rest(&part.dims) != rest(&first.dims)
        {
            return None;
        }
        dims[along] = dims[along].checked_add(part.dims[along])?;
    }
    count(&dims).filter(|&count| (1..=of.limit).contains(&count))?;
    let rows = count(&dims[..along])?;
    let inner = count(&dims[along + 1..])?;
    fn joined<T: Copy>(parts: &[(&[T], usize)], rows: usize) -> Vec<T> {
        let row = |row: usize| {
            parts.iter().flat_map(move |&(values, length)| &values[row * length..][..length])
        };
        (0..rows).flat_map(row).copied().collect()
    }
    let length = |part: &Value| part.dims[along] * inner;
    let data = match first.data {
        Data::Real(_) => Data::Real(joined(
            &parts
                .iter()
                .filter_map(|part| match &part.data {
                    Data::Real(values) => Some((values.as_slice(), length(part))),
                    Data::Whole(_) => None,
                })
                .collect::<Vec<_>>(),
            rows,
        )),
        Data::Whole(_) => Data::Whole(joined(
            &parts
                .iter()
                .filter_map(|part| Some((part.whole()?, length(part))))
                .collect::<Vec<_>>(),
            rows,
        )),
    };
    Some(Value { element: first.element, dims, data })
}

pub(super) fn slice(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let rank = value.dims.len();
    let starts = of.ints("starts", 1)??;
    let ends = of.ints("ends", 2)??;
    let axes = of.ints("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = of.ints("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|&length| length != starts.len()) {
        return None;
    }
    let mut dims = value.dims.clone();
    // First index and step of each axis.
    let mut cuts = vec![(0i64, 1i64); rank];
    for i in 0..starts.len() {
        let at = axis(axes[i], rank)?;
        let (length, step) = (i64::try_from(value.dims[at]).ok()?, steps[i]);
        let index = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
        let (start, kept) = match step {
            1.. => {
                let start = index(starts[i]).clamp(0, length);
                (start, index(ends[i]).clamp(0, length) - start)
            }
            0 => return None,
            _ => {
                let start = index(starts[i]).clamp(-1, length - 1);
                (start, start - index(ends[i]).clamp(-1, length - 1))
            }
        };
        dims[at] = kept.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) as usize;
        cuts[at] = (start, step);
    }
    let strides = strides(&value.dims);
    let places = places(&dims, |i, index| {
        let (start, step) = cuts[i];
        // Inside, as the number of steps was counted so.
        start.saturating_add(step.saturating_mul(index as i64)).unsigned_abs() as usize * strides[i]
    });
    Some(value.picked(dims, places))
}

pub(super) fn gather(of: &Evaluation<'_>) -> Option<Value> {
    let (value, indices) = (of.input(0)?, of.input(1)?);
    let along = axis(of.int("axis").unwrap_or(0), value.dims.len())?;
    let chosen: Vec<usize> = indices
        .whole()?
        .iter()
        .map(|&index| axis(index, value.dims[along]))
        .collect::<Option<_>>()?;
    let dims = [&value.dims[..along], &indices.dims, &value.dims[along + 1..]].concat();
    count(&dims).filter(|&count| count <= of.limit && dims.len() <= MAX_RANK)?;
    let strides = strides(&value.dims);
    let mut flat = value.dims.clone();
    flat[along] = chosen.len();
    let places =
        places(
            &flat,
            |i, index| {
                if i == along { chosen[index] * strides[i] } else { index * strides[i] }
            },
        );
    Some(value.picked(dims, places))
}

pub(super) fn expand(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let target = lengths(of.input(1)?.whole()?)?;
    let dims = broadcast(&value.dims, &target)?;
    count(&dims).filter(|&count| count <= of.limit)?;
    let places = stretched(&value.dims, &dims);
    Some(value.picked(dims, places))
}

/// The shape of two tensors put value by value, as NumPy has it.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let length = |dims: &[usize], i: usize| match (i + dims.len()).checked_sub(rank) {
        Some(at) => dims[at],
        None => 1,
    };
    (0..rank)
        .map(|i| match (length(a, i), length(b, i)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        })
        .collect()
}

/// Where each value of a tensor of `dims` lies in one of `from` that is
/// stretched to it.
pub(super) fn stretched(from: &[usize], dims: &[usize]) -> Vec<usize> {
    let strides = strides(from);
    let missing = dims.len() - from.len();
    places(dims, |i, index| match i.checked_sub(missing) {
        Some(at) if from[at] != 1 => index * strides[at],
        _ => 0,
    })
}
