//! Activations. Masks are comparisons that are cast and multiplied: `Where` takes
//! more than twice as long in ONNX Runtime.

use crate::autodiff::emit::{Emitter, Tensor};
use crate::autodiff::tape::{Call, Lowered, Refusal};
use crate::pool::node_float as float;

pub(super) fn activation(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let op = call.node.op_type();
    if op == "Clip" {
        return clip(call, e, &x);
    }
    let alpha = |default| call.float("alpha").unwrap_or(default);
    Ok(match op {
        "Relu" => {
            let y = e.unary("Relu", &x);
            let kept = y.clone();
            Lowered::of_first(y, move |e, dy| {
                let mask = e.mask("Greater", &kept, 0.0);
                e.mul(dy, &mask)
            })
        }
        "LeakyRelu" => {
            let alpha = alpha(0.01);
            let y = e.op("LeakyRelu", &[&x], vec![float("alpha", alpha)], x.shape.clone());
            Lowered::of_first(y, move |e, dy| {
                let slope = two_slopes(e, &x, alpha);
                e.mul(dy, &slope)
            })
        }
        "Elu" => {
            let alpha = alpha(1.0);
            let y = e.op("Elu", &[&x], vec![float("alpha", alpha)], x.shape.clone());
            // Below zero the slope is α·eˣ, which is min(y, 0) + α.
            Lowered::of_first(y.clone(), move |e, dy| {
                let zero = e.scalar(0.0);
                let below = e.binary("Min", &y, &zero);
                let slope_below = e.shifted(&below, alpha);
                let mask = e.mask("Greater", &x, 0.0);
                let no_mask = e.mask("LessOrEqual", &x, 0.0);
                let slope_below = e.mul(&slope_below, &no_mask);
                let slope = e.add(&mask, &slope_below);
                e.mul(dy, &slope)
            })
        }
        "Sigmoid" => {
            let y = e.unary("Sigmoid", &x);
            let kept = y.clone();
            Lowered::of_first(y, move |e, dy| {
                let square = e.mul(&kept, &kept);
                let slope = e.sub(&kept, &square);
                e.mul(dy, &slope)
            })
        }
        "Tanh" => {
            let y = e.unary("Tanh", &x);
            let kept = y.clone();
            Lowered::of_first(y, move |e, dy| {
                let square = e.mul(&kept, &kept);
                let product = e.mul(dy, &square);
                e.sub(dy, &product)
            })
        }
        "Softplus" => {
            let y = e.unary("Softplus", &x);
            Lowered::of_first(y, move |e, dy| {
                let slope = e.unary("Sigmoid", &x);
                e.mul(dy, &slope)
            })
        }
        "HardSigmoid" => {
            let (alpha, beta) = (alpha(0.2), call.float("beta").unwrap_or(0.5));
            let attributes = vec![float("alpha", alpha), float("beta", beta)];
            let y = e.op("HardSigmoid", &[&x], attributes, x.shape.clone());
            let kept = y.clone();
            Lowered::of_first(y, move |e, dy| {
                let mask = between(e, &kept, 0.0, 1.0);
                let slope = e.scaled(&mask, alpha);
                e.mul(dy, &slope)
            })
        }
        // x · h(x) with h the hard sigmoid of slope 1/6.
        _ => {
            let attributes = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
            let gate = e.op("HardSigmoid", &[&x], attributes, x.shape.clone());
            let y = e.mul(&x, &gate);
            Lowered::of_first(y, move |e, dy| {
                let mask = between(e, &gate, 0.0, 1.0);
                let inside = e.mul(&x, &mask);
                let inside = e.scaled(&inside, 1.0 / 6.0);
                let slope = e.add(&gate, &inside);
                e.mul(dy, &slope)
            })
        }
    })
}

/// 1 above zero, else `below`.
fn two_slopes(e: &mut Emitter, x: &Tensor, below: f64) -> Tensor {
    let mask = e.mask("Greater", x, 0.0);
    let scaled = e.scaled(&mask, 1.0 - below);
    e.shifted(&scaled, below)
}

/// 1 strictly between two numbers.
fn between(e: &mut Emitter, x: &Tensor, low: f64, high: f64) -> Tensor {
    let (low, high) = (e.scalar(low), e.scalar(high));
    let above = e.truth("Greater", x, &low);
    let below = e.truth("Less", x, &high);
    let both = e.truth("And", &above, &below);
    e.cast(&both)
}

/// Bounds were attributes up to opset 10.
fn clip(call: &Call<'_>, e: &mut Emitter, x: &Tensor) -> Result<Lowered, Refusal> {
    let low = call.number("min", 1)?;
    let high = call.number("max", 2)?;
    // A bound of the largest float is none: exporters write it so.
    let low = low.filter(|&low| low > f64::from(f32::MIN));
    let high = high.filter(|&high| high < f64::from(f32::MAX));
    let mut inputs = vec![x.clone()];
    for bound in [low, high] {
        inputs.push(match bound {
            Some(bound) => e.scalar(bound),
            None => Emitter::named("", &[]),
        });
    }
    while inputs.last().is_some_and(|input| input.name.is_empty()) {
        inputs.pop();
    }
    let y = e.op("Clip", &inputs.iter().collect::<Vec<_>>(), Vec::new(), x.shape.clone());
    let kept = y.clone();
    Ok(Lowered::of_first(y, move |e, dy| match (low, high) {
        (None, None) => dy.clone(),
        (Some(low), None) => {
            let mask = e.mask("Greater", &kept, low);
            e.mul(dy, &mask)
        }
        (None, Some(high)) => {
            let mask = e.mask("Less", &kept, high);
            e.mul(dy, &mask)
        }
        (Some(low), Some(high)) => {
            let mask = between(e, &kept, low, high);
            e.mul(dy, &mask)
        }
    }))
}

pub(super) fn prelu(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (x, slope) = (call.tensor(0)?, call.tensor(1)?);
    let (wants_x, wants_slope) = (call.wants(0), call.wants(1));
    let y = e.op("PRelu", &[&x, &slope], Vec::new(), x.shape.clone());
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        let zero = e.scalar(0.0);
        if wants_x {
            let above = e.mask("Greater", &x, 0.0);
            let below = e.mask("LessOrEqual", &x, 0.0);
            let below = e.mul(&below, &slope);
            let factor = e.add(&above, &below);
            gradients.push((0, e.mul(dy, &factor)));
        }
        if wants_slope {
            let below = e.binary("Min", &x, &zero);
            let product = e.mul(dy, &below);
            gradients.push((1, e.summed_to(&product, &slope.shape)));
        }
        gradients
    }))
}
