//! What a host asks of the device engine before a device does.

use std::time::{Duration, Instant};

use graft_spec::ModelFormat;

use crate::engine::{self, Bytes, Engine, Outputs, Wanted};
use crate::error::OpenError;

/// Opens an ONNX model in the device engine and drops it again: what a host asks
/// at train time, so that it is not the board that finds out.
///
/// `input_shape` is that of one example, batch 1 first.
///
/// # Errors
///
/// As [`crate::Model::open`].
pub fn check_onnx(model: &[u8], input_shape: [usize; 4]) -> Result<(), OpenError> {
    let (model, outputs) = (Bytes::Memory(model), Outputs::Own);
    Engine::open(&Wanted { format: ModelFormat::Onnx, model, input: None, input_shape, outputs })
        .map(drop)
}

/// How long one example takes in the device engine on this machine, on one core:
/// the shortest of `runs` after the first, since whatever else the machine does
/// only adds. To choose by, not to publish: nothing is measured beside it.
///
/// # Errors
///
/// As [`crate::Model::open`]; what stops the engine while it runs.
pub fn onnx_latency(
    model: &[u8],
    input_shape: [usize; 4],
    runs: usize,
) -> Result<Duration, OpenError> {
    let (model, outputs) = (Bytes::Memory(model), Outputs::Own);
    let format = ModelFormat::Onnx;
    let mut engine = Engine::open(&Wanted { format, model, input: None, input_shape, outputs })?;
    engine.fill(|tensor| tensor.fill(0.5))?;
    engine.run_for_time()?;
    let mut shortest = Duration::MAX;
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        engine.run_for_time()?;
        shortest = shortest.min(start.elapsed());
    }
    Ok(shortest)
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
    input_shape: [usize; 4],
    tensors: [(&str, usize); 2],
) -> Result<Vec<u8>, OpenError> {
    let (model, input, outputs) = (Bytes::Memory(model), Some(input), Outputs::Named(tensors));
    engine::to_nnef(&Wanted { format: ModelFormat::Onnx, model, input, input_shape, outputs })
}

/// What the input of a model of [`to_nnef`] is called.
pub const NNEF_INPUT: &str = engine::NNEF_INPUT;
