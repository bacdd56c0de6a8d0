//! Learning on features: from what a frozen backbone says of each example to a
//! head, its calibration, and an honest measure of how good it is.
//!
//! Numbers in, numbers out: no engine, no files, no clocks, no threads. The
//! same examples, recipe and seed give the same bytes on CPUs of the same
//! feature level; others differ in the last bits.
//!
//! The order of work: [`stratified_split`] sets test examples aside,
//! [`stratified_folds`] deals the others into folds, [`train_linear`] or
//! [`train_mlp`] makes a [`Head`] and the logits it gives to examples it had not
//! seen, [`calibrate`] turns those into a temperature and an "unknown"
//! threshold, and [`evaluate`] measures on the test examples.
//!
//! [`transfer`] says of several sources which one's features suit a task;
//! [`curves`] says what transfer was worth, and forecasts what more labels would be.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use graft_learn::{
//!     Examples, LinearRecipe, Targets, calibrate, evaluate, stratified_folds, train_linear,
//! };
//! use graft_spec::Labels;
//! use ndarray::Array2;
//!
//! // Two kinds of cell: the first feature tells them apart, the second is noise.
//! let features =
//!     Array2::from_shape_fn((60, 2), |(i, j)| [i % 2, i * 7 % 5][j] as f32 + 0.01 * i as f32);
//! let labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
//!
//! let examples = Examples::new(features.view(), &labels, 2)?;
//! let folds = stratified_folds(&labels, 5, 1)?;
//! let trained =
//!     train_linear(&examples, &LinearRecipe::default(), &folds, &mut |_| ControlFlow::Continue(()))?;
//! let calibration = calibrate(trained.out_of_fold_logits.view(), &labels, Some(0.95))?;
//!
//! let logits = trained.head.logits(features.view());
//! let names = Labels::new(vec!["good".into(), "cracked".into()])?;
//! let targets = Targets { labels: &labels, names: &names, majority: 0 };
//! let report = evaluate(logits.view(), &targets, &calibration)?;
//! assert_eq!(report.accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bigram;
mod blocks;
mod calibration;
pub mod curves;
mod examples;
mod head;
mod kernel;
mod lbfgs;
mod linear;
mod lockstep;
mod metrics;
mod mlp;
mod probe;
mod random;
mod reliability;
mod schedule;
mod soft_targets;
mod split;
mod standardise;
mod train;
pub mod transfer;

pub use bigram::{Bigram, BigramCounts};
pub use blocks::block_interval;
pub use calibration::{
    CalibrationError, calibrate, log_loss_at_best_temperature, temperature, unknown_below,
};
pub use examples::{Examples, ExamplesError};
pub use head::{Dense, Head};
pub use linear::{Fit, LinearRecipe, fit_linear, train_linear};
pub use metrics::{
    ClassScores, Evaluation, EvaluationError, Targets, evaluate, expected_calibration_error,
    wilson_interval,
};
pub use mlp::{MlpRecipe, train_mlp};
pub use probe::{Probe, grouped_probe, probe};
pub use random::SplitMix64;
pub use reliability::{ReliabilityBin, reliability};
pub use schedule::{Decay, Schedule};
pub use soft_targets::SoftTargets;
pub use split::{
    Split, SplitError, grouped_folds, grouped_split, stratified_folds, stratified_split,
};
pub use train::{ClassWeights, PathPoint, Progress, Setting, TrainError, Trained};
