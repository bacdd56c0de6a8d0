//! `Gemm` and `MatMul`.

use crate::autodiff::emit::{Emitter, Tensor};
use crate::autodiff::tape::{Call, Lowered, Refusal};
use crate::pool::{int, node_float};

pub(super) fn gemm(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (a, b) = (call.tensor(0)?, call.tensor(1)?);
    let c = call.optional(2).map(|operand| operand.tensor.clone());
    let turned = |name| call.int(name).unwrap_or(0) != 0;
    let (turn_a, turn_b) = (turned("transA"), turned("transB"));
    let alpha = call.float("alpha").unwrap_or(1.0);
    let beta = call.float("beta").unwrap_or(1.0);
    let attributes = vec![
        int("transA", i64::from(turn_a)),
        int("transB", i64::from(turn_b)),
        node_float("alpha", alpha),
        node_float("beta", beta),
    ];
    let inputs: Vec<&Tensor> = [Some(&a), Some(&b), c.as_ref()].into_iter().flatten().collect();
    let y = e.op("Gemm", &inputs, attributes, call.output()?);
    let wants: Vec<bool> = (0..3).map(|i| call.wants(i)).collect();
    Ok(Lowered::new(y, move |e, dy| {
        let mut gradients = Vec::new();
        let scaled = if wants[0] || wants[1] { e.scaled(dy, alpha) } else { dy.clone() };
        if wants[0] {
            gradients.push((
                0,
                match turn_a {
                    false => e.gemm(&scaled, false, &b, !turn_b),
                    true => e.gemm(&b, turn_b, &scaled, true),
                },
            ));
        }
        if wants[1] {
            gradients.push((
                1,
                match turn_b {
                    false => e.gemm(&a, !turn_a, &scaled, false),
                    true => e.gemm(&scaled, true, &a, turn_a),
                },
            ));
        }
        if let (true, Some(c)) = (wants[2], &c) {
            let sum = e.summed_to(dy, &c.shape);
            gradients.push((2, e.scaled(&sum, beta)));
        }
        gradients
    }))
}

pub(super) fn matmul(call: &Call<'_>, e: &mut Emitter) -> Result<Lowered, Refusal> {
    let (a, b) = (call.tensor(0)?, call.tensor(1)?);
    let (wants_a, wants_b) = (call.wants(0), call.wants(1));
    // Vectors are matrices of one row or column.
    let whole_a = if a.rank() == 1 { e.reshape(&a, &[1, a.shape[0]]) } else { a.clone() };
    let whole_b = if b.rank() == 1 { e.reshape(&b, &[b.shape[0], 1]) } else { b.clone() };
    let product = e.matmul(&whole_a, &whole_b);
    let y = e.reshape(&product, &call.output()?);
    Ok(Lowered::new(y, move |e, dy| {
        let dy = e.reshape(dy, &product.shape);
        let mut gradients = Vec::new();
        if wants_a {
            let turned = turned(e, &whole_b);
            let da = e.matmul(&dy, &turned);
            let da = e.summed_to(&da, &whole_a.shape);
            gradients.push((0, e.reshape(&da, &a.shape)));
        }
        if wants_b {
            let db = if whole_b.rank() == 2 {
                // All rows of all batches at once: no sum is left.
                let rows = |e: &mut Emitter, x: &Tensor| {
                    let width = x.shape[x.rank() - 1];
                    e.reshape(x, &[x.count() / width, width])
                };
                let (x, dy) = (rows(e, &whole_a), rows(e, &dy));
                e.gemm(&x, true, &dy, false)
            } else {
                let turned = turned(e, &whole_a);
                let db = e.matmul(&turned, &dy);
                e.summed_to(&db, &whole_b.shape)
            };
            gradients.push((1, e.reshape(&db, &b.shape)));
        }
        gradients
    }))
}

fn turned(e: &mut Emitter, matrix: &Tensor) -> Tensor {
    let mut order: Vec<usize> = (0..matrix.rank()).collect();
    order.swap(matrix.rank() - 1, matrix.rank() - 2);
    e.transpose(matrix, &order)
}
