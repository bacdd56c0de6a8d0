//! Operators that move, join and cut values without computing.

use super::call::{Call, like_first};
use super::elementwise::extent;
use super::values::{MAX, floats};
use super::{Extent, Fact, Scalar, axis, product};

pub(super) fn flatten(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let shape = call.shape(0)?;
    let at = call.int("axis").unwrap_or(1);
    // The axis after the last is allowed here.
    let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len())? };
    let (rows, columns) = shape.split_at(at);
    Some(vec![joined(rows), joined(columns)])
}

/// The product of some axes; one symbol among ones stays itself.
fn joined(extents: &[Extent]) -> Extent {
    let mut others = extents.iter().filter(|&&e| e != Extent::Fixed(1));
    match (others.next(), others.next()) {
        (None, _) => Extent::Fixed(1),
        (Some(&only), None) => only,
        _ => product(extents).map_or(Extent::Unknown, Extent::Fixed),
    }
}

pub(super) fn reshape<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let target: Option<Vec<Scalar>> = match call.ints("shape") {
        Some(shape) if call.opset < 5 => Some(shape.iter().map(|&v| Scalar::Int(v)).collect()),
        _ => call.values(1).map(<[_]>::to_vec),
    };
    let shape = match target {
        Some(target) => reshaped(call, &target),
        // The number of axes may be known where their lengths are not.
        None => match call.shape(1) {
            Some(&[Extent::Fixed(rank)]) if rank <= super::MAX_RANK as u64 => {
                Some(vec![Extent::Unknown; rank as usize])
            }
            _ => None,
        },
    };
    let flat = shape.as_ref().is_some_and(|shape| shape.len() <= 1);
    let mut facts = like_first(call, shape);
    facts[0].values = call.values(0).filter(|_| flat).map(<[_]>::to_vec);
    facts
}

fn reshaped(call: &Call<'_, '_>, target: &[Scalar]) -> Option<Vec<Extent>> {
    let input = call.shape(0);
    let zero_copies = call.int("allowzero") != Some(1);
    let mut shape = Vec::with_capacity(target.len());
    let mut rest = None;
    for (i, &value) in target.iter().enumerate() {
        shape.push(match value {
            Scalar::Int(-1) if rest.is_none() => {
                rest = Some(i);
                Extent::Fixed(1)
            }
            Scalar::Int(0) if zero_copies => match input {
                Some(input) => *input.get(i)?,
                None => Extent::Unknown,
            },
            value => extent(value),
        });
    }
    match (rest, input) {
        (Some(i), _) => {
            shape[i] = input.map_or(Extent::Unknown, |input| remaining(input, &shape));
        }
        // As many values must come out as go in.
        (None, Some(input)) => {
            if let Some((symbols, have, need)) = quotient(input, &shape)
                && symbols.is_empty()
                && have != need
            {
                return None;
            }
        }
        (None, None) => {}
    }
    Some(shape)
}

/// What is left of `input` once `taken` is divided out.
fn remaining(input: &[Extent], taken: &[Extent]) -> Extent {
    let Some((symbols, have, need)) = quotient(input, taken) else { return Extent::Unknown };
    match symbols[..] {
        [] if need > 0 && have % need == 0 => Extent::Fixed(have / need),
        [symbol] if have == need => symbol,
        _ => Extent::Unknown,
    }
}

/// The symbols of `input` that `taken` lacks, and the products of what is fixed in
/// either. Nothing is known if `taken` has symbols that `input` lacks.
fn quotient(input: &[Extent], taken: &[Extent]) -> Option<(Vec<Extent>, u64, u64)> {
    let count = |extents: &[Extent]| {
        extents.iter().try_fold(1u64, |product, extent| match extent {
            Extent::Fixed(length) => product.checked_mul(*length),
            _ => Some(product),
        })
    };
    let is_open = |extent: &&Extent| !matches!(extent, Extent::Fixed(_));
    let mut symbols: Vec<Extent> = input.iter().filter(is_open).copied().collect();
    for extent in taken.iter().filter(is_open) {
        let at = symbols.iter().position(|s| s == extent && *s != Extent::Unknown)?;
        symbols.swap_remove(at);
    }
    Some((symbols, count(input)?, count(taken)?))
}

