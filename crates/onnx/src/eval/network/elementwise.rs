//! Operators that compute value by value.

use crate::eval::Evaluation;
use crate::eval::converted;
use crate::eval::layout::{broadcast, stretched};
use crate::eval::value::{Data, Value};
use crate::tensor::ElementType;

pub(super) fn unary(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let compute: Box<dyn Fn(f64) -> f64> = match of.node.op_type() {
        "Relu" => Box::new(|v| v.max(0.0)),
        "LeakyRelu" => {
            let alpha = of.float("alpha", 0.01);
            Box::new(move |v| if v < 0.0 { alpha * v } else { v })
        }
        "Elu" => {
            let alpha = of.float("alpha", 1.0);
            Box::new(move |v| if v < 0.0 { alpha * v.exp_m1() } else { v })
        }
        "Selu" => {
            let alpha = of.float("alpha", 1.673_263_192_176_818_8);
            let gamma = of.float("gamma", 1.050_701_022_148_132_3);
            Box::new(move |v| gamma * if v < 0.0 { alpha * v.exp_m1() } else { v })
        }
        "Sigmoid" => Box::new(sigmoid),
        "HardSigmoid" => {
            let (alpha, beta) = (of.float("alpha", 0.2), of.float("beta", 0.5));
            Box::new(move |v| (alpha * v + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => Box::new(|v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Tanh" => Box::new(f64::tanh),
        "Erf" => Box::new(erf),
        "Softplus" => Box::new(|v| v.max(0.0) + (-v.abs()).exp().ln_1p()),
        "Gelu" => match of.text("approximate", "none") {
            "none" => Box::new(|v| v * 0.5 * (1.0 + erf(v * std::f64::consts::FRAC_1_SQRT_2))),
            "tanh" => Box::new(|v| {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v.powi(3));
                0.5 * v * (1.0 + inner.tanh())
            }),
            _ => return None,
        },
        "Log" => Box::new(f64::ln),
        "Sign" => Box::new(|v| if v == 0.0 { 0.0 } else { v.signum() }),
        _ => return None,
    };
    Value::of_reals(x.element, x.dims.clone(), x.in_reals()?.iter().map(|&v| compute(v)).collect())
}

fn sigmoid(v: f64) -> f64 {
    // Neither form overflows on its side.
    if v < 0.0 { v.exp() / (1.0 + v.exp()) } else { 1.0 / (1.0 + (-v).exp()) }
}

/// By the series erf x = 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!! (Abramowitz and Stegun
/// 7.1.6), whose terms have one sign, so that nothing cancels.
fn erf(x: f64) -> f64 {
    // From here on 1 to the last bit.
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > sum.abs() * f64::EPSILON / 4.0 {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

pub(super) fn prelu(of: &Evaluation<'_>) -> Option<Value> {
    let (x, slope) = (of.input(0)?, of.input(1)?);
    let slopes = slope.reals()?;
    // Before opset 7 the slope's one axis was the channels'.
    let dims = match (&slope.dims[..], of.opset) {
        ([channels], ..7) if x.dims.len() > 1 => {
            [&[*channels], &vec![1; x.dims.len() - 2][..]].concat()
        }
        (dims, _) => dims.to_vec(),
    };
    if broadcast(&x.dims, &dims)? != x.dims {
        return None;
    }
    let values = x.reals()?.iter().zip(stretched(&dims, &x.dims));
    let values = values.map(|(&v, at)| if v < 0.0 { v * slopes[at] } else { v }).collect();
    Some(Value::real_of(x.element, x.dims.clone(), values))
}

pub(super) fn clip(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let bound = |name, input| match of.input(input) {
        Some(value) => value.in_reals().filter(|b| b.len() == 1).map(|b| Some(b[0])),
        None => Some(of.stated_float(name)),
    };
    let (least, most) = (bound("min", 1)?, bound("max", 2)?);
    let clipped = |v: f64| {
        let v = least.map_or(v, |least| v.max(least));
        most.map_or(v, |most| v.min(most))
    };
    Value::of_reals(x.element, x.dims.clone(), x.in_reals()?.iter().map(|&v| clipped(v)).collect())
}

/// Any number of operands, stretched to each other.
pub(super) fn variadic(of: &Evaluation<'_>) -> Option<Value> {
    let parts: Vec<&Value> = of.inputs.iter().copied().collect::<Option<_>>()?;
    let first = *parts.first()?;
    if parts.iter().any(|part| part.element != first.element) {
        return None;
    }
    let dims = parts.iter().try_fold(Vec::new(), |dims, part| broadcast(&dims, &part.dims))?;
    let step: fn(f64, f64) -> f64 = match of.node.op_type() {
        "Sum" | "Mean" => |a, b| a + b,
        "Max" => f64::max,
        "Min" => f64::min,
        _ => return None,
    };
    let spread = |part: &Value| -> Option<Vec<f64>> {
        let values = part.in_reals()?;
        Some(stretched(&part.dims, &dims).into_iter().map(|at| values[at]).collect())
    };
    let mut result = spread(first)?;
    for part in &parts[1..] {
        result.iter_mut().zip(spread(part)?).for_each(|(a, b)| *a = step(*a, b));
    }
    if of.node.op_type() == "Mean" {
        result.iter_mut().for_each(|sum| *sum /= parts.len() as f64);
    }
    Value::of_reals(first.element, dims, result)
}

/// Arithmetic on two operands in the forms that folding leaves alone: other types
/// of exponent, and opset 6 and before, where the second operand is stretched from
/// an axis of choice.
pub(super) fn binary(of: &Evaluation<'_>) -> Option<Value> {
    let [Some(a), Some(b)] = of.inputs[..] else { return None };
    let compute: fn(f64, f64) -> f64 = match of.node.op_type() {
        "Add" => |x, y| x + y,
        "Sub" => |x, y| x - y,
        "Mul" => |x, y| x * y,
        "Div" => |x, y| x / y,
        "Pow" => f64::powf,
        _ => return None,
    };
    let b_dims = second_dims(of, a, b)?;
    let dims = broadcast(&a.dims, &b_dims)?;
    let (x, y) = (a.in_reals()?, b.in_reals()?);
    let pairs = stretched(&a.dims, &dims).into_iter().zip(stretched(&b_dims, &dims));
    let values = pairs.map(|(i, j)| compute(x[i], y[j]));
    // Whole powers and quotients are cut off.
    let cut = |v: f64| if a.element.is_float() { v } else { v.trunc() };
    Value::of_reals(a.element, dims, values.map(cut).collect())
}

fn second_dims(of: &Evaluation<'_>, a: &Value, b: &Value) -> Option<Vec<usize>> {
    if of.opset >= 7 || of.int("broadcast") != Some(1) {
        return Some(b.dims.clone());
    }
    let last = a.dims.len().checked_sub(b.dims.len())?;
    let axis = of.int("axis").map_or(Some(last), |axis| usize::try_from(axis).ok())?;
    let behind = last.checked_sub(axis)?;
    Some([&b.dims[..], &vec![1; behind]].concat())
}

pub(super) fn compare(of: &Evaluation<'_>) -> Option<Value> {
    let [Some(a), Some(b)] = of.inputs[..] else { return None };
    let b_dims = second_dims(of, a, b)?;
    let dims = broadcast(&a.dims, &b_dims)?;
    let pairs = stretched(&a.dims, &dims).into_iter().zip(stretched(&b_dims, &dims));
    let truths = match (&a.data, &b.data) {
        (Data::Real(x), Data::Real(y)) => {
            let test: fn(f64, f64) -> bool = match of.node.op_type() {
                "Less" => |x, y| x < y,
                "LessOrEqual" => |x, y| x <= y,
                "Greater" => |x, y| x > y,
                "GreaterOrEqual" => |x, y| x >= y,
                _ => return None,
            };
            pairs.map(|(i, j)| i64::from(test(x[i], y[j]))).collect()
        }
        (Data::Whole(x), Data::Whole(y)) => {
            let test: fn(i64, i64) -> bool = match of.node.op_type() {
                "Less" => |x, y| x < y,
                "LessOrEqual" => |x, y| x <= y,
                "Greater" => |x, y| x > y,
                "GreaterOrEqual" => |x, y| x >= y,
                "And" => |x, y| x != 0 && y != 0,
                "Or" => |x, y| x != 0 || y != 0,
                "Xor" => |x, y| (x != 0) != (y != 0),
                _ => return None,
            };
            pairs.map(|(i, j)| i64::from(test(x[i], y[j]))).collect()
        }
        _ => return None,
    };
    Some(Value::whole_of(ElementType::Bool, dims, truths))
}

pub(super) fn not(of: &Evaluation<'_>) -> Option<Value> {
    let x = of.input(0)?;
    let truths = x.whole()?.iter().map(|&v| i64::from(v == 0)).collect();
    Some(Value::whole_of(ElementType::Bool, x.dims.clone(), truths))
}

pub(super) fn cast(of: &Evaluation<'_>) -> Option<Value> {
    let to = match of.node.op_type() {
        "CastLike" => of.input(1)?.element,
        _ => ElementType::from_code(i32::try_from(of.int("to")?).ok()?)?,
    };
    let x = of.input(0)?;
    if let Some(value) = converted(x, to) {
        return Some(value);
    }
    let values = x.reals()?.iter();
    let values = match to {
        ElementType::Bool => values.map(|&v| i64::from(v != 0.0)).collect(),
        ElementType::I64 => values.map(|&v| v as i64).collect(),
        _ => return None,
    };
    Some(Value::whole_of(to, x.dims.clone(), values))
}

/// As at inference, or with nothing to drop.
pub(super) fn dropout(of: &Evaluation<'_>) -> Option<Vec<Value>> {
    let x = of.input(0)?;
    let trains = match of.opset {
        ..7 => of.int("is_test") != Some(1),
        7..12 => false,
        _ => of.input(2).and_then(Value::whole).is_some_and(|flag| flag == [1]),
    };
    let ratio = of.input(1).and_then(Value::reals).map_or(0.5, |ratio| ratio[0]);
    if trains && ratio != 0.0 {
        return None;
    }
    let mask = match of.opset {
        ..10 => Value::real_of(x.element, x.dims.clone(), vec![1.0; x.len()]),
        _ => Value::whole_of(ElementType::Bool, x.dims.clone(), vec![1; x.len()]),
    };
    Some(vec![x.clone(), mask])
}
