use graft_tests::sandbox::{Sandbox, repository, tiny_model};
use serde_json::Value;

use super::{sandbox, table};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn vectors_are_scored_beside_those_of_chance() {
    let sandbox = sandbox();
    let line = "rank texts.csv --models tiny.txt,random:1 --json";
    let said = sandbox.run(line).done();
    assert_eq!(said.stderr, "", "{said}");
    let json = said.json();
    assert_eq!(names(&json["sources"]), ["tiny.txt", "random:1"], "{said}");
    assert_eq!((&json["examples"], &json["of_examples"]), (&80.into(), &80.into()));
    assert_eq!((&json["pooling"], &json["precision"]), (&"mean".into(), &"i8".into()));
    let [tiny, random] = [&json["sources"][0], &json["sources"][1]];
    assert_eq!((&tiny["probe_accuracy"], &tiny["neighbour_accuracy"]), (&1.0.into(), &1.0.into()));
    assert!(random["probe_accuracy"].as_f64().unwrap() < 0.95, "{said}");
    // Of "the soup the bread and salt" one word in six has no vector.
    assert!((tiny["unknown"].as_f64().unwrap() - 1.0 / 6.0).abs() < 1e-9, "{said}");
    assert_eq!((&random["unknown"], &random["table_words"]), (&0.0.into(), &10.into()));
    assert_eq!((&tiny["dimensions"], &random["dimensions"]), (&3.into(), &1.into()));
    assert_eq!((&tiny["source_words"], &tiny["table_words"]), (&11.into(), &11.into()));
    assert!(random["source_words"].is_null() && random["licence"].is_null(), "{said}");
    for source in [tiny, random] {
        assert!(source["latency"]["p50_ms"].as_f64().unwrap() > 0.0, "{said}");
        assert!(source["leep"].is_null(), "{said}");
    }
    // What `train` makes of the same words.
    let trained = sandbox.run("train texts.csv --model tiny.txt -o t.graft --json").done().json();
    assert_eq!(tiny["table_bytes"], trained["texts"]["table_bytes"], "{said}");

    let again = sandbox.run(line).done().json();
    let seed = sandbox.run(&format!("{line} --seed 1")).done().json();
    for score in ["probe_accuracy", "logme", "h_score", "neighbour_accuracy"] {
        assert_eq!(again["sources"][1][score], random[score], "{score}");
    }
    assert_ne!(seed["sources"][1]["logme"], random["logme"], "vectors follow the seed");
}

