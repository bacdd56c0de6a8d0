//! What works value by value, and softmax.

use super::super::builder::float;
use super::super::error::LayerProblem;
use super::super::kind::Kind;
use super::{Shapes, Site};
use crate::pool::int;

pub(super) fn convert(site: &mut Site<'_, '_>) -> Shapes {
    let (layer, kind) = (site.layer, site.layer.kind);
    let (bottom, top) = site.one_to_one()?;
    let x = bottom.tensor.as_str();
    let engine = |name| {
        layer.parameters(name, |fields| {
            fields.ignore(&["engine"]);
            Ok(())
        })
    };
    let simple = match kind {
        Kind::AbsVal => Some("Abs"),
        Kind::Bnll => Some("Softplus"),
        Kind::Sigmoid | Kind::SigmoidLoss => {
            engine("sigmoid_param")?;
            Some("Sigmoid")
        }
        Kind::Tanh => {
            engine("tanh_param")?;
            Some("Tanh")
        }
        _ => None,
    };
    if let Some(op) = simple {
        site.builder.node(op, [x], &top, Vec::new());
        return Ok(vec![bottom.shape]);
    }
    match kind {
        Kind::Relu => {
            let slope = layer.parameters("relu_param", |fields| {
                fields.ignore(&["engine"]);
                fields.number("negative_slope", 0.0)
            })?;
            if slope == 0.0 {
                site.builder.node("Relu", [x], &top, Vec::new());
            } else {
                site.builder.node("LeakyRelu", [x], &top, vec![float("alpha", slope)]);
            }
        }
        Kind::Elu => {
            let alpha = layer.parameters("elu_param", |fields| fields.number("alpha", 1.0))?;
            site.builder.node("Elu", [x], &top, vec![float("alpha", alpha)]);
        }
        Kind::Prelu => {
            let shared = layer.parameters("prelu_param", |fields| {
                fields.ignore(&["filler"]);
                fields.flag("channel_shared", false)
            })?;
            let Some((&channels, places)) = bottom.shape.split_first() else {
                let (takes, shape) = ("a channel axis", vec![1]);
                return Err(site.fail(LayerProblem::Axes { takes, shape }));
            };
            let count = if shared { 1 } else { channels };
            let slopes = site.blobs(&[("slope", &[count])])?;
            let dims: Vec<u64> =
                [count].into_iter().chain(std::iter::repeat_n(1, places.len())).collect();
            let slopes = site.floats("slope", &dims, &slopes[0]);
            site.builder.node("PRelu", [x, &slopes], &top, Vec::new());
        }
        Kind::Clip => {
            let (low, high) = layer.parameters("clip_param", |fields| {
                Ok((fields.numbers("min")?, fields.numbers("max")?))
            })?;
            let (&[low], &[high]) = (low.as_slice(), high.as_slice()) else {
                return Err(site.fail(LayerProblem::Missing { field: "min and max, once each" }));
            };
            let (low, high) = (site.floats("min", &[], &[low]), site.floats("max", &[], &[high]));
            site.builder.node("Clip", [x, &low, &high], &top, Vec::new());
        }
        Kind::Swish => {
            let beta = layer.parameters("swish_param", |fields| {
                fields.ignore(&["engine"]);
                fields.number("beta", 1.0)
            })?;
            let scaled = times(site, x, "beta", beta);
            let gate = site.inner("gate");
            site.builder.node("Sigmoid", [&scaled], &gate, Vec::new());
            site.builder.node("Mul", [x, &gate], &top, Vec::new());
        }
        Kind::Power => power(site, x, &top)?,
        Kind::Exp | Kind::Log => exponential(site, x, &top)?,
        // Everything else has a converter of its own, or is gone by now.
        _ => return Err(site.fail(LayerProblem::UnknownKind)),
    }
    Ok(vec![bottom.shape])
}

/// `(shift + scale · x)^power`
fn power(site: &mut Site<'_, '_>, x: &str, top: &str) -> Result<(), super::CaffeError> {
    let (power, scale, shift) = site.layer.parameters("power_param", |fields| {
        Ok((
            fields.number("power", 1.0)?,
            fields.number("scale", 1.0)?,
            fields.number("shift", 0.0)?,
        ))
    })?;
    let scaled = times(site, x, "scale", scale);
    let shifted = plus(site, &scaled, shift);
    if power == 1.0 {
        site.builder.node("Identity", [&shifted], top, Vec::new());
    } else {
        let power = site.floats("power", &[1], &[power]);
        site.builder.node("Pow", [&shifted, &power], top, Vec::new());
    }
    Ok(())
}

/// `base^(shift + scale · x)`, or `log_base(shift + scale · x)`.
fn exponential(site: &mut Site<'_, '_>, x: &str, top: &str) -> Result<(), super::CaffeError> {
    let exp = site.layer.kind == Kind::Exp;
    let name = if exp { "exp_param" } else { "log_param" };
    let (base, scale, shift) = site.layer.parameters(name, |fields| {
        Ok((
            fields.number("base", -1.0)?,
            fields.number("scale", 1.0)?,
            fields.number("shift", 0.0)?,
        ))
    })?;
    // -1 stands for e.
    let ln = match base {
        -1.0 => 1.0,
        base if base > 0.0 && base != 1.0 => base.ln(),
        _ => {
            let rule = "must have a base above 0 that is not 1, or -1 for e";
            return Err(site.fail(LayerProblem::Setting { rule }));
        }
    };
    let scaled = times(site, x, "scale", scale);
    let shifted = plus(site, &scaled, shift);
    if exp {
        let exponent = times(site, &shifted, "ln", ln);
        site.builder.node("Exp", [&exponent], top, Vec::new());
    } else if ln == 1.0 {
        site.builder.node("Log", [&shifted], top, Vec::new());
    } else {
        let natural = site.inner("natural");
        site.builder.node("Log", [&shifted], &natural, Vec::new());
        let ln = site.floats("ln", &[1], &[ln]);
        site.builder.node("Div", [&natural, &ln], top, Vec::new());
    }
    Ok(())
}

/// The name of `x · factor`.
fn times(site: &mut Site<'_, '_>, x: &str, part: &str, factor: f32) -> String {
    if factor == 1.0 {
        return x.to_owned();
    }
    let constant = site.floats(part, &[1], &[factor]);
    let product = site.inner("product");
    site.builder.node("Mul", [x, &constant], &product, Vec::new());
    product
}

/// The name of `x + shift`.
fn plus(site: &mut Site<'_, '_>, x: &str, shift: f32) -> String {
    if shift == 0.0 {
        return x.to_owned();
    }
    let constant = site.floats("shift", &[1], &[shift]);
    let sum = site.inner("sum");
    site.builder.node("Add", [x, &constant], &sum, Vec::new());
    sum
}

pub(super) fn softmax(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let axis = site.layer.parameters("softmax_param", |fields| {
        fields.ignore(&["engine"]);
        Ok(fields.int("axis")?.unwrap_or(1))
    })?;
    let axis = site.axis(axis, &bottom)?;
    let attributes = vec![int("axis", axis as i64 + 1)];
    site.builder.node("Softmax", [&bottom.tensor], &top, attributes);
    Ok(vec![bottom.shape])
}
