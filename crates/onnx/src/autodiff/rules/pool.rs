//! Pools.

use super::gather::adding;
use super::window::window;
use crate::autodiff::emit::{Cut, Emitter, Tensor, Window};
use crate::autodiff::tape::{Call, Lowered, Refusal};
use crate::pool::{int, ints};

fn parts(call: &Call<'_>) -> Result<(Tensor, Vec<usize>, Window), Refusal> {
    let x = call.tensor(0)?;
    let output = call.output()?;
    let kernel = call.ints("kernel_shape").ok_or_else(|| Refusal::new("it has no kernel"))?;
    let kernel: Vec<usize> =
        kernel.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    if x.rank() < 3 || output.len() != x.rank() {
        return Err(Refusal::new("its input is not [N, channels, …]"));
    }
    let window = window(call, &kernel, &x.shape[2..], &output[2..])?;
    Ok((x, output, window))
}

fn ceil(call: &Call<'_>) -> i64 {
    call.int("ceil_mode").unwrap_or(0)
}

/// The places of the greatest values come from the pool itself, and what flows
/// back is added there: windows may overlap.
pub(super) fn max(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    if call.node.output.iter().skip(1).any(|output| !output.is_empty()) {
        return Err(Refusal::new("its indices are read"));
    }
    let (x, output, window) = parts(call)?;
    let mut attributes = window.attributes();
    attributes.push(int("ceil_mode", ceil(call)));
    let y = e.op("MaxPool", &[&x], attributes, output.clone());
    let places = e.second_output("MaxPool.indices", output);
    Ok(Lowered::of_first(y, move |e, dy| {
        let flat = e.zeros(&[x.count()]);
        let places = e.reshape(&places, &[places.count()]);
        let updates = e.reshape(dy, &[dy.count()]);
        let attributes = vec![int("axis", 0), adding()];
        let sums =
            e.op("ScatterElements", &[&flat, &places, &updates], attributes, flat.shape.clone());
        e.reshape(&sums, &x.shape)
    }))
}

pub(super) fn average(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (x, output, window) = parts(call)?;
    let counts_padding = call.int("count_include_pad").unwrap_or(0) != 0;
    let mut attributes = window.attributes();
    // Up to opset 18 an average pool had no dilations.
    attributes.retain(|a| a.name() != "dilations");
    if window.dilations.iter().any(|&dilation| dilation != 1) {
        return Err(Refusal::new("it has dilations"));
    }
    attributes.push(int("ceil_mode", ceil(call)));
    attributes.push(int("count_include_pad", i64::from(counts_padding)));
    let y = e.op("AveragePool", &[&x], attributes, output);
    Ok(Lowered::of_first(y, move |e, dy| {
        let dy = shares(e, dy, &x, &window, counts_padding);
        let channels = x.shape[1];
        let axes = window.axes();
        let kernel_shape = [&[channels, 1], window.kernel.as_slice()].concat();
        let ones = e.filled(&kernel_shape, 1.0);
        let whole = |values: &[usize]| values.iter().map(|&v| v as i64).collect::<Vec<_>>();
        let attributes = vec![
            ints("kernel_shape", &whole(&window.kernel)),
            ints("strides", &whole(&window.strides)),
            int("group", channels as i64),
        ];
        // All that the windows cover, then what of it is picture.
        let covered: Vec<usize> = (0..axes)
            .map(|i| (dy.shape[i + 2] - 1) * window.strides[i] + window.kernel[i])
            .collect();
        let shape = [&x.shape[..2], covered.as_slice()].concat();
        let spread = e.op("ConvTranspose", &[&dy, &ones], attributes, shape);
        let short: Vec<usize> = (0..axes)
            .map(|i| (window.before[i] + x.shape[i + 2]).saturating_sub(covered[i]))
            .collect();
        let spread = e.pad(&spread, &vec![0; axes + 2], &[&[0, 0], short.as_slice()].concat());
        let cuts: Vec<Cut> = (0..axes)
            .map(|i| Cut { axis: i + 2, start: window.before[i], length: x.shape[i + 2], step: 1 })
            .collect();
        e.slice(&spread, &cuts)
    }))
}

/// What each place of a window gets of its gradient.
fn shares(e: &mut Emitter, dy: &Tensor, x: &Tensor, window: &Window, padding: bool) -> Tensor {
    // How much of each window counts, axis by axis.
    let counts: Vec<Vec<usize>> = (0..window.axes())
        .map(|i| {
            let (before, side) = (window.before[i], x.shape[i + 2]);
            let (low, high) = match padding {
                true => (0, before + side + window.after[i]),
                false => (before, before + side),
            };
            (0..dy.shape[i + 2])
                .map(|at| {
                    let start = at * window.strides[i];
                    (start + window.kernel[i]).min(high).saturating_sub(start.max(low)).max(1)
                })
                .collect()
        })
        .collect();
    let even = counts.iter().all(|axis| axis.iter().all(|&count| count == axis[0]));
    if even {
        let count: usize = counts.iter().map(|axis| axis[0]).product();
        return e.scaled(dy, 1.0 / count as f64);
    }
    let products = counts.iter().fold(vec![1usize], |products, axis| {
        products.iter().flat_map(|&p| axis.iter().map(move |&count| p * count)).collect()
    });
    let shape = [&[1, 1], &dy.shape[2..]].concat();
    let shares = products.into_iter().map(|count| 1.0 / count as f64).collect();
    let shares = e.constant("shares", &shape, shares);
    e.mul(dy, &shares)
}

pub(super) fn global_average(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let y = e.op("GlobalAveragePool", &[&x], Vec::new(), call.output()?);
    let pixels: usize = x.shape[2..].iter().product();
    Ok(Lowered::of_first(y, move |e, dy| {
        let share = e.scaled(dy, 1.0 / pixels as f64);
        e.expand(&share, &x.shape)
    }))
}
