//! `graftd`, the agent on a board: it looks at frames for months and says what
//! is in them; or it reads texts.
//!
//! The way of a frame:
//!
//! ```text
//! source/     a camera, a folder, a stream or a file; on a thread of its own
//! mailbox.rs  one slot between that thread and the loop: the newest frame wins
//! picture.rs  bytes → RGB, or a text
//! serve.rs    the loop around it all; answering.rs is what it does with a frame
//! smooth/     many quick answers → one steady one
//! answer.rs   an answer as a line of JSON
//! reload.rs   another bundle beside the running one
//! sink/       standard output, a socket, MQTT, a program, a GPIO line
//! health/     systemd, the watchdog, metrics
//! keep/       frames that were hard to tell
//! bench.rs    what a bundle costs here; apart from all the others
//! ```
//!
//! It is a library so that its tests can count what the whole loop allocates;
//! the program is what is meant to be used.

mod answer;
mod answering;
#[cfg(feature = "bench")]
mod bench;
mod bundle;
mod cli;
mod config;
mod counts;
mod health;
mod job;
mod journal;
mod keep;
mod mailbox;
mod picture;
mod reload;
mod serve;
mod signals;
mod sink;
mod smooth;
mod source;
mod stop;

#[cfg(feature = "bench")]
pub use bench::{BenchFailure, HELP as BENCH_HELP, bench};
pub use bundle::{LoadError, LoadProblem};
pub use cli::{CliError, Command, HELP, parse};
pub use config::{
    After, Camera, CameraFormat, Config, ConfigError, Exec, Folder, Frames, FramesFormat, Gpio,
    Health, Keep, LogLevel, Mqtt, Publish, Seconds, Share, Sink, SinkSpec, Smooth, SmoothMethod,
    Socket, SourceSpec, SpecError, ValueError,
};
pub use health::WatchdogError;
pub use job::JobError;
pub use journal::start as start_journal;
pub use keep::KeepError;
pub use serve::{Failure, check, check_bundle, run};
pub use sink::SinkError;
pub use source::{CameraFault, SourceError};
