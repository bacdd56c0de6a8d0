//! `graftd bench`: what a bundle costs on this board. `graft bench --device`
//! copies graftd to a board and runs this there.

use std::ffi::OsString;

use graft_runtime::bench::{BenchError, Task};
use lexopt::prelude::*;

use crate::cli::{CliError, Command};

/// What `graftd bench --help` prints.
pub const HELP: &str = "\
graftd bench: what a bundle costs in this process, as one line of JSON

usage: graftd bench --bundle FILE [--frames N] [--onnx FILE] [--weights FOLDER]
       graftd bench --onnx FILE --shape 1,CHANNELS,HEIGHT,WIDTH

  --bundle FILE   start it, as graftd does; then time frames, or texts
  --frames N      how many; 0 is none [100]
  --onnx FILE     let the engine alone run this model: in turns with the bundle's
                  frames, or without a bundle its start alone
  --weights FOLDER  keep the bundle's large weights in a file there, mapped
  --shape SIZES   of the model's input, for one example; of a text 1,VALUES

Memory and start-up are a process's: run it several times and take the median.
`graft bench` on a host does so, and explains the fields (docs/json.md).
";

/// Reads the arguments after `bench`.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Command, CliError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut bundle, mut frames, mut onnx) = (None, None, None);
    let (mut shape, mut weights) = (None, None);
    while let Some(flag) = parser.next()? {
        match flag {
            Long("bundle") => bundle = Some(parser.value()?.into()),
            Long("frames") => frames = Some(parser.value()?.parse()?),
            Long("onnx") => onnx = Some(parser.value()?.into()),
            Long("shape") => shape = Some(parser.value()?.string()?),
            Long("weights") => weights = Some(parser.value()?.into()),
            Short('h') | Long("help") => return Ok(Command::BenchHelp),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Bench(Task::from_flags(bundle, frames, onnx, shape.as_deref(), weights)?))
}

/// Measures, and gives a line of JSON.
///
/// # Errors
///
/// What keeps the bundle from running here.
pub fn bench(task: &Task) -> Result<String, BenchFailure> {
    Ok(serde_json::to_string(&task.measure()?)? + "\n")
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum BenchFailure {
    /// There is no measurement.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// It cannot be written down.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use graft_runtime::bench::Measured;

    use super::*;

    const TINY: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/runtime/tests/fixtures/tiny.graft");

    fn task(line: &str) -> Result<Command, CliError> {
        crate::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_bundle_is_measured_by_the_flags_that_a_host_writes() {
        let Ok(Command::Bench(task)) = task(&format!("bench --bundle {TINY} --frames 2")) else {
            panic!("it is a task");
        };
        let flags: Vec<OsString> =
            [OsString::from("bench")].into_iter().chain(task.flags()).collect();
        assert!(matches!(crate::parse(flags), Ok(Command::Bench(same)) if same == task));

        let line = bench(&task).expect("the tiny bundle runs");
        assert_eq!(line.lines().count(), 1, "{line}");
        let Ok(Measured::Bundle(run)) = serde_json::from_str(&line) else { panic!("{line}") };
        let frames = run.frames.expect("two were asked for");
        assert_eq!((frames.frames, frames.stock), (2, None));
        assert!(run.start.total.wall_ms >= run.start.open.wall_ms);
    }

    #[test]
    fn what_is_no_task_is_said() {
        let check = |line: &str, words: &str| {
            let said = task(line).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains(words), "{line}: {said:?} lacks {words:?}");
        };
        check("bench", "--bundle");
        check("bench --onnx x.onnx", "--shape");
        check("bench --bundle x --frames many", "many");
        check("bench --source stdin", "--source");
        assert!(matches!(task("bench --help"), Ok(Command::BenchHelp)));
        let (frames, stock, weights) = (1, None, None);
        let missing = Task::Bundle { bundle: "no.graft".into(), frames, stock, weights };
        assert!(bench(&missing).is_err_and(|e| e.to_string().starts_with("cannot read no.graft")));
    }
}
