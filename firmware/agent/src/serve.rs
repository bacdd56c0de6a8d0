//! The loop: frame in, answer out, until the source ends or somebody stops it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use graft_spec::Decision;

use crate::answer::{self, Line, Top};
use crate::bundle::{self, LoadError, LoadProblem, Loaded};
use crate::config::{Config, SinkSpec, Smooth};
use crate::counts::{Counts, is_said};
use crate::health::{self, Manager, Metrics, Pulse, Seen, Sign, State, Watchdog, WatchdogError};
use crate::job::{Job, JobError};
use crate::keep::{KeepError, Keeper};
use crate::mailbox::{Arrival, Captured, Mailbox};
use crate::picture::Darkroom;
use crate::signals;
use crate::sink::{self, Sink, SinkError, Told};
use crate::smooth::Smoother;
use crate::source::{self, SourceError, Station};
use crate::stop::Stop;

/// Why graftd does not go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What it should do is not clear.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] LoadError),
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A sink.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The folder of kept frames.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The hardware watchdog.
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
    /// The metrics' port.
    #[error("cannot serve metrics on {address}: {source}")]
    Metrics {
        /// As configured.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system has no threads or descriptors left.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Says whether a configuration is complete and without contradictions.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn check(config: Config) -> Result<(), JobError> {
    Job::new(config).map(drop)
}

/// Answers frames until the source ends, or until SIGTERM or SIGINT.
///
/// # Errors
///
/// Whatever keeps it from starting or from going on. A single frame does not.
pub fn run(config: Config) -> Result<(), Failure> {
    let job = Job::new(config)?;
    let mailbox = Arc::new(Mailbox::new());
    // First, so that no signal from here on is the kernel's to act on.
    let _listening = signals::listen(Arc::clone(&mailbox))?;
    let counts = Arc::new(Counts::default());
    let manager = Manager::find();

    let opening = Opening {
        path: job.bundle.clone(),
        public_key: job.config.require_signature.clone(),
        sinks: job.sinks.clone(),
    };
    let loaded = opening.open()?;
    let mut sinks = job
        .sinks
        .iter()
        .map(|spec| Sink::open(spec, &job.config, &counts))
        .collect::<Result<Vec<Sink>, SinkError>>()?;
    let keeper = match &job.config.keep.folder {
        Some(folder) => Some(Keeper::start(folder, &job.config.keep, Arc::clone(&counts))?),
        None => None,
    };
    let metrics = Arc::new(Metrics::new(Arc::clone(&counts), Arc::clone(&mailbox), &loaded.name));
    let _serving = match job.metrics {
        Some(address) => Some(
            health::serve_metrics(address, Arc::clone(&metrics))
                .map_err(|source| Failure::Metrics { address, source })?,
        ),
        None => None,
    };
    let watchdog = match &job.config.health.watchdog {
        Some(path) => Some(Watchdog::open(path, job.config.health.watchdog_timeout.get())?),
        None => None,
    };
    let quiet_limit = job.config.health.camera_quiet.unless_zero();
    let quiet_limit = quiet_limit.filter(|_| !job.source.may_be_quiet());
    let mut pulse = Pulse::start(manager, watchdog, quiet_limit, Instant::now());

    let stop = Stop::new()?;
    let Job { source, config, .. } = job;
    let station = Station {
        mailbox: Arc::clone(&mailbox),
        counts: Arc::clone(&counts),
        stop: stop.clone(),
        once: config.once,
    };
    let source = match source::start(source, station) {
        Ok(thread) => thread,
        Err(error) => {
            // A watchdog must not reset a board whose camera is misspelt.
            pulse.release();
            return Err(error.into());
        }
    };
    pulse.manager().tell(State::Ready);

    let mut answering = Answering {
        smoother: Smoother::new(&config.smooth, loaded.labels.names().len(), loaded.unknown_below),
        loaded,
        smooth: config.smooth,
        darkroom: Darkroom::default(),
        keeper,
        metrics,
        mailbox: Arc::clone(&mailbox),
        top: config.top,
        sequence: 0,
        ranks: Vec::new(),
        line: Vec::new(),
        steady: Steady::default(),
    };
    let mut reload = Reload { opening, running: None, again: false };
    let outcome = answer_all(&mut answering, &mut sinks, &mut reload, &mut pulse, &counts);
    pulse.manager().tell(State::Stopping);
    stop.order();
    mailbox.abandon();
    let source = joined(source);
    pulse.release();
    match outcome {
        Err(Failure::Sink(SinkError::Closed)) => log::info!("{}: stopping", SinkError::Closed),
        other => other?,
    }
    Ok(source?)
}

