//! The loop: frame in, answer out, until the source ends or somebody stops it.

use std::sync::Arc;
use std::time::Instant;

use graft_spec::Decision;

use crate::answer::{self, Line, Top};
use crate::bundle::{LoadError, Loaded};
use crate::config::{Config, Smooth};
use crate::counts::{Counts, is_said};
use crate::health::{self, Manager, Metrics, Pulse, Seen, Sign, State, Watchdog, WatchdogError};
use crate::job::{Job, JobError};
use crate::keep::{KeepError, Keeper};
use crate::mailbox::{Arrival, Captured, Mailbox};
use crate::picture::Darkroom;
use crate::reload::{Opening, Reload};
use crate::signals;
use crate::sink::{Sink, SinkError, Told};
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

/// Says whether a bundle holds on this machine; nothing else is needed.
///
/// # Errors
///
/// Why it does not.
pub fn check_bundle(config: Config) -> Result<(), Failure> {
    let path = config.bundle.ok_or(JobError::Missing { key: "bundle" })?;
    let sinks = config.sinks.into_iter().map(|sink| sink.0).collect();
    Opening { path, public_key: config.require_signature, sinks }.open()?;
    Ok(())
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
    let stop = Stop::new()?;
    let _listening = signals::listen(Arc::clone(&mailbox), stop.clone())?;
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
        .map(|spec| Sink::open(spec, &job.config, &counts, &stop))
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
    let mut reload = Reload::new(opening);
    let outcome = answer_all(&mut answering, &mut sinks, &mut reload, &mut pulse, &counts);
    pulse.manager().tell(State::Stopping);
    stop.order();
    mailbox.abandon();
    let source = source.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    match outcome {
        Err(Failure::Sink(SinkError::Closed)) => log::info!("{}: stopping", SinkError::Closed),
        other => other?,
    }
    source?;
    // After a failure the hardware waits for whoever starts graftd again, and
    // resets the board if nobody does.
    pulse.release();
    Ok(())
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
                reload.ask(pulse.manager());
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
            if !reload.is_running() {
                pulse.manager().tell(State::Ready);
            }
        }
        pulse.beat(sign, Instant::now());
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
