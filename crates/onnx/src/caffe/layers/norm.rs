//! Batch normalisation, Scale and Bias, local response normalisation.

use super::super::CaffeError;
use super::super::builder::{Blob, float};
use super::super::error::LayerProblem;
use super::super::fields::Fields;
use super::super::kind::Kind;
use super::super::net::Layer;
use super::{Shapes, Site, blobs};
use crate::pool::{int, ints};

/// `(x - mean) / √(variance + eps)` by channel, and the scale that follows it.
pub(super) fn batch<'m>(site: &mut Site<'_, 'm>, scale: Option<&'m Layer<'m>>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let (eps, frozen) = site.layer.parameters("batch_norm_param", |fields| {
        fields.ignore(&["moving_average_fraction"]);
        Ok((fields.number("eps", 1e-5)?, fields.flag("use_global_stats", true)?))
    })?;
    if !frozen {
        return site.unsupported("use_global_stats: false, the statistics of the batch at hand");
    }
    let Some(&channels) = bottom.shape.first() else {
        let (takes, shape) = ("a channel axis", vec![1]);
        return Err(site.fail(LayerProblem::Axes { takes, shape }));
    };
    let one: &[u64] = &[channels];
    let mut read = site.blobs(&[("mean", one), ("variance", one), ("scale factor", &[1])])?;
    // Both are sums over a moving window whose weight is the third blob.
    let factor = match read[2][0] {
        0.0 => 0.0,
        sum => 1.0 / sum,
    };
    for values in &mut read[..2] {
        values.iter_mut().for_each(|v| *v *= factor);
    }
    let (gamma, beta) = match scale {
        None => (vec![1.0; channels as usize], vec![0.0; channels as usize]),
        Some(layer) => {
            let settings = layer.parameters("scale_param", scale_settings)?;
            let wanted: [(&str, &[u64]); 2] = [("scale", one), ("bias", one)];
            let wanted = &wanted[..1 + usize::from(settings.bias)];
            let mut read = blobs(site.weights, layer, wanted)?.into_iter();
            let gamma = read.next().unwrap_or_default();
            (gamma, read.next().unwrap_or_else(|| vec![0.0; channels as usize]))
        }
    };
    let parts = [("scale", &gamma), ("bias", &beta), ("mean", &read[0]), ("variance", &read[1])];
    let constants = parts.map(|(name, values)| site.floats(name, one, values));
    let reads = [bottom.tensor].into_iter().chain(constants).collect();
    let attributes = vec![float("epsilon", eps)];
    site.builder.wide_node("BatchNormalization", reads, vec![top], attributes);
    Ok(vec![bottom.shape])
}

struct ScaleSettings {
    axis: i64,
    axes: i64,
    bias: bool,
}

fn scale_settings(fields: &mut Fields<'_, '_>) -> Result<ScaleSettings, CaffeError> {
    fields.ignore(&["filler", "bias_filler"]);
    Ok(ScaleSettings {
        axis: fields.int("axis")?.unwrap_or(1),
        axes: fields.int("num_axes")?.unwrap_or(1),
        bias: fields.flag("bias_term", false)?,
    })
}

/// Whether the layer scales channels and nothing else; mistakes are found later.
pub(super) fn is_per_channel(layer: &Layer<'_>) -> bool {
    let settings = layer.parameters("scale_param", scale_settings);
    settings.is_ok_and(|s| s.axis == 1 && s.axes == 1)
}

/// `x · scale + bias` along some axes, or `x + bias`. The factor is learned, or the
/// second bottom.
pub(super) fn scale(site: &mut Site<'_, '_>) -> Shapes {
    let multiplies = site.layer.kind == Kind::Scale;
    let name = if multiplies { "scale_param" } else { "bias_param" };
    let settings = site.layer.parameters(name, scale_settings)?;
    let top = site.one_top()?;
    let (bottom, by) = match site.bottoms.as_slice() {
        [bottom] => (bottom.clone(), None),
        [bottom, by] => (bottom.clone(), Some(by.clone())),
        others => {
            let found = others.len();
            return Err(site.fail(LayerProblem::Bottoms { takes: "one or two blobs", found }));
        }
    };
    if let Some(by) = by {
        if settings.bias {
            return site.unsupported("bias_term beside a second bottom");
        }
        let op = if multiplies { "Mul" } else { "Add" };
        return by_blob(site, &bottom, &by, settings.axis, op, &top);
    }
    let (shape, broadcast) = if settings.axes == 0 {
        (Vec::new(), Vec::new())
    } else {
        let first = site.axis(settings.axis, &bottom)?;
        let left = bottom.shape.len() - first;
        let axes = match usize::try_from(settings.axes) {
            Ok(axes) if axes <= left => axes,
            Err(_) if settings.axes == -1 => left,
            _ => {
                let axes = bottom.shape.len() + 1;
                let axis = settings.axis.saturating_add(settings.axes);
                return Err(site.fail(LayerProblem::Axis { axis, axes }));
            }
        };
        let shape = bottom.shape[first..first + axes].to_vec();
        let ones = std::iter::repeat_n(1, left - axes);
        let broadcast = shape.iter().copied().chain(ones).collect();
        (shape, broadcast)
    };
    let wanted: Vec<(&str, &[u64])> = match (multiplies, settings.bias) {
        (true, true) => vec![("scale", &shape), ("bias", &shape)],
        (true, false) => vec![("scale", &shape)],
        (false, _) => vec![("bias", &shape)],
    };
    let read = site.blobs(&wanted)?;
    let steps: Vec<_> = wanted.iter().map(|(part, _)| *part).zip(read).collect();
    let mut from = bottom.tensor;
    for (i, (part, values)) in steps.iter().enumerate() {
        let constant = site.floats(part, &broadcast, values);
        let op = if *part == "scale" { "Mul" } else { "Add" };
        let to = if i + 1 == steps.len() { top.clone() } else { site.inner("scaled") };
        site.builder.node(op, [&from, &constant], &to, Vec::new());
        from = to;
    }
    Ok(vec![bottom.shape])
}

