//! Operators that compute.

use super::Evaluation;
use super::layout::{axis, broadcast, count, places, stretched, strides};
use super::value::{Data, Value};
use crate::tensor::ElementType;

pub(super) fn unary(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let data = match &value.data {
        Data::Real(values) => {
            let compute: fn(f64) -> f64 = match of.node.op_type() {
                "Neg" => |v| -v,
                "Abs" => f64::abs,
                "Sqrt" => f64::sqrt,
                "Exp" => f64::exp,
                "Floor" => f64::floor,
                "Ceil" => f64::ceil,
                "Reciprocal" => f64::recip,
                _ => return None,
            };
            Data::Real(values.iter().map(|&v| compute(v)).collect())
        }
        Data::Whole(values) => {
            let compute: fn(i64) -> Option<i64> = match of.node.op_type() {
                "Neg" => i64::checked_neg,
                "Abs" => i64::checked_abs,
                _ => return None,
            };
            Data::Whole(values.iter().map(|&v| compute(v)).collect::<Option<_>>()?)
        }
    };
    Some(Value { element: value.element, dims: value.dims.clone(), data }).filter(in_range)
}

pub(super) fn binary(of: &Evaluation<'_>) -> Option<Value> {
    let [Some(a), Some(b)] = of.inputs[..] else { return None };
    // Before opset 7 a second operand was stretched from an axis of choice.
    if a.element != b.element || (of.opset < 7 && a.dims != b.dims) {
        return None;
    }
    let dims = broadcast(&a.dims, &b.dims)?;
    count(&dims).filter(|&count| count <= of.limit)?;
    let pairs = || stretched(&a.dims, &dims).into_iter().zip(stretched(&b.dims, &dims));
    let op = of.node.op_type();
    let (element, data) = match (&a.data, &b.data) {
        (Data::Real(x), Data::Real(y)) => {
            if op == "Equal" {
                let equal = pairs().map(|(i, j)| i64::from(x[i] == y[j]));
                (ElementType::Bool, Data::Whole(equal.collect()))
            } else {
                let compute: fn(f64, f64) -> f64 = match op {
                    "Add" => |x, y| x + y,
                    "Sub" => |x, y| x - y,
                    "Mul" => |x, y| x * y,
                    "Div" => |x, y| x / y,
                    "Pow" => f64::powf,
                    "Min" => f64::min,
                    "Max" => f64::max,
                    _ => return None,
                };
                (a.element, Data::Real(pairs().map(|(i, j)| compute(x[i], y[j])).collect()))
            }
        }
        (Data::Whole(x), Data::Whole(y)) => {
            let compute: fn(i64, i64) -> Option<i64> = match op {
                "Add" => i64::checked_add,
                "Sub" => i64::checked_sub,
                "Mul" => i64::checked_mul,
                "Div" => i64::checked_div,
                "Min" => |x, y| Some(x.min(y)),
                "Max" => |x, y| Some(x.max(y)),
                "Equal" => |x, y| Some(i64::from(x == y)),
                _ => return None,
            };
            let element = if op == "Equal" { ElementType::Bool } else { a.element };
            let values = pairs().map(|(i, j)| compute(x[i], y[j])).collect::<Option<_>>()?;
            (element, Data::Whole(values))
        }
        _ => return None,
    };
    Some(Value { element, dims, data }).filter(in_range)
}

pub(super) fn select(of: &Evaluation<'_>) -> Option<Value> {
    let [Some(condition), Some(a), Some(b)] = of.inputs[..] else { return None };
    if a.element != b.element || condition.element != ElementType::Bool {
        return None;
    }
    let dims = broadcast(&broadcast(&condition.dims, &a.dims)?, &b.dims)?;
    count(&dims).filter(|&count| count <= of.limit)?;
    let chosen = condition.whole()?;
    let choices = stretched(&condition.dims, &dims).into_iter().map(|at| chosen[at] != 0);
    let places = stretched(&a.dims, &dims).into_iter().zip(stretched(&b.dims, &dims));
    let both = choices.zip(places);
    let data = match (&a.data, &b.data) {
        (Data::Real(x), Data::Real(y)) => {
            Data::Real(both.map(|(first, (i, j))| if first { x[i] } else { y[j] }).collect())
        }
        (Data::Whole(x), Data::Whole(y)) => {
            Data::Whole(both.map(|(first, (i, j))| if first { x[i] } else { y[j] }).collect())
        }
        _ => return None,
    };
    Some(Value { element: a.element, dims, data })
}

pub(super) fn range(of: &Evaluation<'_>) -> Option<Value> {
    let number = |i| match of.input(i)?.whole()? {
        [number] => Some(i128::from(*number)),
        _ => None,
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let span = if step > 0 { limit - start } else { start - limit };
    let count = (span.max(0) + step.abs() - 1).checked_div(step.abs())?;
    let count = usize::try_from(count).ok().filter(|&count| count <= of.limit)?;
    let values = (0..count as i128).map(|i| i64::try_from(start + i * step).ok());
    let values = values.collect::<Option<Vec<_>>>()?;
    Some(Value::whole_of(of.input(0)?.element, vec![count], values))
}

pub(super) fn reduce(of: &Evaluation<'_>) -> Option<Value> {
    let value = of.input(0)?;
    let rank = value.dims.len();
    let mut gone = vec![false; rank];
    match of.ints("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => {
            for a in axes {
                gone[axis(a, rank)?] = true;
            }
        }
        None if of.int("noop_with_empty_axes") == Some(1) => return Some(value.clone()),
        None => gone.fill(true),
    }
    let kept: Vec<usize> = value
        .dims
        .iter()
        .zip(&gone)
        .map(|(&length, &gone)| if gone { 1 } else { length })
        .collect();
    let strides = strides(&kept);
    let into = places(&value.dims, |i, index| if gone[i] { 0 } else { index * strides[i] });
    let results = count(&kept)?;
    // No values to reduce: engines differ in what that is.
    if results == 0 || value.len() == 0 {
        return None;
    }
    let each = (value.len() / results) as f64;
    let op = of.node.op_type();
    let data = match &value.data {
        Data::Real(values) => {
            let product = op == "ReduceProd";
            let mut sums = vec![if product { 1.0 } else { 0.0 }; results];
            for (at, v) in into.into_iter().zip(values) {
                if product { sums[at] *= v } else { sums[at] += v }
            }
            if op == "ReduceMean" {
                sums.iter_mut().for_each(|sum| *sum /= each);
            }
            Data::Real(sums)
        }
        Data::Whole(values) => {
            let product = match op {
                "ReduceSum" => false,
                "ReduceProd" => true,
                _ => return None,
            };
            let mut sums = vec![i64::from(product); results];
            for (at, &v) in into.into_iter().zip(values) {
                let sum = sums[at];
                sums[at] = if product { sum.checked_mul(v) } else { sum.checked_add(v) }?;
            }
            Data::Whole(sums)
        }
    };
    let dims = if of.int("keepdims") == Some(0) {
        kept.iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(&length, _)| length).collect()
    } else {
        kept
    };
    Some(Value { element: value.element, dims, data }).filter(in_range)
}

/// Whether integers fit their type; wrapping is left to the engine.
fn in_range(value: &Value) -> bool {
    match (&value.data, value.element) {
        (Data::Whole(values), ElementType::I32) => values.iter().all(|&v| i32::try_from(v).is_ok()),
        _ => true,
    }
}
