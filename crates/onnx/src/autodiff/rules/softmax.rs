//! `Softmax` and `LogSoftmax`.

use crate::autodiff::emit::{Emitter, Tensor};
use crate::autodiff::tape::{Call, Lowered, Refusal, axis};
use crate::pool::int;

/// Up to opset 12 all axes from the stated one on were one.
pub(super) fn softmax(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let x = call.tensor(0)?;
    let rank = x.rank();
    let old = call.opset < 13;
    let along = axis(call.int("axis").unwrap_or(if old { 1 } else { -1 }), rank)?;
    let op = call.node.op_type().to_owned();
    let flat = match old {
        true => vec![x.shape[..along].iter().product(), x.shape[along..].iter().product()],
        false => x.shape.clone(),
    };
    let along = if old { 1 } else { along };
    let input = e.reshape(&x, &flat);
    let soft = e.op(&op, &[&input], vec![int("axis", along as i64)], flat.clone());
    let y = e.reshape(&soft, &x.shape);
    Ok(Lowered::of_first(y, move |e, dy| {
        let dy = e.reshape(dy, &flat);
        let dx = if op == "Softmax" {
            of_softmax(e, &soft, &dy, along)
        } else {
            // dx = dy - softmax · Σ dy
            let probabilities = e.unary("Exp", &soft);
            let sum = e.reduce("ReduceSum", &dy, &[along]);
            let product = e.mul(&probabilities, &sum);
            e.sub(&dy, &product)
        };
        e.reshape(&dx, &x.shape)
    }))
}

/// y · (dy - Σ dy·y)
fn of_softmax(e: &mut Emitter, y: &Tensor, dy: &Tensor, along: usize) -> Tensor {
    let product = e.mul(dy, y);
    let sum = e.reduce("ReduceSum", &product, &[along]);
    let centred = e.sub(dy, &sum);
    e.mul(y, &centred)
}
