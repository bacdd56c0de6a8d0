//! Fine-tuning end to end: that it learns what a frozen backbone cannot know, that
//! whoever is interrupted comes to the same result, and what can go wrong.

mod checkpoints;
mod learning;
mod refusals;

use graft_tests::sandbox::{Said, Sandbox};

/// What every test here tunes with: large steps, as the network is small.
const STEPS: &str = "--rate 1e-2 --head-rate 1e-2";

/// A folder of stripes, which the tiny network of random weights hardly tells apart.
fn sandbox(each: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    graft_tests::photos::stripes_folder(&sandbox.path("stripes"), each);
    sandbox
}

fn tune(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.train("stripes", &format!("--output task.graft {STEPS} {words}"))
}

/// The bundle's bytes.
#[track_caller]
fn bundle(sandbox: &Sandbox, words: &str) -> Vec<u8> {
    tune(sandbox, &format!("--quiet {words}")).done();
    std::fs::read(sandbox.path("task.graft")).expect("a bundle was written")
}