pub(super) fn transpose(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let shape = call.shape(0)?;
    match call.ints("perm") {
        None => Some(shape.iter().rev().copied().collect()),
        Some(perm) if perm.len() == shape.len() => {
            perm.iter().map(|&p| shape.get(usize::try_from(p).ok()?).copied()).collect()
        }
        Some(_) => None,
    }
}

pub(super) fn concat<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let shape = || {
        let mut shapes = call.inputs().iter().map(|fact| (*fact)?.shape.as_deref());
        let mut joint = shapes.next()??.to_vec();
        let along = axis(call.int("axis").unwrap_or(1), joint.len())?;
        for shape in shapes {
            let shape = shape.filter(|shape| shape.len() == joint.len())?;
            for (i, (extent, &other)) in joint.iter_mut().zip(shape).enumerate() {
                *extent = match (*extent, other) {
                    (Extent::Fixed(a), Extent::Fixed(b)) if i == along => {
                        a.checked_add(b).map_or(Extent::Unknown, Extent::Fixed)
                    }
                    _ if i == along => Extent::Unknown,
                    (Extent::Fixed(a), _) => Extent::Fixed(a),
                    (_, other @ Extent::Fixed(_)) => other,
                    (a, b) if a == b => a,
                    _ => Extent::Unknown,
                };
            }
        }
        Some(joint)
    };
    let values = || {
        let mut joint = Vec::new();
        for fact in call.inputs() {
            let fact = (*fact)?;
            joint.extend_from_slice(fact.values.as_deref()?);
            if fact.shape.as_ref()?.len() != 1 || joint.len() > MAX {
                return None;
            }
        }
        Some(joint)
    };
    let mut facts = like_first(call, shape());
    facts[0].values = values();
    facts
}

pub(super) fn split<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let parts = call.node.output.len();
    let shapes = || {
        let shape = call.shape(0)?;
        let along = axis(call.int("axis").unwrap_or(0), shape.len())?;
        let lengths: Option<Vec<u64>> = match call.ints_either("split", 1)? {
            Some(lengths) => lengths.iter().map(|&l| u64::try_from(l).ok()).collect(),
            None => {
                let Extent::Fixed(whole) = shape[along] else { return None };
                let part = whole.div_ceil((parts as u64).max(1));
                // The last part is the smaller one.
                (0..parts as u64)
                    .map(|i| Some(whole.saturating_sub(i.checked_mul(part)?).min(part)))
                    .collect()
            }
        };
        let lengths = lengths.filter(|lengths| lengths.len() == parts)?;
        let part = |length| {
            let mut shape = shape.to_vec();
            shape[along] = Extent::Fixed(length);
            shape
        };
        Some(lengths.into_iter().map(part).collect::<Vec<_>>())
    };
    let fact = |shape| Fact { element: call.element(0), shape, ..Fact::default() };
    match shapes() {
        Some(shapes) => shapes.into_iter().map(|shape| fact(Some(shape))).collect(),
        None => (0..parts).map(|_| fact(None)).collect(),
    }
}

struct Cut {
    axis: usize,
    start: i64,
    end: i64,
    step: i64,
}

