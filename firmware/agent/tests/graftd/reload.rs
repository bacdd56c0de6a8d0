//! Another bundle, while frames go on.

use std::io::Write;

use graft_spec::Labels;

use crate::*;

/// A graftd on a bundle of its own, fed frame by frame.
struct Fed {
    graftd: Graftd,
    folder: tempfile::TempDir,
    stdin: std::process::ChildStdin,
    sent: u64,
}

impl Fed {
    fn start(rest: &[&str]) -> Fed {
        let folder = tempfile::tempdir().unwrap();
        let bundle = write_file(folder.path(), "b.graft", &std::fs::read(TINY).unwrap());
        let start = ["--source", "stdin", "--lossless", "--format", "rgb", "--size", "32x32"];
        // The last --bundle wins.
        let mut graftd = Graftd::start(&[&start[..], &["--bundle", &bundle], rest].concat());
        let stdin = graftd.child.stdin.take().unwrap();
        Fed { graftd, folder, stdin, sent: 0 }
    }

    /// Shows a frame; every one is answered, in order.
    fn show(&mut self, picture: &Picture) -> Value {
        self.stdin.write_all(picture.rgb()).unwrap();
        let answer = self.graftd.answer();
        assert_eq!(answer["sequence"], self.sent);
        self.sent += 1;
        answer
    }

    /// Puts another bundle in place, whole at once, as it should be done.
    fn replace(&mut self, bytes: &[u8]) {
        write_file(self.folder.path(), "new", bytes);
        let to = self.folder.path().join("b.graft");
        std::fs::rename(self.folder.path().join("new"), to).unwrap();
        self.graftd.signal(Signal::HUP);
    }
}

fn renamed(rename: impl Fn(&str) -> String) -> Vec<u8> {
    changed(|contents| {
        let names = contents.labels.names().iter().map(|name| rename(name)).collect();
        contents.labels = Labels::new(names).unwrap();
    })
}

#[test]
fn a_new_bundle_takes_over_without_losing_a_frame() {
    let (picture, label, _) = known_and_unknown();
    let mut fed = Fed::start(&[]);
    assert_eq!(fed.show(&picture)["label"], label.as_str());
    fed.replace(&renamed(|name| format!("new {name}")));
    // Frames go on while it is opened; the answer changes from one to the next.
    let new_label = format!("new {label}");
    let answer = loop {
        let answer = fed.show(&picture);
        if answer["label"] != label.as_str() {
            break answer;
        }
        assert!(fed.sent < 100_000, "it never takes over");
    };
    assert_eq!(answer["label"], new_label.as_str());
    assert_eq!((&answer["stable"], &answer["changed"]), (&new_label.as_str().into(), &true.into()));
    fed.graftd.says("tiny takes over from tiny");
    drop(fed.stdin);
    fed.graftd.ends_well();
}

#[test]
fn a_bundle_that_does_not_hold_leaves_the_old_one() {
    let (picture, label, _) = known_and_unknown();
    let mut fed = Fed::start(&[]);
    let mut refused = |bytes: &[u8], words: &str| {
        fed.show(&picture);
        fed.replace(bytes);
        let said = fed.graftd.says("the running bundle stays");
        assert!(said.contains(words), "{said}");
        assert_eq!(fed.show(&picture)["label"], label.as_str());
    };
    let other = changed(|contents| contents.models[0].references.items[0].logits[0] += 1.0);
    refused(&other, "does not answer here as it did on the host");
    let mut damaged = std::fs::read(TINY).unwrap();
    damaged.truncate(3000);
    refused(&damaged, "the bundle is cut short");
    refused(b"hello", "this is no graft bundle");
    drop(fed.stdin);
    fed.graftd.ends_well();
}

#[test]
fn a_label_that_stays_stays_steady() {
    let (picture, label, _) = known_and_unknown();
    let config = tempfile::tempdir().unwrap();
    let config = write_file(config.path(), "g.toml", b"[smooth]\nhold = 3\n");
    let mut fed = Fed::start(&["--config", &config]);
    for _ in 0..3 {
        fed.show(&picture);
    }
    // Every other name is another.
    fed.replace(&renamed(|name| if name == label { name.to_owned() } else { format!("{name}2") }));
    fed.graftd.says("takes over");
    let answer = fed.show(&picture);
    assert_eq!((&answer["stable"], &answer["changed"]), (&label.as_str().into(), &false.into()));
    drop(fed.stdin);
    fed.graftd.ends_well();
}

/// What opens a bundle may not survive it: it is tried in a process that may go.
/// Here one is stopped from outside, as the kernel does when memory runs out.
#[test]
fn a_bundle_that_kills_its_trial_leaves_the_old_one() {
    let (picture, label, _) = known_and_unknown();
    let mut fed = Fed::start(&[]);
    fed.show(&picture);
    // A fifo in the bundle's place: whoever opens it waits, and can be met.
    let path = fed.folder.path().join("b.graft");
    std::fs::remove_file(&path).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fed.graftd.signal(Signal::HUP);
    let parent = fed.graftd.child.id();
    let mut trial = None;
    until("there is a trial", || {
        trial = child_of(parent);
        trial.is_some()
    });
    assert_eq!(fed.show(&picture)["label"], label.as_str());
    kill_process(Pid::from_raw(trial.unwrap()).unwrap(), Signal::KILL).unwrap();
    let said = fed.graftd.says("the running bundle stays");
    assert!(said.contains("signal: 9 (SIGKILL)"), "{said}");
    assert_eq!(fed.show(&picture)["label"], label.as_str());
    drop(fed.stdin);
    fed.graftd.ends_well();
}

fn child_of(parent: u32) -> Option<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}
