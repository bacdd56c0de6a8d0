use std::fs;

use graft_bundle::Bundle;
use graft_input::words::WordTable;
use graft_tests::sandbox::{Said, Sandbox};

use super::{FOOD, SPORT, sandbox};

const STEPS: &str = "--rate 0.05 --head-rate 0.05 --epochs 20";

/// Vectors that tell nothing: all words but two have the same.
fn alike() -> String {
    let words = FOOD.iter().chain(&SPORT);
    let mut vectors: String = words.map(|word| format!("{word} 1 0.5 0.25\n")).collect();
    vectors += "the 0.2 0.4 0.6\noven 0.125 1 2\n";
    vectors
}

fn tune(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.run(&format!(
        "train texts.csv --model alike.txt --fine-tune vectors -o task.graft {STEPS} {words}"
    ))
}

fn with_alike() -> Sandbox {
    let sandbox = sandbox();
    sandbox.write("alike.txt", alike());
    sandbox
}

/// The row of a word in the table that travels.
fn row(sandbox: &Sandbox, word: &str) -> Vec<f32> {
    let file = fs::read(sandbox.path("task.graft")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    let table = WordTable::parse(bundle.words().unwrap()).unwrap();
    let mut row = vec![0.0; table.dimensions() as usize];
    table.row(table.lookup(word).unwrap(), &mut row);
    row
}

#[test]
fn words_that_were_alike_are_told_apart() {
    let sandbox = with_alike();
    let said = tune(&sandbox, "--precision f32 --json").done();
    let json = said.json();
    assert!(json["linear_probe"].as_f64().unwrap() < 0.75, "{said}");
    assert_eq!(json["accuracy"], 1.0, "{said}");
    let tuning = &json["fine_tuning"];
    assert_eq!((&tuning["from"], &tuning["weights"]), (&"vectors".into(), &3.into()), "{said}");
    // Nine words of three numbers, and a head for two classes.
    assert_eq!(tuning["parameters"], 9 * 3 + 2 * 3 + 2, "{said}");
    let part = |name: &str| tuning[name].as_u64().unwrap();
    assert_eq!(part("learned_from") + part("stopped_by") + part("calibrated_by"), 60, "{said}");
    assert!(tuning["best_epoch"].as_u64().unwrap() > 0, "{said}");
    assert!(tuning["recipe"].as_str().unwrap().contains("from = \"vectors\""), "{said}");

    // No text has an oven: nobody could tell where it belongs.
    assert_eq!(row(&sandbox, "oven"), [0.125, 1.0, 2.0]);
    assert_ne!(row(&sandbox, "soup"), [1.0, 0.5, 0.25]);
    let compared = sandbox.run("compare task.graft texts.csv --json").done().json();
    assert_eq!((&compared["passed"], &compared["disagreements"]), (&true.into(), &0.into()));
    assert!(!sandbox.path("task.graft.checkpoints").exists());
}

#[test]
fn what_travels_is_rounded_and_judged_as_it_travels() {
    let sandbox = with_alike();
    for pooling in ["mean", "weighted"] {
        let said = tune(&sandbox, &format!("--pooling {pooling} --json")).done();
        let json = said.json();
        assert_eq!((&json["accuracy"], &json["texts"]["f32_accuracy"]), (&1.0.into(), &1.0.into()));
        let held_out = sandbox.run("evaluate task.graft texts.csv --json").done().json();
        assert_eq!(held_out["accuracy"], 1.0, "{pooling}");
    }
    let said = tune(&sandbox, "").done();
    for words in ["weights from the vectors on", "the frozen vectors gave", "texts learned from"] {
        assert!(said.stdout.contains(words), "no {words:?} in {said}");
    }
}

#[test]
fn threads_and_a_checkpoint_give_the_same_bundle() {
    let sandbox = with_alike();
    let bundle = |words: &str| {
        tune(&sandbox, words).done();
        fs::read(sandbox.path("task.graft")).unwrap()
    };
    let one = bundle("--threads 1");
    assert_eq!(one, bundle("--threads 2"));
    assert_eq!(one, bundle("--checkpoints kept"));
    tune(&sandbox, "--checkpoints kept").refuses(&["an unfinished run", "--resume"]);
    assert_eq!(one, bundle("--checkpoints kept --resume"));
    sandbox.write("texts.csv", super::table().replacen("soup", "salt", 1));
    tune(&sandbox, "--checkpoints kept --resume").refuses(&["of other data"]);
}

#[test]
fn what_cannot_be_tuned_is_said() {
    let sandbox = with_alike();
    fs::remove_file(sandbox.path("tiny.txt")).unwrap();
    let task = "train texts.csv --model alike.txt -o task.graft";
    for (flags, words) in [
        ("--fine-tune vectors --pooling max-mean", ["by the largest", "--pooling mean"]),
        ("--fine-tune last:2", ["the vectors are tuned", "--fine-tune vectors"]),
        ("--fine-tune vectors --augment flip", ["cannot be augmented", "leave --augment out"]),
        ("--fine-tune vectors --head mlp", ["fine-tuning begins", "--head linear"]),
        ("--rate 0.1", ["--rate is for fine-tuning", "--fine-tune"]),
        ("--fine-tune vectors --rate 1e30", ["training diverged", "--rate"]),
    ] {
        sandbox.run(&format!("{task} {flags}")).refuses(&words);
    }
    sandbox.write("few.csv", "text,label\nsoup,food\nbread,food\ngoal,sport\nmatch,sport\n");
    sandbox
        .run("train few.csv --model alike.txt -o task.graft --fine-tune vectors")
        .refuses(&["class"]);
    assert!(!sandbox.path("task.graft").exists());

    let photos = Sandbox::with_photos(10);
    photos
        .train("photos", "-o task.graft --fine-tune vectors")
        .refuses(&["no word vectors to tune", "--fine-tune last:N"]);
}
