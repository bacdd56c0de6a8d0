//! Large weights in a file of their own, as the engine packs them for this processor,
//! and mapped: the engine owns none of them.
//!
//! The engine wants its weights when it simplifies a network and chooses how to multiply
//! it. It gets stand-ins, tensors of the right size that are no memory, and reshapes them
//! as it would the weights. Where it would pack one, it gets panels that are in the file.
//! Which weights come that far is found out once, on the device itself, when the file is
//! made; all others are read as ever.
//!
//! While the network runs, only the weights of the node that runs are kept resident: the
//! pages of the one before are given back. They stay in the system's page cache as long
//! as it has room for them, and come back from there without reading.

mod file;
mod find;
mod panels;
mod stand_in;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tract_onnx::prelude::tract_linalg::mmm::{MMMInputValue, PackedMatrixStorage};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{TractErrorContext as _, bail};
use tract_onnx::tract_core::ops::matmul::pack::OptMatMulPack;

use self::file::Writer;
use self::panels::MappedPanels;
pub(super) use self::panels::Mapping;
use self::stand_in::StandIn;
use super::optimise::{self, Matrix, Packer, optimise};
use super::{Wanted, guarded, nnef, refused};
use crate::error::WeightsError;

/// A file of weights, mapped, whose bytes are those that were written.
#[derive(Debug)]
pub(crate) struct WeightsFile {
    path: PathBuf,
    weights: Vec<Weights>,
    mapping: Arc<Mapping>,
}

/// One tensor of the model and where its panels are.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Weights {
    /// As the model's file calls the tensor.
    label: String,
    /// The tensor's own.
    shape: Vec<usize>,
    /// What the engine calls the way in which it is packed.
    format: String,
    /// What it is when it is packed, and which of its axes are the matrix.
    packed_shape: Vec<usize>,
    row_axis: usize,
    column_axis: usize,
    panel_bytes: usize,
    /// Of the first byte, in the file.
    at: u64,
    bytes: usize,
    crc32: u32,
}

impl WeightsFile {
    /// Maps the file that [`write`] made of this model, and checks its bytes.
    ///
    /// # Errors
    ///
    /// Another model's or engine's, or a damaged one.
    pub(crate) fn open(path: &Path, model_sha256: &[u8; 32]) -> Result<WeightsFile, WeightsError> {
        let (weights, map) = file::open(path, model_sha256)?;
        let spans = weights.iter().map(|one| (one.at as usize, one.bytes)).collect();
        let mapping = Arc::new(Mapping::new(map, spans));
        Ok(WeightsFile { path: path.to_owned(), weights, mapping })
    }

    pub(super) fn mapping(&self) -> Arc<Mapping> {
        Arc::clone(&self.mapping)
    }

    /// Bytes of all weights in it.
    pub(crate) fn bytes(&self) -> usize {
        self.weights.iter().map(|one| one.bytes).sum()
    }

    /// The model, optimised, with its weights mapped.
    ///
    /// # Errors
    ///
    /// As for one in memory; and [`WeightsError::Stale`] if the engine packs otherwise than
    /// when the file was written, as it does on another processor.
    pub(super) fn model(self, wanted: &Wanted<'_>) -> Result<TypedModel, WeightsError> {
        let stale = |why| WeightsError::Stale { path: self.path.clone(), why };
        let made = RefCell::new(Vec::new());
        let stand_in = |tensor: &nnef::TensorFile<'_>| {
            let index = self.weights.iter().position(|one| one.label == tensor.label);
            let Some(index) = index else { return Ok(None) };
            let mut made = made.borrow_mut();
            let shape = tensor.f32_shape().filter(|shape| *shape == self.weights[index].shape);
            match shape.filter(|_| index == made.len()) {
                Some(shape) => stand_in::make(&mut made, tensor.label, shape).map(Some),
                None => Ok(None),
            }
        };
        let model = nnef::read(wanted, &stand_in)?;
        let made = made.take();
        let known = made.len() == self.weights.len()
            && stand_in::are_of_one_layer(&made, &model).iter().all(|&one| one);
        if !known {
            return Err(stale("its tensors are not those of the model".to_owned()));
        }
        let weights = self.weights.into_iter().map(Some).collect();
        let left = Mutex::new(Left { weights, misfit: None });
        let packer = Arc::new(Mapped { mapping: self.mapping, made, left });
        let optimised = optimise(model, Arc::clone(&packer) as _);
        let left = locked(&packer.left);
        if let Some(why) = &left.misfit {
            return Err(stale(why.clone()));
        }
        // A stand-in that is still there would be run as if it were weights.
        match left.weights.iter().flatten().next() {
            None => Ok(optimised.map_err(refused)?),
            Some(one) => Err(stale(format!("{} is not packed any more", one.label))),
        }
    }
}

