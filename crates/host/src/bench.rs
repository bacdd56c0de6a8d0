//! What a bundle costs beside the engine without graft on the same ONNX, on this
//! machine or on a board.
//!
//! Each start is a process of its own, ours and the other's in turns; then one
//! process holds both open and gives them frames in turns. The processes run
//! [`graft_runtime::bench`]; here they are started, and what they say is made
//! into one report.

mod board;
mod here;
mod process;
mod report;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use graft_bundle::Bundle;
use graft_runtime::bench::{
    BundleRun, BundleStart, Frames, Measured, StockRun, StockStart, Task, example_shape,
};
use graft_spec::ModelFormat;

use self::board::Board;
pub use self::board::{HostName, HostNameError, Step};
use self::here::Here;
pub use self::process::ProcessError;
pub use self::report::{Bench, Latencies, Ratios, Starts};
use crate::bundle_file::BundleFile;
use crate::progress::{Event, OnEvent, Stage};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Frames that are timed.
    pub frames: u32,
    /// Starts of each; their medians are reported.
    pub rounds: u32,
    /// Where the bundle's large weights are.
    pub weights: Weights,
}

/// Where a bundle's large weights are while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// In memory.
    InMemory,
    /// In a file of their own, which is mapped; it is made by a start that is not measured.
    Mapped,
}

/// Where to measure.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// This machine: `program` takes the flags of a [`Task`] after `words`.
    Here { program: &'a Path, words: &'a [&'a str] },
    /// A board.
    Board {
        /// OpenSSH's client.
        ssh: &'a Path,
        /// As the client knows it.
        host: &'a HostName,
        /// What is run there.
        graftd: Graftd<'a>,
    },
}

/// Which `graftd` goes to a board.
#[derive(Clone, Copy, Debug)]
pub enum Graftd<'a> {
    /// This file.
    File(&'a Path),
    /// This program for its processor in a folder of builds.
    In { builds: &'a Path, program: &'a str },
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A process that measures on this machine.
    #[error("cannot measure: {0}")]
    Here(ProcessError),
    /// A board, over ssh.
    #[error("{host}: cannot {step}: {source}")]
    Board { host: HostName, step: Step, source: ProcessError },
    /// It says other things than were asked.
    #[error("{host} answers {said:?} where the path of a new folder should stand")]
    Folder { host: HostName, said: String },
    /// There is no build for its processor.
    #[error("{host} is {machine:?}, for which graftd is not built")]
    NoBuild { host: HostName, machine: String },
    /// What should be copied cannot be read.
    #[error("cannot read {}", path.display())]
    Graftd { path: PathBuf, source: std::io::Error },
    /// Files for the processes cannot be written here.
    #[error("cannot write into {}", folder.display())]
    Scratch { folder: PathBuf, source: std::io::Error },
    /// No measurement, or another one.
    #[error("the program that measures does not say what it should; is it of another version?")]
    OtherAnswer,
    /// What it is measured with cannot be prepared.
    #[error("{0}")]
    Example(#[from] graft_runtime::bench::BenchError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// Measures a bundle; files that are needed only meanwhile go into `scratch`.
///
/// # Errors
///
/// Whatever keeps the bundle from running there. That the engine without graft
/// does not run its ONNX is none: the report says so.
pub fn bench(
    file: &BundleFile,
    bundle: &Bundle<'_>,
    place: Place<'_>,
    effort: Effort,
    scratch: &Path,
    on: OnEvent<'_>,
) -> Result<Bench, BenchError> {
    let fail = |source| BenchError::Scratch { folder: scratch.to_owned(), source };
    let folder = tempfile::Builder::new().prefix("graft-bench-").tempdir_in(scratch);
    let folder = folder.map_err(fail)?;
    let onnx = folder.path().join("model.onnx");
    std::fs::write(&onnx, bundle.onnx().model).map_err(fail)?;
    let weights = folder.path().to_owned();
    let files = Files { bundle: file.path().to_owned(), onnx, weights };

    let total = u64::from(2 * effort.rounds + 1);
    let mut watch = Watch { on, done: 0 };
    if (watch.on)(Event::Begin { stage: Stage::Measure, total: Some(total) }).is_break() {
        return Err(BenchError::Cancelled);
    }
    let (machine, turns) = match place {
        Place::Here { program, words } => {
            let here = Here { program, words, scratch: folder.path() };
            let machine = std::env::consts::ARCH.to_owned();
            (machine, take_turns(&files, bundle, effort, &mut watch, &|t, w| here.measure(t, w)))
        }
        Place::Board { ssh, host, graftd } => {
            let board = Board::open(ssh, host, folder.path(), &mut watch)?;
            let turns = board.bring(graftd, &files, &mut watch).and_then(|there| {
                let measure = |task: &Task, watch: &mut Watch<'_>| board.measure(task, watch);
                take_turns(&there, bundle, effort, &mut watch, &measure)
            });
            let machine = board.machine.clone();
            // A board is left as it was found, whatever happened.
            if let Err(error) = board.close() {
                let _ = (watch.on)(Event::Note(&error.to_string()));
            }
            (machine, turns)
        }
    };
    let _ = (watch.on)(Event::End);
    let host = match place {
        Place::Here { .. } => None,
        Place::Board { host, .. } => Some(host.as_str().to_owned()),
    };
    Ok(report::of(host, machine, effort, turns?))
}

/// What the processes open, where they run.
struct Files {
    bundle: PathBuf,
    onnx: PathBuf,
    /// A folder in which a file of weights may lie.
    weights: PathBuf,
}

/// Asked again and again while a process runs.
struct Watch<'a> {
    on: OnEvent<'a>,
    /// Processes that ended.
    done: u64,
}

impl Watch<'_> {
    fn go_on(&mut self) -> ControlFlow<()> {
        (self.on)(Event::Advance { done: self.done })
    }
}

/// What the processes measured.
struct Turns {
    bundle: Vec<BundleStart>,
    /// Or why the engine without graft does not run it.
    stock: Result<Vec<StockStart>, String>,
    frames: Frames,
    form: ModelFormat,
    mapped_bytes: Option<u64>,
    engine: String,
}

/// The engine without graft may die where a bundle runs: it wants more memory, and
/// on a board its panics end the process. That is an answer too; that ssh fails is
/// none.
fn death(error: BenchError) -> Result<String, BenchError> {
    /// What ssh ends with when it is ssh that failed.
    const OF_SSH: i32 = 255;
    match error {
        BenchError::Here(died @ ProcessError::Ended { .. }) => Ok(died.to_string()),
        BenchError::Board { source: died @ ProcessError::Ended { status, .. }, .. }
            if status.code() != Some(OF_SSH) =>
        {
            Ok(died.to_string())
        }
        other => Err(other),
    }
}

type Measure<'a> = dyn Fn(&Task, &mut Watch<'_>) -> Result<Measured, BenchError> + 'a;

