//! `Gather`: rows of an embedding, or entries along another axis.

use crate::autodiff::emit::{Emitter, Tensor};
use crate::autodiff::tape::{Call, Lowered, Refusal, axis};
use crate::pool::int;
use crate::proto::{AttributeProto, attribute_proto};

pub(super) fn gather(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (data, indices) = (call.tensor(0)?, call.tensor(1)?);
    let along = axis(call.int("axis").unwrap_or(0), data.rank())?;
    let y = e.op("Gather", &[&data, &indices], vec![int("axis", along as i64)], call.output()?);
    Ok(Lowered::of_first(y, move |e, dy| {
        // Rows that were read several times get the sum: [count, rest].
        let chosen = indices.count();
        let moved = front(e, dy, along, indices.rank());
        let rows = data.shape[along];
        let rest = data.count() / rows;
        let updates = e.reshape(&moved, &[chosen, rest]);
        let at = e.reshape(&indices, &[chosen, 1]);
        let zeros = e.zeros(&[rows, rest]);
        let sums = e.op("ScatterND", &[&zeros, &at, &updates], vec![adding()], vec![rows, rest]);
        let mut shape = vec![rows];
        shape.extend(data.shape.iter().enumerate().filter(|&(i, _)| i != along).map(|(_, &d)| d));
        let sums = e.reshape(&sums, &shape);
        let mut order: Vec<usize> = (1..shape.len()).collect();
        order.insert(along, 0);
        e.transpose(&sums, &order)
    }))
}

/// Moves the axes of the indices to the front.
fn front(e: &mut Emitter, dy: &Tensor, along: usize, width: usize) -> Tensor {
    let chosen = along..along + width;
    let rest = (0..dy.rank()).filter(|axis| !chosen.contains(axis));
    let order: Vec<usize> = chosen.clone().chain(rest).collect();
    e.transpose(dy, &order)
}

pub(super) fn adding() -> AttributeProto {
    AttributeProto {
        name: Some("reduction".to_owned()),
        r#type: Some(attribute_proto::AttributeType::String as i32),
        s: Some(b"add".to_vec().into()),
        ..AttributeProto::default()
    }
}
