//! Operators that cut, pad and rearrange.

use crate::eval::Evaluation;
use crate::eval::layout::{axis, places, strides};
use crate::eval::value::{Data, Value};
use crate::tensor::ElementType;

pub(super) fn shape(of: &Evaluation<'_>) -> Option<Value> {
    let dims = &of.input(0)?.dims;
    let rank = dims.len() as i64;
    // Counted from the end if negative, and never outside.
    let place = |at: i64| (if at < 0 { at + rank } else { at }).clamp(0, rank) as usize;
    let start = place(of.int("start").unwrap_or(0));
    let end = place(of.int("end").unwrap_or(rank)).max(start);
    let lengths: Vec<i64> = dims[start..end].iter().map(|&length| length as i64).collect();
    Some(Value::whole_of(ElementType::I64, vec![lengths.len()], lengths))
}

pub(super) fn size(of: &Evaluation<'_>) -> Option<Value> {
    Some(Value::whole_of(ElementType::I64, Vec::new(), vec![of.input(0)?.len() as i64]))
}

/// Of floats; folding has it of integers.
pub(super) fn range(of: &Evaluation<'_>) -> Option<Value> {
    let number = |i| match of.input(i)?.reals()? {
        [number] => Some(*number),
        _ => None,
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((limit - start) / step).ceil();
    // Also where a step of nothing makes it infinite or no number.
    let count = if count < f64::from(1 << 24) { count.max(0.0) as usize } else { return None };
    let values = (0..count).map(|i| start + i as f64 * step).collect();
    Some(Value::real_of(of.input(0)?.element, vec![count], values))
}

pub(super) fn split(of: &Evaluation<'_>) -> Option<Vec<Value>> {
    let x = of.input(0)?;
    let along = axis(of.int("axis").unwrap_or(0), x.dims.len())?;
    let length = x.dims[along];
    let lengths: Vec<usize> = match of.ints("split", 1)? {
        Some(lengths) => {
            lengths.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<_>>()?
        }
        // Equal, the last one with what is left.
        None => {
            let parts = of.int("num_outputs").map_or(of.node.output.len(), |n| n.max(0) as usize);
            let most = length.div_ceil(Some(parts).filter(|&parts| parts > 0)?);
            (0..parts).map(|i| most.min(length.saturating_sub(i * most))).collect()
        }
    };
    if lengths.iter().sum::<usize>() != length {
        return None;
    }
    let strides = strides(&x.dims);
    let mut start = 0;
    let parts = lengths.into_iter().map(|length| {
        let mut dims = x.dims.clone();
        dims[along] = length;
        let places =
            places(&dims, |i, index| (if i == along { start + index } else { index }) * strides[i]);
        start += length;
        x.picked(dims, places)
    });
    Some(parts.collect())
}

pub(super) fn pad(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let rank = x.dims.len();
    let pads = of.ints("pads", 1)??;
    let axes = match of.input(3) {
        Some(axes) => axes.whole()?.to_vec(),
        None => (0..rank as i64).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return None;
    }
    let mode = of.text("mode", "constant");
    // For each axis, where each index comes from; `None` is the constant.
    let mut sources: Vec<Vec<Option<usize>>> =
        x.dims.iter().map(|&length| (0..length).map(Some).collect()).collect();
    for (i, &a) in axes.iter().enumerate() {
        let a = axis(a, rank)?;
        let length = x.dims[a] as i64;
        let source = |index: i64| match mode {
            _ if (0..length).contains(&index) => Some(Some(index)),
            "constant" => Some(None),
            _ if length == 0 => None,
            "edge" => Some(Some(index.clamp(0, length - 1))),
            "wrap" => Some(Some(index.rem_euclid(length))),
            "reflect" if length == 1 => Some(Some(0)),
            "reflect" => {
                let around = index.rem_euclid(2 * (length - 1));
                Some(Some(around.min(2 * (length - 1) - around)))
            }
            _ => None,
        };
        let indices = -pads[i]..length + pads[axes.len() + i];
        let found = indices.map(|index| source(index).map(|at| at.map(|at| at as usize)));
        sources[a] = found.collect::<Option<_>>()?;
    }
    let dims: Vec<usize> = sources.iter().map(Vec::len).collect();
    let strides = strides(&x.dims);
    // Beyond all values, which the constant stands behind.
    let beyond = x.len();
    let places = places(&dims, |i, index| sources[i][index].map_or(beyond, |at| at * strides[i]));
    let places = places.into_iter().map(|at| at.min(beyond)).collect();
    let with_fill = match (&x.data, of.input(2).map(|fill| &fill.data)) {
        (Data::Real(values), None) => Data::Real([&values[..], &[of.float("value", 0.0)]].concat()),
        (Data::Real(values), Some(Data::Real(fill))) => {
            Data::Real([&values[..], &[*fill.first()?]].concat())
        }
        (Data::Whole(values), None) => Data::Whole([&values[..], &[0]].concat()),
        (Data::Whole(values), Some(Data::Whole(fill))) => {
            Data::Whole([&values[..], &[*fill.first()?]].concat())
        }
        _ => return None,
    };
    Some(Value { element: x.element, dims: vec![beyond + 1], data: with_fill }.picked(dims, places))
}

pub(super) fn tile(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let repeats = of.input(1)?.whole()?;
    if of.opset < 6 || repeats.len() != x.dims.len() {
        return None;
    }
    let times = repeats.iter().map(|&n| usize::try_from(n).ok());
    let dims = x.dims.iter().zip(times).map(|(length, times)| Some(length * times?));
    let dims: Vec<usize> = dims.collect::<Option<_>>()?;
    let strides = strides(&x.dims);
    let places = places(&dims, |i, index| index % x.dims[i] * strides[i]);
    Some(x.picked(dims, places))
}

pub(super) fn depth_to_space(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let &[n, c, h, w] = &x.dims[..] else { return None };
    let b = usize::try_from(of.int("blocksize")?).ok().filter(|&b| b > 0 && c % (b * b) == 0)?;
    let depth = c / (b * b);
    let (dims, order) = match of.text("mode", "DCR") {
        "DCR" => ([n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        _ => return None,
    };
    permuted(x, &dims, &order).reshaped(vec![n, depth, h * b, w * b])
}

pub(super) fn space_to_depth(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let &[n, c, h, w] = &x.dims[..] else { return None };
    let b = usize::try_from(of.int("blocksize")?).ok();
    let b = b.filter(|&b| b > 0 && h % b == 0 && w % b == 0)?;
    let dims = [n, c, h / b, b, w / b, b];
    permuted(x, &dims, &[0, 3, 5, 1, 2, 4]).reshaped(vec![n, c * b * b, h / b, w / b])
}

/// A tensor seen as one of `dims`, with its axes in another order.
fn permuted(value: &Value, dims: &[usize], order: &[usize]) -> Value {
    let strides = strides(dims);
    let dims: Vec<usize> = order.iter().map(|&from| dims[from]).collect();
    let places = places(&dims, |i, index| index * strides[order[i]]);
    value.picked(dims, places)
}
