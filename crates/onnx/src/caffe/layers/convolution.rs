//! Convolution and its transpose.

use super::super::CaffeError;
use super::super::error::LayerProblem;
use super::super::fields::Fields;
use super::super::kind::Kind;
use super::super::net::Layer;
use super::{Shapes, Site};
use crate::pool::{int, ints};

/// Rows, then columns.
type Sides = [u64; 2];

struct Settings {
    outputs: u64,
    bias: bool,
    kernel: Sides,
    pad: Sides,
    stride: Sides,
    dilation: Sides,
    groups: u64,
    axis: i64,
}

pub(super) fn convert(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let [channels, rows, columns] = site.planes(&bottom)?;
    let s = site.layer.parameters("convolution_param", |fields| settings(site.layer, fields))?;
    if s.axis != 1 && s.axis != -3 {
        return site.unsupported("an axis that is not 1");
    }
    if s.outputs == 0 || s.groups == 0 || channels % s.groups != 0 || s.outputs % s.groups != 0 {
        let rule = "must have a group that divides its channels and its num_output";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    if s.kernel.contains(&0) || s.stride.contains(&0) || s.dilation.contains(&0) {
        let rule = "must have kernel, stride and dilation above 0";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    let input = [rows, columns];
    // All of these are at most 2^31: `Fields::count` and `LONGEST_AXIS`.
    let window: Sides = std::array::from_fn(|i| s.dilation[i] * (s.kernel[i] - 1) + 1);
    let transposed = site.layer.kind == Kind::Deconvolution;
    let sides: Option<Vec<u64>> = (0..2)
        .map(|i| match transposed {
            true => (s.stride[i] * (input[i] - 1) + window[i])
                .checked_sub(2 * s.pad[i])
                .filter(|n| *n > 0),
            false => Some((input[i] + 2 * s.pad[i]).checked_sub(window[i])? / s.stride[i] + 1),
        })
        .collect();
    let Some(&[out_rows, out_columns]) = sides.as_deref() else {
        let input = std::array::from_fn(|i| input[i] + 2 * s.pad[i]);
        return Err(site.fail(LayerProblem::Window { window, input }));
    };

    let [kernel_rows, kernel_columns] = s.kernel;
    let shape = match transposed {
        false => [s.outputs, channels / s.groups, kernel_rows, kernel_columns],
        true => [channels, s.outputs / s.groups, kernel_rows, kernel_columns],
    };
    let bias_shape = [s.outputs];
    let wanted: [(&str, &[u64]); 2] = [("weight", &shape), ("bias", &bias_shape)];
    let blobs = site.blobs(&wanted[..1 + usize::from(s.bias)])?;
    let mut inputs = vec![bottom.tensor];
    inputs.push(site.floats("weight", &shape, &blobs[0]));
    if let Some(bias) = blobs.get(1) {
        inputs.push(site.floats("bias", &bias_shape, bias));
    }
    let pair = |[a, b]: Sides| [a as i64, b as i64];
    let [top_pad, left_pad] = pair(s.pad);
    let attributes = vec![
        ints("kernel_shape", &pair(s.kernel)),
        ints("pads", &[top_pad, left_pad, top_pad, left_pad]),
        ints("strides", &pair(s.stride)),
        ints("dilations", &pair(s.dilation)),
        int("group", s.groups as i64),
    ];
    let op = if transposed { "ConvTranspose" } else { "Conv" };
    site.builder.wide_node(op, inputs, vec![top], attributes);
    Ok(vec![vec![s.outputs, out_rows, out_columns]])
}

fn settings(layer: &Layer<'_>, fields: &mut Fields<'_, '_>) -> Result<Settings, CaffeError> {
    fields.ignore(&["weight_filler", "bias_filler", "engine", "force_nd_im2col"]);
    let missing = |field| layer.fail(LayerProblem::Missing { field });
    let kernel = sides(layer, fields, "kernel_size", Some(("kernel_h", "kernel_w")))?;
    Ok(Settings {
        outputs: fields.count("num_output")?.ok_or_else(|| missing("num_output"))?,
        bias: fields.flag("bias_term", true)?,
        kernel: kernel.ok_or_else(|| missing("kernel_size"))?,
        pad: sides(layer, fields, "pad", Some(("pad_h", "pad_w")))?.unwrap_or([0; 2]),
        stride: sides(layer, fields, "stride", Some(("stride_h", "stride_w")))?.unwrap_or([1; 2]),
        dilation: sides(layer, fields, "dilation", None)?.unwrap_or([1; 2]),
        groups: fields.count("group")?.unwrap_or(1),
        axis: fields.int("axis")?.unwrap_or(1),
    })
}

/// A length for both axes, one for each, or one by a name of its own for each.
pub(super) fn sides(
    layer: &Layer<'_>,
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    of_axis: Option<(&'static str, &'static str)>,
) -> Result<Option<Sides>, CaffeError> {
    let (rows, columns) = match of_axis {
        Some((rows, columns)) => (fields.count(rows)?, fields.count(columns)?),
        None => (None, None),
    };
    match (fields.counts(name)?.as_slice(), rows, columns) {
        ([], None, None) => Ok(None),
        (&[both], None, None) => Ok(Some([both; 2])),
        (&[rows, columns], None, None) => Ok(Some([rows, columns])),
        ([], rows, columns) => match (rows, columns) {
            (Some(rows), Some(columns)) => Ok(Some([rows, columns])),
            // The pad of one axis may be left at its default, 0; of what must be
            // above 0, that is refused later.
            (rows, columns) => Ok(Some([rows.unwrap_or(0), columns.unwrap_or(0)])),
        },
        _ => {
            let rule = "must state one length for both axes, or one for each";
            Err(layer.fail(LayerProblem::Setting { rule }))
        }
    }
}
