//! Convolutions. The formulations are those that ONNX Runtime computes fastest,
//! of several that are equal on paper.

use super::window::window;
use crate::autodiff::emit::{Cut, Emitter, Tensor, Window};
use crate::autodiff::tape::{Call, Lowered, Refusal};
use crate::pool::{int, ints};

struct Conv {
    window: Window,
    groups: usize,
    /// `[N, C, …]`
    x: Tensor,
    /// `[O, C / groups, …]`
    w: Tensor,
}

fn groups(call: &Call<'_>, channels: usize) -> Result<usize, Refusal> {
    let groups = usize::try_from(call.int("group").unwrap_or(1)).unwrap_or(0);
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(Refusal::new("its channels don't fall into its groups"));
    }
    Ok(groups)
}

pub(super) fn conv(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (x, w) = (call.tensor(0)?, call.tensor(1)?);
    let bias = call.optional(2).map(|operand| operand.tensor.clone());
    let output = call.output()?;
    if x.rank() < 3 || w.rank() != x.rank() || output.len() != x.rank() {
        return Err(Refusal::new("its input is not [N, channels, …]"));
    }
    let groups = groups(call, x.shape[1])?;
    if w.shape[1] * groups != x.shape[1] || !w.shape[0].is_multiple_of(groups) {
        return Err(Refusal::new("its weights don't fit its input"));
    }
    let window = window(call, &w.shape[2..], &x.shape[2..], &output[2..])?;
    let mut attributes = window.attributes();
    attributes.push(int("group", groups as i64));
    let inputs: Vec<&Tensor> = [Some(&x), Some(&w), bias.as_ref()].into_iter().flatten().collect();
    let y = e.op("Conv", &inputs, attributes, output);
    let wants: Vec<bool> = (0..3).map(|i| call.wants(i)).collect();
    Ok(Lowered::new(y, move |e, dy| {
        let conv = Conv { window, groups, x, w };
        let mut gradients = Vec::new();
        if wants[0] {
            gradients.push((0, conv.of_input(e, dy)));
        }
        if wants[1] {
            gradients.push((1, conv.of_weights(e, dy)));
        }
        if wants[2] {
            gradients.push((2, of_bias(e, dy)));
        }
        gradients
    }))
}

/// The sum over all axes but that of the channels.
fn of_bias(e: &mut Emitter, dy: &Tensor) -> Tensor {
    let axes: Vec<usize> = (0..dy.rank()).filter(|&axis| axis != 1).collect();
    let sums = e.reduce("ReduceSum", dy, &axes);
    e.reshape(&sums, &[dy.shape[1]])
}

impl Conv {
    fn of_input(&self, e: &mut Emitter, dy: &Tensor) -> Tensor {
        let window = &self.window;
        if self.groups == 1 && window.is_pointwise() && window.is_unit_stride() {
            let order: Vec<usize> = [1, 0].into_iter().chain(2..self.w.rank()).collect();
            let w = e.transpose(&self.w, &order);
            return e.op("Conv", &[dy, &w], Vec::new(), self.x.shape.clone());
        }
        self.transposed(e, dy)
    }

    fn transposed(&self, e: &mut Emitter, dy: &Tensor) -> Tensor {
        let window = &self.window;
        // What a stride leaves over at the end.
        let over: Vec<i64> = (0..window.axes())
            .map(|i| {
                let covered = (dy.shape[i + 2] - 1) * window.strides[i] + window.reach(i);
                let padded = self.x.shape[i + 2] + window.before[i] + window.after[i];
                padded as i64 - covered as i64
            })
            .collect();
        let mut attributes = window.attributes();
        attributes.push(int("group", self.groups as i64));
        attributes.push(ints("output_padding", &over));
        e.op("ConvTranspose", &[dy, &self.w], attributes, self.x.shape.clone())
    }

    fn of_weights(&self, e: &mut Emitter, dy: &Tensor) -> Tensor {
        let x = {
            let around = |widths: &[usize]| [&[0, 0], widths].concat();
            e.pad(&self.x, &around(&self.window.before), &around(&self.window.after))
        };
        if self.groups == self.x.shape[1] && self.groups == self.w.shape[0] {
            self.of_depthwise_weights(e, &x, dy)
        } else if self.groups == 1 {
            self.of_dense_weights(e, &x, dy)
        } else {
            self.of_grouped_weights(e, &x, dy)
        }
    }

    /// What one tap of the kernel saw: `[N, C, …]` with the sides of the output.
    fn seen(&self, e: &mut Emitter, x: &Tensor, tap: &[usize], dy: &Tensor) -> Tensor {
        let window = &self.window;
        let cuts: Vec<Cut> = (0..window.axes())
            .map(|i| Cut {
                axis: i + 2,
                start: tap[i] * window.dilations[i],
                length: dy.shape[i + 2],
                step: window.strides[i],
            })
            .collect();
        e.slice(x, &cuts)
    }

