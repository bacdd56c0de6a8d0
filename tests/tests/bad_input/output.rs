//! Results that cannot be written: found before the work where that is possible.

use std::fs;

use graft_tests::sandbox::{Sandbox, run, tiny_model};

use crate::disk::{self, Disk};
use crate::{KEPT, KEPT_FILE, refuses, sandbox, train};

/// `graft train` into another place than the file that is kept.
fn train_into(sandbox: &Sandbox, output: &str) -> std::process::Command {
    let mut command = sandbox.graft(["train", "photos", "--output", output, "--model"]);
    command.arg(tiny_model());
    command
}

/// Refused before any photo was computed.
#[track_caller]
fn refuses_at_once(sandbox: &Sandbox, command: &mut std::process::Command, words: &[&str]) {
    let said = refuses(sandbox, command, words);
    assert!(!sandbox.cache().join("features").exists(), "only after the work: {said}");
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_the_work() {
    let sandbox = sandbox();
    let check = |output: &str, words: &[&str]| {
        let words = [&[output], words].concat();
        refuses_at_once(&sandbox, &mut train_into(&sandbox, output), &words);
        let mut with_json = train(&sandbox, "photos");
        refuses_at_once(&sandbox, with_json.args(["--json-file", output]), &words);
    };
    check("photos/leaf", &["is a directory", "name a file"]);
    check("nowhere/task.graft", &["No such file", "make the folder"]);
    check("kept.graft/task.graft", &["Not a directory"]);
}

#[test]
fn a_slip_of_the_keyboard_costs_no_other_file() {
    let sandbox = sandbox();
    let mut over_a_file = train_into(&sandbox, KEPT_FILE);
    refuses_at_once(&sandbox, &mut over_a_file, &[KEPT_FILE, "is not a bundle"]);
    sandbox
        .write("data.csv", "path,label\nphotos/leaf/0000.png,leaf\nphotos/berry/0000.png,berry\n");
    let mut over_the_data = sandbox.graft(["train", "data.csv", "--output", "data.csv"]);
    refuses_at_once(&sandbox, &mut over_the_data, &["data.csv", "another file"]);
    let bundle = sandbox.bundle();
    let mut export = sandbox.graft(["export", "task.graft", "--onnx"]);
    refuses(&sandbox, export.arg(bundle), &["task.graft is a bundle", "another file"]);
}

#[test]
fn a_name_that_is_none_is_refused_with_the_flag_that_cures_it() {
    let sandbox = sandbox();
    refuses_at_once(&sandbox, &mut train_into(&sandbox, "my task.graft"), &["--name"]);
    run(train_into(&sandbox, "my task.graft").args(["--name", "mine", "--quiet"])).done();
}

#[test]
fn a_full_disk_loses_nothing() {
    let sandbox = sandbox();
    let bundle = sandbox.bundle();
    let bundle = bundle.to_str().unwrap();
    disk::refuses(&sandbox, Disk::Full, &train(&sandbox, "photos"), KEPT);
    let export = sandbox.graft(["export", bundle, "--onnx", KEPT_FILE]);
    disk::refuses(&sandbox, Disk::Full, &export, KEPT_FILE);
}

/// A checkpoint of an earlier epoch is worth hours.
#[test]
fn a_disk_that_is_full_after_an_epoch_keeps_the_one_before() {
    const CHECKPOINT: &str = "checkpoint.bin";
    let sandbox = sandbox();
    let recipe = sandbox.write("long.toml", "epochs = 1000\nbatch = 2\npatience = 0\n");
    let tune = |output: &str| {
        let mut command = train_into(&sandbox, output);
        command.arg("--recipe").arg(&recipe).args(["--checkpoints", "."]);
        command
    };
    let mut begun = tune("task.graft").stderr(std::process::Stdio::null()).spawn().unwrap();
    while !sandbox.path(CHECKPOINT).exists() {
        assert!(begun.try_wait().unwrap().is_none(), "it ended without a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    begun.kill().unwrap();
    begun.wait().unwrap();
    let mut on = tune("../task.graft");
    disk::refuses(&sandbox, Disk::Full, on.arg("--resume"), CHECKPOINT);
}

#[test]
fn a_read_only_folder_loses_nothing() {
    let sandbox = sandbox();
    let bundle = sandbox.bundle();
    let bundle = bundle.to_str().unwrap();
    disk::refuses(&sandbox, Disk::ReadOnly, &train(&sandbox, "photos"), KEPT);
    let export = sandbox.graft(["export", bundle, "--onnx", KEPT_FILE]);
    disk::refuses(&sandbox, Disk::ReadOnly, &export, KEPT_FILE);
}

#[test]
fn a_cache_that_cannot_be_used_is_an_error_with_a_way_around() {
    let sandbox = sandbox();
    fs::create_dir_all(sandbox.cache()).unwrap();
    fs::write(sandbox.cache().join("features"), "a file where a folder should be").unwrap();
    let words = ["the feature cache at", "--no-cache"];
    refuses(&sandbox, &mut train(&sandbox, "photos"), &words);
    run(train_into(&sandbox, "new.graft").args(["--no-cache", "--quiet"])).done();
}

#[test]
fn standard_output_that_is_full_is_an_error_and_one_that_is_closed_is_none() {
    let sandbox = sandbox();
    let inspect = |to: &str| {
        let tiny = tiny_model().join("tiny.onnx");
        let mut shell = sandbox.command("sh");
        shell.arg("-c").arg(format!("\"$@\" {to}")).arg("sh").arg(graft_tests::sandbox::graft());
        shell.arg("inspect").arg(tiny);
        shell
    };
    refuses(&sandbox, &mut inspect("> /dev/full"), &["cannot write to standard output"]);
    run(&mut inspect("| true")).done();
}
