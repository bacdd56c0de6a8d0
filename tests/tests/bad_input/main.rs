//! What a person can get wrong, and what can break: each has a clear message
//! that names the file and what to do, exit status 2, and nothing lost. A file
//! that stood where a result was to go is there as before, and no temporary one
//! is left.

mod bundle;
mod data;
mod disk;
mod engine;
mod model;
mod output;
mod photos;

use std::process::Command;

use graft_tests::sandbox::{Said, Sandbox, run, tiny_model};

/// Where bundles are to go: over one that is worth keeping.
const KEPT: &str = "kept.graft";

/// Where other files are to go, likewise.
const KEPT_FILE: &str = "kept.file";

/// A sandbox with photos, and files in the way of results.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_photos(12);
    // Only what begins as a bundle is ever replaced by one.
    sandbox.write(KEPT, b"\x89GRFT\r\n\x1a of last year");
    sandbox.write(KEPT_FILE, "a file of last year");
    sandbox
}

/// Runs a command that must be refused with these words and change nothing.
#[track_caller]
fn refuses(sandbox: &Sandbox, command: &mut Command, words: &[&str]) -> Said {
    let before = sandbox.files();
    let said = run(command).refuses(words);
    let changed: Vec<_> = {
        let after = sandbox.files();
        let paths = before.keys().chain(after.keys());
        paths.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
    };
    assert!(changed.is_empty(), "changed {changed:?} in {said}");
    sandbox.assert_no_remains();
    said
}

/// `graft train DATA` with the tiny network, over the file that is to be kept.
fn train(sandbox: &Sandbox, data: &str) -> Command {
    let mut command = sandbox.graft(["train", data, "--output", KEPT, "--model"]);
    command.arg(tiny_model());
    command
}
