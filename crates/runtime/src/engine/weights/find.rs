//! Which weights the engine packs and does nothing else with, and how.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use tract_onnx::prelude::tract_linalg::mmm::EagerPackedInput;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{Blob, TractErrorContext as _};
use tract_onnx::tract_core::ops::matmul::pack::OptMatMulPack;

use super::stand_in::{self, StandIn};
use super::{locked, packed_tensor};
use crate::engine::optimise::{self, LARGE_BYTES, Matrix, Packer, in_blocks, optimise};
use crate::engine::{Wanted, nnef, refused};
use crate::error::OpenError;

/// A tensor of the model that is packed.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) label: String,
    pub(super) shape: Vec<usize>,
    pub(super) packed_shape: Vec<usize>,
    pub(super) matrix: Matrix,
}

impl Found {
    /// Gives the panels one after another, of a tensor as it is in the model's file. What
    /// lies between the columns of one panel and the next panel is zeros.
    pub(super) fn pack(
        &self,
        weights: &mut Tensor,
        take: &mut dyn FnMut(&[u8]) -> TractResult<()>,
    ) -> TractResult<()> {
        let Found { matrix, packed_shape, .. } = self;
        weights.set_shape(packed_shape)?;
        let panel_bytes = matrix.panel_bytes();
        let used = matrix.columns * matrix.format.panel_width() * matrix.format.dt.size_of();
        // The engine leaves there what was in the memory that it allocated.
        let rest = vec![0; panel_bytes - used];
        let mut take_panels = |panels: &[u8]| {
            for panel in panels.chunks(panel_bytes) {
                take(&panel[..used])?;
                take(&rest)?;
            }
            Ok(())
        };
        if matrix.is_in_blocks(weights) {
            return in_blocks(matrix, weights, take_panels);
        }
        let packed = matrix.format.pack_tensor(weights, matrix.column_axis, matrix.row_axis)?;
        let packed = packed.downcast_ref::<EagerPackedInput>().context("not packed at once")?;
        take_panels(&packed.packed)
    }
}

/// Optimises the model with stand-ins for all that is large.
pub(super) fn find(wanted: &Wanted<'_>) -> Result<Vec<Found>, OpenError> {
    let made = RefCell::new(Vec::new());
    let stand_in = |tensor: &nnef::TensorFile<'_>| {
        let large =
            |shape: &Vec<usize>| shape.iter().product::<usize>() * size_of::<f32>() >= LARGE_BYTES;
        let Some(shape) = tensor.f32_shape().filter(large) else { return Ok(None) };
        stand_in::make(&mut made.borrow_mut(), tensor.label, shape).map(Some)
    };
    let model = nnef::read(wanted, &stand_in)?;
    let made = made.take();
    let are_of_one_layer = stand_in::are_of_one_layer(&made, &model);
    let seen = Mutex::new(vec![Seen::Never; made.len()]);
    let finder = Arc::new(Finder { made, seen });
    optimise(model, Arc::clone(&finder) as _).map_err(refused)?;
    let seen = std::mem::take(&mut *locked(&finder.seen));
    let all = finder.made.iter().zip(seen).zip(are_of_one_layer);
    let found = all.filter_map(|((one, seen), is_of_one_layer)| match seen {
        Seen::Once { packed_shape, matrix } if is_of_one_layer => {
            let StandIn { label, shape, .. } = one.clone();
            Some(Found { label, shape, packed_shape, matrix })
        }
        _ => None,
    });
    Ok(found.collect())
}

/// Notes what is packed of the stand-ins.
#[derive(Debug)]
struct Finder {
    made: Vec<StandIn>,
    seen: Mutex<Vec<Seen>>,
}

#[derive(Clone, Debug)]
enum Seen {
    Never,
    Once { packed_shape: Vec<usize>, matrix: Matrix },
    Otherwise,
}

impl Packer for Finder {
    fn pack(
        &self,
        op: &OptMatMulPack,
        weights: Arc<Tensor>,
        fact: &TypedFact,
    ) -> TractResult<Arc<Tensor>> {
        let Some(index) = stand_in::index(&self.made, &weights) else {
            return optimise::in_memory().pack(op, weights, fact);
        };
        let matrix = Matrix::of(op, &weights, fact)?;
        let mut seen = locked(&self.seen);
        let (Some(matrix), Seen::Never) = (matrix, &seen[index]) else {
            seen[index] = Seen::Otherwise;
            return optimise::in_memory().pack(op, weights, fact);
        };
        // Nobody runs this model.
        let nothing = EagerPackedInput {
            fact: matrix.fact(),
            packed: Arc::new(Blob::default()),
            panel_bytes: matrix.panel_bytes(),
            mn: matrix.rows,
        };
        seen[index] = Seen::Once { packed_shape: weights.shape().to_vec(), matrix };
        packed_tensor(Box::new(nothing), fact)
    }
}
