use std::time::{Duration, Instant};

use graft_spec::{Input, ModelFormat};

use super::Latency;
use crate::engine::{Bytes, Engine, Outputs, Wanted};
use crate::error::{EngineError, OpenError, Shape};

/// Runs before the clock: the first one faults in memory.
const WARM_UP: usize = 1;
/// Runs at least, however long one takes.
const RUNS_AT_LEAST: usize = 3;

/// How long one example takes a network that is in no bundle yet: its only output
/// has `outputs` values. Repeated for about `time`, in this thread.
///
/// # Errors
///
/// As [`crate::Model::open`].
pub fn network_latency(
    onnx: &[u8],
    input_shape: [usize; 4],
    outputs: usize,
    time: Duration,
) -> Result<Latency, OpenError> {
    let model = Bytes::Memory(onnx);
    let wanted = Wanted {
        format: ModelFormat::Onnx,
        model,
        input: None,
        input_shape: &Shape::from(input_shape),
        outputs: Outputs::Own,
    };
    let mut engine = Engine::open(&wanted)?;
    engine.fill(|values| values.fill(0.5))?;
    let mut row = vec![0.0; outputs];
    let run = || -> Result<Duration, EngineError> {
        let start = Instant::now();
        engine.run([&mut row, &mut []])?;
        Ok(start.elapsed())
    };
    repeated(time, run)
}

/// How long an answer takes that is in no bundle yet, preparation included:
/// `prepare` leaves the tensor of an example, of whichever its number says, in the
/// place of what it is given, and the network gives the two outputs, each of shape
/// `[1, length]`. Repeated for about `time`, in this thread.
///
/// # Errors
///
/// As [`crate::Model::open`].
pub fn answer_latency(
    onnx: &[u8],
    input: &Input,
    outputs: [(&str, usize); 2],
    mut prepare: impl FnMut(usize, &mut Vec<f32>),
    time: Duration,
) -> Result<Latency, OpenError> {
    let wanted = Wanted {
        format: ModelFormat::Onnx,
        model: Bytes::Memory(onnx),
        input: None,
        input_shape: &Shape::from(input),
        outputs: Outputs::Named(outputs),
    };
    let mut engine = Engine::open(&wanted)?;
    let [mut first, mut second] = outputs.map(|(_, length)| vec![0.0; length]);
    let (mut number, mut tensor) = (0, vec![0.0; input.tensor_len()]);
    let run = || -> Result<Duration, EngineError> {
        let start = Instant::now();
        prepare(number, &mut tensor);
        let shape = input.shape_of(tensor.len()).expect("a prepared tensor is one of the input's");
        engine.reshape(&shape)?;
        engine.fill(|values| values.copy_from_slice(&tensor))?;
        engine.run([&mut first, &mut second])?;
        number += 1;
        Ok(start.elapsed())
    };
    repeated(time, run)
}

fn repeated(
    time: Duration,
    mut run: impl FnMut() -> Result<Duration, EngineError>,
) -> Result<Latency, OpenError> {
    for _ in 0..WARM_UP {
        run()?;
    }
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < RUNS_AT_LEAST || start.elapsed() < time {
        times.push(run()?);
    }
    Ok(Latency::of(&times).expect("it ran"))
}
