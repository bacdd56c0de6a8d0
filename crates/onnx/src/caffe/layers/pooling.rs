//! Pooling, whose windows Caffe lays out in a way of its own.

use super::super::CaffeError;
use super::super::error::LayerProblem;
use super::convolution::sides;
use super::{Shapes, Site};
use crate::pool::{int, ints};
use crate::proto::AttributeProto;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Max,
    Average,
}

/// One axis of the windows.
#[derive(Clone, Copy)]
struct Side {
    kernel: u64,
    stride: u64,
    /// In front, and behind as far as it is stated.
    pad: u64,
    /// What the last window reaches beyond the input.
    beyond: u64,
    outputs: u64,
}

pub(super) fn convert(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let [channels, rows, columns] = site.planes(&bottom)?;
    let layer = site.layer;
    let (method, global, floor, kernel, pad, stride) =
        layer.parameters("pooling_param", |fields| {
            fields.ignore(&["engine"]);
            let methods = &["MAX", "AVE", "STOCHASTIC"];
            let method = fields.word("pool", methods, "MAX, AVE or STOCHASTIC")?.unwrap_or("MAX");
            let rounds = fields.word("round_mode", &["CEIL", "FLOOR"], "CEIL or FLOOR")?;
            // The same in NVIDIA's Caffe and in OpenCV's.
            let ceil = fields.flag("ceil_mode", true)?;
            let floor = rounds == Some("FLOOR") || !ceil;
            let global = fields.flag("global_pooling", false)?;
            let kernel = sides(layer, fields, "kernel_size", Some(("kernel_h", "kernel_w")))?;
            let pad = sides(layer, fields, "pad", Some(("pad_h", "pad_w")))?.unwrap_or([0; 2]);
            let stride = sides(layer, fields, "stride", Some(("stride_h", "stride_w")))?;
            Ok((method, global, floor, kernel, pad, stride.unwrap_or([1; 2])))
        })?;
    let method = match method {
        "MAX" => Method::Max,
        "AVE" => Method::Average,
        _ => return site.unsupported("stochastic pooling"),
    };
    if global {
        if kernel.is_some() || pad != [0; 2] || stride != [1; 2] {
            let rule = "must not state kernel, pad or stride beside global_pooling";
            return Err(site.fail(LayerProblem::Setting { rule }));
        }
        let op = match method {
            Method::Max => "GlobalMaxPool",
            Method::Average => "GlobalAveragePool",
        };
        site.builder.node(op, [&bottom.tensor], &top, Vec::new());
        return Ok(vec![vec![channels, 1, 1]]);
    }
    let Some(kernel) = kernel else {
        return Err(site.fail(LayerProblem::Missing { field: "kernel_size" }));
    };
    if kernel.contains(&0) || stride.contains(&0) || (0..2).any(|i| pad[i] >= kernel[i]) {
        let rule = "must have kernel and stride above 0, and a pad smaller than the kernel";
        return Err(site.fail(LayerProblem::Setting { rule }));
    }
    let input = [rows, columns];
    let padded = pad != [0; 2];
    let side = |i: usize| lay_out(input[i], kernel[i], stride[i], pad[i], floor, padded);
    let (Some(rows), Some(columns)) = (side(0), side(1)) else {
        let input = std::array::from_fn(|i| input[i] + 2 * pad[i]);
        return Err(site.fail(LayerProblem::Window { window: kernel, input }));
    };
    pool(site, method, [rows, columns], &bottom.tensor, &top)?;
    Ok(vec![vec![channels, rows.outputs, columns.outputs]])
}

/// `PoolingLayer::Reshape`. `None` if the window is larger than the input, or the
/// last one lies behind it (Caffe then divides by zero, or answers -FLT_MAX).
fn lay_out(
    input: u64,
    kernel: u64,
    stride: u64,
    pad: u64,
    floor: bool,
    padded: bool,
) -> Option<Side> {
    let room = (input + 2 * pad).checked_sub(kernel)?;
    let steps = if floor { room / stride } else { room.div_ceil(stride) };
    let mut outputs = steps + 1;
    // The last window must begin inside the input, or in the padding before it.
    if padded && (outputs - 1) * stride >= input + pad {
        outputs -= 1;
    }
    let last = (outputs - 1) * stride;
    if last >= input + pad {
        return None;
    }
    let beyond = (last + kernel).saturating_sub(input + pad);
    Some(Side { kernel, stride, pad, beyond, outputs })
}

/// Caffe divides an average by the part of the window that lies in the input or in
/// the *stated* padding, but not by what rounding up reaches beyond that. ONNX
/// counts all of its padding or none of it.
fn pool(
    site: &mut Site<'_, '_>,
    method: Method,
    sides: [Side; 2],
    bottom: &str,
    top: &str,
) -> Result<(), CaffeError> {
    let [rows, columns] = sides;
    let pads = [rows.pad, columns.pad, rows.beyond, columns.beyond];
    let windows = |pads: [u64; 4]| -> Vec<AttributeProto> {
        vec![
            ints("kernel_shape", &sides.map(|s| s.kernel as i64)),
            ints("strides", &sides.map(|s| s.stride as i64)),
            ints("pads", &pads.map(|n| n as i64)),
        ]
    };
    if method == Method::Max {
        site.builder.node("MaxPool", [bottom], top, windows(pads));
        return Ok(());
    }
    let none_stated = sides.iter().all(|s| s.pad == 0);
    let all_stated = sides.iter().all(|s| s.beyond <= s.pad);
    let mut attributes;
    if none_stated || all_stated {
        attributes = windows(pads);
        attributes.push(int("count_include_pad", i64::from(!none_stated)));
        site.builder.node("AveragePool", [bottom], top, attributes);
        return Ok(());
    }
    // What is stated becomes zeros that count; what is beyond stays padding.
    let zeros = [0, 0, rows.pad, columns.pad, 0, 0, rows.pad, columns.pad].map(|n| n as i64);
    let zeros = site.ints("pads", &zeros);
    let padded = site.inner("padded");
    site.builder.node("Pad", [bottom, &zeros], &padded, Vec::new());
    let beyond = |side: Side| side.beyond.saturating_sub(side.pad);
    attributes = windows([0, 0, beyond(rows), beyond(columns)]);
    attributes.push(int("count_include_pad", 0));
    site.builder.node("AveragePool", [&padded], top, attributes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outputs and overhang by hand from `PoolingLayer::Reshape`.
    #[test]
    fn windows_are_laid_out_as_in_caffe() {
        #[track_caller]
        fn check(side: Option<Side>, outputs: u64, beyond: u64) {
            assert_eq!(side.map(|s| (s.outputs, s.beyond)), Some((outputs, beyond)));
        }
        // GoogLeNet's pool1: ceil((112 - 3) / 2) + 1 windows, the last from 110.
        check(lay_out(112, 3, 2, 0, false, false), 56, 1);
        check(lay_out(112, 3, 2, 0, true, false), 55, 0);
        // Its inception's pool.
        check(lay_out(28, 3, 1, 1, false, true), 28, 1);
        // A window that would begin in the padding behind the input is taken back.
        check(lay_out(4, 2, 2, 1, false, true), 3, 1);
        check(lay_out(5, 2, 2, 1, false, true), 3, 0);
        assert!(lay_out(4, 1, 2, 0, false, false).is_none(), "from 4 on there is nothing");
        assert!(lay_out(2, 3, 1, 0, false, false).is_none());
    }
}
