//! Interrupted at any moment, it comes to the very result of who was not.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use graft_tests::sandbox::{Sandbox, run, tiny_model};

use crate::{STEPS, bundle, sandbox, tune};

/// Enough epochs for a process to be killed in, and no early end.
const LONG: &str = "epochs = 60\nbatch = 8\npatience = 0\n[augment]\nflip_horizontal = true\n";

const CHECKPOINT: &str = "kept/checkpoint.bin";

fn start(sandbox: &Sandbox, words: &str) -> Child {
    let mut command = sandbox.graft(["train", "stripes", "--model"]);
    command.arg(tiny_model()).args(words.split_whitespace()).args(STEPS.split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("graft starts")
}

/// Waits until something is so; whether the process still lives.
fn lives_until(process: &mut Child, holds: impl Fn() -> bool) -> bool {
    while !holds() {
        if process.try_wait().expect("a process of ours can be asked").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Whether a checkpoint is half written.
fn is_writing(sandbox: &Sandbox) -> bool {
    let mut names = fs::read_dir(sandbox.path("kept")).unwrap().map(|e| e.unwrap().file_name());
    names.any(|name| name.to_string_lossy().starts_with(".checkpoint.bin"))
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let sandbox = sandbox(40);
    sandbox.write("long.toml", LONG);
    let line = "--output task.graft --recipe long.toml";
    let whole = bundle(&sandbox, "--recipe long.toml");
    fs::remove_file(sandbox.path("task.graft")).unwrap();

    let words = format!("{line} --checkpoints kept --quiet");
    // In its first epoch: there is nothing to go on from but what it was to do.
    let mut process = start(&sandbox, &words);
    assert!(lives_until(&mut process, || sandbox.path("kept/recipe.toml").exists()));
    process.kill().unwrap();
    process.wait().unwrap();
    let mut killed = 0;
    // At moments of no particular meaning: stepping, judging; and while it writes.
    for wait_ms in [Some(0), Some(7), None, Some(23), Some(61), None, Some(3)] {
        let before = fs::read(sandbox.path(CHECKPOINT)).ok();
        let mut process = start(&sandbox, &format!("{words} --resume"));
        let changed = || fs::read(sandbox.path(CHECKPOINT)).ok() != before;
        let mut lives = lives_until(&mut process, changed);
        match wait_ms {
            Some(wait_ms) => std::thread::sleep(Duration::from_millis(wait_ms)),
            None => lives &= lives_until(&mut process, || is_writing(&sandbox)),
        }
        killed += usize::from(lives && process.kill().is_ok());
        process.wait().unwrap();
        if !lives {
            break;
        }
        assert!(!sandbox.path("task.graft").exists(), "it ended before it was killed");
    }
    assert!(killed >= 3, "{killed} were killed");
    let said = tune(&sandbox, "--recipe long.toml --checkpoints kept --resume --json").done();
    let tuning = &said.json()["fine_tuning"];
    assert!(tuning["resumed_from"].as_u64().unwrap() >= killed as u64, "{tuning:#}");
    assert_eq!(tuning["epochs"].as_array().unwrap().len(), 61);
    assert!(fs::read(sandbox.path("task.graft")).unwrap() == whole);
    sandbox.assert_no_remains();
    // Named checkpoints are for the person to remove; the end can be had again.
    assert!(sandbox.path(CHECKPOINT).exists());
    fs::remove_file(sandbox.path("task.graft")).unwrap();
    let again = bundle(&sandbox, "--recipe long.toml --checkpoints kept --resume");
    assert!(again == whole);
}

#[test]
fn ctrl_c_between_two_steps_keeps_the_last_epoch() {
    let sandbox = sandbox(40);
    sandbox.write("long.toml", LONG);
    let words = "--output task.graft --recipe long.toml --quiet";
    let mut process = start(&sandbox, words);
    let checkpoint = sandbox.path("task.graft.checkpoints/checkpoint.bin");
    assert!(lives_until(&mut process, || checkpoint.exists()));
    run(Command::new("kill").args(["-INT", &process.id().to_string()])).done();
    assert_eq!(process.wait().unwrap().code(), Some(130));
    sandbox.assert_no_remains();

    // Nobody's work is lost by beginning anew.
    let unfinished = ["task.graft.checkpoints", "unfinished run", "--resume"];
    tune(&sandbox, "--recipe long.toml").refuses(&unfinished);
    tune(&sandbox, "--recipe long.toml --resume --quiet").done();
    assert!(!sandbox.path("task.graft.checkpoints").exists());
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_kept() {
    let sandbox = sandbox(24);
    let words = "--fine-tune last:1 --epochs 3 --checkpoints kept";
    tune(&sandbox, &format!("{words} --quiet")).done();
    let there = fs::read(sandbox.path(CHECKPOINT)).unwrap();
    let check = |change: &str, expected: &[&str]| {
        let words = match change.starts_with("--fine-tune") {
            true => words.replace("--fine-tune last:1 ", ""),
            false => words.to_owned(),
        };
        tune(&sandbox, &format!("{words} --resume {change}")).refuses(expected);
        assert!(fs::read(sandbox.path(CHECKPOINT)).unwrap() == there, "{change}");
    };
    check("--augment flip", &["another recipe", "recipe.toml"]);
    check("--seed 3", &["another recipe"]);
    check("--fine-tune last:2", &["another recipe"]);
    check("--test-share 0.3", &["other data", "--checkpoints"]);
    check("--at depthwise_clip", &["another network"]);

    let mut damaged = there.clone();
    damaged[there.len() / 2] ^= 1;
    fs::write(sandbox.path(CHECKPOINT), &damaged).unwrap();
    tune(&sandbox, &format!("{words} --resume")).refuses(&[
        CHECKPOINT,
        "no whole checkpoint",
        "checksum",
    ]);
    fs::write(sandbox.path(CHECKPOINT), &there[..there.len() / 2]).unwrap();
    tune(&sandbox, &format!("{words} --resume")).refuses(&["no whole checkpoint"]);
    let nothing = tune(&sandbox, "--fine-tune all --checkpoints empty --resume");
    nothing.refuses(&["no checkpoint in empty", "without --resume"]);
    assert!(!sandbox.path("empty").exists());
}

/// What cannot be gone on from is found before hours of features.
#[test]
fn a_run_that_may_not_begin_is_refused_before_the_work() {
    let sandbox = sandbox(12);
    fs::create_dir(sandbox.path("kept")).unwrap();
    let check = |words: &str, expected: &[&str]| {
        let words = format!("--fine-tune last:1 --epochs 3 --checkpoints kept {words}");
        tune(&sandbox, &words).refuses(expected);
        assert!(!sandbox.cache().join("features").exists(), "only after the work: {words}");
    };
    check("--resume", &["no checkpoint in kept"]);
    sandbox.write("kept/recipe.toml", "epochs = 4\n");
    check("--resume", &["another recipe"]);
    sandbox.write("kept/checkpoint.bin", "half of one");
    check("", &["unfinished run", "--resume"]);
    check("--resume", &["no whole checkpoint"]);
}
