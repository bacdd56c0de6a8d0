//! The main job: solar cells of the ELPV data set (Deitsch et al. 2019), the
//! real backbone, the three splits of the demo. Needs `make setup`.

use std::path::PathBuf;

use graft_tests::sandbox::{Said, Sandbox, repository, run};
use serde_json::Value;

const PHOTOS: u64 = 2624;
const HELD_OUT: u64 = 656;

/// scikit-learn's LogisticRegressionCV reaches 84.81 % on the same features and
/// splits; half a point less is within what the choice of folds does.
const LEAST_MEAN_ACCURACY: f64 = 0.843;

fn table(split: usize) -> PathBuf {
    let path = repository().join(format!(".deps/elpv/split-{split}.csv"));
    assert!(path.is_file(), "there is no {}: run `make setup`", path.display());
    path
}

fn train(sandbox: &Sandbox, split: usize, words: &[&str]) -> Said {
    let mut command = sandbox.graft(["train", "--output", "solar.graft", "--json"]);
    run(command.args(words).arg(table(split))).done()
}

#[track_caller]
fn number(json: &Value, name: &str) -> f64 {
    json[name].as_f64().unwrap_or_else(|| panic!("{name} is no number in {json:#}"))
}

/// One test, so that features are computed once.
#[test]
fn solar_cells_are_learned_grafted_and_answered_the_same() {
    let sandbox = Sandbox::new();
    let mut accuracies = Vec::new();
    for split in [1, 2, 0] {
        let said = train(&sandbox, split, &[]);
        let json = said.json();
        let first = accuracies.is_empty();
        let (computed, cached) = if first { (PHOTOS, 0) } else { (0, PHOTOS) };
        assert_eq!(json["features_computed"], computed, "{said}");
        assert_eq!(json["features_cached"], cached, "{said}");
        assert_eq!(json["examples"], PHOTOS, "{said}");
        assert_eq!(json["skipped"], 0, "{said}");
        assert_eq!((&json["trained"], &json["tested"]), (&1968.into(), &HELD_OUT.into()), "{said}");
        for name in ["ece", "features_seconds", "inference_seconds"] {
            assert!(number(&json, name) >= 0.0, "{said}");
        }
        assert!(number(&json, "ece") < 0.1, "probabilities mean little: {said}");
        assert!(number(&json, "accuracy") > number(&json, "baseline_accuracy") + 0.1, "{said}");
        accuracies.push(number(&json, "accuracy"));
    }
    let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
    println!("mean accuracy {mean:.4} of {accuracies:.4?}");
    assert!(mean >= LEAST_MEAN_ACCURACY, "mean accuracy {mean:.4} of {accuracies:.4?}");

    // Split 0 was last: its bundle is there.
    both_engines_give_the_same_answers(&sandbox);
    the_bundle_judges_as_training_did(&sandbox, accuracies[2]);
    an_mlp_learns_it_too(&sandbox);
}

fn both_engines_give_the_same_answers(sandbox: &Sandbox) {
    let mut compare = sandbox.graft(["compare", "solar.graft", "--split", "test", "--json"]);
    let said = run(compare.arg(table(0))).done();
    let json = said.json();
    assert_eq!(json["examples"], HELD_OUT, "{said}");
    assert_eq!(json["disagreements"], 0, "{said}");
    assert_eq!(json["passed"], true, "{said}");
    assert!(number(&json, "max_abs_diff") <= 1e-4, "{said}");
    println!("max_abs_diff {:e}", number(&json, "max_abs_diff"));
}

/// Features of training went through the head alone, these through the grafted
/// network in the device engine.
fn the_bundle_judges_as_training_did(sandbox: &Sandbox, accuracy: f64) {
    let mut evaluate =
        sandbox.graft_alone(["evaluate", "solar.graft", "--split", "test", "--json"]);
    let said = run(evaluate.arg(table(0))).done();
    let off = (number(&said.json(), "accuracy") - accuracy).abs() * HELD_OUT as f64;
    assert!(off < 1.5, "{off} answers differ from training's: {said}");
}

fn an_mlp_learns_it_too(sandbox: &Sandbox) {
    let said = train(sandbox, 0, &["--head", "mlp"]);
    let json = said.json();
    assert_eq!(json["head"]["kind"], "mlp", "{said}");
    assert_eq!(json["features_cached"], PHOTOS, "{said}");
    println!("mlp accuracy {:.4}", number(&json, "accuracy"));
    assert!(number(&json, "accuracy") > number(&json, "baseline_accuracy") + 0.1, "{said}");
}
