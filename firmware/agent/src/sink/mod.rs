//! Where answers go. No sink can hold the loop up but standard output: whoever
//! reads that is waited for.

#[cfg(feature = "exec")]
mod exec;
#[cfg(feature = "gpio")]
mod gpio;
#[cfg(feature = "mqtt")]
mod mqtt;
mod socket;
mod stdout;

use std::path::PathBuf;
use std::sync::Arc;

use graft_spec::Labels;

use crate::config::{Config, SinkSpec};
use crate::counts::Counts;
use crate::stop::Stop;

/// What a sink is told about a frame.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(all(feature = "exec", feature = "gpio", feature = "mqtt")),
    allow(dead_code, reason = "sinks of lines read the line alone")
)]
pub(crate) struct Told<'a> {
    /// JSON, with its line end.
    pub line: &'a [u8],
    pub sequence: u64,
    pub probability: f32,
    /// The steady answer; nothing while it is unknown.
    pub stable: Option<&'a str>,
    /// What the steady answer was until this frame, if it has changed.
    pub changed_from: Option<Option<&'a str>>,
}

/// One place where answers go.
pub(crate) enum Sink {
    Stdout(stdout::Stdout),
    Socket(socket::Socket),
    #[cfg(feature = "mqtt")]
    Mqtt(mqtt::Mqtt),
    #[cfg(feature = "exec")]
    Exec(exec::Exec),
    #[cfg(feature = "gpio")]
    Gpio(gpio::Gpio),
}

/// Why answers cannot go somewhere.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Whoever read standard output has gone. That is an end, not a failure.
    #[error("standard output was closed")]
    Closed,
    /// The system refused something.
    #[error("{}: cannot {act}: {source}", path.display())]
    System {
        /// What it was done to.
        path: PathBuf,
        /// What was to be done.
        act: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two of them on one socket.
    #[error("{}: somebody listens on this socket already", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// A file in the socket's place.
    #[error("{}: there is something that is no socket", path.display())]
    NotASocket {
        /// What is there.
        path: PathBuf,
    },
    /// The GPIO line cannot be had.
    #[error("{}: line {line}: {reason}", chip.display())]
    Gpio {
        /// The chip's device file.
        chip: PathBuf,
        /// Offset of the line.
        line: u32,
        /// In the system's words.
        reason: String,
    },
}

impl Sink {
    pub fn open(
        spec: &SinkSpec,
        config: &Config,
        counts: &Arc<Counts>,
        stop: &Stop,
    ) -> Result<Sink, SinkError> {
        Ok(match spec {
            SinkSpec::Stdout => Sink::Stdout(stdout::Stdout::open(stop.clone())?),
            SinkSpec::Socket(path) => {
                Sink::Socket(socket::Socket::listen(path, &config.socket, Arc::clone(counts))?)
            }
            #[cfg(feature = "mqtt")]
            SinkSpec::Mqtt { host, port, topic } => Sink::Mqtt(mqtt::Mqtt::connect(
                host,
                *port,
                topic,
                &config.mqtt,
                Arc::clone(counts),
            )?),
            #[cfg(feature = "exec")]
            SinkSpec::Exec(program) => {
                Sink::Exec(exec::Exec::start(program, &config.exec, Arc::clone(counts))?)
            }
            #[cfg(feature = "gpio")]
            SinkSpec::Gpio { chip, line, label } => {
                Sink::Gpio(gpio::Gpio::request(chip, *line, label, &config.gpio)?)
            }
            #[cfg(not(all(feature = "exec", feature = "gpio", feature = "mqtt")))]
            _ => unreachable!("a sink of a feature that is left out is refused when it is read"),
        })
    }

    /// Tells it about a frame.
    ///
    /// # Errors
    ///
    /// Only of what ends the whole loop.
    pub fn tell(&mut self, told: &Told<'_>) -> Result<(), SinkError> {
        match self {
            Sink::Stdout(stdout) => stdout.write(told.line)?,
            Sink::Socket(socket) => socket.write(told.line),
            #[cfg(feature = "mqtt")]
            Sink::Mqtt(mqtt) => mqtt.tell(told),
            #[cfg(feature = "exec")]
            Sink::Exec(exec) => exec.tell(told),
            #[cfg(feature = "gpio")]
            Sink::Gpio(gpio) => gpio.tell(told)?,
        }
        Ok(())
    }
}

/// A label that a sink waits for and that a bundle does not have.
pub(crate) fn missing_label<'a>(sinks: &'a [SinkSpec], labels: &Labels) -> Option<&'a str> {
    sinks.iter().find_map(|sink| match sink {
        SinkSpec::Gpio { label, .. } if labels.index_of(label).is_none() => Some(label.as_str()),
        _ => None,
    })
}
