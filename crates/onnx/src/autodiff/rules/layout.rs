//! Operators that move values without computing.

use crate::autodiff::emit::{Cut, Emitter, Tensor};
use crate::autodiff::tape::{Call, Lowered, Refusal, axis};
use crate::nodes::attribute;

/// `Flatten`, `Reshape`, `Squeeze`, `Unsqueeze`.
pub(super) fn reshape(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let y = e.reshape(&x, &call.output()?);
    Ok(Lowered::of_first(y, move |e, dy| e.reshape(dy, &x.shape)))
}

pub(super) fn transpose(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let order: Vec<usize> = match call.ints("perm") {
        None => (0..x.rank()).rev().collect(),
        Some(order) => order.iter().map(|&from| axis(from, x.rank())).collect::<Result<_, _>>()?,
    };
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let y = e.transpose(&x, &order);
    Ok(Lowered::of_first(y, move |e, dy| e.transpose(dy, &back)))
}

pub(super) fn concat(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let parts: Vec<Tensor> =
        (0..call.inputs.len()).map(|i| call.tensor(i)).collect::<Result<_, _>>()?;
    let wants: Vec<bool> = (0..parts.len()).map(|i| call.wants(i)).collect();
    let along = axis(call.int("axis").unwrap_or(1), call.output()?.len())?;
    let y = e.concat(&parts, along);
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        let mut start = 0;
        for (i, part) in parts.iter().enumerate() {
            let length = part.shape[along];
            if wants[i] {
                gradients.push((i, e.slice(dy, &[Cut { axis: along, start, length, step: 1 }])));
            }
            start += length;
        }
        gradients
    }))
}

/// Each part is a slice: engines do no less for a `Split`.
pub(super) fn split(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let along = axis(call.int("axis").unwrap_or(0), x.rank())?;
    let mut start = 0;
    let mut outputs = Vec::new();
    for shape in &call.outputs {
        let length = shape[along];
        outputs.push(e.slice(&x, &[Cut { axis: along, start, length, step: 1 }]));
        start += length;
    }
    let shapes = call.outputs.clone();
    Ok(Lowered {
        outputs,
        statistics: Vec::new(),
        backward: Box::new(move |e, gradients| {
            let parts: Vec<Tensor> = gradients
                .iter()
                .zip(&shapes)
                .map(|(gradient, shape)| match gradient {
                    Some(gradient) => gradient.clone(),
                    None => e.zeros(shape),
                })
                .collect();
            vec![(0, e.concat(&parts, along))]
        }),
    })
}

pub(super) fn slice(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let output = call.output()?;
    let starts = call.numbers("starts", 1)?.ok_or_else(|| Refusal::new("it has no starts"))?;
    let axes = match call.numbers("axes", 3)? {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = call.numbers("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(Refusal::new("its starts, axes and steps are of different numbers"));
    }
    let mut cuts = Vec::new();
    for ((&start, &at), &step) in starts.iter().zip(&axes).zip(&steps) {
        let at = axis(at, x.rank())?;
        let length = x.shape[at] as i64;
        if step < 1 {
            return Err(Refusal::new("it goes backwards"));
        }
        let start = if start < 0 { start.saturating_add(length) } else { start };
        let start = start.clamp(0, length) as usize;
        cuts.push(Cut { axis: at, start, length: output[at], step: step as usize });
    }
    let y = e.slice(&x, &cuts);
    Ok(Lowered::of_first(y, move |e, dy| {
        let mut dx = dy.clone();
        for cut in &cuts {
            dx = spread(e, &dx, cut, x.shape[cut.axis]);
        }
        dx
    }))
}

/// Puts values back to where a slice took them from, zeros between them.
fn spread(e: &mut Emitter, dy: &Tensor, cut: &Cut, length: usize) -> Tensor {
    let rank = dy.rank();
    let around = |width: usize, axis: usize, rank: usize| {
        let mut widths = vec![0; rank];
        widths[axis] = width;
        widths
    };
    let mut dx = dy.clone();
    if cut.step > 1 {
        // [.., n, ..] → [.., n, 1, ..] → [.., n, step, ..] → [.., n·step, ..]
        let mut shape = dx.shape.clone();
        shape.insert(cut.axis + 1, 1);
        let apart = e.reshape(&dx, &shape);
        let after = around(cut.step - 1, cut.axis + 1, rank + 1);
        let padded = e.pad(&apart, &vec![0; rank + 1], &after);
        let mut shape = dx.shape.clone();
        shape[cut.axis] *= cut.step;
        let joined = e.reshape(&padded, &shape);
        let length = (cut.length - 1) * cut.step + 1;
        dx = e.slice(&joined, &[Cut { axis: cut.axis, start: 0, length, step: 1 }]);
    }
    let behind = length - cut.start - dx.shape[cut.axis];
    let before = around(cut.start, cut.axis, rank);
    e.pad(&dx, &before, &around(behind, cut.axis, rank))
}

pub(super) fn pad(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let rank = x.rank();
    if call.text("mode").is_some_and(|mode| mode != "constant") {
        return Err(Refusal::new("it pads with something else than a constant"));
    }
    let name = if attribute(call.node, "paddings").is_some() { "paddings" } else { "pads" };
    let widths = call.numbers(name, 1)?.ok_or_else(|| Refusal::new("it has no pads"))?;
    let value = call.number("value", 2)?.unwrap_or(0.0);
    let axes: Vec<usize> = match call.numbers("axes", 3)? {
        None => (0..rank).collect(),
        Some(axes) => axes.into_iter().map(|a| axis(a, rank)).collect::<Result<_, _>>()?,
    };
    if widths.len() != 2 * axes.len() || widths.iter().any(|&width| width < 0) {
        return Err(Refusal::new("its pads are negative or not two an axis"));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, &axis) in axes.iter().enumerate() {
        before[axis] = widths[i] as usize;
        after[axis] = widths[i + axes.len()] as usize;
    }
    let y = if value == 0.0 {
        e.pad(&x, &before, &after)
    } else {
        let widths = e.sizes(&[before.as_slice(), &after].concat());
        let value = e.scalar(value);
        e.op("Pad", &[&x, &widths, &value], Vec::new(), call.output()?)
    };
    Ok(Lowered::of_first(y, move |e, dy| {
        let cuts: Vec<Cut> = (0..x.rank())
            .map(|axis| Cut { axis, start: before[axis], length: x.shape[axis], step: 1 })
            .collect();
        e.slice(dy, &cuts)
    }))
}

pub(super) fn expand(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let y = e.expand(&x, &call.output()?);
    Ok(Lowered::of_first(y, move |e, dy| e.summed_to(dy, &x.shape)))
}

/// As at inference: nothing is dropped.
pub(super) fn dropout(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    if call.node.output.iter().skip(1).any(|output| !output.is_empty()) {
        return Err(Refusal::new("its mask is read"));
    }
    super::arithmetic::identity(call, e)
}
