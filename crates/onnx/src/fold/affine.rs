//! Nodes that multiply each channel by a number and add another.

use crate::eval::floats;
use crate::nodes::{attribute, is_default_domain};
use crate::proto::{NodeProto, TensorProto};

/// The epsilon of a batch normalisation that states none.
const EPSILON: f32 = 1e-5;

/// `x·factor + shift`, channel by channel.
pub(super) struct Affine {
    pub(super) factor: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

pub(super) fn is_batch_norm(node: &NodeProto) -> bool {
    node.op_type() == "BatchNormalization" && is_default_domain(node.domain())
}

impl Affine {
    /// With `s = scale / √(variance + ε)`, the factor is `s` and the shift
    /// `shift − mean·s`.
    pub(super) fn of_batch_norm<'a>(
        norm: &NodeProto,
        is_read: impl Fn(&str) -> bool,
        find: impl Fn(&str) -> Option<&'a TensorProto>,
    ) -> Option<Affine> {
        let int = |name, default| attribute(norm, name).map_or(default, |a| a.i());
        let [_, scale, shift, mean, variance] = &norm.input[..] else { return None };
        // Old forms have outputs for training; without spatial there is a scale a pixel.
        if norm.output.iter().skip(1).any(|name| is_read(name))
            || int("spatial", 1) == 0
            || int("training_mode", 0) != 0
        {
            return None;
        }
        let channels = floats(find(scale)?)?.len();
        let row = |name: &String| floats(find(name)?).filter(|values| values.len() == channels);
        let (scale, shift, mean, variance) = (row(scale)?, row(shift)?, row(mean)?, row(variance)?);
        let epsilon = attribute(norm, "epsilon").map_or(EPSILON, |a| a.f());
        let factor: Vec<f64> = scale
            .iter()
            .zip(&variance)
            .map(|(&s, &v)| f64::from(s) / (f64::from(v) + f64::from(epsilon)).sqrt())
            .collect();
        let shift = (0..channels).map(|c| f64::from(shift[c]) - f64::from(mean[c]) * factor[c]);
        Some(Affine { shift: shift.collect(), factor })
    }

    /// Of `Mul`, `Div`, `Add` or `Sub` with a constant that has one number a
    /// channel of a tensor of `rank` axes, or one for all. From opset 7 on: before,
    /// operands were not broadcast as NumPy does.
    pub(super) fn of_arithmetic<'a>(
        node: &NodeProto,
        data: &str,
        channels: usize,
        rank: usize,
        find: impl Fn(&str) -> Option<&'a TensorProto>,
    ) -> Option<Affine> {
        let [left, right] = &node.input[..] else { return None };
        let other = match node.op_type() {
            "Mul" | "Add" if right == data => left,
            "Mul" | "Add" | "Sub" | "Div" if left == data => right,
            _ => return None,
        };
        let values = a_channel(find(other)?, channels, rank)?;
        let ones = || vec![1.0; channels];
        let zeros = || vec![0.0; channels];
        Some(match node.op_type() {
            "Mul" => Affine { factor: values, shift: zeros() },
            "Div" => {
                Affine { factor: values.iter().map(|value| 1.0 / value).collect(), shift: zeros() }
            }
            "Add" => Affine { factor: ones(), shift: values },
            _ => Affine { factor: ones(), shift: values.iter().map(|value| -value).collect() },
        })
    }
}

/// A constant that is stretched along every axis but the second.
fn a_channel(tensor: &TensorProto, channels: usize, rank: usize) -> Option<Vec<f64>> {
    if tensor.dims.len() > rank {
        return None;
    }
    let missing = rank - tensor.dims.len();
    let stretched = |at: usize, length: i64| length == 1 || at == 1 && length == channels as i64;
    if !tensor.dims.iter().enumerate().all(|(i, &length)| stretched(missing + i, length)) {
        return None;
    }
    let values = floats(tensor)?;
    match values[..] {
        [one] => Some(vec![f64::from(one); channels]),
        _ if values.len() == channels => Some(values.into_iter().map(f64::from).collect()),
        _ => None,
    }
}
