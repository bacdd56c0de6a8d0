//! Runs a bundle on a device: open it, check that it answers here as it did on
//! the host, then ask it about frames.

mod engine;
mod error;
mod model;
mod operators;

pub use error::{EngineError, OpenError, RunError, Shape, VerifyError};
pub use model::{Answer, Model, Verified, check_onnx};
pub use operators::supports_operator;
