//! Operators that slide a window over the axes after batch and channels.

use super::call::{Call, like_first};
use super::{Extent, Fact};
use crate::tensor::ElementType;

/// The weights are input number `weights`: `[outputs, channels / group, kernel…]`.
pub(super) fn convolution(call: &Call<'_, '_>, weights: usize) -> Option<Vec<Extent>> {
    let [batch, _, space @ ..] = call.shape(0)? else { return None };
    let [outputs, _, kernel @ ..] = call.shape(weights)? else { return None };
    let kernel: Option<Vec<i64>> = kernel.iter().map(|&k| fixed(k)).collect();
    let space = slide(call, space, &kernel?, Rounding::Down)?;
    Some([*batch, *outputs].into_iter().chain(space).collect())
}

pub(super) fn pool<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let shape = || {
        let [batch, channels, space @ ..] = call.shape(0)? else { return None };
        let rounding = match call.int("ceil_mode") {
            Some(1) => Rounding::Up,
            _ => Rounding::Down,
        };
        let space = slide(call, space, call.ints("kernel_shape")?, rounding)?;
        Some([*batch, *channels].into_iter().chain(space).collect())
    };
    let mut facts = like_first(call, shape());
    // MaxPool's second output says where the greatest values were.
    facts.push(Fact { element: Some(ElementType::I64), ..facts[0].clone() });
    facts
}

pub(super) fn global(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let shape = call.shape(0)?;
    let kept = shape.get(..2)?.iter().copied();
    Some(kept.chain(shape[2..].iter().map(|_| Extent::Fixed(1))).collect())
}

pub(super) fn transposed_convolution(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let [batch, _, space @ ..] = call.shape(0)? else { return None };
    let [_, per_group, kernel @ ..] = call.shape(1)? else { return None };
    let group = call.int("group").unwrap_or(1);
    let outputs = fixed(*per_group)?.checked_mul(group)?;
    let rank = space.len();
    if kernel.len() != rank {
        return None;
    }
    let stated = call.ints("output_shape").filter(|sides| !sides.is_empty());
    let padding = padding(call, rank)?;
    let strides = per_axis(call, "strides", rank, 1)?;
    let dilations = per_axis(call, "dilations", rank, 1)?;
    let extra = per_axis(call, "output_padding", rank, 0)?;
    let mut shape = vec![*batch, whole(i128::from(outputs))];
    for i in 0..rank {
        let side = || {
            if let Some(stated) = stated {
                return Some(i128::from(*stated.get(i)?));
            }
            let (side, stride) = (i128::from(fixed(space[i])?), i128::from(strides[i]));
            let reach = reach(fixed(kernel[i])?, dilations[i])?;
            match padding {
                Padding::Same => side.checked_mul(stride),
                Padding::Valid | Padding::Explicit(_) => {
                    let cut = padding.total(i);
                    (side - 1).checked_mul(stride)?.checked_add(i128::from(extra[i]) + reach - cut)
                }
            }
        };
        shape.push(side().map_or(Extent::Unknown, whole));
    }
    Some(shape)
}

#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Up,
}

enum Padding<'a> {
    /// As much as keeps `ceil(side / stride)` (× stride if transposed).
    Same,
    Valid,
    /// At the start of each axis, then at the end of each axis.
    Explicit(Option<&'a [i64]>),
}

impl Padding<'_> {
    fn start(&self, i: usize) -> i128 {
        match self {
            Padding::Explicit(Some(pads)) => i128::from(pads[i]),
            _ => 0,
        }
    }

    fn total(&self, i: usize) -> i128 {
        match self {
            Padding::Explicit(Some(pads)) => {
                i128::from(pads[i]) + i128::from(pads[i + pads.len() / 2])
            }
            _ => 0,
        }
    }
}

fn padding<'a>(call: &Call<'a, '_>, rank: usize) -> Option<Padding<'a>> {
    match call.text("auto_pad") {
        Some("SAME_UPPER" | "SAME_LOWER") => Some(Padding::Same),
        Some("VALID") => Some(Padding::Valid),
        _ => match call.ints("pads").filter(|pads| !pads.is_empty()) {
            Some(pads) if pads.len() != 2 * rank => None,
            pads => Some(Padding::Explicit(pads)),
        },
    }
}

fn slide(
    call: &Call<'_, '_>,
    space: &[Extent],
    kernel: &[i64],
    rounding: Rounding,
) -> Option<Vec<Extent>> {
    let rank = space.len();
    if kernel.len() != rank {
        return None;
    }
    let padding = padding(call, rank)?;
    let strides = per_axis(call, "strides", rank, 1)?;
    let dilations = per_axis(call, "dilations", rank, 1)?;
    let sides = (0..rank).map(|i| {
        let side = || {
            let (side, stride) = (i128::from(fixed(space[i])?), i128::from(strides[i]));
            if stride < 1 {
                return None;
            }
            if matches!(padding, Padding::Same) {
                return Some((side + stride - 1) / stride);
            }
            let padded = side + padding.total(i);
            let free = padded - reach(kernel[i], dilations[i])?;
            if free < 0 {
                return None;
            }
            let steps = match rounding {
                Rounding::Down => free / stride,
                Rounding::Up => {
                    let steps = (free + stride - 1) / stride;
                    // A window that would start in the padding at the end is left out.
                    if steps * stride >= side + padding.start(i) { steps - 1 } else { steps }
                }
            };
            Some(steps + 1)
        };
        side().map_or(Extent::Unknown, whole)
    });
    Some(sides.collect())
}

/// How far a dilated kernel reaches.
fn reach(kernel: i64, dilation: i64) -> Option<i128> {
    (kernel >= 1 && dilation >= 1).then(|| (i128::from(kernel) - 1) * i128::from(dilation) + 1)
}

fn per_axis(call: &Call<'_, '_>, name: &str, rank: usize, default: i64) -> Option<Vec<i64>> {
    match call.ints(name) {
        None | Some([]) => Some(vec![default; rank]),
        Some(values) => (values.len() == rank).then(|| values.to_vec()),
    }
}

fn fixed(extent: Extent) -> Option<i64> {
    match extent {
        Extent::Fixed(length) => i64::try_from(length).ok(),
        _ => None,
    }
}

fn whole(side: i128) -> Extent {
    match u64::try_from(side) {
        Ok(side) if side > 0 => Extent::Fixed(side),
        _ => Extent::Unknown,
    }
}
