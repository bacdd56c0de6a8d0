//! What service managers, watchdogs and scrapers see.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

use crate::*;

const RAW: [&str; 4] = ["--format", "rgb", "--size", "32x32"];

/// A service manager's socket.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Manager {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { socket, folder }
    }

    fn start(&self, watchdog: Duration, arguments: &[&str]) -> Graftd {
        let mut command = Graftd::command(arguments);
        command
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        Graftd::spawn(&mut command)
    }

    fn hears(&self) -> String {
        let mut message = [0; 500];
        let count = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..count].to_vec()).unwrap()
    }

    /// Waits for something that is not the watchdog's food.
    fn hears_news(&self) -> String {
        loop {
            let message = self.hears();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    /// How often the watchdog was fed in a while.
    fn feedings(&self, span: Duration) -> usize {
        let end = Instant::now() + span;
        let mut count = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return count;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut message = [0; 500];
            if let Ok(length) = self.socket.recv(&mut message)
                && &message[..length] == b"WATCHDOG=1\n"
            {
                count += 1;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_start_reload_and_stop() {
    let manager = Manager::new();
    let start = [&["--source", "stdin"], &RAW[..]].concat();
    let mut graftd = manager.start(Duration::from_millis(600), &start);
    assert_eq!(manager.hears_news(), "READY=1\n");
    // A source that may be quiet: it is fed without frames.
    for _ in 0..3 {
        assert_eq!(manager.hears(), "WATCHDOG=1\n");
    }
    graftd.signal(Signal::HUP);
    let reloading = manager.hears_news();
    let (first, second) = reloading.split_once('\n').unwrap();
    assert_eq!(first, "RELOADING=1");
    let now: u64 = second.trim().strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(now > 0);
    assert_eq!(manager.hears_news(), "READY=1\n");
    graftd.signal(Signal::TERM);
    assert_eq!(manager.hears_news(), "STOPPING=1\n");
    graftd.ends_well();
}

#[test]
fn a_bundle_that_does_not_hold_is_never_ready() {
    let manager = Manager::new();
    let folder = tempfile::tempdir().unwrap();
    let bundle = write_file(folder.path(), "b", b"no bundle");
    let mut graftd =
        manager.start(Duration::from_secs(9), &["--source", "stdin", "--bundle", &bundle]);
    assert_eq!(graftd.end().0.code(), Some(1));
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 10]).is_err(), "it said something");
}

#[test]
fn a_camera_that_gives_nothing_starves_the_watchdog() {
    let manager = Manager::new();
    let folder = tempfile::tempdir().unwrap();
    let config = write_file(folder.path(), "g.toml", b"[health]\ncamera_quiet = 1.5\n");
    let source = ["--source", "v4l2:/dev/no-such-camera", "--config", &config];
    let mut graftd = manager.start(Duration::from_millis(300), &source);
    assert_eq!(manager.hears_news(), "READY=1\n");
    assert!(manager.feedings(Duration::from_secs(1)) > 3, "it has time to come");
    manager.feedings(Duration::from_secs(2));
    assert_eq!(manager.feedings(Duration::from_secs(1)), 0);
    graftd.stops();
}

/// The reader of standard output stands still: nothing is answered, so nothing
/// is fed.
#[test]
fn a_loop_that_hangs_starves_the_watchdog() {
    let manager = Manager::new();
    let folder = tempfile::tempdir().unwrap();
    let frames = write_file(folder.path(), "frames", &raw(&pictures(20)));
    let source = format!("replay:{frames}");
    let mut command =
        Graftd::command(&[&["--source", &source, "--repeat", "0"], &RAW[..]].concat());
    command
        .env("NOTIFY_SOCKET", manager.folder.path().join("notify"))
        .env("WATCHDOG_USEC", "300000")
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    assert_eq!(manager.hears_news(), "READY=1\n");
    // A pipe takes some hundred lines.
    manager.feedings(Duration::from_secs(3));
    assert_eq!(manager.feedings(Duration::from_secs(1)), 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

pub fn scrape(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn metrics_are_served_to_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = pictures(7);
    let mut graftd =
        Graftd::start(&[&["--source", "stdin", "--lossless", "--metrics", "0"], &RAW[..]].concat());
    let line = graftd.says("metrics on ");
    let address = line.split("http://").nth(1).unwrap().strip_suffix("/metrics").unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let mut stdin = graftd.child.stdin.take().unwrap();
    stdin.write_all(&raw(&pictures)).unwrap();
    let answers: Vec<Value> = (0..7).map(|_| graftd.answer()).collect();
    let unknown = answers.iter().filter(|answer| answer["unknown"] == true).count();

    // The last answer is counted after it is told.
    let mut body = String::new();
    until("seven are counted", || {
        body = scrape(address, "/metrics").1;
        body.contains("\ngraft_answers_total 7\n")
    });
    let value = |name: &str| -> f64 {
        let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{body}")).parse().unwrap()
    };
    assert_eq!(value("graft_unknown_total"), unknown as f64);
    assert_eq!(value("graft_frames_dropped_total"), 0.0);
    assert_eq!(value("graft_latency_seconds_count"), 7.0);
    let sum: f64 = answers.iter().map(|a| a["probability"].as_f64().unwrap()).sum();
    assert!((value("graft_probability_sum") - sum).abs() < 1e-5);
    let micros: f64 = answers.iter().map(|a| a["latency_us"].as_f64().unwrap()).sum();
    assert!((value("graft_latency_seconds_sum") * 1e6 - micros).abs() < 10.0);
    assert!(value("graft_latency_seconds{quantile=\"0.99\"}") > 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(body.contains("graft_build_info{version=\""));

    let (head, _) = scrape(address, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    assert!(scrape(address, "/").0.starts_with("HTTP/1.1 404"));
    drop((stdin, folder));
    graftd.ends_well();
}

/// Whoever connects and says nothing is cut off, and so is one that never ends.
#[test]
fn metrics_do_not_wait_for_ever() {
    let mut graftd = Graftd::start(&["--source", "stdin", "--metrics", "0"]);
    let line = graftd.says("metrics on ");
    let address = line.split("http://").nth(1).unwrap().strip_suffix("/metrics").unwrap();
    let mut silent = TcpStream::connect(address).unwrap();
    let mut endless = TcpStream::connect(address).unwrap();
    endless.write_all(&[b'a'; 20_000]).unwrap();
    assert!(scrape(address, "/metrics").0.starts_with("HTTP/1.1 200"));
    // Closed without an answer.
    assert_eq!(silent.read(&mut [0; 10]).unwrap_or(0), 0);
    assert_eq!(endless.read(&mut [0; 10]).unwrap_or(0), 0);
    graftd.stops();
}

#[test]
fn what_is_no_watchdog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_file(folder.path(), "watchdog", b"");
    let mut graftd = Graftd::start(&["--source", "stdin", "--watchdog", &file]);
    assert_eq!(graftd.end().0.code(), Some(1));
    assert!(graftd.all_said().contains("cannot set the time of the watchdog"));
}

#[test]
fn under_systemd_lines_carry_their_priority() {
    let mut command = Graftd::command(&["--source", "stdin"]);
    command.env("JOURNAL_STREAM", "8:1234").stdin(Stdio::null());
    let mut graftd = Graftd::spawn(&mut command);
    assert!(graftd.says("references hold").starts_with("<6>"));
    graftd.ends_well();
}

#[test]
fn the_log_is_as_loud_as_it_is_told_to_be() {
    let mut command = Graftd::command(&["--source", "stdin", "--log", "warn"]);
    let mut graftd = Graftd::spawn(command.stdin(Stdio::null()));
    graftd.ends_well();
    assert_eq!(graftd.all_said(), "");
}