/// The only source of texts that runs in ONNX Runtime.
#[test]
fn sentence_encoders_are_scored_beside_vectors() {
    let sandbox = sandbox();
    let tiny_encoder = repository().join("models/tiny_encoder");
    let line =
        format!("rank texts.csv --models tiny.txt,{},random:3 --json", tiny_encoder.display());
    let said = sandbox.run(&line).done();
    let json = said.json();
    let sources = json["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 3, "{said}");
    let of = |name: &str| sources.iter().find(|s| s["name"] == name).unwrap();
    let encoder = of(tiny_encoder.to_str().unwrap());
    assert_eq!((&encoder["feature_length"], &encoder["table_words"]), (&24.into(), &166.into()));
    assert!(encoder["probe_accuracy"].as_f64().unwrap() > 0.6, "{said}");
    // A transformer takes longer than a sum.
    let latency = |source: &Value| source["latency"]["p50_ms"].as_f64().unwrap();
    assert!(latency(encoder) > latency(of("tiny.txt")), "{said}");
    // Rows are those that `train` makes and finds again.
    let line = format!("train texts.csv --model {} -o t.graft --json", tiny_encoder.display());
    let trained = sandbox.run(&line).done().json();
    assert_eq!(trained["features_cached"], 80, "{trained:#}");
    let bundle = trained["bundle"]["bytes"].as_u64().unwrap();
    assert!(encoder["table_bytes"].as_u64().unwrap() < bundle, "{trained:#}");
}

#[test]
fn pooling_and_size_are_as_they_are_asked() {
    let sandbox = sandbox();
    let said = sandbox
        .run("rank texts.csv --models tiny.txt,random:5 --pooling max-mean --precision f32 --examples 40")
        .done();
    for words in
        ["on 40 of 80 texts of 2 classes", "max-mean pooling of a table in f32", "random:5"]
    {
        assert!(said.stdout.contains(words), "no {words:?} in {said}");
    }
    let said =
        sandbox.run("rank texts.csv --models tiny.txt --pooling max-mean --json").done().json();
    assert_eq!(said["sources"][0]["feature_length"], 6);
    let weighted = sandbox.run("rank texts.csv --models tiny.txt --pooling weighted --json").done();
    assert_eq!(weighted.json()["sources"][0]["probe_accuracy"], 1.0, "{weighted}");
}

#[test]
fn texts_that_are_held_out_are_not_looked_at() {
    let sandbox = sandbox();
    let mut split = String::from("text,label,split\n");
    for i in 0..12 {
        split += &format!("the soup {i},food,train\nthe goal {i},sport,train\n");
    }
    split += "the oven,food,test\nthe coach,sport,test\n";
    sandbox.write("split.csv", split);
    let said = sandbox.run("rank split.csv --models tiny.txt,random:2 --vocab 0 --json").done();
    let json = said.json();
    assert_eq!((&json["examples"], &json["of_examples"]), (&24.into(), &24.into()), "{said}");
    let of = |name: &str| {
        let sources = json["sources"].as_array().unwrap();
        sources.iter().find(|source| source["name"] == name).unwrap()["table_words"].clone()
    };
    // "the", "soup" and "goal", and twelve numbers that have no vector.
    assert_eq!((of("tiny.txt"), of("random:2")), (3.into(), 15.into()), "{said}");
}

#[test]
fn a_source_that_cannot_be_used_is_named() {
    let sandbox = sandbox();
    sandbox.write("short.txt", "the 1 2\nsoup 1\n");
    sandbox.write("other.txt", "xyzzy 1 2\nplugh 2 1\n");
    let said =
        sandbox.run("rank texts.csv --models tiny.txt,short.txt,other.txt,mobilenet_v2").done();
    for words in [
        "tiny.txt alone",
        "left out: short.txt: short.txt: line 2 is short",
        "left out: other.txt: none of the 80 texts",
        "left out: mobilenet_v2: mobilenet_v2 is a network, not word vectors",
    ] {
        assert!(said.stdout.contains(words), "no {words:?} in {said}");
    }
    let refuses = |line: &str, words: &[&str]| sandbox.run(line).refuses(words);
    refuses("rank texts.csv --models short.txt", &["none of the sources", "short.txt"]);
    refuses("rank texts.csv --models gluve", &["no model \"gluve\""]);
    for wrong in ["random", "random:", "random:0", "random:9999", "random:x"] {
        refuses(&format!("rank texts.csv --models {wrong}"), &["1 to 4096", "random:50"]);
    }
    refuses("rank texts.csv --models tiny.txt --by leep", &["word vectors have none"]);
    refuses("rank texts.csv --models tiny.txt --latency x.json", &["timed on this machine"]);
    refuses("rank texts.csv --models tiny.txt --size 3x3", &["is for networks"]);
    sandbox.write("empty.csv", table() + " ,food\n");
    refuses("rank empty.csv --models tiny.txt --strict", &["empty.csv:82", "is empty"]);
    let skipped = sandbox.run("rank empty.csv --models tiny.txt --json").done().json();
    assert_eq!(skipped["skipped_files"][0]["path"], "empty.csv:82");

    let photos = Sandbox::with_photos(10);
    let tiny = tiny_model().display().to_string();
    photos
        .run(&format!("rank photos --models {tiny},random:50"))
        .refuses(&["random:50 is a source for texts"]);
}

#[test]
fn all_vectors_of_the_catalogue_are_looked_at() {
    let sandbox = sandbox();
    sandbox.run("rank texts.csv").refuses(&["no source to rank"]);
    sandbox.run("models add tiny.txt --licence MIT").done();
    let said = sandbox.run("rank texts.csv --json").done();
    assert_eq!(names(&said.json()["sources"]), ["tiny"], "{said}");
    assert_eq!(said.json()["sources"][0]["licence"], "MIT", "{said}");
}
