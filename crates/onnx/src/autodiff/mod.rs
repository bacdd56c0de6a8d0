//! Training as one ordinary ONNX graph: forward, loss, backward and optimiser in
//! standard operators, so that any engine that runs ONNX trains.
//!
//! [`lower`] writes each node anew in one operator set and puts the way back on
//! a [`tape`]; [`rules`] holds one rule an operator; [`step`] adds the loss and
//! the optimiser.

mod emit;
mod loss;
mod lower;
mod memory;
mod optimiser;
mod rules;
mod step;
mod tape;
mod weights;

pub use loss::Loss;
pub use optimiser::Optimiser;
pub use step::{StateRole, Statistics, StepInput, StepOptions, StepState, Trainable, TrainingStep};
pub use weights::WeightInfo;

#[cfg(test)]
mod tests;
