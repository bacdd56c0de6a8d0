use std::time::{Duration, Instant};

use graft_spec::ModelFormat;

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
    let mut run = || -> Result<Duration, EngineError> {
        let start = Instant::now();
        engine.run([&mut row, &mut []])?;
        Ok(start.elapsed())
    };
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
