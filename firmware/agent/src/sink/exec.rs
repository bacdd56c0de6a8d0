//! A program that is run when the steady answer changes.
//!
//! Never more than one runs. If the answer changes meanwhile, the newest change
//! is told when the program has ended; those in between are counted as missed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{SinkError, Told};
use crate::config;
use crate::counts::Counts;
use crate::stop::{Stop, Wait};

/// How long is waited before it is looked again whether the program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Exec {
    shared: Arc<Shared>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    inside: Mutex<Inside>,
    changed: Condvar,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Inside {
    next: Option<Change>,
    closing: bool,
}

/// What the program is told, in its environment.
struct Change {
    label: String,
    previous: String,
    probability: f32,
    sequence: u64,
}

impl Exec {
    pub fn start(
        program: &Path,
        settings: &config::Exec,
        counts: Arc<Counts>,
    ) -> Result<Exec, SinkError> {
        let fail = |act| move |source| SinkError::System { path: program.to_owned(), act, source };
        // A path that is not there is a slip, and is said now. A bare name is
        // looked for in PATH when it is run.
        if program.components().count() > 1 {
            std::fs::metadata(program).map_err(fail("find the program"))?;
        }
        let stop = Stop::new().map_err(fail("prepare to run"))?;
        let shared = Arc::new(Shared {
            inside: Mutex::new(Inside::default()),
            changed: Condvar::new(),
            counts,
        });
        let (theirs, their_stop) = (Arc::clone(&shared), stop.clone());
        let (path, limit) = (program.to_owned(), settings.time_limit.unless_zero());
        let thread = std::thread::Builder::new()
            .name("exec".to_owned())
            .spawn(move || run_all(&path, limit, &theirs, &their_stop))
            .map_err(fail("prepare to run"))?;
        Ok(Exec { shared, stop, thread: Some(thread) })
    }

    pub fn tell(&mut self, told: &Told<'_>) {
        let Some(previous) = told.changed_from else { return };
        let text = |label: Option<&str>| label.unwrap_or_default().to_owned();
        let mut inside = self.shared.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let (label, mut previous) = (text(told.stable), text(previous));
        if let Some(missed) = inside.next.take() {
            // The program hears of one change from what it was told last.
            previous = missed.previous;
            self.shared.counts.missed_by_sinks.one();
        }
        let (probability, sequence) = (told.probability, told.sequence);
        inside.next = Some(Change { label, previous, probability, sequence });
        self.shared.changed.notify_all();
    }
}

impl Drop for Exec {
    /// A program that is running is stopped; a change that waits is not told.
    fn drop(&mut self) {
        self.shared.inside.lock().unwrap_or_else(PoisonError::into_inner).closing = true;
        self.shared.changed.notify_all();
        self.stop.order();
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported where it was.
            let _ = thread.join();
        }
    }
}

fn run_all(program: &PathBuf, limit: Option<Duration>, shared: &Shared, stop: &Stop) {
    loop {
        let inside = shared.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside = shared
            .changed
            .wait_while(inside, |inside| inside.next.is_none() && !inside.closing)
            .unwrap_or_else(PoisonError::into_inner);
        if inside.closing {
            return;
        }
        let Some(change) = inside.next.take() else { continue };
        drop(inside);
        let spawned = Command::new(program)
            .env("GRAFT_LABEL", &change.label)
            .env("GRAFT_PREVIOUS", &change.previous)
            .env("GRAFT_PROBABILITY", change.probability.to_string())
            .env("GRAFT_SEQUENCE", change.sequence.to_string())
            // What a service manager means for graftd alone.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            // Standard output is for answers.
            .stdout(Stdio::null())
            .process_group(0)
            .spawn();
        match spawned {
            Ok(child) => match wait(child, limit, stop) {
                Ok(status) if status.success() => {}
                Ok(status) => log::warn!("{}: {status}", program.display()),
                Err(error) => log::warn!("{}: {error}", program.display()),
            },
            Err(error) => log::warn!("{}: cannot run it: {error}", program.display()),
        }
    }
}

/// Waits until the program ends, or ends it when its time is over.
fn wait(mut child: Child, limit: Option<Duration>, stop: &Stop) -> std::io::Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let late = limit.is_some_and(|limit| started.elapsed() >= limit);
        if late {
            log::warn!("process {} ran longer than it may: it is killed", child.id());
        }
        if late || stop.sleep(LOOK_EVERY) == Wait::Stopped {
            // With all that it started: it leads a group of its own.
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may have ended in between.
                let _ = kill_process_group(pid, Signal::KILL);
            }
            return child.wait();
        }
    }
}
