//! The loop: frame in, answer out, until the source ends or somebody stops it.

use std::sync::Arc;
use std::time::Instant;

use crate::answering::Answering;
use crate::bundle::LoadError;
use crate::config::Config;
use crate::counts::Counts;
use crate::health::{self, Manager, Metrics, Pulse, Sign, State, Watchdog, WatchdogError};
use crate::job::{Job, JobError};
use crate::keep::{KeepError, Keeper};
use crate::mailbox::{Arrival, Captured, Mailbox};
use crate::reload::{Opening, Reload};
use crate::signals;
use crate::sink::{Sink, SinkError};
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
    let (public_key, weights) = (config.require_signature, config.weights);
    Opening { path, public_key, weights, sinks, matter: None }.open()?;
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
        weights: job.config.weights.clone(),
        sinks: job.sinks.clone(),
        matter: Some(job.source.matter()),
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
    let source = match source::start(source, station.clone()) {
        Ok(thread) => thread,
        Err(error) => {
            // A watchdog must not reset a board whose camera is misspelt.
            pulse.release();
            return Err(error.into());
        }
    };
    pulse.manager().tell(State::Ready);

    let mut answering = Answering::new(loaded, &config, keeper, metrics, Arc::clone(&mailbox));
    let mut reload = Reload::new(opening);
    let outcome = answer_all(&mut answering, &mut sinks, &mut reload, &mut pulse, &station);
    pulse.manager().tell(State::Stopping);
    stop.order();
    mailbox.abandon();
    let source = source.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let outcome = match outcome {
        Err(Failure::Sink(SinkError::Closed)) => {
            log::info!("{}: stopping", SinkError::Closed);
            Ok(())
        }
        other => other,
    };
    let outcome = outcome.and(source.map_err(Failure::from));
    // After a failure the hardware waits for whoever starts graftd again, and
    // resets the board if nobody does. Not if graftd never did its work: what is
    // wrong with the configuration, a reset does not mend.
    if outcome.is_ok() || !answering.has_answered() {
        pulse.release();
    }
    outcome
}

fn answer_all(
    answering: &mut Answering,
    sinks: &mut [Sink],
    reload: &mut Reload,
    pulse: &mut Pulse,
    station: &Station,
) -> Result<(), Failure> {
    let mut captured = Captured::empty();
    loop {
        let sign = match station.mailbox.take(&mut captured, pulse.patience()) {
            Arrival::Frame => match answering.answer(&captured, sinks, &station.counts)? {
                Sign::Answered => Sign::Answered,
                sign => {
                    station.mailbox.refuse();
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
                    answering.keep_running(&error);
                }
            }
            if !reload.is_running() {
                pulse.manager().tell(State::Ready);
            }
        }
        pulse.beat(sign, Instant::now());
    }
}