/// Waits for a thread; its panic goes on here.
fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn answer_all(
    answering: &mut Answering,
    sinks: &mut [Sink],
    reload: &mut Reload,
    pulse: &mut Pulse,
    counts: &Counts,
) -> Result<(), Failure> {
    let mailbox = Arc::clone(&answering.mailbox);
    let mut captured = Captured::empty();
    loop {
        let sign = match mailbox.take(&mut captured, pulse.patience()) {
            Arrival::Frame => match answering.answer(&captured, sinks, counts)? {
                Sign::Answered => Sign::Answered,
                sign => {
                    mailbox.refuse();
                    sign
                }
            },
            Arrival::Nothing => Sign::Idle,
            Arrival::Reload => {
                reload.ask(pulse);
                Sign::Idle
            }
            // A bundle that is being opened is not waited for.
            Arrival::End | Arrival::Stop => return Ok(()),
        };
        if let Some(opened) = reload.finished() {
            match opened {
                Ok(loaded) => answering.change_to(loaded),
                Err(error) => {
                    answering.metrics.refused_reloads.one();
                    log::error!("the running bundle stays: {error}");
                }
            }
            if reload.running.is_none() {
                pulse.manager().tell(State::Ready);
            }
        }
        pulse.beat(sign, Instant::now());
    }
}

/// How the bundle is opened, now and again.
#[derive(Clone)]
struct Opening {
    path: PathBuf,
    public_key: Option<String>,
    sinks: Vec<SinkSpec>,
}

impl Opening {
    fn open(&self) -> Result<Loaded, LoadError> {
        let loaded = bundle::load(&self.path, self.public_key.as_deref())?;
        match sink::missing_label(&self.sinks, &loaded.labels) {
            None => Ok(loaded),
            Some(label) => Err(LoadError {
                path: self.path.clone(),
                problem: LoadProblem::NoLabel { label: label.to_owned() },
            }),
        }
    }
}

/// A bundle that is opened beside the running one.
struct Reload {
    opening: Opening,
    running: Option<JoinHandle<Result<Loaded, LoadError>>>,
    /// Asked for while one was being opened: the file may be yet another.
    again: bool,
}

impl Reload {
    fn ask(&mut self, pulse: &Pulse) {
        if self.running.is_some() {
            self.again = true;
            return;
        }
        pulse.manager().tell(State::Reloading);
        self.start();
        if self.running.is_none() {
            pulse.manager().tell(State::Ready);
        }
    }

    fn start(&mut self) {
        let opening = self.opening.clone();
        let thread = std::thread::Builder::new().name("reload".to_owned());
        log::info!("{}: opening it anew", opening.path.display());
        match thread.spawn(move || opening.open()) {
            Ok(running) => self.running = Some(running),
            Err(error) => log::error!("the running bundle stays: {error}"),
        }
    }

    /// What was opened, once it is.
    fn finished(&mut self) -> Option<Result<Loaded, LoadError>> {
        let running = self.running.take_if(|running| running.is_finished())?;
        let opened = joined(running);
        if std::mem::take(&mut self.again) {
            self.start();
        }
        Some(opened)
    }
}

/// All that one frame's answer needs.
struct Answering {
    loaded: Loaded,
    smooth: Smooth,
    smoother: Smoother,
    darkroom: Darkroom,
    keeper: Option<Keeper>,
    metrics: Arc<Metrics>,
    mailbox: Arc<Mailbox>,
    top: usize,
    sequence: u64,
    ranks: Vec<usize>,
    line: Vec<u8>,
    steady: Steady,
}

