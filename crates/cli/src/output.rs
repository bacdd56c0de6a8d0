//! Results on standard output, as text or as JSON; errors on standard error.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::args::Global;
use crate::hint;

pub const INTERRUPTED: u8 = 130;

/// What a verb answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Yes,
    /// `compare` beyond tolerance, `evaluate --at-least` missed.
    No,
    /// `doctor` found something that the main job needs broken or missing.
    Broken,
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Outcome {
        if passed { Outcome::Yes } else { Outcome::No }
    }
}

/// The document of `--json`: the fields of docs/json.md behind these two.
#[derive(Serialize)]
struct Document<'a, T: Serialize> {
    graft: &'static str,
    verb: &'a str,
    #[serde(flatten)]
    result: &'a T,
}

/// Prints a result as the flags say: `text` on standard output, or its JSON, and
/// the JSON to a file if one was named.
pub fn print<T: Serialize>(
    global: &Global,
    verb: &str,
    result: &T,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if let Some(path) = &global.json_file {
        graft_host::atomic::write_whole(path, json(verb, result)?.as_bytes())?;
    }
    put(&if global.json { json(verb, result)? } else { text() })
}

fn json<T: Serialize>(verb: &str, result: &T) -> anyhow::Result<String> {
    let document = Document { graft: env!("CARGO_PKG_VERSION"), verb, result };
    let mut json = serde_json::to_string_pretty(&document).context("cannot write JSON")?;
    json.push('\n');
    Ok(json)
}

/// Says something on standard error. If nobody listens there, there is no third
/// place to say so.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes to standard output. A reader that has seen enough is no error.
fn put(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// An error on its way out.
#[derive(Serialize)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    #[serde(skip)]
    hint: Option<String>,
    #[serde(skip)]
    cancelled: bool,
}

impl Failure {
    /// `stopped`: Ctrl-C was pressed, which explains any error after it.
    pub fn of(error: anyhow::Error, stopped: bool) -> Failure {
        let mut words: Vec<String> = Vec::new();
        for cause in error.chain() {
            let cause = cause.to_string();
            // Some wrappers repeat what they wrap, so that they make sense alone.
            if !words.last().is_some_and(|last| last.ends_with(&cause)) {
                words.push(cause);
            }
        }
        let message = words.remove(0);
        Failure {
            message,
            causes: words,
            hint: hint::of(&error),
            cancelled: stopped || hint::is_cancelled(&error),
        }
    }
}

/// Says what went wrong, once, and gives the exit status.
pub fn report(global: &Global, verb: &str, failure: &Failure) -> ExitCode {
    #[derive(Serialize)]
    struct Report<'a> {
        error: &'a Failure,
    }
    if failure.cancelled {
        complain("graft: stopped; what was computed is kept, no file was written");
    } else {
        let causes: String = failure.causes.iter().map(|c| format!(": {c}")).collect();
        complain(&format!("graft {verb}: {}{causes}", failure.message));
        if let Some(hint) = &failure.hint {
            complain(hint);
        }
    }
    if let Ok(text) = json(verb, &Report { error: failure }) {
        if global.json {
            let _ = put(&text);
        }
        // A build script must not read the numbers of an earlier run there.
        if let Some(path) = &global.json_file
            && let Err(error) = graft_host::atomic::write_whole(path, text.as_bytes())
        {
            complain(&format!("graft {verb}: {:#}", anyhow::Error::new(error)));
        }
    }
    ExitCode::from(if failure.cancelled { INTERRUPTED } else { 2 })
}
