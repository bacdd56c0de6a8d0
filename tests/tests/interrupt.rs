//! Ctrl-C: what was computed is kept, nothing is half-written.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use graft_tests::sandbox::{Said, Sandbox, files, run, tiny_model};

/// Enough for seconds of work on the larger network, on any processor.
const PHOTOS: u64 = 240;

/// Sends a signal to a process of ours.
fn signal(process: &Child, name: &str) {
    run(Command::new("kill").args([&format!("-{name}"), &process.id().to_string()])).done();
}

/// Waits until something is so, as long as the process lives.
#[track_caller]
fn wait_until(process: &mut Child, holds: impl Fn() -> bool) {
    while !holds() {
        let ended = process.try_wait().expect("a process of ours can be asked");
        assert!(ended.is_none(), "it ended before anybody could interrupt it");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctrl_c_keeps_what_was_computed_and_leaves_nothing_half_written() {
    let sandbox = Sandbox::with_photos(PHOTOS as usize / 2);
    sandbox.write("task.graft", b"\x89GRFT\r\n\x1a of last year");
    let arguments = ["train", "photos", "--output", "task.graft", "--json"];
    for name in ["INT", "TERM"] {
        let mut graft = sandbox.graft(arguments);
        let graft = graft.args(["--threads", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let before = sandbox.files();
        let features = sandbox.cache().join("features");
        let made = files(&features).len();
        let mut graft = graft.spawn().unwrap();
        match name {
            // The cache is opened right before the first photo.
            "INT" => wait_until(&mut graft, || files(&features).len() > made),
            _ => std::thread::sleep(Duration::from_millis(300)),
        }
        std::thread::sleep(Duration::from_millis(300));
        signal(&graft, name);
        let said = Said::of(graft.wait_with_output().unwrap(), format!("SIG{name}")).exits(130);
        assert!(said.stderr.contains("stopped"), "{said}");
        assert_eq!(said.json()["error"]["message"], "stopped", "half a result is none: {said}");
        assert_eq!(sandbox.files(), before);
        sandbox.assert_no_remains();
    }

    let said = run(&mut sandbox.graft(arguments)).done();
    let json = said.json();
    let number = |name: &str| json[name].as_u64().unwrap();
    assert!(number("features_cached") > 0, "nothing was kept: {said}");
    assert!(number("features_computed") > 0, "it was not interrupted: {said}");
    assert_eq!(number("features_cached") + number("features_computed"), PHOTOS, "{said}");
}

/// A data set of some photos, one of which nobody gets before we give it: a pipe.
fn table_with_a_late_photo(sandbox: &Sandbox) {
    run(sandbox.command("mkfifo").arg("late.png")).done();
    let mut table = "path,label\n".to_owned();
    for number in 0..10 {
        table += &format!("photos/leaf/{number:04}.png,leaf\n");
        table += &format!("photos/berry/{number:04}.png,berry\n");
    }
    table += "late.png,leaf\n";
    sandbox.write("table.csv", table);
}

/// The writing end of the pipe, once the process waits at the other.
fn waits_for_it(sandbox: &Sandbox, process: &mut Child) -> File {
    const NO_WAITING: i32 = 0o4000;
    let mut options = File::options();
    options.write(true).custom_flags(NO_WAITING);
    loop {
        match options.open(sandbox.path("late.png")) {
            Ok(pipe) => return pipe,
            Err(_) => wait_until(process, || true),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The first waits for the photo that is being read, however long that takes.
#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let sandbox = Sandbox::with_photos(10);
    table_with_a_late_photo(&sandbox);
    let mut graft = sandbox.graft(["train", "table.csv", "--output", "task.graft", "--model"]);
    graft.arg(tiny_model()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut graft = graft.spawn().unwrap();
    let pipe = waits_for_it(&sandbox, &mut graft);
    signal(&graft, "INT");
    std::thread::sleep(Duration::from_millis(500));
    assert!(graft.try_wait().unwrap().is_none(), "it did not wait for the photo");
    signal(&graft, "INT");
    Said::of(graft.wait_with_output().unwrap(), "SIGINT twice".to_owned()).exits(130);
    drop(pipe);
    assert!(!sandbox.path("task.graft").exists());
    sandbox.assert_no_remains();
}

#[test]
fn an_interrupted_comparison_says_nothing_of_the_engines() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.bundle();
    table_with_a_late_photo(&sandbox);
    let photo = std::fs::read(sandbox.path("photos/leaf/0002.png")).unwrap();
    let mut graft = sandbox.graft(["compare", "task.graft", "table.csv", "--json"]);
    graft.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut graft = graft.args(["--json-file", "compare.json"]).spawn().unwrap();
    let mut pipe = waits_for_it(&sandbox, &mut graft);
    signal(&graft, "INT");
    std::thread::sleep(Duration::from_millis(500));
    pipe.write_all(&photo).unwrap();
    drop(pipe);
    let said = Said::of(graft.wait_with_output().unwrap(), "SIGINT".to_owned()).exits(130);
    assert_eq!(said.json()["error"]["message"], "stopped", "{said}");
    assert!(said.json().get("passed").is_none(), "{said}");
    sandbox.assert_no_remains();
}
