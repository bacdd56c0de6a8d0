use super::lanes::Lanes;
use crate::eval::Evaluation;
use crate::eval::layout::{axis, count, places, strides};
use crate::eval::value::Value;
use crate::tensor::ElementType;

pub(super) fn reduce(of: &Evaluation<'_>) -> Option<Value> {
    let (start, step, finish) = rule(of.node.op_type())?;
    let x = of.input(0)?;
    let rank = x.dims.len();
    let mut gone = vec![false; rank];
    match of.ints("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => {
            for a in axes {
                gone[axis(a, rank)?] = true;
            }
        }
        None => gone.fill(of.int("noop_with_empty_axes") != Some(1)),
    }
    let lengths = x.dims.iter().zip(&gone);
    let kept: Vec<usize> =
        lengths.clone().map(|(&length, &gone)| if gone { 1 } else { length }).collect();
    let of_each: usize = lengths.filter(|(_, gone)| **gone).map(|(&length, _)| length).product();
    let strides = strides(&kept);
    let into = places(&x.dims, |i, index| if gone[i] { 0 } else { index * strides[i] });
    let mut results = vec![start; count(&kept)?];
    for (at, &v) in into.into_iter().zip(x.in_reals()?.iter()) {
        results[at] = step(results[at], v);
    }
    results.iter_mut().for_each(|result| *result = finish(*result, of_each as f64));
    let dims = match of.int("keepdims") {
        Some(0) => kept.iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(&l, _)| l).collect(),
        _ => kept,
    };
    Value::of_reals(x.element, dims, results)
}

type Step = fn(f64, f64) -> f64;

/// What it begins with, how a value is added, and what is made of the sum and the
/// number of values.
fn rule(op: &str) -> Option<(f64, Step, Step)> {
    let as_is: Step = |sum, _| sum;
    Some(match op {
        "ReduceSum" => (0.0, |a, v| a + v, as_is),
        "ReduceMean" => (0.0, |a, v| a + v, |sum, count| sum / count),
        "ReduceProd" => (1.0, |a, v| a * v, as_is),
        "ReduceMax" => (f64::NEG_INFINITY, f64::max, as_is),
        "ReduceMin" => (f64::INFINITY, f64::min, as_is),
        "ReduceSumSquare" => (0.0, |a, v| a + v * v, as_is),
        "ReduceL1" => (0.0, |a, v| a + v.abs(), as_is),
        "ReduceL2" => (0.0, |a, v| a + v * v, |sum, _| sum.sqrt()),
        "ReduceLogSum" => (0.0, |a, v| a + v, |sum, _| sum.ln()),
        "ReduceLogSumExp" => (f64::NEG_INFINITY, log_add_exp, as_is),
        _ => return None,
    })
}

/// Exponents as large as these come from logits: their sum must not overflow.
fn log_add_exp(a: f64, b: f64) -> f64 {
    let (less, more) = (a.min(b), a.max(b));
    if more == f64::NEG_INFINITY { more } else { more + (less - more).exp().ln_1p() }
}

pub(super) fn arg_max(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let along = axis(of.int("axis").unwrap_or(0), x.dims.len())?;
    let last = of.int("select_last_index") == Some(1);
    let sign = if of.node.op_type() == "ArgMax" { 1.0 } else { -1.0 };
    let values = x.in_reals()?;
    let lanes = Lanes::along(&x.dims, along..along + 1);
    let best = lanes.starts().map(|start| {
        let value = |i| sign * values[lanes.place(start, i)];
        let better = |best, i| {
            let wins = if last { value(i) >= value(best) } else { value(i) > value(best) };
            if wins { i } else { best }
        };
        (0..lanes.length).reduce(better).map(|i| i as i64)
    });
    let best = best.collect::<Option<_>>()?;
    let mut dims = x.dims.clone();
    match of.int("keepdims") {
        Some(0) => drop(dims.remove(along)),
        _ => dims[along] = 1,
    }
    Some(Value::whole_of(ElementType::I64, dims, best))
}

pub(super) fn cumulative_sum(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let [along] = of.input(1)?.whole()? else { return None };
    let along = axis(*along, x.dims.len())?;
    let (exclusive, reverse) = (of.int("exclusive") == Some(1), of.int("reverse") == Some(1));
    let lane = |lane: &[f64]| {
        let mut sums = vec![0.0; lane.len()];
        let mut sum = 0.0;
        for k in 0..lane.len() {
            let i = if reverse { lane.len() - 1 - k } else { k };
            sums[i] = if exclusive { sum } else { sum + lane[i] };
            sum += lane[i];
        }
        sums
    };
    let sums = Lanes::along(&x.dims, along..along + 1).map(&x.in_reals()?, lane);
    Value::of_reals(x.element, x.dims.clone(), sums)
}
