//! What cannot be tuned, and says so.

use std::fs;

use graft_tests::sandbox::{Said, Sandbox, fixture, run};

use crate::sandbox;

/// With flags of its own alone.
fn train(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.train("stripes", &format!("--output task.graft {words}"))
}

#[test]
fn numbers_that_run_away_end_it_and_the_last_good_state_stays() {
    let sandbox = sandbox(24);
    let said = train(&sandbox, "--fine-tune all --epochs 4 --batch-size 8 --rate 1e30");
    said.refuses(&["training diverged in epoch 1", "no epoch was finished", "lower --rate"]);
    assert!(!sandbox.path("task.graft").exists());

    // The rate rises so slowly that epochs go well before one does not.
    sandbox.write(
        "rising.toml",
        "epochs = 200\nbatch = 8\npatience = 0\nclip_norm = 0.0\n\
         [optimiser]\nname = \"sgd\"\n[rates]\nbackbone = 60.0\nhead = 60.0\nwarm_up = 0.99\n",
    );
    let line = "--output task.graft --recipe rising.toml --checkpoints kept";
    let said = sandbox.train("stripes", line);
    let said =
        said.refuses(&["training diverged", "the last good state is in kept/checkpoint.bin"]);
    let there = fs::read(sandbox.path("kept/checkpoint.bin")).unwrap();
    // It is whole, and the numbers are the same again.
    let again = sandbox.train("stripes", &format!("{line} --resume")).refuses(&["diverged"]);
    let last = |text: &str| text.lines().find(|line| line.contains("diverged")).unwrap().to_owned();
    assert_eq!(last(&again.stderr), last(&said.stderr));
    assert!(fs::read(sandbox.path("kept/checkpoint.bin")).unwrap() == there);
}

#[test]
fn a_class_with_one_example_is_named_before_the_work() {
    let sandbox = sandbox(12);
    let mut table = "path,label,split\n".to_owned();
    for i in 0..12 {
        let split = if i < 6 { "train" } else { "test" };
        table += &format!("stripes/rising/{i:04}.png,rising,{split}\n");
        let split = if i < 1 { "train" } else { "test" };
        table += &format!("stripes/falling/{i:04}.png,falling,{split}\n");
    }
    sandbox.write("data.csv", table);
    let line = "--output task.graft --fine-tune all";
    let said = sandbox.train("data.csv", line);
    said.refuses(&["\"falling\" has 1 usable example", "add examples of that class"]);
    assert!(!sandbox.cache().join("features").exists(), "only after the work");
}

#[test]
fn flags_and_recipes_that_mean_nothing_are_named() {
    let sandbox = sandbox(12);
    let check = |words: &str, expected: &[&str]| {
        drop(train(&sandbox, words).refuses(expected));
        assert!(!sandbox.cache().join("features").exists(), "only after the work: {words}");
    };
    check("--batch-size 8", &["--fine-tune"]);
    check("--resume", &["--resume is for fine-tuning"]);
    check("--epochs 3", &["--fine-tune"]);
    check("--fine-tune last:0", &["last:0"]);
    check("--fine-tune last:4", &["3 blocks", "--fine-tune all"]);
    check("--fine-tune nowhere", &["nowhere", "last:N"]);
    check("--fine-tune all --augment twirl", &["twirl"]);
    check("--fine-tune all --head mlp", &["--head linear"]);
    check("--recipe none.toml", &["none.toml", "No such file"]);
    sandbox.write("recipe.toml", "epochs = 3\n[augment]\nflips = true\n");
    check("--recipe recipe.toml", &["recipe.toml is not a recipe", "flips", "line 3"]);
    sandbox.write("recipe.toml", "[augment]\nerase = 1.5\n");
    check("--recipe recipe.toml", &["augment.erase is 1.5", "below 1"]);
}

/// Before any photo is read: nobody waits for features and is killed then.
#[test]
fn a_step_that_takes_more_memory_than_there_is_is_refused_with_advice() {
    let sandbox = sandbox(12);
    let line = "train stripes --output task.graft --image-size 4096x4096 --fine-tune all";
    let said = sandbox.run(line).refuses(&[
        "fine-tuning takes about",
        "MB can be had",
        "a smaller --batch-size",
        "--fine-tune last:N",
    ]);
    assert!(!sandbox.cache().join("features").exists(), "only after the work: {said}");
}

#[test]
fn an_operator_without_a_gradient_is_named_with_the_lowest_place_to_tune_from() {
    let sandbox = sandbox(12);
    let mut command = sandbox.graft(["train", "stripes", "--output", "task.graft", "--model"]);
    command.arg(fixture("lp_pool.onnx")).args(["--colour", "rgb", "--scale", "255"]);
    command.args(["--mean", "0.5", "--std", "0.5", "--fine-tune"]);
    let said = run(command.arg("all")).refuses(&[
        "cannot be tuned from all",
        "no gradient flows through node LpPool \"lp_pool\"",
        "training can go down to \"lp\"",
        "--fine-tune",
    ]);
    assert!(!sandbox.cache().join("features").exists(), "only after the work: {said}");
}
