use std::sync::Arc;

use rustix::mm::{Advice, madvise};
use tract_onnx::prelude::tract_linalg::mmm::{
    EagerPackedInput, MMMInputFormat, PackedExoticFact, PackedMatrixStorage,
};
use tract_onnx::prelude::tract_linalg::pack::PackedFormat;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{Blob, TensorView, TractErrorContext as _, ensure};
use tract_onnx::tract_core::ops::matmul::pack::{DynPackedExoticFact, OptMatMulPack};

use super::Packer;
use super::fold::alone;

/// So much is there twice: as it was read and as it is packed.
const BLOCK_BYTES: usize = 1 << 20;

/// Packs weights as the operator does, some rows at a time; what is packed is given
/// back to the system.
pub(crate) fn in_memory() -> Arc<dyn Packer> {
    Arc::new(InMemory)
}

#[derive(Debug)]
struct InMemory;

impl Packer for InMemory {
    fn pack(
        &self,
        op: &OptMatMulPack,
        mut weights: Arc<Tensor>,
        fact: &TypedFact,
    ) -> TractResult<Arc<Tensor>> {
        let matrix = Matrix::of(op, &weights, fact)?;
        let Some(matrix) = matrix.filter(|matrix| matrix.is_in_blocks(&weights)) else {
            return alone(op, weights);
        };
        let Some(owned) = Arc::get_mut(&mut weights) else { return alone(op, weights) };
        let bytes = matrix.packed_bytes();
        // SAFETY: every byte is written below, or the blob is dropped.
        let mut packed = unsafe { Blob::new_for_size_and_align(bytes, matrix.format.alignment()) };
        let mut written = 0;
        in_blocks(&matrix, owned, |part| {
            let to = packed.as_bytes_mut().get_mut(written..written + part.len());
            to.context("packed rows are longer than said")?.copy_from_slice(part);
            written += part.len();
            Ok(())
        })?;
        ensure!(written == bytes, "packed rows are shorter than said");
        let packed = EagerPackedInput {
            fact: matrix.fact(),
            packed: Arc::new(packed),
            panel_bytes: matrix.panel_bytes(),
            mn: matrix.rows,
        };
        let shape = fact.shape.as_concrete().context("packed weights of an open shape")?;
        let storage = PackedMatrixStorage::new_batched(shape, tvec!(Box::new(packed) as _));
        Ok(storage.into_tensor(weights.datum_type()).into())
    }
}

/// Weights as one matrix, of which each row has all that one output needs, and how it
/// is to be packed.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) format: PackedFormat,
    pub(crate) row_axis: usize,
    pub(crate) column_axis: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Matrix {
    /// Nothing, if they are several matrices, or are to be packed in another way.
    /// `fact` is of the operator's output.
    pub(crate) fn of(
        op: &OptMatMulPack,
        weights: &Tensor,
        fact: &TypedFact,
    ) -> TractResult<Option<Matrix>> {
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
        let right = rows * columns == weights.len() && format.dt == weights.datum_type();
        let matrix = Matrix { format: format.clone(), row_axis, column_axis, rows, columns };
        Ok(right.then_some(matrix))
    }

    pub(crate) fn packed_bytes(&self) -> usize {
        self.format.len(self.columns, self.rows) * self.format.dt.size_of()
    }

    pub(crate) fn panel_bytes(&self) -> usize {
        self.format.single_panel_len(self.columns) * self.format.dt.size_of()
    }

    pub(crate) fn fact(&self) -> PackedExoticFact {
        PackedExoticFact {
            format: Box::new(self.format.clone()) as Box<dyn MMMInputFormat>,
            mn: self.rows.to_dim(),
            k: self.columns,
        }
    }

    /// Whether the rows lie one after another, and are more than a block.
    pub(crate) fn is_in_blocks(&self, weights: &Tensor) -> bool {
        let strides = weights.strides();
        weights.len() * weights.datum_type().size_of() > BLOCK_BYTES
            && strides[self.column_axis] == 1
            && strides[self.row_axis] == self.columns as isize
    }
}

/// Packs a matrix whose rows lie one after another, a block of them at a time; what is
/// packed of `weights` is given back to the system.
pub(crate) fn in_blocks(
    matrix: &Matrix,
    weights: &mut Tensor,
    mut take: impl FnMut(&[u8]) -> TractResult<()>,
) -> TractResult<()> {
    let &Matrix { ref format, row_axis, column_axis, rows, columns } = matrix;
    let row_bytes = columns * weights.datum_type().size_of();
    // Panels are packed each by itself, so what some rows make stands alone.
    let width = format.panel_width();
    let block = (BLOCK_BYTES / row_bytes).next_multiple_of(width).max(width);
    let mut given_back = 0;
    for first in (0..rows).step_by(block) {
        let end = rows.min(first + block);
        let mut shape: TVec<usize> = weights.shape().into();
        shape[row_axis] = end - first;
        let offset = (first * row_bytes) as isize;
        // SAFETY: rows follow each other, and these are within the tensor.
        let view = unsafe { TensorView::from_bytes(weights, offset, &shape, weights.strides()) };
        let part = format.pack_tensor_view(&view, column_axis, row_axis)?;
        let part = part.downcast_ref::<EagerPackedInput>().context("not packed at once")?;
        take(&part.packed)?;
        given_back += give_back(&mut weights.as_bytes_mut()[given_back..end * row_bytes]);
    }
    Ok(())
}

/// Gives whole pages of what nobody needs any more back to the system, and says up to
/// where. All of it may read as zeros afterwards.
fn give_back(bytes: &mut [u8]) -> usize {
    match forget_pages(bytes) {
        Some((_, rest)) => bytes.len() - rest,
        None => 0,
    }
}

/// Makes zeros of all bytes, of which whole pages are not in memory then.
pub(crate) fn zero(bytes: &mut [u8]) {
    match forget_pages(bytes) {
        Some((before, rest)) => {
            bytes[..before].fill(0);
            let pages_end = bytes.len() - rest;
            bytes[pages_end..].fill(0);
        }
        None => bytes.fill(0),
    }
}

/// Has the system forget whole pages, which are zeros from then on; says how many bytes
/// there are before them and after them. Nothing, if it did not.
fn forget_pages(bytes: &mut [u8]) -> Option<(usize, usize)> {
    let page = rustix::param::page_size();
    let before = bytes.as_ptr().align_offset(page);
    let rest = bytes.get_mut(before..)?;
    let whole = rest.len() / page * page;
    // SAFETY: the pages are borrowed for us alone, and zeros are bytes too. All memory of
    // tensors is anonymous.
    let done = unsafe { madvise(rest.as_mut_ptr().cast(), whole, Advice::LinuxDontNeed) };
    done.ok().map(|()| (before, rest.len() - whole))
}
