//! Which source: `graft rank` on networks and photos of which it is known.

use std::fs;

use graft_tests::photos::{BERRY, CLEAR, LEAF, photo};
use graft_tests::sandbox::{Said, Sandbox, run, tiny_model};
use serde_json::Value;

/// `graft rank DATA --models TINY,…`; more words follow.
fn rank(sandbox: &Sandbox, data: &str, others: &[&str], words: &str) -> Said {
    let tiny = tiny_model().display().to_string();
    let models: Vec<&str> = [tiny.as_str()].iter().chain(others).copied().collect();
    let mut command = sandbox.graft(["rank", data, "--models", &models.join(",")]);
    run(command.args(words.split_whitespace()))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn sources_are_scored_and_sorted() {
    let sandbox = Sandbox::with_photos(30);
    let said = rank(&sandbox, "photos", &["mobilenet_v2"], "--json").done();
    assert_eq!(said.stderr, "", "{said}");
    let json = said.json();
    assert_eq!((&json["examples"], &json["of_examples"]), (&60.into(), &60.into()), "{said}");
    assert_eq!(json["baseline_accuracy"], 0.5, "{said}");
    let sources = json["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{said}");
    for source in sources {
        // Colours so far apart are told by everybody.
        assert!(number(&source["probe_accuracy"]) > 0.9, "{said}");
        assert!(number(&source["neighbour_accuracy"]) > 0.9, "{said}");
        let h = number(&source["h_score"]);
        assert!((0.0..=1.0 + 1e-9).contains(&h), "two classes: {said}");
        assert!(number(&source["regularised_h_score"]) <= h + 1e-9, "{said}");
        // Log-likelihoods; those of a source that knew nothing would be −ln 2.
        for own in ["leep", "nce"] {
            assert!((-0.7..=0.0).contains(&number(&source[own])), "{own}: {said}");
        }
        assert!(number(&source["latency"]["p50_ms"]) > 0.0, "{said}");
        assert_eq!(source["features_computed"], 60, "{said}");
        assert!(number(&source["part_bytes"]) < number(&source["file_bytes"]), "{said}");
    }
    let of = |name: &str| sources.iter().find(|s| s["name"] == name).unwrap();
    let tiny = of("tiny");
    assert_eq!(of("mobilenet_v2")["source_classes"], 1000, "{said}");
    // As `graft inspect` counts them, docs and tests of which are elsewhere.
    assert_eq!(of("mobilenet_v2")["multiply_adds"], 299_494_272, "{said}");
    assert!(number(&tiny["latency"]["p50_ms"]) < number(&of("mobilenet_v2")["latency"]["p50_ms"]));
    // Whatever it answers, nothing is faster.
    assert_eq!(tiny["pareto"], true, "{said}");
    let scores: Vec<&str> = json["agreement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["score"].as_str().unwrap())
        .collect();
    assert_eq!(
        scores,
        ["neighbours", "logme", "regularised_h_score", "h_score", "leep", "nce"],
        "{said}"
    );

    // Found again, the same to the last digit, and in the order that is asked for.
    let again = rank(&sandbox, "photos", &["mobilenet_v2"], "--json --by latency").done().json();
    assert_eq!(names(&again["sources"]), ["tiny", "mobilenet_v2"]);
    for source in again["sources"].as_array().unwrap() {
        assert_eq!(source["features_cached"], 60);
        let before = of(source["name"].as_str().unwrap());
        for score in ["probe_accuracy", "logme", "regularised_h_score", "leep", "nce"] {
            assert_eq!(source[score], before[score], "{score}");
        }
    }
}

#[test]
fn a_source_that_cannot_be_used_is_named() {
    let sandbox = Sandbox::with_photos(10);
    sandbox.write("broken.onnx", b"not a network");
    let said = rank(&sandbox, "photos", &["vgg16_mri", "broken.onnx"], "").done();
    for words in [
        "tiny alone",
        "left out: vgg16_mri: model vgg16_mri is not here yet",
        "graft models fetch vgg16_mri",
        "left out: broken.onnx: broken.onnx is not a usable ONNX file",
    ] {
        assert!(said.stdout.contains(words), "no {words:?} in {said}");
    }
    let said = rank(&sandbox, "photos", &["vgg16_mri"], "--json --quiet").done();
    let json = said.json();
    assert_eq!(names(&json["sources"]), ["tiny"], "{said}");
    assert_eq!(names(&json["unusable"]), ["vgg16_mri"], "{said}");

    run(&mut sandbox.graft(["rank", "photos", "--models", "vgg16_mri,broken.onnx"])).refuses(&[
        "none of the sources can be used",
        "broken.onnx",
        "graft models fetch vgg16_mri",
    ]);
    rank(&sandbox, "photos", &["mobilnet_v2"], "").refuses(&["no model \"mobilnet_v2\""]);
}

#[test]
fn photos_that_are_held_out_are_not_looked_at() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("images")).unwrap();
    let mut table = "path,label,split,group\n".to_owned();
    for number in 0..60 {
        let class = if number / 3 % 2 == 0 { BERRY } else { LEAF };
        let name = format!("images/{number}.png");
        let side = if number < 45 { "train" } else { "test" };
        if side == "train" {
            photo(class, number, CLEAR).save(sandbox.path(&name)).unwrap();
        } else {
            // Whoever opens it says so.
            fs::write(sandbox.path(&name), "no photo").unwrap();
        }
        table += &format!("{name},{},{side},object {}\n", class.label, number / 3);
    }
    sandbox.write("table.csv", table);
    let said = rank(&sandbox, "table.csv", &[], "--examples 24 --json --strict").done();
    let json = said.json();
    assert_eq!((&json["examples"], &json["of_examples"]), (&24.into(), &45.into()), "{said}");
}

#[test]
fn latencies_of_a_board() {
    let sandbox = Sandbox::with_photos(10);
    sandbox.bundle();
    sandbox.run("bench task.graft --frames 5 --rounds 1 --quiet --json-file bench.json").done();
    let bench = fs::read_to_string(sandbox.path("bench.json")).unwrap();
    // As if it had been measured on a board.
    let mut bench: Value = serde_json::from_str(&bench).unwrap();
    assert_eq!(bench["backbone"]["name"], "tiny", "{bench}");
    bench["device"] = "pi".into();
    sandbox.write("pi.json", serde_json::to_string(&[&bench]).unwrap());
    let words = "--latency pi.json --json";
    let said = rank(&sandbox, "photos", &["mobilenet_v2"], words).done();
    let json = said.json();
    assert_eq!(json["latency_of"]["device"], "pi", "{said}");
    let of = |name: &str| {
        json["sources"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap()
    };
    assert_eq!(of("tiny")["latency"], bench["latency"]["bundle"], "{said}");
    assert_eq!(of("tiny")["pareto"], true, "{said}");
    // Nobody told.
    assert_eq!(of("mobilenet_v2")["latency"], Value::Null, "{said}");
    assert_eq!(of("mobilenet_v2")["pareto"], false, "{said}");

    bench["device"] = "other".into();
    sandbox.write("other.json", bench.to_string());
    rank(&sandbox, "photos", &[], "--latency pi.json,other.json").refuses(&["of one machine"]);
    sandbox.write("no.json", "{}");
    rank(&sandbox, "photos", &[], "--latency no.json").refuses(&["no.json", "graft bench"]);
}
