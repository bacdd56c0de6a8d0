//! graftd with the large weights of a real network in a file: the answers are those of
//! memory, whatever is in the file.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use graft_tests::sandbox::{Sandbox, graft, run};

/// Long enough for a machine that does other things too; waiting ends earlier.
const PATIENCE: Duration = Duration::from_secs(60);

/// Cargo builds it beside graft.
fn graftd() -> PathBuf {
    let path = graft().with_file_name("graftd");
    assert!(path.is_file(), "there is no {}: build the whole workspace", path.display());
    path
}

struct Lab {
    sandbox: Sandbox,
    bundle: PathBuf,
    weights: PathBuf,
}

/// What graftd answered, and what it said about itself.
struct Said {
    answers: Vec<String>,
    log: String,
}

impl Lab {
    fn new() -> Lab {
        let sandbox = Sandbox::with_photos(8);
        let (bundle, weights) = (sandbox.bundle_of("mobilenet_v2"), sandbox.path("weights"));
        fs::create_dir(&weights).unwrap();
        Lab { sandbox, bundle, weights }
    }

    fn photos(&self) -> String {
        format!("folder:{}", self.sandbox.path("photos/leaf").display())
    }

    fn answers(&self, flags: &[&OsStr]) -> Said {
        let mut command = Command::new(graftd());
        command.arg("--bundle").arg(&self.bundle).args(["--source", &self.photos(), "--once"]);
        let said = run(command.args(["--top", "1000"]).args(flags)).done();
        // Times differ from run to run.
        let timeless = |line: &str| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.as_object_mut()
                .unwrap()
                .retain(|key, _| ["name", "label", "top"].contains(&&**key));
            line.to_string()
        };
        let answers: Vec<_> = said.stdout.lines().map(timeless).collect();
        assert_eq!(answers.len(), 8, "{said}");
        Said { answers, log: said.stderr }
    }

    fn mapped(&self) -> Said {
        self.answers(&["--weights".as_ref(), self.weights.as_os_str()])
    }

    fn file(&self) -> PathBuf {
        let files = fs::read_dir(&self.weights).unwrap().map(|entry| entry.unwrap().path());
        let [file] = &files.collect::<Vec<_>>()[..] else { panic!("one file was written") };
        file.clone()
    }
}

#[track_caller]
fn says(said: &Said, words: &[&str]) {
    for word in words {
        assert!(said.log.contains(word), "{:?} lacks {word:?}", said.log);
    }
}

#[test]
fn answers_are_those_of_memory() {
    let lab = Lab::new();
    let in_memory = lab.answers(&[]).answers;
    let first = lab.mapped();
    says(&first, &["written and mapped"]);
    let second = lab.mapped();
    says(&second, &[".weights: mapped"]);
    assert_eq!(first.answers, in_memory);
    assert_eq!(second.answers, in_memory);

    let path = lab.file();
    let good = fs::read(&path).unwrap();
    // Damage is found and mended.
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(&path, &bad).unwrap();
    let mended = lab.mapped();
    says(&mended, &["made anew", "is damaged", "written and mapped"]);
    assert_eq!(mended.answers, in_memory);
    assert!(fs::read(&path).unwrap() == good);

    // Other weights whose check sums hold are not believed: the references do not.
    fs::write(&path, of_other_weights(&good)).unwrap();
    let refused = lab.mapped();
    says(&refused, &["weights are in memory: from their file", "reference 0"]);
    assert_eq!(refused.answers, in_memory);
}

/// All weights halved, and the check sums with them.
fn of_other_weights(file: &[u8]) -> Vec<u8> {
    let length = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    let mut head: serde_json::Value = serde_json::from_slice(&file[16..16 + length]).unwrap();
    let mut bytes = file.to_vec();
    for one in head["weights"].as_array_mut().unwrap() {
        let number = |key: &str| one[key].as_u64().unwrap() as usize;
        let part = number("at")..number("at") + number("bytes");
        for value in bytes[part.clone()].as_chunks_mut::<4>().0 {
            *value = (f32::from_le_bytes(*value) / 2.0).to_le_bytes();
        }
        one["crc32"] = crc32fast::hash(&bytes[part]).into();
    }
    let head = serde_json::to_vec(&head).unwrap();
    bytes[8..12].copy_from_slice(&(head.len() as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&crc32fast::hash(&head).to_le_bytes());
    bytes[16..16 + head.len()].copy_from_slice(&head);
    bytes
}

/// It is killed if the test gives up on it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// SIGHUP with another network in place: its weights take the place of the others.
#[test]
fn a_new_bundle_brings_its_own() {
    let lab = Lab::new();
    let mut command = Command::new(graftd());
    command.arg("--bundle").arg(&lab.bundle).arg("--weights").arg(&lab.weights);
    command.args(["--source", &lab.photos()]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut graftd = Running(command.spawn().unwrap());
    let log = BufReader::new(graftd.0.stderr.take().unwrap()).lines();
    let (sender, lines) = channel();
    std::thread::spawn(move || log.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let wait_for = |words: &str| {
        let next = || lines.recv_timeout(PATIENCE);
        let said = std::iter::from_fn(|| next().ok()).any(|line| line.contains(words));
        assert!(said, "it never said {words:?}");
    };
    wait_for("written and mapped");
    let first = lab.file();
    wait_for("references hold");

    let other = lab.sandbox.bundle_of("efficientnet_lite0");
    fs::rename(other, &lab.bundle).unwrap();
    hang_up(&graftd.0);
    // The process that tried it has written the file.
    wait_for(".weights: mapped");
    wait_for("takes over");
    let second = lab.file();
    assert!(first != second && second.exists());
}

fn hang_up(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}