/// Takes panels from the file.
#[derive(Debug)]
struct Mapped {
    mapping: Arc<Mapping>,
    made: Vec<StandIn>,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    /// Those that are not in the model yet.
    weights: Vec<Option<Weights>>,
    /// Why the file does not fit the engine on this processor.
    misfit: Option<String>,
}

impl Packer for Mapped {
    fn pack(
        &self,
        op: &OptMatMulPack,
        weights: Arc<Tensor>,
        fact: &TypedFact,
    ) -> TractResult<Arc<Tensor>> {
        let Some(index) = stand_in::index(&self.made, &weights) else {
            return optimise::in_memory().pack(op, weights, fact);
        };
        let mut left = locked(&self.left);
        let stored = left.weights[index].take().context("weights are packed twice")?;
        let matrix = Matrix::of(op, &weights, fact)?;
        let Some(matrix) = matrix.filter(|matrix| stored.is(matrix, weights.shape())) else {
            let why =
                format!("{} is packed otherwise here: not as {}", stored.label, stored.format);
            left.misfit = Some(why.clone());
            bail!(why);
        };
        let panels = MappedPanels::new(Arc::clone(&self.mapping), index, &matrix);
        packed_tensor(Box::new(panels), fact)
    }
}

impl Weights {
    /// Whether they are packed as this matrix.
    fn is(&self, matrix: &Matrix, shape: &[usize]) -> bool {
        self.format == format!("{:?}", matrix.format)
            && self.packed_shape == shape
            && (self.row_axis, self.column_axis) == (matrix.row_axis, matrix.column_axis)
            && self.panel_bytes == matrix.panel_bytes()
            && self.bytes == matrix.packed_bytes()
    }
}

/// What the operator that packs would give.
fn packed_tensor(packed: Box<dyn MMMInputValue>, fact: &TypedFact) -> TractResult<Arc<Tensor>> {
    let shape = fact.shape.as_concrete().context("packed weights of an open shape")?;
    let storage = PackedMatrixStorage::new_batched(shape, tvec!(packed));
    Ok(storage.into_tensor(fact.datum_type).into())
}

/// Writes the file of weights of a model, which is NNEF, into a folder, and gives its
/// path. Only one tensor is in memory at a time.
///
/// # Errors
///
/// A folder that cannot be written to, and a model without large weights that are packed.
pub(crate) fn write(
    wanted: &Wanted<'_>,
    folder: &Path,
    model_sha256: &[u8; 32],
) -> Result<PathBuf, WeightsError> {
    let found = guarded(|| Ok(find::find(wanted)))??;
    if found.is_empty() {
        return Err(WeightsError::NothingLarge);
    }
    let mut writer = Writer::create(folder, model_sha256, &found)?;
    let reader = wanted.model.reader()?;
    // The engine's walk knows its own errors alone.
    let mut failed = None;
    let walked = guarded(|| {
        nnef::walk(reader, |entry| {
            let nnef::Entry::Tensor(tensor) = entry else { return Ok(()) };
            let label = tensor.label.to_owned();
            let Some(index) = found.iter().position(|one| one.label == label) else {
                return Ok(());
            };
            let mut weights = tensor.read()?;
            found[index].pack(&mut weights, &mut |part| {
                writer.write(index, part).map_err(|error| {
                    failed = Some(error);
                    TractError::msg("it cannot be written")
                })
            })
        })
    });
    match (failed, walked) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => writer.finish(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the file of a model is in a folder.
pub(crate) use self::file::path_in;
