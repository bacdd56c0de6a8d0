//! InnerProduct: a dense layer on everything from one axis on.

use super::super::error::LayerProblem;
use super::super::weights::product;
use super::{Shapes, Site};
use crate::pool::int;

pub(super) fn convert(site: &mut Site<'_, '_>) -> Shapes {
    let (bottom, top) = site.one_to_one()?;
    let (outputs, bias, axis, transpose) =
        site.layer.parameters("inner_product_param", |fields| {
            fields.ignore(&["weight_filler", "bias_filler"]);
            let outputs = fields.count("num_output")?;
            let bias = fields.flag("bias_term", true)?;
            let axis = fields.int("axis")?.unwrap_or(1);
            Ok((outputs, bias, axis, fields.flag("transpose", false)?))
        })?;
    let Some(outputs) = outputs.filter(|&n| n > 0) else {
        return Err(site.fail(LayerProblem::Missing { field: "num_output" }));
    };
    let axis = site.axis(axis, &bottom)?;
    let (kept, flattened) = bottom.shape.split_at(axis);
    let Some(inputs) = product(flattened) else {
        return Err(site.fail(LayerProblem::TooLarge));
    };
    let shape = if transpose { [inputs, outputs] } else { [outputs, inputs] };
    let wanted: [(&str, &[u64]); 2] = [("weight", &shape), ("bias", &[outputs])];
    let mut blobs = site.blobs(&wanted[..1 + usize::from(bias)])?.into_iter();
    let weights = blobs.next().unwrap_or_default();
    let bias = blobs.next();

    let mut rows = bottom.tensor.clone();
    if flattened.len() > 1 {
        rows = site.inner("rows");
        if kept.is_empty() {
            site.builder.node("Flatten", [&bottom.tensor], &rows, vec![int("axis", 1)]);
        } else {
            let lengths = [0].into_iter().chain(kept.iter().map(|&n| n as i64));
            let lengths: Vec<i64> = lengths.chain([inputs as i64]).collect();
            let lengths = site.ints("rows.shape", &lengths);
            site.builder.node("Reshape", [&bottom.tensor, &lengths], &rows, Vec::new());
        }
    }
    if kept.is_empty() {
        let mut reads = vec![rows, site.floats("weight", &shape, &weights)];
        reads.extend(bias.map(|bias| site.floats("bias", &[outputs], &bias)));
        let attributes = vec![int("transB", i64::from(!transpose))];
        site.builder.wide_node("Gemm", reads, vec![top], attributes);
    } else {
        let weights = if transpose { weights } else { transposed(&weights, inputs as usize) };
        let weight = site.floats("weight", &[inputs, outputs], &weights);
        match bias {
            None => site.builder.node("MatMul", [&rows, &weight], &top, Vec::new()),
            Some(bias) => {
                let product = site.inner("product");
                site.builder.node("MatMul", [&rows, &weight], &product, Vec::new());
                let bias = site.floats("bias", &[outputs], &bias);
                site.builder.node("Add", [&product, &bias], &top, Vec::new());
            }
        }
    }
    Ok(vec![kept.iter().copied().chain([outputs]).collect()])
}

/// `[outputs][inputs]` to `[inputs][outputs]`.
fn transposed(weights: &[f32], inputs: usize) -> Vec<f32> {
    (0..inputs).flat_map(|i| weights.iter().skip(i).step_by(inputs).copied()).collect()
}
