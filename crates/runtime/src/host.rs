//! What a host asks of the device engine before a device does.

use graft_spec::ModelFormat;

use crate::engine::{self, Bytes, Engine, Outputs, Wanted};
use crate::error::{OpenError, Shape};

/// Opens an ONNX model in the device engine and drops it again: what a host asks
/// at train time, so that it is not the board that finds out.
///
/// `input_shape` is that of one example, batch 1 first; an axis that it leaves open is
/// open in the engine as well.
///
/// # Errors
///
/// As [`crate::Model::open`].
pub fn check_onnx(model: &[u8], input_shape: impl Into<Shape>) -> Result<(), OpenError> {
    let (model, outputs) = (Bytes::Memory(model), Outputs::Own);
    let input_shape = &input_shape.into();
    Engine::open(&Wanted { format: ModelFormat::Onnx, model, input: None, input_shape, outputs })
        .map(drop)
}

/// An ONNX model as NNEF, which opens in less time and memory. Its input is
/// called [`NNEF_INPUT`], its outputs as `tensors` names them, with their lengths:
/// each is of shape `[1, length]`.
///
/// # Errors
///
/// As [`crate::Model::open`]; and what NNEF cannot say.
pub fn to_nnef(
    model: &[u8],
    input: &str,
    input_shape: impl Into<Shape>,
    tensors: [(&str, usize); 2],
) -> Result<Vec<u8>, OpenError> {
    let (model, input, outputs) = (Bytes::Memory(model), Some(input), Outputs::Named(tensors));
    let input_shape = &input_shape.into();
    engine::to_nnef(&Wanted { format: ModelFormat::Onnx, model, input, input_shape, outputs })
}

/// What the input of a model of [`to_nnef`] is called.
pub const NNEF_INPUT: &str = engine::NNEF_INPUT;
