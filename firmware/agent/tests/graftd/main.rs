//! The program itself: every source and sink, reloading, and what it does when
//! something is wrong.

mod configuration;
#[cfg(feature = "exec")]
mod exec;
mod health;
mod keep;
#[cfg(feature = "mqtt")]
mod mqtt;
mod reload;
mod sinks;
mod smoothing;
mod soak;
mod sources;
mod texts;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use graft_bundle::{Bundle, Contents, ModelPart};
use graft_input::{Frame, Picture, synthetic};
use graft_runtime::Model;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A bundle with four labels; see `crates/runtime/tests/fixtures`.
const TINY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/runtime/tests/fixtures/tiny.graft");

/// Long enough for a machine that does other things too; waiting ends earlier.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running graftd. It is killed if a test gives up on it.
struct Graftd {
    child: Child,
    answers: Receiver<String>,
    log: Receiver<String>,
    /// What was read of the log while something else was looked for.
    said: Vec<String>,
}

impl Graftd {
    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graftd"));
        command.args(["--bundle", TINY]).args(arguments);
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(arguments: &[&str]) -> Graftd {
        Graftd::spawn(&mut Graftd::command(arguments))
    }

    fn spawn(command: &mut Command) -> Graftd {
        let mut child = command.spawn().unwrap();
        let answers = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        Graftd { child, answers, log, said: Vec::new() }
    }

    /// The next line on standard output.
    fn answer(&mut self) -> Value {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap(),
            Err(error) => panic!("no answer: {error}; the log:\n{}", self.all_said()),
        }
    }

    /// Whether nothing is answered for a while.
    fn is_quiet(&self) -> bool {
        matches!(
            self.answers.recv_timeout(Duration::from_millis(300)),
            Err(RecvTimeoutError::Timeout)
        )
    }

    /// Waits for a line of the log.
    fn says(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(error) => panic!("{words:?}: {error}; the log:\n{}", self.said.join("\n")),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end and gives the answers that are left.
    fn end(&mut self) -> (ExitStatus, Vec<Value>) {
        let mut answers = Vec::new();
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok(line) => answers.push(serde_json::from_str(&line).unwrap()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end: {}", self.all_said()),
            }
        }
        let status = self.child.wait().unwrap();
        // Its standard error may still be on its way here.
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        (status, answers)
    }

    /// Waits for its end, asserts that it was a good one, and gives the answers
    /// that are left.
    fn ends_well(&mut self) -> Vec<Value> {
        let (status, answers) = self.end();
        assert!(status.success(), "{status}: {}", self.all_said());
        answers
    }

    /// Stops it as a service manager does.
    fn stops(&mut self) -> Vec<Value> {
        self.signal(Signal::TERM);
        self.ends_well()
    }

    /// The whole log of one that has ended, or what there is of it.
    fn all_said(&mut self) -> String {
        self.said.extend(self.log.try_iter());
        self.said.join("\n")
    }
}

impl Drop for Graftd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (to, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// What the host's engine says to a picture: a label or nothing, and its
/// probability.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    label: Option<String>,
    probability: f32,
}

/// The tiny bundle in this process.
fn model() -> Model {
    Model::open(&Bundle::parse(&std::fs::read(TINY).unwrap()).unwrap()).unwrap()
}

fn expect(model: &mut Model, frame: Frame<'_>) -> Expected {
    let answer = model.predict(frame).unwrap();
    let probability = answer.probabilities.iter().copied().fold(0.0, f32::max);
    Expected { label: answer.label().map(str::to_owned), probability }
}

/// The same, read from a line.
fn found(line: &Value) -> Expected {
    assert_eq!(line["unknown"], line["label"].is_null(), "{line}");
    Expected {
        label: line["label"].as_str().map(str::to_owned),
        probability: line["probability"].as_f64().unwrap() as f32,
    }
}

fn sequences(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect()
}

/// Pictures of the size that the tiny network sees.
fn pictures(count: u64) -> Vec<Picture> {
    (0..count).map(|seed| synthetic(seed, 32, 32)).collect()
}

fn raw(pictures: &[Picture]) -> Vec<u8> {
    pictures.iter().flat_map(|picture| picture.rgb()).copied().collect()
}

/// A picture that the tiny bundle has a label for, that label, and a picture
/// that it does not know.
fn known_and_unknown() -> (Picture, String, Picture) {
    let mut model = model();
    let mut labelled =
        pictures(100).into_iter().map(|picture| (expect(&mut model, picture.frame()), picture));
    let (known, label) = labelled.find_map(|(said, picture)| Some((picture, said.label?))).unwrap();
    let (_, unknown) = labelled.find(|(said, _)| said.label.is_none()).unwrap();
    (known, label, unknown)
}

fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.into_os_string().into_string().unwrap()
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// The tiny bundle with something changed, and right digests again.
fn changed(change: impl FnOnce(&mut Contents<'_>)) -> Vec<u8> {
    let bytes = std::fs::read(TINY).unwrap();
    let bundle = Bundle::parse(&bytes).unwrap();
    let mut contents = Contents {
        manifest: bundle.manifest().clone(),
        labels: bundle.labels().clone(),
        models: bundle
            .forms()
            .map(|form| ModelPart { bytes: form.model, references: form.references.clone() })
            .collect(),
        words: None,
        tokenizer: None,
        provenance: None,
    };
    change(&mut contents);
    graft_bundle::write(&contents).unwrap()
}

fn png(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (picture.width(), picture.height());
    PngEncoder::new(&mut bytes)
        .write_image(picture.rgb(), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn jpeg(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (picture.width(), picture.height());
    JpegEncoder::new(&mut bytes)
        .encode(picture.rgb(), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
