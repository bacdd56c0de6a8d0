//! Operators that set values in relation to those around them.

use super::lanes::Lanes;
use crate::eval::Evaluation;
use crate::eval::layout::{axis, broadcast, stretched};
use crate::eval::value::Value;

pub(super) fn softmax(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let rank = x.dims.len();
    // Before opset 13 all axes from this one on were one.
    let axes = if of.opset < 13 {
        axis(of.int("axis").unwrap_or(1), rank)?..rank
    } else {
        let along = axis(of.int("axis").unwrap_or(-1), rank)?;
        along..along + 1
    };
    let log = of.node.op_type() == "LogSoftmax";
    let lane = |lane: &[f64]| -> Vec<f64> {
        let most = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = lane.iter().map(|v| (v - most).exp()).sum();
        let logs = lane.iter().map(|v| v - most - total.ln());
        if log { logs.collect() } else { lane.iter().map(|v| (v - most).exp() / total).collect() }
    };
    let values = Lanes::along(&x.dims, axes).map(x.reals()?, lane);
    Some(Value::real_of(x.element, x.dims.clone(), values))
}

/// The result, and in training mode the running mean and variance after it.
pub(super) fn batch_norm(of: &Evaluation<'_>) -> Option<Vec<Value>> {
    let x = of.input(0)?;
    let &[batch, channels, ref space @ ..] = &x.dims[..] else { return None };
    let parameter = |i| of.input(i)?.reals().filter(|values| values.len() == channels);
    let (scale, shift) = (parameter(1)?, parameter(2)?);
    let (mean, variance) = (parameter(3)?, parameter(4)?);
    let trains = match of.opset {
        // Each mean and variance of a channel, whatever the place, and no training.
        ..14 => {
            let other = of.int("spatial") == Some(0)
                || of.node.output.len() > 1
                || (of.opset < 7 && of.int("is_test") != Some(1));
            if other {
                return None;
            }
            false
        }
        _ => of.int("training_mode") == Some(1),
    };
    let values = x.reals()?;
    let area: usize = space.iter().product();
    let plane = |n: usize, c: usize| &values[(n * channels + c) * area..][..area];
    let channel = |c| (0..batch).flat_map(move |n| plane(n, c)).copied();
    let (used_mean, used_variance): (Vec<f64>, Vec<f64>) = if trains {
        (0..channels).map(|c| moments(channel(c))).unzip()
    } else {
        (mean.to_vec(), variance.to_vec())
    };
    let epsilon = of.float("epsilon", 1e-5);
    let normalised = |n: usize, c: usize| {
        let factor = scale[c] / (used_variance[c] + epsilon).sqrt();
        let (mean, shift) = (used_mean[c], shift[c]);
        plane(n, c).iter().map(move |v| (v - mean) * factor + shift)
    };
    let planes = (0..batch).flat_map(|n| (0..channels).map(move |c| (n, c)));
    let result = planes.flat_map(|(n, c)| normalised(n, c)).collect();
    let mut outputs = vec![Value::real_of(x.element, x.dims.clone(), result)];
    if trains {
        let momentum = of.float("momentum", 0.9);
        for (running, now, i) in [(mean, used_mean, 3), (variance, used_variance, 4)] {
            let next = running.iter().zip(now).map(|(r, n)| r * momentum + n * (1.0 - momentum));
            outputs.push(Value::real_of(of.input(i)?.element, vec![channels], next.collect()));
        }
    }
    Some(outputs)
}

pub(super) fn instance_norm(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let &[_, channels, ref space @ ..] = &x.dims[..] else { return None };
    let parameter = |i| of.input(i)?.reals().filter(|values| values.len() == channels);
    let (scale, shift) = (parameter(1)?, parameter(2)?);
    let epsilon = of.float("epsilon", 1e-5);
    let area = Some(space.iter().product::<usize>()).filter(|&area| area > 0)?;
    let planes = x.reals()?.chunks_exact(area).enumerate();
    let values = planes.flat_map(|(plane, values)| {
        let (mean, variance) = moments(values.iter().copied());
        let c = plane % channels;
        let factor = scale[c] / (variance + epsilon).sqrt();
        values.iter().map(move |v| (v - mean) * factor + shift[c])
    });
    Some(Value::real_of(x.element, x.dims.clone(), values.collect()))
}

/// The result, the means, and one over the deviations.
pub(super) fn layer_norm(of: &Evaluation<'_>) -> Option<Vec<Value>> {
    let x = of.input(0)?;
    let first = axis(of.int("axis").unwrap_or(-1), x.dims.len())?;
    let (rows, row) = x.dims.split_at(first);
    let length = Some(row.iter().product::<usize>()).filter(|&length| length > 0)?;
    let parameter = |value: &Value| -> Option<Vec<f64>> {
        let values = value.reals()?;
        let fits = broadcast(&value.dims, row)? == row;
        fits.then(|| stretched(&value.dims, row).into_iter().map(|at| values[at]).collect())
    };
    let scale = parameter(of.input(1)?)?;
    let shift = of.input(2).map_or(Some(vec![0.0; length]), parameter)?;
    let epsilon = of.float("epsilon", 1e-5);
    let (mut values, mut means, mut inverses) = (Vec::new(), Vec::new(), Vec::new());
    for lane in x.reals()?.chunks_exact(length) {
        let (mean, variance) = moments(lane.iter().copied());
        let inverse = 1.0 / (variance + epsilon).sqrt();
        let each = lane.iter().zip(scale.iter().zip(&shift));
        values.extend(each.map(|(v, (scale, shift))| (v - mean) * inverse * scale + shift));
        means.push(mean);
        inverses.push(inverse);
    }
    let kept = [rows, &vec![1; row.len()]].concat();
    Some(vec![
        Value::real_of(x.element, x.dims.clone(), values),
        Value::real_of(x.element, kept.clone(), means),
        Value::real_of(x.element, kept, inverses),
    ])
}

/// Local response normalisation across channels.
pub(super) fn lrn(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    if x.dims.len() < 2 {
        return None;
    }
    let size = usize::try_from(of.int("size")?).ok().filter(|&size| size > 0)?;
    let (alpha, beta) = (of.float("alpha", 1e-4), of.float("beta", 0.75));
    let bias = of.float("bias", 1.0);
    let (before, after) = ((size - 1) / 2, size / 2);
    let lane = |lane: &[f64]| -> Vec<f64> {
        let near = |c: usize| &lane[c.saturating_sub(before)..lane.len().min(c + after + 1)];
        let squares = |c| near(c).iter().map(|v| v * v).sum::<f64>();
        let scale = |c| (bias + alpha / size as f64 * squares(c)).powf(beta);
        lane.iter().enumerate().map(|(c, v)| v / scale(c)).collect()
    };
    let values = Lanes::along(&x.dims, 1..2).map(x.reals()?, lane);
    Some(Value::real_of(x.element, x.dims.clone(), values))
}

/// Mean and variance, the latter over all values, not one fewer.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, values.map(|v| (v - mean).powi(2)).sum::<f64>() / count)
}