/// The steady answer that the sinks know of, by name, as another bundle has
/// other labels.
#[derive(Debug, Default)]
struct Steady {
    known: bool,
    name: String,
}

impl Answering {
    fn answer(
        &mut self,
        captured: &Captured,
        sinks: &mut [Sink],
        counts: &Counts,
    ) -> Result<Sign, Failure> {
        let started = Instant::now();
        let frame = match self.darkroom.develop(captured, self.loaded.background) {
            Ok(frame) => frame,
            Err(error) => {
                let count = counts.unreadable.one();
                // A picture with a name is always named.
                if !captured.name.is_empty() {
                    log::warn!("{}: {error}", captured.name);
                } else if is_said(count) {
                    log::warn!("a frame cannot be read ({count} so far): {error}");
                }
                return Ok(Sign::Idle);
            }
        };
        let answer = match self.loaded.model.predict(frame) {
            Ok(answer) => answer,
            Err(error) => {
                let count = self.metrics.failed.one();
                if is_said(count) {
                    log::error!("a frame has no answer ({count} so far): {error}");
                }
                return Ok(Sign::Failed);
            }
        };
        let stable = self.smoother.push(answer.decision, answer.probabilities);
        let latency = started.elapsed();

        let labels = &self.loaded.labels;
        answer::rank(answer.probabilities, self.top.max(2), &mut self.ranks);
        let best = self.ranks[0];
        let probability = answer.probabilities[best];
        let unknown = answer.decision == Decision::Unknown;
        let stable = answer::label(labels, stable);
        let changed = self.steady.get() != stable;
        let (time_ms, monotonic_us) = answer::moment(captured.at);
        let line = Line {
            sequence: self.sequence,
            time_ms,
            monotonic_us,
            name: Some(captured.name.as_str()).filter(|name| !name.is_empty()),
            label: answer::label(labels, answer.decision),
            unknown,
            probability,
            top: Top {
                labels,
                probabilities: answer.probabilities,
                ranks: &self.ranks[..self.ranks.len().min(self.top)],
            },
            stable,
            changed,
            latency_us: latency.as_micros() as u64,
            age_us: captured.at.elapsed().as_micros() as u64,
            dropped: self.mailbox.dropped(),
        };
        self.line.clear();
        serde_json::to_writer(&mut self.line, &line)
            .expect("invariant: plain values, and a Vec takes all of them");
        self.line.push(b'\n');
        let told = Told {
            line: &self.line,
            sequence: self.sequence,
            probability,
            stable,
            changed_from: changed.then_some(self.steady.get()),
        };
        sinks.iter_mut().try_for_each(|sink| sink.tell(&told))?;

        self.metrics.answered(Seen { latency, probability, unknown, changed });
        if let Some(keeper) = &mut self.keeper {
            let margin =
                self.ranks.get(1).map_or(1.0, |&next| probability - answer.probabilities[next]);
            keeper.offer(frame, unknown, margin, &labels[best]);
        }
        self.steady.set(stable);
        self.sequence += 1;
        Ok(Sign::Answered)
    }

    /// Goes on with another bundle; the steady answer stays if that has it too.
    fn change_to(&mut self, loaded: Loaded) {
        let kept = self.steady.get().and_then(|label| loaded.labels.index_of(label));
        self.smoother =
            Smoother::new(&self.smooth, loaded.labels.names().len(), loaded.unknown_below);
        if let Some(label) = kept {
            self.smoother.resume(label);
        }
        log::info!("{} takes over from {}", loaded.name, self.loaded.name);
        self.metrics.reloaded(&loaded.name);
        self.loaded = loaded;
    }
}

impl Steady {
    fn get(&self) -> Option<&str> {
        self.known.then_some(self.name.as_str())
    }

    fn set(&mut self, label: Option<&str>) {
        self.known = label.is_some();
        if let Some(label) = label {
            label.clone_into(&mut self.name);
        }
    }
}
