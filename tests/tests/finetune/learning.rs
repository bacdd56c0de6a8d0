//! What it learns, and that nothing but recipe and data decides about it.

use crate::{bundle, sandbox, tune};

#[test]
fn it_learns_what_the_frozen_backbone_does_not_know() {
    let sandbox = sandbox(100);
    let json = tune(&sandbox, "--fine-tune all --epochs 12 --json").done().json();
    let number = |name: &str| json[name].as_f64().unwrap();
    assert!(number("linear_probe") < 0.75, "the task is too easy: {}", number("linear_probe"));
    assert!(number("accuracy") > 0.95, "{}", number("accuracy"));

    let tuning = &json["fine_tuning"];
    let epochs = tuning["epochs"].as_array().unwrap();
    let field = |at: usize, name: &str| epochs[at][name].as_f64().unwrap();
    assert!(epochs[0]["loss"].is_null() && epochs[0]["epoch"] == 0);
    let last = epochs.len() - 1;
    assert!(field(last, "loss") < 0.5 * field(1, "loss"), "{tuning:#}");
    let best = tuning["best_epoch"].as_u64().unwrap() as usize;
    assert!(field(best, "stop_loss") < 0.5 * field(0, "stop_loss"), "{tuning:#}");
    let least = epochs.iter().map(|e| e["stop_loss"].as_f64().unwrap()).fold(9.0, f64::min);
    assert_eq!(field(best, "stop_loss"), least);
    // 150 to learn from: 80, 10 and 10 in a hundred.
    let part = |name: &str| tuning[name].as_u64().unwrap();
    let parts = [part("learned_from"), part("stopped_by"), part("calibrated_by")];
    assert_eq!(parts, [120, 15, 15]);
    // Three convolutions and the head, each a kernel and a bias: see models/tiny/make.py.
    assert_eq!(part("weights"), 8);
    assert_eq!(part("parameters"), 27 * 8 + 8 + 9 * 8 + 8 + 8 * 16 + 16 + 16 * 2 + 2);

    let compared = sandbox.run("compare task.graft stripes --json").done().json();
    assert_eq!(compared["passed"], true);
    let evaluated = sandbox.run("evaluate task.graft stripes --json").done().json();
    assert!(evaluated["accuracy"].as_f64().unwrap() > 0.95);
    // Nobody interrupted it: nothing to go on from is left.
    assert!(!sandbox.path("task.graft.checkpoints").exists());
    sandbox.assert_no_remains();
}

#[test]
fn a_frozen_part_stays_and_fewer_weights_move() {
    let sandbox = sandbox(30);
    let json = tune(&sandbox, "--fine-tune last:1 --epochs 2 --json").done().json();
    let tuning = &json["fine_tuning"];
    assert_eq!(tuning["tensor"], "depthwise_clip");
    assert_eq!(tuning["parameters"], 8 * 16 + 16 + 16 * 2 + 2);
    sandbox.run("compare task.graft stripes").done();
}

#[test]
fn threads_and_the_cache_leave_no_trace() {
    let sandbox = sandbox(24);
    // Without a stop part the tuned weights are in the bundle, however good.
    sandbox.write("last.toml", "epochs = 3\nbatch = 8\nstop_share = 0.0\n");
    let pixels = "--fine-tune all --augment flip,rotate=10,crop=0.8,contrast=0.2,erase=0.1";
    let turns = "--fine-tune last:1 --augment flip,flip-vertical,quarter-turns";
    let frozen = "--fine-tune last:2 --augment brightness=0.3,quarter-turns";
    for words in [pixels, turns, frozen] {
        let words = format!("--recipe last.toml {words}");
        let first = bundle(&sandbox, &format!("{words} --threads 1"));
        assert!(bundle(&sandbox, &format!("{words} --threads 3")) == first, "threads: {words}");
        assert!(bundle(&sandbox, &format!("{words} --no-cache")) == first, "cache: {words}");
        // It matters what happens to photos.
        let loss = |words: &str| {
            let json = tune(&sandbox, &format!("{words} --json")).done().json();
            json["fine_tuning"]["epochs"][2]["loss"].as_f64().unwrap()
        };
        let (augmentation, _) = words.rsplit_once(" --augment").unwrap();
        assert_ne!(loss(&words), loss(augmentation), "{words}");
    }
}

#[test]
fn the_recipe_in_a_bundle_makes_the_bundle_again() {
    let sandbox = sandbox(24);
    let words = "--fine-tune last:2 --epochs 3 --batch-size 7 --seed 5 --augment flip,crop=0.9 --class-weights balanced";
    let first = bundle(&sandbox, words);
    let inspected = sandbox.run("inspect task.graft --json").done().json();
    let recipe =
        inspected["bundle"]["provenance"]["recipe"]["fine_tuning"].as_str().expect("a recipe");
    sandbox.write("recipe.toml", recipe);
    let line = "--output task.graft --quiet --recipe recipe.toml";
    sandbox.train("stripes", line).done();
    assert!(std::fs::read(sandbox.path("task.graft")).unwrap() == first);
    // A flag beside it goes first.
    sandbox.train("stripes", &format!("{line} --epochs 2")).done();
    assert!(std::fs::read(sandbox.path("task.graft")).unwrap() != first);
}

/// Without a stop part the last epoch is kept; with label smoothing, SGD, decay by
/// layer and no clipping it learns too.
#[test]
fn another_recipe_learns_as_well() {
    let sandbox = sandbox(60);
    sandbox.write(
        "recipe.toml",
        "from = \"all\"\nepochs = 20\nbatch = 16\nstop_share = 0.0\ncalibrate_share = 0.2\n\
         clip_norm = 0.0\nlabel_smoothing = 0.05\nclass_weights = \"balanced\"\n\
         [optimiser]\nname = \"sgd\"\nweight_decay = 1e-4\n\
         [rates]\nbackbone = 0.05\nhead = 0.05\nlayer_decay = 0.9\ndecay = \"constant\"\n",
    );
    let line = "--output task.graft --json --recipe recipe.toml";
    let json = sandbox.train("stripes", line).done().json();
    assert!(json["linear_probe"].as_f64().unwrap() < 0.75, "{}", json["linear_probe"]);
    assert!(json["accuracy"].as_f64().unwrap() > 0.9, "{}", json["accuracy"]);
    let tuning = &json["fine_tuning"];
    assert_eq!(tuning["best_epoch"], 20);
    assert_eq!(tuning["stopped_by"], 0);
    let epochs = tuning["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 20);
    assert!(epochs.iter().all(|epoch| epoch["stop_loss"].is_null()));
}
