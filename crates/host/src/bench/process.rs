//! A process that is waited for and can be stopped.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use graft_runtime::bench::Measured;

use super::{BenchError, Watch};

/// How often it is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(20);

/// More of what a process complains is not shown.
const MOST_SAID: usize = 2000;

/// Why a process did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It was not even started.
    #[error("{program} does not start: {source}")]
    Start { program: String, source: std::io::Error },
    /// It failed; `said` is its standard error.
    #[error("{}", ended(*.status, .said))]
    Ended { status: ExitStatus, said: String },
    /// What it writes cannot be kept.
    #[error("what it says cannot be kept: {0}")]
    Output(std::io::Error),
    /// The event sink said so, and it was killed.
    #[error("stopped")]
    Stopped,
}

/// Runs a process to its end and gives its standard output.
///
/// Its outputs go to files in `scratch`: nobody has to empty a pipe meanwhile.
pub(super) fn run(
    command: &mut Command,
    scratch: &Path,
    watch: &mut Watch<'_>,
) -> Result<String, ProcessError> {
    let file = || tempfile::tempfile_in(scratch).map_err(ProcessError::Output);
    let (mut said, mut complained) = (file()?, file()?);
    let copy = |file: &File| file.try_clone().map_err(ProcessError::Output);
    command.stdout(copy(&said)?).stderr(copy(&complained)?);
    // Ctrl-C is for us: we stop it, and tidy up after it.
    command.process_group(0);
    let mut child = command.spawn().map_err(|source| {
        let program = command.get_program().to_string_lossy().into_owned();
        ProcessError::Start { program, source }
    })?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(ProcessError::Output)? {
            break status;
        }
        if watch.go_on().is_break() {
            // An error means that it has just ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            return Err(ProcessError::Stopped);
        }
        std::thread::sleep(PATIENCE);
    };
    if status.success() {
        text(&mut said).map_err(ProcessError::Output)
    } else {
        let said = text(&mut complained).map_err(ProcessError::Output)?;
        Err(ProcessError::Ended { status, said })
    }
}

/// The measurement in what a process said: its last line. Shells of boards greet
/// even those who are no people.
pub(super) fn measured(said: &str) -> Result<Measured, BenchError> {
    let last = said.trim_end().lines().next_back().ok_or(BenchError::OtherAnswer)?;
    serde_json::from_str(last).map_err(|_| BenchError::OtherAnswer)
}

fn text(file: &mut File) -> std::io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn ended(status: ExitStatus, said: &str) -> String {
    let said = said.trim();
    match said.char_indices().nth(MOST_SAID) {
        _ if said.is_empty() => format!("it ended with {status}"),
        Some((end, _)) => format!("{}… ({status})", &said[..end]),
        None => format!("{said} ({status})"),
    }
}
