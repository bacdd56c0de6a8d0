use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use graft_tests::sandbox::{Said, Sandbox, run, tiny_model};

use crate::{murky, report};

#[test]
fn what_cannot_be_compared_is_refused_before_the_work() {
    let few = Sandbox::with_photos(4);
    fs::write(few.path("report.html"), "last week's").unwrap();
    report(&few, "-o report.html").refuses(&[
        "6 examples are left to learn from",
        "8 are needed",
        "--test-share",
    ]);
    assert_eq!(fs::read(few.path("report.html")).unwrap(), b"last week's");

    let sandbox = Sandbox::with_photos(10);
    report(&sandbox, "-o photos").refuses(&["cannot write photos"]);
    report(&sandbox, "-o nowhere/report.html").refuses(&["cannot write nowhere/report.html"]);
    report(&sandbox, "-o report.html --fine-tune last:9").refuses(&[
        "3 blocks",
        "last:9",
        "--fine-tune all",
    ]);
    report(&sandbox, "-o report.html --fine-tune nowhere")
        .refuses(&["cannot be tuned from \"nowhere\""]);
    run(&mut sandbox.graft(["report", "nothing", "-o", "report.html"]))
        .refuses(&["cannot read nothing"]);
    sandbox.write("recipe.toml", "epochs = 3\nspeed = 5\n");
    report(&sandbox, "-o report.html --recipe recipe.toml").refuses(&["recipe.toml", "speed"]);
    sandbox.write("photos/leaf/broken.png", "no picture");
    report(&sandbox, "-o report.html --strict").refuses(&["broken.png", "--strict"]);
    assert!(!sandbox.path("report.html").exists());
    sandbox.assert_no_remains();
}

#[test]
fn ctrl_c_leaves_nothing() {
    let sandbox = murky();
    let words = "--json --epochs 5000 --fine-tune all -o report.html";
    let mut graft = sandbox.graft(["report", "photos", "--backbone"]);
    let graft = graft.arg(tiny_model()).args(words.split_whitespace());
    let mut graft = graft.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Features are written down before the long part begins.
    let features = sandbox.cache().join("features");
    let start = Instant::now();
    while graft_tests::sandbox::files(&features).is_empty() {
        assert!(graft.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        assert!(start.elapsed() < Duration::from_secs(120), "no feature in two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1500));
    run(Command::new("kill").args(["-INT", &graft.id().to_string()])).done();
    let said = Said::of(graft.wait_with_output().unwrap(), "SIGINT".to_owned()).exits(130);
    assert_eq!(said.json()["error"]["message"], "stopped", "{said}");
    assert!(!sandbox.path("report.html").exists());
    sandbox.assert_no_remains();
}
