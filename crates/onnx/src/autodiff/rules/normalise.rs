//! Normalisations.

use crate::autodiff::emit::{Cut, Emitter, Tensor};
use crate::autodiff::step::Statistics;
use crate::autodiff::tape::{Call, Lowered, Refusal, axis};
use crate::pool::node_float;

/// Parameters of one number a channel.
struct BatchNorm {
    x: Tensor,
    scale: Tensor,
    wants: [bool; 3],
}

pub(super) fn batch_norm(
    call: &Call<'_>,
    e: &mut Emitter,
    statistics: Statistics,
) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let [scale, bias, mean, variance] =
        [call.tensor(1)?, call.tensor(2)?, call.tensor(3)?, call.tensor(4)?];
    if x.rank() < 2 || call.int("spatial") == Some(0) {
        return Err(Refusal::new("it does not normalise channels"));
    }
    if call.node.output.iter().skip(1).any(|output| !output.is_empty()) {
        return Err(Refusal::new("its statistics are read"));
    }
    let epsilon = call.float("epsilon").unwrap_or(1e-5);
    let norm = BatchNorm { x, scale, wants: [call.wants(0), call.wants(1), call.wants(2)] };
    match statistics {
        Statistics::Frozen => Ok(norm.frozen(e, &bias, &mean, &variance, epsilon)),
        Statistics::Batch { momentum } => {
            Ok(norm.of_batch(e, &bias, &mean, &variance, epsilon, f64::from(momentum)))
        }
    }
}

impl BatchNorm {
    /// All axes but that of the channels.
    fn axes(&self) -> Vec<usize> {
        (0..self.x.rank()).filter(|&axis| axis != 1).collect()
    }

    /// One number a channel in the shape that stretches to the input's.
    fn column(&self, e: &mut Emitter, row: &Tensor) -> Tensor {
        let mut shape = vec![1; self.x.rank()];
        shape[1] = self.x.shape[1];
        e.reshape(row, &shape)
    }

    fn node(&self, e: &mut Emitter, rest: [&Tensor; 4], epsilon: f64) -> Tensor {
        let [scale, bias, mean, variance] = rest;
        let inputs = [&self.x, scale, bias, mean, variance];
        let attributes = vec![node_float("epsilon", epsilon)];
        e.op("BatchNormalization", &inputs, attributes, self.x.shape.clone())
    }

    fn frozen(
        self,
        e: &mut Emitter,
        bias: &Tensor,
        mean: &Tensor,
        variance: &Tensor,
        epsilon: f64,
    ) -> Lowered {
        let y = self.node(e, [&self.scale, bias, mean, variance], epsilon);
        let (mean, variance) = (mean.clone(), variance.clone());
        Lowered::new(y, move |e, dy| {
            let mut gradients = Vec::new();
            let shifted = e.shifted(&variance, epsilon);
            let deviation = e.unary("Sqrt", &shifted);
            if self.wants[0] {
                let slope = e.div(&self.scale, &deviation);
                let slope = self.column(e, &slope);
                gradients.push((0, e.mul(dy, &slope)));
            }
            let channels = [self.x.shape[1]];
            if self.wants[1] {
                let mean = self.column(e, &mean);
                let centred = e.sub(&self.x, &mean);
                let product = e.mul(dy, &centred);
                let sum = e.reduce("ReduceSum", &product, &self.axes());
                let sum = e.reshape(&sum, &channels);
                gradients.push((1, e.div(&sum, &deviation)));
            }
            if self.wants[2] {
                let sum = e.reduce("ReduceSum", dy, &self.axes());
                gradients.push((2, e.reshape(&sum, &channels)));
            }
            gradients
        })
    }

    /// Ioffe and Szegedy 2015. The running variance is the unbiased one, as in
    /// PyTorch; `momentum` is the share of the new batch.
    fn of_batch(
        self,
        e: &mut Emitter,
        bias: &Tensor,
        running_mean: &Tensor,
        running_variance: &Tensor,
        epsilon: f64,
        momentum: f64,
    ) -> Lowered {
        let axes = self.axes();
        let channels = [self.x.shape[1]];
        let many = (self.x.count() / self.x.shape[1]) as f64;
        let mean_column = e.reduce("ReduceMean", &self.x, &axes);
        let mean = e.reshape(&mean_column, &channels);
        let centred = e.sub(&self.x, &mean_column);
        let squares = e.mul(&centred, &centred);
        let variance = e.reduce("ReduceMean", &squares, &axes);
        let variance = e.reshape(&variance, &channels);
        let y = self.node(e, [&self.scale, bias, &mean, &variance], epsilon);

        let mut moved = |running: &Tensor, new: &Tensor, factor: f64| {
            let old = e.scaled(running, 1.0 - momentum);
            let new = e.scaled(new, momentum * factor);
            e.add(&old, &new)
        };
        let unbiased = if many > 1.0 { many / (many - 1.0) } else { 1.0 };
        let statistics = vec![
            (3, moved(running_mean, &mean, 1.0)),
            (4, moved(running_variance, &variance, unbiased)),
        ];

        let lowered = Lowered::new(y, move |e, dy| {
            let mut gradients = Vec::new();
            let shifted = e.shifted(&variance, epsilon);
            let deviation = e.unary("Sqrt", &shifted);
            let product = e.mul(dy, &centred);
            let along = e.reduce("ReduceSum", &product, &axes);
            let along = e.reshape(&along, &channels);
            // Σ dy · x̂
            let along = e.div(&along, &deviation);
            let sum = e.reduce("ReduceSum", dy, &axes);
            let sum = e.reshape(&sum, &channels);
            if self.wants[0] {
                // scale/σ · (dy - Σdy/m - x̂ · Σ(dy·x̂)/m)
                let slope = e.div(&self.scale, &deviation);
                let slope = self.column(e, &slope);
                let mean_sum = e.scaled(&sum, 1.0 / many);
                let mean_sum = self.column(e, &mean_sum);
                let share = e.div(&along, &deviation);
                let share = e.scaled(&share, 1.0 / many);
                let share = self.column(e, &share);
                let tilt = e.mul(&centred, &share);
                let dx = e.sub(dy, &tilt);
                let dx = e.sub(&dx, &mean_sum);
                gradients.push((0, e.mul(&dx, &slope)));
            }
            if self.wants[1] {
                gradients.push((1, along));
            }
            if self.wants[2] {
                gradients.push((2, sum));
            }
            gradients
        });
        Lowered { statistics, ..lowered }
    }
}