fn cuts(call: &Call<'_, '_>, rank: usize) -> Option<Vec<Cut>> {
    let starts = call.ints_either("starts", 1)??;
    let ends = call.ints_either("ends", 2)??;
    let axes = call.ints_either("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if call.has(4) { call.numbers(4)? } else { vec![1; starts.len()] };
    if [ends.len(), axes.len(), steps.len()].iter().any(|&length| length != starts.len()) {
        return None;
    }
    let cut = |i: usize| {
        Some(Cut { axis: axis(axes[i], rank)?, start: starts[i], end: ends[i], step: steps[i] })
    };
    (0..starts.len()).map(cut).collect()
}

impl Cut {
    /// First index and number of what is kept of `length` values.
    fn kept(&self, length: u64) -> Option<(u64, u64)> {
        let length = i128::from(length);
        let at = |index: i64| {
            let index = i128::from(index);
            if index < 0 { index + length } else { index }
        };
        let step = i128::from(self.step);
        let (start, span) = match step {
            1.. => {
                let start = at(self.start).clamp(0, length);
                (start, at(self.end).clamp(0, length) - start)
            }
            0 => return None,
            _ => {
                let start = at(self.start).clamp(-1, length - 1);
                (start, start - at(self.end).clamp(-1, length - 1))
            }
        };
        let count = (span.max(0) + step.abs() - 1) / step.abs();
        Some((u64::try_from(start.max(0)).ok()?, u64::try_from(count).ok()?))
    }
}

pub(super) fn slice<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let Some(input) = call.shape(0) else { return like_first(call, None) };
    let Some(cuts) = cuts(call, input.len()) else {
        return like_first(call, Some(vec![Extent::Unknown; input.len()]));
    };
    let mut shape = input.to_vec();
    for cut in &cuts {
        shape[cut.axis] = match input[cut.axis] {
            Extent::Fixed(length) => {
                cut.kept(length).map_or(Extent::Unknown, |(_, count)| Extent::Fixed(count))
            }
            whole if cut.start == 0 && cut.end == i64::MAX && cut.step == 1 => whole,
            _ => Extent::Unknown,
        };
    }
    let values = || {
        let (values, [cut]) = (call.values(0)?, &cuts[..]) else { return None };
        let (start, count) = cut.kept(values.len() as u64)?;
        let at = |i: u64| {
            let offset = i128::from(i) * i128::from(cut.step) + i128::from(start);
            values.get(usize::try_from(offset).ok()?).copied()
        };
        (input.len() == 1).then(|| (0..count).map(at).collect::<Option<Vec<_>>>())?
    };
    let mut facts = like_first(call, Some(shape));
    facts[0].values = values();
    facts
}

pub(super) fn pad(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let input = call.shape(0)?;
    let unknown = || Some(vec![Extent::Unknown; input.len()]);
    let stated = if call.opset < 2 { "paddings" } else { "pads" };
    let Some(Some(pads)) = call.ints_either(stated, 1) else { return unknown() };
    let axes = if call.has(3) {
        let Some(axes) = call.numbers(3) else { return unknown() };
        axes
    } else {
        (0..input.len() as i64).collect()
    };
    if pads.len() != 2 * axes.len() {
        return None;
    }
    let mut shape = input.to_vec();
    for (i, &a) in axes.iter().enumerate() {
        let extent = &mut shape[axis(a, input.len())?];
        let (before, after) = (pads[i], pads[i + axes.len()]);
        *extent = match *extent {
            same if before == 0 && after == 0 => same,
            Extent::Fixed(length) => {
                let length = i128::from(length) + i128::from(before) + i128::from(after);
                u64::try_from(length).map_or(Extent::Unknown, Extent::Fixed)
            }
            _ => Extent::Unknown,
        };
    }
    Some(shape)
}

pub(super) fn squeeze<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let shape = || {
        let shape = call.shape(0)?;
        let gone = match call.ints_either("axes", 1)? {
            Some(axes) => {
                let mut gone = vec![false; shape.len()];
                for a in axes {
                    gone[axis(a, shape.len())?] = true;
                }
                gone
            }
            // Without axes, all of length 1 go: which, must be known.
            None if product(shape).is_some() => {
                shape.iter().map(|&e| e == Extent::Fixed(1)).collect()
            }
            None => return None,
        };
        Some(shape.iter().zip(gone).filter(|(_, gone)| !gone).map(|(&e, _)| e).collect())
    };
    moved(call, shape())
}

pub(super) fn unsqueeze<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let shape = || {
        let shape = call.shape(0)?;
        let axes = call.ints_either("axes", 1)??;
        let rank = shape.len().checked_add(axes.len()).filter(|&rank| rank <= super::MAX_RANK)?;
        let mut new = vec![false; rank];
        for a in axes {
            new[axis(a, rank)?] = true;
        }
        let mut old = shape.iter().copied();
        new.iter().map(|&new| if new { Some(Extent::Fixed(1)) } else { old.next() }).collect()
    };
    moved(call, shape())
}

/// The same values in another shape.
fn moved<'a>(call: &Call<'a, '_>, shape: Option<Vec<Extent>>) -> Vec<Fact<'a>> {
    let flat = shape.as_ref().is_some_and(|shape| shape.len() <= 1);
    let mut facts = like_first(call, shape);
    facts[0].values = call.values(0).filter(|_| flat).map(<[_]>::to_vec);
    facts
}

