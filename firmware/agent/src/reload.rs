//! Another bundle, opened beside the running one.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use crate::bundle::{self, LoadError, LoadProblem, Loaded};
use crate::config::SinkSpec;
use crate::health::{Manager, State};
use crate::job::Matter;
use crate::sink;

/// How the bundle is opened, at the start and again.
#[derive(Clone)]
pub(crate) struct Opening {
    pub path: PathBuf,
    pub public_key: Option<String>,
    /// A folder for a file of large weights.
    pub weights: Option<PathBuf>,
    pub sinks: Vec<SinkSpec>,
    /// What the source gives, if there is one.
    pub matter: Option<Matter>,
}

/// A reload, if there is one.
pub(crate) struct Reload {
    opening: Opening,
    running: Option<JoinHandle<Result<Loaded, LoadError>>>,
    /// Asked for while one was being opened: the file may be yet another.
    again: bool,
}

impl Opening {
    /// Opens and verifies the bundle.
    pub fn open(&self) -> Result<Loaded, LoadError> {
        let (key, weights) = (self.public_key.as_deref(), self.weights.as_deref());
        let loaded = bundle::load(&self.path, key, weights)?;
        match (loaded.matter, self.matter) {
            (Matter::Texts, Some(Matter::Pictures)) => {
                return Err(self.failed(LoadProblem::AboutTexts));
            }
            (Matter::Pictures, Some(Matter::Texts)) => {
                return Err(self.failed(LoadProblem::AboutPictures));
            }
            _ => {}
        }
        match sink::missing_label(&self.sinks, &loaded.labels) {
            None => Ok(loaded),
            Some(label) => Err(self.failed(LoadProblem::NoLabel { label: label.to_owned() })),
        }
    }

    /// Does so in another process first. A bundle that makes the engine panic, or
    /// takes all memory, ends that one and not this, where panics may abort.
    fn open_carefully(&self) -> Result<Loaded, LoadError> {
        let mut trial = Command::new("/proc/self/exe");
        trial.args(["--check-bundle", "--log", "error", "--bundle"]).arg(&self.path);
        // So that it takes as little memory, and the file is there afterwards.
        if let Some(folder) = &self.weights {
            trial.arg("--weights").arg(folder);
        }
        if let Some(key) = &self.public_key {
            trial.args(["--require-signature", key]);
        }
        // It is not the service, and is read by us.
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"] {
            trial.env_remove(variable);
        }
        let tried = trial
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .map_err(|error| self.failed(error.into()))?;
        if tried.status.success() {
            return self.open();
        }
        let said = String::from_utf8_lossy(&tried.stderr);
        let said = said.trim();
        Err(self.failed(LoadProblem::Tried(match tried.status.signal() {
            // Its last words are a panic's, if there are any.
            Some(_) => format!("trying to open it ended with {}: {said}", tried.status),
            None => {
                let path = format!("graftd: error: {}: ", self.path.display());
                said.strip_prefix(&path).unwrap_or(said).to_owned()
            }
        })))
    }

    fn failed(&self, problem: LoadProblem) -> LoadError {
        LoadError { path: self.path.clone(), problem }
    }
}

impl Reload {
    pub fn new(opening: Opening) -> Reload {
        Reload { opening, running: None, again: false }
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Begins one, or has another follow the one that is running.
    pub fn ask(&mut self, manager: &Manager) {
        if self.is_running() {
            self.again = true;
            return;
        }
        manager.tell(State::Reloading);
        self.start();
        if !self.is_running() {
            manager.tell(State::Ready);
        }
    }

    /// What was opened, once it is.
    pub fn finished(&mut self) -> Option<Result<Loaded, LoadError>> {
        let running = self.running.take_if(|running| running.is_finished())?;
        let opened = running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if std::mem::take(&mut self.again) {
            self.start();
        }
        Some(opened)
    }

    fn start(&mut self) {
        let opening = self.opening.clone();
        let thread = std::thread::Builder::new().name("reload".to_owned());
        log::info!("{}: opening it anew", opening.path.display());
        match thread.spawn(move || opening.open_carefully()) {
            Ok(running) => self.running = Some(running),
            Err(error) => log::error!("the running bundle stays: {error}"),
        }
    }
}
