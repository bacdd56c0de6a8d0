//! Ctrl-C: what was computed is kept, nothing is half-written.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use graft_tests::sandbox::{Said, Sandbox, files, run};

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