pub(super) fn gather<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let shape = || {
        let (data, indices) = (call.shape(0)?, call.shape(1)?);
        let along = axis(call.int("axis").unwrap_or(0), data.len())?;
        let (before, after) = (&data[..along], &data[along + 1..]);
        Some([before, indices, after].concat())
    };
    let values = || {
        let (data, indices) = (call.values(0)?, call.numbers(1)?);
        if call.shape(0)?.len() != 1 || call.int("axis").unwrap_or(0) != 0 {
            return None;
        }
        indices.into_iter().map(|i| data.get(axis(i, data.len())?).copied()).collect()
    };
    let mut facts = like_first(call, shape());
    facts[0].values = values();
    facts
}

pub(super) fn tile(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let (shape, repeats) = (call.shape(0)?, call.values(1)?);
    if shape.len() != repeats.len() {
        return None;
    }
    let tiled = |(&extent, &repeat): (&Extent, &Scalar)| match (extent, repeat) {
        (same, Scalar::Int(1)) => same,
        (Extent::Fixed(length), Scalar::Int(repeat)) => u64::try_from(repeat)
            .ok()
            .and_then(|repeat| length.checked_mul(repeat))
            .map_or(Extent::Unknown, Extent::Fixed),
        _ => Extent::Unknown,
    };
    Some(shape.iter().zip(repeats).map(tiled).collect())
}

pub(super) fn depth_to_space(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let (&[batch, channels, height, width], block) = (call.shape(0)?, block(call)?) else {
        return None;
    };
    Some(vec![
        batch,
        divided(channels, block.checked_mul(block)?),
        scaled(height, block),
        scaled(width, block),
    ])
}

pub(super) fn space_to_depth(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let (&[batch, channels, height, width], block) = (call.shape(0)?, block(call)?) else {
        return None;
    };
    Some(vec![
        batch,
        scaled(channels, block.checked_mul(block)?),
        divided(height, block),
        divided(width, block),
    ])
}

fn block(call: &Call<'_, '_>) -> Option<u64> {
    u64::try_from(call.int("blocksize")?).ok().filter(|&block| block > 0)
}

fn scaled(extent: Extent, by: u64) -> Extent {
    match extent {
        Extent::Fixed(length) => length.checked_mul(by).map_or(Extent::Unknown, Extent::Fixed),
        _ => Extent::Unknown,
    }
}

fn divided(extent: Extent, by: u64) -> Extent {
    match extent {
        Extent::Fixed(length) if length % by == 0 => Extent::Fixed(length / by),
        _ => Extent::Unknown,
    }
}

/// `Resize`, and `Upsample` before it, by sizes or by scales.
pub(super) fn resize(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    let input = call.shape(0)?;
    let unknown = || Some(vec![Extent::Unknown; input.len()]);
    // Resizing of chosen axes, or to fit an aspect ratio, is rare.
    if call.ints("axes").is_some()
        || call.text("keep_aspect_ratio_policy").is_some_and(|p| p != "stretch")
    {
        return unknown();
    }
    if call.has(3) {
        return match call.values(3) {
            Some(sizes) if sizes.len() == input.len() => {
                Some(sizes.iter().map(|&v| extent(v)).collect())
            }
            _ => unknown(),
        };
    }
    let place = if call.node.op_type() == "Resize" && call.opset >= 11 { 2 } else { 1 };
    let scales = match crate::nodes::attribute(call.node, "scales") {
        Some(scales) => Some(scales.floats.clone()),
        None => call.input(place).and_then(floats),
    };
    let Some(scales) = scales.filter(|scales| scales.len() == input.len()) else {
        return unknown();
    };
    let resized = |(&extent, &scale): (&Extent, &f32)| match extent {
        same if scale == 1.0 => same,
        // The standard computes in floats; lengths beyond 2^24 are nobody's.
        Extent::Fixed(length) if length <= 1 << 24 && scale > 0.0 && scale <= 65536.0 => {
            Extent::Fixed((length as f32 * scale).floor() as u64)
        }
        _ => Extent::Unknown,
    };
    Some(input.iter().zip(&scales).map(resized).collect())
}
