use std::sync::Arc;

use rustix::mm::{Advice, madvise};
use tract_onnx::prelude::tract_linalg::mmm::{
    EagerPackedInput, MMMInputFormat, PackedExoticFact, PackedMatrixStorage,
};
use tract_onnx::prelude::tract_linalg::pack::PackedFormat;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{Blob, TensorView, TractErrorContext as _, ensure};
use tract_onnx::tract_core::ops::matmul::pack::{DynPackedExoticFact, OptMatMulPack};

use super::fold::alone;

/// So much is there twice: as it was read and as it is packed.
const BLOCK_BYTES: usize = 1 << 20;

/// Packs weights as the operator does, some rows at a time; what is packed is given
/// back to the system. `fact` is of the operator's output.
pub(super) fn pack(
    op: &OptMatMulPack,
    mut weights: Arc<Tensor>,
    fact: &TypedFact,
) -> TractResult<Arc<Tensor>> {
    let Some(matrix) = Matrix::of(op, &weights, fact)? else { return alone(op, weights) };
    let Some(owned) = Arc::get_mut(&mut weights) else { return alone(op, weights) };
    let packed = matrix.pack(owned)?;
    let shape = fact.shape.as_concrete().context("packed weights of an open shape")?;
    let storage = PackedMatrixStorage::new_batched(shape, tvec!(Box::new(packed) as _));
    Ok(storage.into_tensor(weights.datum_type()).into())
}

/// Weights row after row, of which each has all that one output needs.
struct Matrix {
    format: PackedFormat,
    row_axis: usize,
    column_axis: usize,
    rows: usize,
    columns: usize,
}

impl Matrix {
    /// Nothing, if they lie otherwise or are to be packed otherwise, or are one block.
    fn of(op: &OptMatMulPack, weights: &Tensor, fact: &TypedFact) -> TractResult<Option<Matrix>> {
        let exotic = fact.exotic_fact.as_ref();
        let Some(packed) = exotic.and_then(|fact| fact.downcast_ref::<DynPackedExoticFact>())
        else {
            return Ok(None);
        };
        let [format] = &packed.packers[..] else { return Ok(None) };
        let Some(format) = format.downcast_ref::<PackedFormat>() else { return Ok(None) };
        let unpacked = TypedFact::dt_shape(weights.datum_type(), weights.shape());
        let axes = op.axes_mapping(&[&unpacked], &[fact])?;
        let column_axis = axes.axis('K')?.inputs[0][0];
        let row_axis = axes.axis('M')?.inputs[0][0];
        let (rows, columns) = (weights.shape()[row_axis], weights.shape()[column_axis]);
        let strides = weights.strides();
        let right = weights.len() * weights.datum_type().size_of() > BLOCK_BYTES
            && rows * columns == weights.len()
            && strides[column_axis] == 1
            && strides[row_axis] == columns as isize;
        let matrix = Matrix { format: format.clone(), row_axis, column_axis, rows, columns };
        Ok(right.then_some(matrix))
    }

    fn pack(&self, weights: &mut Tensor) -> TractResult<EagerPackedInput> {
        let &Matrix { ref format, row_axis, column_axis, rows, columns } = self;
        let item = weights.datum_type().size_of();
        let row_bytes = columns * item;
        let panel_bytes = format.single_panel_len(columns) * item;
        let packed_bytes = format.len(columns, rows) * item;
        // SAFETY: every byte is written below, or the blob is dropped.
        let mut packed = unsafe { Blob::new_for_size_and_align(packed_bytes, format.alignment()) };

        // Panels are packed each by itself, so what some rows make stands alone.
        let width = format.panel_width();
        let block = (BLOCK_BYTES / row_bytes).next_multiple_of(width).max(width);
        let (mut written, mut given_back) = (0, 0);
        for first in (0..rows).step_by(block) {
            let end = rows.min(first + block);
            let mut shape: TVec<usize> = weights.shape().into();
            shape[row_axis] = end - first;
            let offset = (first * row_bytes) as isize;
            // SAFETY: rows follow each other, and these are within the tensor.
            let view =
                unsafe { TensorView::from_bytes(weights, offset, &shape, weights.strides()) };
            let part = format.pack_tensor_view(&view, column_axis, row_axis)?;
            let part = part.downcast_ref::<EagerPackedInput>().context("not packed at once")?;
            let to = packed.as_bytes_mut().get_mut(written..written + part.packed.len());
            to.context("packed rows are longer than said")?.copy_from_slice(&part.packed);
            written += part.packed.len();
            given_back += give_back(&mut weights.as_bytes_mut()[given_back..end * row_bytes]);
        }
        ensure!(written == packed_bytes, "packed rows are shorter than said");
        Ok(EagerPackedInput {
            fact: PackedExoticFact {
                format: Box::new(format.clone()) as Box<dyn MMMInputFormat>,
                mn: rows.to_dim(),
                k: columns,
            },
            packed: Arc::new(packed),
            panel_bytes,
            mn: rows,
        })
    }
}

/// Gives whole pages of what nobody needs any more back to the system, and says up to
/// where. All of it may read as zeros afterwards.
fn give_back(bytes: &mut [u8]) -> usize {
    let page = rustix::param::page_size();
    let skipped = bytes.as_ptr().align_offset(page);
    let Some(rest) = bytes.get_mut(skipped..) else { return 0 };
    let whole = rest.len() / page * page;
    // SAFETY: the pages are borrowed for us alone, and zeros are bytes too.
    let done = unsafe { madvise(rest.as_mut_ptr().cast(), whole, Advice::LinuxDontNeed) };
    // Otherwise they go with all the rest.
    if done.is_ok() { skipped + whole } else { 0 }
}