/// Across channels: y = x · (bias + α/size · Σ x²)^-β (Krizhevsky et al. 2012).
pub(super) fn lrn(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let size = usize::try_from(call.int("size").unwrap_or(0)).unwrap_or(0);
    if size == 0 || x.rank() < 2 || size > 1 << 10 {
        return Err(Refusal::new("its size is not a number of channels"));
    }
    let alpha = call.float("alpha").unwrap_or(1e-4);
    let beta = call.float("beta").unwrap_or(0.75);
    let bias = call.float("bias").unwrap_or(1.0);
    // An even window reaches one channel further to the end.
    let (before, after) = ((size - 1) / 2, size / 2);
    let share = alpha / size as f64;
    let squares = e.mul(&x, &x);
    let sums = across(e, &squares, before, after);
    let scaled = e.scaled(&sums, share);
    let base = e.shifted(&scaled, bias);
    let power = e.scalar(-beta);
    let factor = e.binary("Pow", &base, &power);
    let y = e.mul(&x, &factor);
    Ok(Lowered::of_first(y, move |e, dy| {
        // dy·f - 2αβ/size · x · Σ' (dy · x · f / base), the window turned round.
        let direct = e.mul(dy, &factor);
        let product = e.mul(&direct, &x);
        let ratio = e.div(&product, &base);
        let sums = across(e, &ratio, after, before);
        let cross = e.mul(&x, &sums);
        let cross = e.scaled(&cross, 2.0 * share * beta);
        e.sub(&direct, &cross)
    }))
}

/// Sums over neighbouring channels.
fn across(e: &mut Emitter, x: &Tensor, before: usize, after: usize) -> Tensor {
    let channels = x.shape[1];
    let around = |width: usize| {
        let mut widths = vec![0; x.rank()];
        widths[1] = width;
        widths
    };
    let padded = e.pad(x, &around(before), &around(after));
    let window: Vec<Tensor> = (0..=before + after)
        .map(|start| e.slice(&padded, &[Cut { axis: 1, start, length: channels, step: 1 }]))
        .collect();
    let inputs: Vec<&Tensor> = window.iter().collect();
    e.op("Sum", &inputs, Vec::new(), x.shape.clone())
}

/// Over the last axes (Ba et al. 2016).
pub(super) fn layer_norm(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (x, scale) = (call.tensor(0)?, call.tensor(1)?);
    let bias = call.optional(2).map(|operand| operand.tensor.clone());
    if call.node.output.iter().skip(1).any(|output| !output.is_empty()) {
        return Err(Refusal::new("its statistics are read"));
    }
    let first = axis(call.int("axis").unwrap_or(-1), x.rank())?;
    let axes: Vec<usize> = (first..x.rank()).collect();
    let epsilon = call.float("epsilon").unwrap_or(1e-5);
    let mean = e.reduce("ReduceMean", &x, &axes);
    let centred = e.sub(&x, &mean);
    let squares = e.mul(&centred, &centred);
    let variance = e.reduce("ReduceMean", &squares, &axes);
    let shifted = e.shifted(&variance, epsilon);
    let deviation = e.unary("Sqrt", &shifted);
    let normal = e.div(&centred, &deviation);
    let scaled = e.mul(&normal, &scale);
    let y = match &bias {
        None => scaled,
        Some(bias) => e.add(&scaled, bias),
    };
    let wants: Vec<bool> = (0..3).map(|i| call.wants(i)).collect();
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        if wants[0] {
            let inner = e.mul(dy, &scale);
            let mean = e.reduce("ReduceMean", &inner, &axes);
            let product = e.mul(&inner, &normal);
            let along = e.reduce("ReduceMean", &product, &axes);
            let tilt = e.mul(&normal, &along);
            let dx = e.sub(&inner, &mean);
            let dx = e.sub(&dx, &tilt);
            gradients.push((0, e.div(&dx, &deviation)));
        }
        if wants[1] {
            let product = e.mul(dy, &normal);
            gradients.push((1, e.summed_to(&product, &scale.shape)));
        }
        if let (true, Some(bias)) = (wants[2], &bias) {
            gradients.push((2, e.summed_to(dy, &bias.shape)));
        }
        gradients
    }))
}
