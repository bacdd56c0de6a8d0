use std::path::Path;

use serde::{Deserialize, Serialize};

use super::BenchError;
use super::cost::{Cost, Memory, Meter, metered, resident_bytes};
use crate::EngineError;
use crate::engine::Stock;

/// How an ONNX file starts in the engine without graft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockRun {
    /// It answered.
    Started(StockStart),
    /// The engine alone does not run it; graft does more than read ONNX.
    Refused {
        /// In the engine's words.
        why: String,
    },
}

/// From an ONNX file to an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockStart {
    /// CPU time of the process before it read anything.
    pub program_cpu_ms: f64,
    /// Reading and optimising.
    pub open: Cost,
    /// The first answer, to a tensor of zeros.
    pub first_answer: Cost,
    /// All of it.
    pub total: Cost,
    /// Of the process.
    pub memory: Memory,
}

pub(super) fn run(onnx: &Path, shape: &[usize]) -> Result<StockRun, BenchError> {
    // The engine words a missing file as if the model were wrong.
    let readable = std::fs::File::open(onnx).map(drop);
    readable.map_err(|source| BenchError::Read { path: onnx.to_owned(), source })?;
    let program_bytes = resident_bytes()?;
    let all = Meter::start();
    let started = || -> Result<_, EngineError> {
        let (mut stock, open) = metered(|| Stock::open(onnx, shape))?;
        let ((), first_answer) = metered(|| {
            let zeros = vec![0.0; shape.iter().product()];
            stock.run(stock.tensor(&zeros)?)
        })?;
        Ok((stock, open, first_answer))
    };
    let (stock, open, first_answer) = match started() {
        Ok(started) => started,
        Err(error) => return Ok(StockRun::Refused { why: error.to_string() }),
    };
    let total = all.read();
    let memory = Memory::now(program_bytes)?;
    // Until here it lives.
    drop(stock);
    Ok(StockRun::Started(StockStart {
        program_cpu_ms: all.before_ms(),
        open,
        first_answer,
        total,
        memory,
    }))
}
