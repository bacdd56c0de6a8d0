use super::windows::Windows;
use crate::eval::Evaluation;
use crate::eval::value::Value;
use crate::tensor::ElementType;

/// Maxima, and where in the input they are.
pub(super) fn max_pool(of: &Evaluation<'_>) -> Option<Vec<Value>> {
    let x = of.input(0)?;
    let [batch, channels, space @ ..] = &x.dims[..] else { return None };
    let windows = Windows::over(of, space, &kernel(of)?)?;
    let hits = windows.hits();
    let values = x.reals()?;
    let (area, out_area) = (space.iter().product::<usize>(), windows.output.iter().product());
    let column_major = of.int("storage_order") == Some(1);
    let mut maxima = Vec::with_capacity(batch * channels * out_area);
    let mut indices = Vec::with_capacity(batch * channels * out_area);
    for plane in 0..batch * channels {
        let values = &values[plane * area..][..area];
        let mut best: Vec<Option<usize>> = vec![None; out_area];
        for hit in &hits {
            let best = &mut best[hit.output];
            // The first of equal ones.
            if best.is_none_or(|best| values[hit.input] > values[best]) {
                *best = Some(hit.input);
            }
        }
        for at in best {
            // A window on padding alone has no maximum.
            let at = at?;
            maxima.push(values[at]);
            let within = if column_major { by_columns(at, space) } else { at };
            indices.push((plane * area + within) as i64);
        }
    }
    let dims = [&[*batch, *channels], &windows.output[..]].concat();
    Some(vec![
        Value::real_of(x.element, dims.clone(), maxima),
        Value::whole_of(ElementType::I64, dims, indices),
    ])
}

/// The index, with the first axis as the fastest.
fn by_columns(mut at: usize, space: &[usize]) -> usize {
    let mut indices = vec![0; space.len()];
    for (index, length) in indices.iter_mut().zip(space).rev() {
        (*index, at) = (at % length, at / length);
    }
    indices.iter().zip(space).rev().fold(0, |sum, (index, length)| sum * length + index)
}

pub(super) fn average_pool(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let [batch, channels, space @ ..] = &x.dims[..] else { return None };
    let windows = Windows::over(of, space, &kernel(of)?)?;
    let hits = windows.hits();
    let values = x.reals()?;
    let (area, out_area) = (space.iter().product::<usize>(), windows.output.iter().product());
    let counts = if of.int("count_include_pad") == Some(1) {
        windows.taps_on_padded()
    } else {
        let mut counts = vec![0; out_area];
        hits.iter().for_each(|hit| counts[hit.output] += 1);
        counts
    };
    let mut means = vec![0.0; batch * channels * out_area];
    for plane in 0..batch * channels {
        let values = &values[plane * area..][..area];
        let means = &mut means[plane * out_area..][..out_area];
        hits.iter().for_each(|hit| means[hit.output] += values[hit.input]);
        means.iter_mut().zip(&counts).for_each(|(mean, &count)| *mean /= count as f64);
    }
    let dims = [&[*batch, *channels], &windows.output[..]].concat();
    Some(Value::real_of(x.element, dims, means))
}

pub(super) fn global_pool(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let [batch, channels, space @ ..] = &x.dims[..] else { return None };
    let area = space.iter().product::<usize>();
    let planes = x.reals()?.chunks_exact(Some(area).filter(|&area| area > 0)?);
    let pooled = match of.node.op_type() {
        "GlobalAveragePool" => planes.map(|p| p.iter().sum::<f64>() / area as f64).collect(),
        _ => planes.map(|p| p.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect(),
    };
    let dims = [&[*batch, *channels], &vec![1; space.len()][..]].concat();
    Some(Value::real_of(x.element, dims, pooled))
}

fn kernel(of: &Evaluation<'_>) -> Option<Vec<usize>> {
    of.list("kernel_shape")?.iter().map(|&length| usize::try_from(length).ok()).collect()
}
