//! A kill at any moment leaves whole files under their names; what else it leaves, the
//! next run takes away.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use graft_tests::sandbox::{Sandbox, files, tiny_model};

const BUNDLE: &str = "task.graft";

fn start(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.graft(["train", "photos", "--output", BUNDLE, "--quiet", "--model"]);
    command.arg(tiny_model()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("graft starts")
}

/// Files that are being written, of the bundle and of the cache.
fn unfinished(sandbox: &Sandbox) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = sandbox.files();
    all.extend(files(&sandbox.cache()));
    all.retain(|path, bytes| path.extension().is_some_and(|e| e == "part") && !bytes.is_empty());
    all
}

#[test]
fn a_run_that_is_killed_leaves_whole_files_and_the_next_one_sweeps() {
    let sandbox = Sandbox::with_photos(20);
    sandbox.train("photos", &format!("--output {BUNDLE} --quiet --seed 7")).done();
    let old = fs::read(sandbox.path(BUNDLE)).unwrap();
    fs::remove_dir_all(sandbox.cache()).unwrap();
    let begun = Instant::now();
    sandbox.bundle();
    let takes = begun.elapsed();
    let new = fs::read(sandbox.path(BUNDLE)).unwrap();
    assert!(old != new);

    let mut halves = 0;
    let mut check = |when: &dyn Fn(&mut Child)| {
        fs::remove_dir_all(sandbox.cache()).unwrap();
        fs::write(sandbox.path(BUNDLE), &old).unwrap();
        let mut process = start(&sandbox);
        when(&mut process);
        // It may have ended.
        let _ = process.kill();
        process.wait().unwrap();
        let there = fs::read(sandbox.path(BUNDLE)).unwrap();
        assert!(there == old || there == new, "half a bundle under its name");
        halves += usize::from(!unfinished(&sandbox).is_empty());
        // With what is left of the cache it is the same bundle again.
        sandbox.bundle();
        assert!(fs::read(sandbox.path(BUNDLE)).unwrap() == new);
        sandbox.assert_no_remains();
    };
    let rounds = 12;
    for round in 0..rounds {
        check(&|_| std::thread::sleep(takes * round / rounds));
    }
    // In the middle of a write, as soon as one is seen.
    for _ in 0..4 {
        check(&|process| {
            while unfinished(&sandbox).is_empty() && process.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(100));
            }
        });
    }
    println!("{halves} of {} kills met a file that was half written", rounds + 4);
}