/// As in squeeze-and-excitation: a factor for each photo and channel.
fn by_blob(
    site: &mut Site<'_, '_>,
    bottom: &Blob,
    by: &Blob,
    axis: i64,
    op: &str,
    top: &str,
) -> Shapes {
    if axis != 0 {
        return site.unsupported("a second bottom from an axis other than 0");
    }
    if !bottom.shape.starts_with(&by.shape) {
        let shapes = vec![bottom.shape.clone(), by.shape.clone()];
        return Err(site.fail(LayerProblem::Shapes { shapes }));
    }
    let mut factor = by.tensor.clone();
    let missing = bottom.shape.len() - by.shape.len();
    if missing > 0 {
        let lengths = [0].into_iter().chain(by.shape.iter().map(|&n| n as i64));
        let lengths: Vec<i64> = lengths.chain(std::iter::repeat_n(1, missing)).collect();
        let lengths = site.ints("factor.shape", &lengths);
        factor = site.inner("factor");
        site.builder.node("Reshape", [&by.tensor, &lengths], &factor, Vec::new());
    }
    site.builder.node(op, [&bottom.tensor, &factor], top, Vec::new());
    Ok(vec![bottom.shape.clone()])
}

/// Krizhevsky et al. 2012, section 3.3, over neighbouring channels, or over
/// neighbouring places of each channel.
pub(super) fn local_response(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    site.planes(&bottom)?;
    let (size, alpha, beta, k, region) = site.layer.parameters("lrn_param", |fields| {
        fields.ignore(&["engine"]);
        let size = fields.count("local_size")?.unwrap_or(5);
        let (alpha, beta) = (fields.number("alpha", 1.0)?, fields.number("beta", 0.75)?);
        let regions = &["ACROSS_CHANNELS", "WITHIN_CHANNEL"];
        let expected = "ACROSS_CHANNELS or WITHIN_CHANNEL";
        let region = fields.word("norm_region", regions, expected)?;
        Ok((size, alpha, beta, fields.number("k", 1.0)?, region))
    })?;
    if size % 2 == 0 {
        let rule = "must have an odd local_size";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    if region != Some("WITHIN_CHANNEL") {
        let attributes = vec![
            int("size", size as i64),
            float("alpha", alpha),
            float("beta", beta),
            float("bias", k),
        ];
        site.builder.node("LRN", [&bottom.tensor], &top, attributes);
        return Ok(vec![bottom.shape]);
    }
    // x / (1 + alpha · mean of the squares)^beta; Caffe does not read k here.
    let (size, around) = (size as i64, (size as i64 - 1) / 2);
    let names = ["squares", "means", "scaled", "shifted", "divisor"].map(|n| site.inner(n));
    let [squares, means, scaled, shifted, divisor] = &names;
    let x = &bottom.tensor;
    site.builder.node("Mul", [x, x], squares, Vec::new());
    let window = vec![
        ints("kernel_shape", &[size; 2]),
        ints("pads", &[around; 4]),
        int("count_include_pad", 1),
    ];
    site.builder.node("AveragePool", [squares], means, window);
    for (op, from, part, value, to) in [
        ("Mul", means, "alpha", alpha, scaled),
        ("Add", scaled, "one", 1.0, shifted),
        ("Pow", shifted, "beta", beta, divisor),
    ] {
        let constant = site.floats(part, &[1], &[value]);
        site.builder.node(op, [from, &constant], to, Vec::new());
    }
    site.builder.node("Div", [x, divisor], &top, Vec::new());
    Ok(vec![bottom.shape])
}
