//! Runs a bundle on a device: open it, check that it answers here as it did on
//! the host, then ask it about frames.
//!
//! ```
//! use graft_bundle::Bundle;
//! use graft_input::Frame;
//! use graft_runtime::Model;
//!
//! # let bytes = include_bytes!("../tests/fixtures/tiny.graft");
//! // `bytes` may be a file in memory or a mapped one.
//! let mut model = Model::open(&Bundle::parse(bytes)?)?;
//! let verified = model.verify()?;
//! assert_eq!(verified.references, 3);
//!
//! let grey = vec![128; 3 * 640 * 480];
//! let answer = model.predict(Frame::new(640, 480, &grey)?)?;
//! match answer.label() {
//!     Some(label) => println!("{label}"),
//!     None => println!("unknown"),
//! }
//! # assert_eq!(answer.probabilities.len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A bundle about texts is asked with [`Model::predict_text`]; its word table stays in
//! the file that it was opened from.
//!
//! # The engine
//!
//! It is tract, and no type of it is public. Broken models can make it panic;
//! that is caught and becomes [`EngineError::Panicked`], while the process's
//! panic hook still reports it. In a program built with `panic = "abort"`
//! nothing can be caught: there, open only bundles whose signature holds. The
//! same goes for memory and stack, which a hostile model can exhaust.
//!
//! An ONNX model whose weights are in other files is refused: nothing but the
//! bundle is ever read.

#[cfg(feature = "bench")]
pub mod bench;
mod engine;
mod error;
mod host;
mod large_blocks;
mod model;
mod operators;
mod preparation;

pub use error::{EngineError, OpenError, Refusal, RunError, Shape, VerifyError, WeightsError};
pub use graft_input::words::Counts as TextCounts;
pub use host::{NNEF_INPUT, check_onnx, to_nnef};
pub use large_blocks::LargeBlocks;
pub use model::{Answer, LargeWeights, Model, Verified};
pub use operators::supports_operator;

/// The engine that runs networks here, and its version.
pub const ENGINE: &str = "tract 0.23.9";
