//! Small integer tensors whose values are known: the shapes that exporters
//! compute inside their graphs.

use super::call::Call;
use super::elementwise::extent;
use super::{Extent, Fact, Scalar, product};
use crate::check::element_count;
use crate::nodes::attribute;
use crate::proto::TensorProto;
use crate::tensor::ElementType;

/// Longer tensors are weights, not shapes.
pub(super) const MAX: usize = 256;

pub(super) fn constant(tensor: &TensorProto) -> Fact<'_> {
    let shape =
        tensor.dims.iter().map(|&d| u64::try_from(d).map_or(Extent::Unknown, Extent::Fixed));
    Fact {
        element: ElementType::from_code(tensor.data_type()),
        shape: Some(shape.collect()),
        values: integers(tensor),
        constant: Some(tensor),
    }
}

fn integers(tensor: &TensorProto) -> Option<Vec<Scalar>> {
    let count = usize::try_from(element_count(tensor)?).ok()?;
    if tensor.dims.len() > 1 || count > MAX {
        return None;
    }
    let element = ElementType::from_code(tensor.data_type())?;
    let numbers: Vec<i64> = match (element, &tensor.raw_data) {
        (ElementType::I64, Some(raw)) => {
            raw.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
        }
        (ElementType::I32, Some(raw)) => {
            raw.as_chunks::<4>().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect()
        }
        (ElementType::I64, None) => tensor.int64_data.clone(),
        (ElementType::I32, None) => tensor.int32_data.iter().map(|&v| i64::from(v)).collect(),
        _ => return None,
    };
    (numbers.len() == count).then(|| numbers.into_iter().map(Scalar::Int).collect())
}

/// Values of a small constant of floats, such as the scales of a `Resize`.
pub(super) fn floats(fact: &Fact<'_>) -> Option<Vec<f32>> {
    small_floats(fact.constant?)
}

pub(crate) fn small_floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let count = usize::try_from(element_count(tensor)?).ok().filter(|&count| count <= MAX)?;
    if ElementType::from_code(tensor.data_type()) != Some(ElementType::F32) {
        return None;
    }
    let values: Vec<f32> = match &tensor.raw_data {
        Some(raw) => raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        None => tensor.float_data.clone(),
    };
    (values.len() == count).then_some(values)
}

pub(super) fn constant_node<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let node = call.node;
    if let Some(tensor) = attribute(node, "value").and_then(|a| a.t.as_deref()) {
        return vec![constant(tensor)];
    }
    let list = |length: usize| Some(vec![Extent::Fixed(length as u64)]);
    let fact = if let Some(value) = attribute(node, "value_int") {
        Fact {
            element: Some(ElementType::I64),
            shape: Some(Vec::new()),
            values: Some(vec![Scalar::Int(value.i())]),
            constant: None,
        }
    } else if let Some(values) = attribute(node, "value_ints") {
        let small = values.ints.len() <= MAX;
        Fact {
            element: Some(ElementType::I64),
            shape: list(values.ints.len()),
            values: small.then(|| values.ints.iter().map(|&v| Scalar::Int(v)).collect()),
            constant: None,
        }
    } else if attribute(node, "value_float").is_some() {
        Fact { element: Some(ElementType::F32), shape: Some(Vec::new()), ..Fact::default() }
    } else if let Some(values) = attribute(node, "value_floats") {
        Fact {
            element: Some(ElementType::F32),
            shape: list(values.floats.len()),
            ..Fact::default()
        }
    } else {
        Fact::default()
    };
    vec![fact]
}

pub(super) fn constant_of_shape<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let value = attribute(call.node, "value").and_then(|a| a.t.as_deref());
    let element = value.map_or(Some(ElementType::F32), |v| ElementType::from_code(v.data_type()));
    let shape: Option<Vec<Extent>> =
        call.values(0).map(|values| values.iter().map(|&v| extent(v)).collect());
    let count = shape.as_deref().filter(|s| s.len() <= 1).and_then(product);
    let values = match (count, value.and_then(integers).as_deref()) {
        (Some(count), Some([value])) if count <= MAX as u64 => Some(vec![*value; count as usize]),
        _ => None,
    };
    vec![Fact { element, shape, values, constant: None }]
}

pub(super) fn shape<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let values = call.shape(0).map(|shape| {
        let rank = shape.len() as i64;
        let bound = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank);
        let start = bound(call.int("start").unwrap_or(0)) as usize;
        let end = bound(call.int("end").unwrap_or(rank)) as usize;
        shape.get(start..end).unwrap_or_default().iter().map(|&e| scalar(e)).collect::<Vec<_>>()
    });
    let length = values.as_ref().map(|v| vec![Extent::Fixed(v.len() as u64)]);
    vec![Fact {
        element: Some(ElementType::I64),
        shape: length.or(Some(vec![Extent::Unknown])),
        values,
        constant: None,
    }]
}

pub(super) fn size<'a>(call: &Call<'a, '_>) -> Vec<Fact<'a>> {
    let count = call.shape(0).and_then(product).and_then(|count| i64::try_from(count).ok());
    vec![Fact {
        element: Some(ElementType::I64),
        shape: Some(Vec::new()),
        values: count.map(|count| vec![Scalar::Int(count)]),
        constant: None,
    }]
}

/// Integer arithmetic on two operands; what overflows is unknown.
pub(super) fn arithmetic(call: &Call<'_, '_>) -> Option<Vec<Scalar>> {
    let (a, b) = (call.values(0)?, call.values(1)?);
    if call.inputs().len() != 2 {
        return None;
    }
    let length = match (a.len(), b.len()) {
        (a, b) if a == b => a,
        (1, b) => b,
        (a, 1) => a,
        _ => return None,
    };
    let at = |values: &[Scalar], i: usize| values[if values.len() == 1 { 0 } else { i }];
    let op = call.node.op_type();
    let whole = matches!(call.element(0), Some(ElementType::I64 | ElementType::I32));
    let values = (0..length).map(|i| match (op, at(a, i), at(b, i)) {
        (_, Scalar::Int(a), Scalar::Int(b)) => {
            let result = match op {
                "Add" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                // Of floats that were cast from integers, only what is whole.
                "Div" if whole || a.checked_rem(b) == Some(0) => a.checked_div(b),
                "Min" => Some(a.min(b)),
                "Max" => Some(a.max(b)),
                _ => None,
            };
            result.map_or(Scalar::Unknown, Scalar::Int)
        }
        ("Mul", Scalar::Int(1), x) | ("Mul" | "Div", x, Scalar::Int(1)) => x,
        ("Add", Scalar::Int(0), x) | ("Add" | "Sub", x, Scalar::Int(0)) => x,
        _ => Scalar::Unknown,
    });
    Some(values.collect())
}

fn scalar(extent: Extent) -> Scalar {
    match extent {
        Extent::Fixed(length) => i64::try_from(length).map_or(Scalar::Unknown, Scalar::Int),
        Extent::Symbol(symbol) => Scalar::Symbol(symbol),
        Extent::Unknown => Scalar::Unknown,
    }
}
