//! What a bundle costs on this machine, beside the engine without graft on the
//! same ONNX: the children of `graft bench` and `graftd bench` run this.
//!
//! Memory and start-up are a process's, so one process measures one [`Task`] and
//! ends. Whoever wants both sides runs the tasks in turns, so that what else the
//! machine does meets both.
//!
//! Only here is the engine used without references: nothing that answers frames
//! for anybody may call this module.

mod bundle;
mod cost;
mod latency;
mod network;
mod profile;
mod stock;
mod task;

use std::path::PathBuf;

use graft_bundle::SignatureError;

pub use self::bundle::{BundleRun, BundleStart, Frames, TEXT_WORDS, example_shape};
pub use self::cost::{Cost, Memory};
pub use self::latency::Latency;
pub use self::network::{answer_latency, network_latency};
pub use self::profile::{OperatorTime, Profile, SlowNode};
pub use self::stock::{StockRun, StockStart};
pub use self::task::{Measured, Task, TaskError};
use crate::error::{EngineError, OpenError, RunError, VerifyError, WeightsError};

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file, or what the system says of the process.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A system that does not say what a process holds.
    #[error("the system does not tell {field} of a process: memory cannot be measured on it")]
    Status {
        /// As Linux calls it.
        field: &'static str,
    },
    /// No bundle, or a damaged one.
    #[error("{}: {source}", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SignatureError,
    },
    /// Its model cannot run here.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its weights are not in a file, as was asked for.
    #[error("its large weights cannot be mapped: {0}")]
    Weights(WeightsError),
    /// It answers differently here.
    #[error("it does not answer here as it did on the host: {0}")]
    Verify(#[from] VerifyError),
    /// It gave up on a frame.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The engine without graft gave up.
    #[error("without graft: {0}")]
    Stock(#[from] EngineError),
    /// The ONNX file is another one's.
    #[error("the ONNX model has no output {name:?}: it is not the bundle's")]
    NoLogits {
        /// The bundle's name for its logits.
        name: String,
    },
}