fn take_turns(
    files: &Files,
    bundle: &Bundle<'_>,
    effort: Effort,
    watch: &mut Watch<'_>,
    measure: &Measure<'_>,
) -> Result<Turns, BenchError> {
    let weights = match effort.weights {
        Weights::InMemory => None,
        Weights::Mapped => Some(files.weights.clone()),
    };
    let of_bundle = |frames, stock| {
        let (bundle, weights) = (files.bundle.clone(), weights.clone());
        Task::Bundle { bundle, frames, stock, weights }
    };
    let start_bundle = of_bundle(0, None);
    if weights.is_some() {
        measure(&start_bundle, watch)?;
    }
    let start_stock = Task::Stock { onnx: files.onnx.clone(), shape: example_shape(bundle)? };
    let mut starts = Vec::new();
    let mut stock = Ok(Vec::new());
    for _ in 0..effort.rounds {
        let Measured::Bundle(run) = measure(&start_bundle, watch)? else {
            return Err(BenchError::OtherAnswer);
        };
        starts.push(run.start);
        watch.done += 1;
        // What is refused once is refused again.
        if let Ok(started) = &mut stock {
            match measure(&start_stock, watch) {
                Ok(Measured::Stock(StockRun::Started(start))) => started.push(start),
                Ok(Measured::Stock(StockRun::Refused { why })) => stock = Err(why),
                Ok(Measured::Bundle(_)) => return Err(BenchError::OtherAnswer),
                Err(error) => stock = Err(death(error)?),
            }
        }
        watch.done += 1;
    }
    let beside = stock.is_ok().then(|| files.onnx.clone());
    let Measured::Bundle(run) = measure(&of_bundle(effort.frames, beside), watch)? else {
        return Err(BenchError::OtherAnswer);
    };
    watch.done += 1;
    let BundleRun { engine, form, mapped_bytes, frames, .. } = *run;
    let frames = frames.ok_or(BenchError::OtherAnswer)?;
    Ok(Turns { bundle: starts, stock, frames, form, mapped_bytes, engine })
}