    /// One product of matrices a tap, over shifted views: no buffer that is as
    /// many times larger as the kernel has taps.
    fn of_dense_weights(&self, e: &mut Emitter, x: &Tensor, dy: &Tensor) -> Tensor {
        let (outputs, channels) = (self.w.shape[0], self.w.shape[1]);
        let pixels: usize = dy.shape[2..].iter().product();
        let batch = dy.shape[0];
        let swapped: Vec<usize> = [1, 0].into_iter().chain(2..dy.rank()).collect();
        // Either all pictures are one long row a channel, which moves both
        // tensors, or each gives a product and the products are summed.
        let one_product = outputs * channels > pixels * (outputs + channels) || batch == 1;
        let mut per_tap = Vec::new();
        if one_product {
            let rows = batch * pixels;
            let dy_rows = e.transpose(dy, &swapped);
            let dy_rows = e.reshape(&dy_rows, &[outputs, rows]);
            let moved = e.transpose(x, &swapped);
            for tap in taps(&self.window.kernel) {
                let seen = self.seen(e, &moved, &tap, dy);
                let seen = e.reshape(&seen, &[channels, rows]);
                let product = e.gemm(&dy_rows, false, &seen, true);
                per_tap.push(e.reshape(&product, &[outputs, channels, 1]));
            }
        } else {
            let dy_rows = e.reshape(dy, &[batch, outputs, pixels]);
            for tap in taps(&self.window.kernel) {
                let seen = self.seen(e, x, &tap, dy);
                let seen = e.reshape(&seen, &[batch, channels, pixels]);
                let seen = e.transpose(&seen, &[0, 2, 1]);
                let products = e.matmul(&dy_rows, &seen);
                let sum = e.reduce("ReduceSum", &products, &[0]);
                per_tap.push(e.reshape(&sum, &[outputs, channels, 1]));
            }
        }
        let joined = e.concat(&per_tap, 2);
        e.reshape(&joined, &self.w.shape)
    }

    fn of_depthwise_weights(&self, e: &mut Emitter, x: &Tensor, dy: &Tensor) -> Tensor {
        let channels = self.groups;
        let axes: Vec<usize> = (0..dy.rank()).filter(|&axis| axis != 1).collect();
        let mut per_tap = Vec::new();
        for tap in taps(&self.window.kernel) {
            let seen = self.seen(e, x, &tap, dy);
            let product = e.mul(dy, &seen);
            let sums = e.reduce("ReduceSum", &product, &axes);
            per_tap.push(e.reshape(&sums, &[channels, 1]));
        }
        let joined = e.concat(&per_tap, 1);
        e.reshape(&joined, &self.w.shape)
    }

    /// Groups are one more axis of the batch of products.
    fn of_grouped_weights(&self, e: &mut Emitter, x: &Tensor, dy: &Tensor) -> Tensor {
        let groups = self.groups;
        let (outputs, channels) = (self.w.shape[0] / groups, self.w.shape[1]);
        let pixels: usize = dy.shape[2..].iter().product();
        let batch = dy.shape[0];
        // [N, groups · c, P] → [groups, c, N · P]
        let rows = |e: &mut Emitter, tensor: &Tensor, each: usize| {
            let apart = e.reshape(tensor, &[batch, groups, each, pixels]);
            let moved = e.transpose(&apart, &[1, 2, 0, 3]);
            e.reshape(&moved, &[groups, each, batch * pixels])
        };
        let dy_rows = rows(e, dy, outputs);
        let mut per_tap = Vec::new();
        for tap in taps(&self.window.kernel) {
            let seen = self.seen(e, x, &tap, dy);
            let seen = rows(e, &seen, channels);
            let seen = e.transpose(&seen, &[0, 2, 1]);
            let product = e.matmul(&dy_rows, &seen);
            per_tap.push(e.reshape(&product, &[groups * outputs, channels, 1]));
        }
        let joined = e.concat(&per_tap, 2);
        e.reshape(&joined, &self.w.shape)
    }
}

/// All places of a kernel, in order.
fn taps(kernel: &[usize]) -> Vec<Vec<usize>> {
    kernel.iter().fold(vec![Vec::new()], |taps, &side| {
        let longer = |tap: &Vec<usize>| {
            let tap = tap.clone();
            (0..side).map(move |i| [tap.as_slice(), &[i]].concat())
        };
        taps.iter().flat_map(longer).collect()
    })
}

/// The gradient of a transposed convolution's input is a convolution; its
/// weights' gradient is that of the convolution it is the transpose of.
pub(super) fn transposed(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (x, w) = (call.tensor(0)?, call.tensor(1)?);
    let bias = call.optional(2).map(|operand| operand.tensor.clone());
    let output = call.output()?;
    if x.rank() < 3 || w.rank() != x.rank() || output.len() != x.rank() || w.shape[0] != x.shape[1]
    {
        return Err(Refusal::new("its weights don't fit its input"));
    }
    if call.text("auto_pad").is_some_and(|mode| mode != "NOTSET")
        || call.ints("output_shape").is_some()
    {
        return Err(Refusal::new("its padding is not stated in numbers"));
    }
    let groups = groups(call, x.shape[1])?;
    // As the convolution that takes the output to the input.
    let window = window(call, &w.shape[2..], &output[2..], &x.shape[2..])?;
    let mut attributes = window.attributes();
    attributes.push(int("group", groups as i64));
    if let Some(over) = call.ints("output_padding") {
        attributes.push(ints("output_padding", over));
    }
    let inputs: Vec<&Tensor> = [Some(&x), Some(&w), bias.as_ref()].into_iter().flatten().collect();
    let y = e.op("ConvTranspose", &inputs, attributes, output.clone());
    let wants: Vec<bool> = (0..3).map(|i| call.wants(i)).collect();
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        if wants[0] {
            let mut attributes = window.attributes();
            attributes.push(int("group", groups as i64));
            gradients.push((0, e.op("Conv", &[dy, &w], attributes, x.shape.clone())));
        }
        if wants[1] {
            let conv = Conv { window, groups, x: dy.clone(), w };
            gradients.push((1, conv.of_weights(e, &x)));
        }
        if wants[2] {
            gradients.push((2, of_bias(e, dy)));
        }
        gradients
    }))
}
