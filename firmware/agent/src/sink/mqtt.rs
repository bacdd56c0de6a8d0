//! Answers to an MQTT broker.
//!
//! The loop only hands answers over; connecting and writing are done on another
//! thread. While there is no connection, the newest answer is kept and the
//! others are counted as missed; whenever there is one again the newest is
//! published first, so that what a broker retains does not stay wrong.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS};

use super::{SinkError, Told};
use crate::config::{self, Publish};
use crate::counts::{Counts, is_said};
use crate::stop::{Stop, Wait};

/// Answers that wait for the network while it is slower than frames for a
/// moment.
const WAITING: usize = 16;
const RECONNECT_FIRST_AFTER: Duration = Duration::from_millis(500);
/// How long stopping may take, for the last answer to go out.
const FAREWELL: Duration = Duration::from_secs(1);

pub(crate) struct Mqtt {
    shared: Arc<Shared>,
    publish: Publish,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    client: Client,
    topic: String,
    qos: QoS,
    retain: bool,
    connected: AtomicBool,
    /// The newest answer, without its line end.
    newest: Mutex<Vec<u8>>,
    counts: Arc<Counts>,
}

impl Mqtt {
    pub fn connect(
        host: &str,
        port: u16,
        topic: &str,
        settings: &config::Mqtt,
        counts: Arc<Counts>,
    ) -> Result<Mqtt, SinkError> {
        let name = PathBuf::from(format!("mqtt:{host}:{port}"));
        let fail = |act| {
            let path = name.clone();
            move |source| SinkError::System { path, act, source }
        };
        let qos = match settings.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        let mut options = MqttOptions::new(&settings.client_id, host, port);
        options.set_keep_alive(settings.keep_alive.get());
        // A thousand labels in a line are more than the default allows.
        options.set_max_packet_size(64 << 10, 4 << 20);
        // What was on its way when a connection broke is sent again if the
        // broker remembers us.
        options.set_clean_session(qos == QoS::AtMostOnce);
        if !settings.username.is_empty() {
            options.set_credentials(&settings.username, password(settings)?);
        }
        let (client, connection) = Client::new(options, WAITING);
        let stop = Stop::new().map_err(fail("prepare"))?;
        let shared = Arc::new(Shared {
            client,
            topic: topic.to_owned(),
            qos,
            retain: settings.retain,
            connected: AtomicBool::new(false),
            newest: Mutex::new(Vec::new()),
            counts,
        });
        let longest = settings.reconnect_at_most_after.get();
        let (theirs, their_stop) = (Arc::clone(&shared), stop.clone());
        let their_name = name.clone();
        let thread = std::thread::Builder::new()
            .name("mqtt".to_owned())
            .spawn(move || pump(connection, &theirs, &their_stop, longest, &their_name))
            .map_err(fail("start a thread"))?;
        Ok(Mqtt { shared, publish: settings.publish, stop, thread: Some(thread) })
    }

    pub fn tell(&mut self, told: &Told<'_>) {
        if self.publish == Publish::Change && told.changed_from.is_none() {
            return;
        }
        let Shared { newest, connected, counts, .. } = &*self.shared;
        let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock, as the other thread does: an answer is
        // either published here or found there.
        let connected = connected.load(Ordering::Acquire);
        if !connected && !newest.is_empty() {
            counts.missed_by_sinks.one();
        }
        newest.clear();
        newest.extend_from_slice(told.line.trim_ascii_end());
        if connected {
            self.shared.publish(&newest);
        }
    }
}

impl Shared {
    fn publish(&self, answer: &[u8]) {
        // Refused only if answers wait already, or the thread is gone.
        let to = self.topic.as_str();
        if self.client.try_publish(to, self.qos, self.retain, answer).is_err() {
            self.counts.missed_by_sinks.one();
        }
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        // After the answers that wait.
        let _ = self.shared.client.try_disconnect();
        if !self.shared.connected.load(Ordering::Acquire) {
            self.stop.order();
        }
        let Some(thread) = self.thread.take() else { return };
        let until = Instant::now() + FAREWELL;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        // A broker that does not answer is left to itself: the process ends.
        self.stop.order();
    }
}

/// Keeps the connection alive and takes it up again when it breaks.
fn pump(mut connection: Connection, shared: &Shared, stop: &Stop, longest: Duration, name: &Path) {
    let mut pause = RECONNECT_FIRST_AFTER;
    let mut failures = 0;
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                log::info!("{}: connected", name.display());
                (pause, failures) = (RECONNECT_FIRST_AFTER, 0);
                let newest = shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
                shared.connected.store(true, Ordering::Release);
                if !newest.is_empty() {
                    shared.publish(&newest);
                }
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(error) => {
                shared.connected.store(false, Ordering::Release);
                failures += 1;
                if is_said(failures) {
                    log::warn!("{}: {error} ({failures} times in a row)", name.display());
                }
                if stop.sleep(pause) == Wait::Stopped {
                    return;
                }
                pause = (2 * pause).min(longest.max(RECONNECT_FIRST_AFTER));
            }
        }
        if stop.is_ordered() {
            return;
        }
    }
}

fn password(settings: &config::Mqtt) -> Result<String, SinkError> {
    let Some(path) = &settings.password_file else { return Ok(String::new()) };
    let text = std::fs::read_to_string(path).map_err(|source| SinkError::System {
        path: path.clone(),
        act: "read the password",
        source,
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
