//! Operators that work value by value, with NumPy's broadcasting.

use super::call::{Call, like_first};
use super::{Extent, Fact, Scalar, values};
use crate::nodes::attribute;
use crate::tensor::ElementType;

pub(super) fn arithmetic<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let mut facts = like_first(call, broadcast_inputs(call));
    facts[0].values = values::arithmetic(call);
    facts
}

pub(super) fn comparison<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let shape = broadcast_inputs(call);
    vec![Fact { element: Some(ElementType::Bool), shape, ..Fact::default() }]
}

pub(super) fn selection<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    vec![Fact { element: call.element(1), shape: broadcast_inputs(call), ..Fact::default() }]
}

pub(super) fn expansion<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let target: Option<Vec<Extent>> =
        call.values(1).map(|values| values.iter().map(|&v| extent(v)).collect());
    let shape = match (call.shape(0), target) {
        (Some(shape), Some(target)) => broadcast(shape, &target),
        _ => None,
    };
    like_first(call, shape)
}

pub(super) fn dropout<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let mask = Fact {
        element: if call.opset < 10 { call.element(0) } else { Some(ElementType::Bool) },
        shape: call.shape(0).map(<[_]>::to_vec),
        ..Fact::default()
    };
    let value = Fact { element: call.element(0), ..mask.clone() };
    vec![value, mask]
}

pub(super) fn cast<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let input = call.input(0).cloned().unwrap_or_default();
    let element = if call.node.op_type() == "CastLike" {
        call.element(1)
    } else {
        // Up to opset 5 the type was a word.
        match call.text("to") {
            Some("FLOAT") => Some(ElementType::F32),
            Some("INT64") => Some(ElementType::I64),
            Some("INT32") => Some(ElementType::I32),
            _ => call.int("to").and_then(|c| ElementType::from_code(i32::try_from(c).ok()?)),
        }
    };
    vec![Fact { element, constant: None, ..input }]
}

pub(super) fn requantised<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let element = if call.node.op_type() == "DequantizeLinear" {
        call.element(1)
    } else if call.has(2) {
        call.element(2)
    } else {
        let stated = call.int("output_dtype").filter(|&code| code != 0);
        match stated {
            Some(code) => i32::try_from(code).ok().and_then(ElementType::from_code),
            None => Some(ElementType::U8),
        }
    };
    vec![Fact { element, shape: call.shape(0).map(<[_]>::to_vec), ..Fact::default() }]
}

fn broadcast_inputs(call: &Call<'_, '_>) -> Option<Vec<Extent>> {
    // Before opset 7 the second operand was stretched to the first, that of PRelu always.
    let stretches = || {
        call.node.op_type() == "PRelu"
            || attribute(call.node, "broadcast").is_some_and(|a| a.i() == 1)
    };
    if call.opset < 7 && stretches() {
        return call.shape(0).map(<[_]>::to_vec);
    }
    let mut shapes = call.inputs().iter().map(|fact| (*fact)?.shape.as_deref());
    let first = shapes.next()??.to_vec();
    shapes.try_fold(first, |joint, shape| broadcast(&joint, shape?))
}

pub(super) fn broadcast(a: &[Extent], b: &[Extent]) -> Option<Vec<Extent>> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let lead = long.len() - short.len();
    let mut joint = long.to_vec();
    for (extent, &other) in joint[lead..].iter_mut().zip(short) {
        *extent = match (*extent, other) {
            (x, y) if x == y => x,
            (Extent::Fixed(1), y) => y,
            (x, Extent::Fixed(1)) => x,
            (Extent::Fixed(_), Extent::Fixed(_)) => return None,
            // What is not fixed must turn out to be 1 or the same.
            (x @ Extent::Fixed(_), _) | (_, x @ Extent::Fixed(_)) => x,
            _ => Extent::Unknown,
        };
    }
    Some(joint)
}

pub(super) fn extent(value: Scalar) -> Extent {
    match value {
        Scalar::Int(number) => u64::try_from(number).map_or(Extent::Unknown, Extent::Fixed),
        Scalar::Symbol(symbol) => Extent::Symbol(symbol),
        Scalar::Unknown => Extent::Unknown,
    }
}
