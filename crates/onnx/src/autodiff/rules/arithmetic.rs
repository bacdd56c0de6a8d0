//! Operators that compute value by value, their operands stretched to each other.

use crate::autodiff::emit::{Emitter, Tensor};
use crate::autodiff::tape::{Call, Lowered, Refusal};

pub(super) fn identity(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let y = e.unary("Identity", &x);
    Ok(Lowered::of_first(y, |_, dy| dy.clone()))
}

/// Before opset 7 the second operand was stretched from an axis of choice.
fn second(call: &Call<'_>, e: &mut Emitter) -> Result<Tensor, Refusal> {
    let (a, b) = (call.tensor(0)?, call.tensor(1)?);
    if call.opset >= 7 || call.int("broadcast") != Some(1) {
        return Ok(b);
    }
    let Some(axis) = call.int("axis") else { return Ok(b) };
    let axis = crate::autodiff::tape::axis(axis, a.rank())?;
    let behind = a.rank().saturating_sub(axis + b.rank());
    let shape = [b.shape.as_slice(), &vec![1; behind]].concat();
    Ok(e.reshape(&b, &shape))
}

pub(super) fn binary(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let op = call.node.op_type().to_owned();
    let (a, original) = (call.tensor(0)?, call.tensor(1)?);
    let b = second(call, e)?;
    let (wants_a, wants_b) = (call.wants(0), call.wants(1));
    let y = e.binary(&op, &a, &b);
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        if wants_a {
            let da = match op.as_str() {
                "Mul" => e.mul(dy, &b),
                "Div" => e.div(dy, &b),
                _ => dy.clone(),
            };
            gradients.push((0, e.summed_to(&da, &a.shape)));
        }
        if wants_b {
            let db = match op.as_str() {
                "Mul" => e.mul(dy, &a),
                "Sub" => {
                    // The sum first: it is smaller.
                    let sum = e.summed_to(dy, &b.shape);
                    e.unary("Neg", &sum)
                }
                "Div" => {
                    let square = e.mul(&b, &b);
                    let ratio = e.div(&a, &square);
                    let product = e.mul(dy, &ratio);
                    e.unary("Neg", &product)
                }
                _ => dy.clone(),
            };
            let db = e.summed_to(&db, &b.shape);
            gradients.push((1, e.reshape(&db, &original.shape)));
        }
        gradients
    }))
}

pub(super) fn sum(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let inputs: Vec<Tensor> =
        (0..call.inputs.len()).map(|i| call.tensor(i)).collect::<Result<_, _>>()?;
    let op = call.node.op_type();
    let share = if op == "Mean" { 1.0 / inputs.len() as f64 } else { 1.0 };
    let y = e.op(op, &inputs.iter().collect::<Vec<_>>(), Vec::new(), call.output()?);
    let wants: Vec<bool> = (0..inputs.len()).map(|i| call.wants(i)).collect();
    Ok(Lowered::new(y, move |e, dy| {
        let dy = e.scaled(dy, share);
        let wanted = inputs.iter().enumerate().filter(|&(i, _)| wants[i]);
        wanted.map(|(i, input)| (i, e.summed_to(&dy, &input.shape))).collect()
    }))
}

/// Of two operands. Where they are equal the gradient goes to the first.
pub(super) fn extreme(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let op = call.node.op_type();
    if call.inputs.len() != 2 {
        return Err(Refusal::new(format!("it takes {} operands, not two", call.inputs.len())));
    }
    let (a, b) = (call.tensor(0)?, call.tensor(1)?);
    let (wants_a, wants_b) = (call.wants(0), call.wants(1));
    let first = if op == "Max" { "GreaterOrEqual" } else { "LessOrEqual" };
    let other = if op == "Max" { "Less" } else { "Greater" };
    let y = e.binary(op, &a, &b);
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        for (i, wants, comparison) in [(0, wants_a, first), (1, wants_b, other)] {
            if wants {
                let mask = e.mask_of(comparison, &a, &b);
                let product = e.mul(dy, &mask);
                let shape = if i == 0 { &a.shape } else { &b.shape };
                gradients.push((i, e.summed_to(&product, shape)));
            }
        }
        gradients
    }))
}

/// With a constant exponent.
pub(super) fn pow(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (x, power) = (call.tensor(0)?, call.tensor(1)?);
    let Some(exponent) = call.number("exponent", 1)? else {
        return Err(Refusal::new("its exponent is missing"));
    };
    let y = e.binary("Pow", &x, &power);
    Ok(Lowered::of_first(y, move |e, dy| {
        let slope = if exponent == 2.0 {
            e.scaled(&x, 2.0)
        } else {
            let below = e.scalar(exponent - 1.0);
            let power = e.binary("Pow", &x, &below);
            e.scaled(&power, exponent)
        };
        e.mul(dy, &slope)
    }))
}

pub(super) fn unary(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let op = call.node.op_type().to_owned();
    let x = call.tensor(0)?;
    let y = e.unary(&op, &x);
    let kept = y.clone();
    Ok(Lowered::of_first(y, move |e, dy| {
        let y = &kept;
        match op.as_str() {
            "Neg" => e.unary("Neg", dy),
            "Abs" => {
                let sign = e.unary("Sign", &x);
                e.mul(dy, &sign)
            }
            "Sqrt" => {
                let half = e.scaled(dy, 0.5);
                e.div(&half, y)
            }
            "Exp" => e.mul(dy, y),
            "Log" => e.div(dy, &x),
            "Reciprocal" => {
                let square = e.mul(y, y);
                let product = e.mul(dy, &square);
                e.unary("Neg", &product)
            }
            // Erf: 2/√π · exp(-x²).
            _ => {
                let square = e.mul(&x, &x);
                let negative = e.unary("Neg", &square);
                let bell = e.unary("Exp", &negative);
                let slope = e.scaled(&bell, std::f64::consts::FRAC_2_SQRT_PI);
                e.mul(dy, &slope)
            }
        }
    }))
}
