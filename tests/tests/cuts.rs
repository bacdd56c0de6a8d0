//! How much of a backbone to reuse.

use graft_tests::sandbox::{Sandbox, run, tiny_model};

/// Runs `graft cuts` on the tiny model.
fn cuts(sandbox: &Sandbox, words: &str) -> graft_tests::sandbox::Said {
    let mut command = sandbox.graft(["cuts", "photos", "--model"]);
    run(command.arg(tiny_model()).args(words.split_whitespace()))
}

#[test]
fn every_cut_is_probed_and_a_cheap_good_one_chosen() {
    let sandbox = Sandbox::with_photos(24);
    let json = cuts(&sandbox, "--json").done().json();
    let found = json["cuts"].as_array().unwrap();
    let tensors: Vec<&str> = found.iter().map(|c| c["tensor"].as_str().unwrap()).collect();
    // The map before the network's own mean gives what the mean gives.
    assert_eq!(tensors, ["stem_relu", "depthwise_clip", "flat"]);
    assert_eq!(json["examples"], 36);
    assert_eq!(json["usual"], 2);
    for cut in found {
        assert!(cut["latency_ms"].as_f64().unwrap() > 0.0, "{cut}");
        assert_eq!(cut["device_problem"], serde_json::Value::Null);
    }
    let number = |i: &serde_json::Value, field: &str| {
        found[i.as_u64().unwrap() as usize][field].as_f64().unwrap()
    };
    let (chosen, best) = (&json["chosen"], &json["best"]);
    let least = number(best, "accuracy") - number(best, "standard_error");
    assert!(number(chosen, "accuracy") >= least, "{json:#}");
    // The photos are easy: green against blue shows in the first layer.
    assert_eq!(number(best, "accuracy"), 1.0);
}

#[test]
fn the_chosen_cut_is_what_train_grafts() {
    let sandbox = Sandbox::with_photos(24);
    let auto = sandbox.train("photos", "--output auto.graft --at auto --no-latency --json");
    let auto = auto.done().json();
    let sweep = &auto["sweep"];
    let chosen = &sweep["cuts"][sweep["chosen"].as_u64().unwrap() as usize];
    // Without latencies the price is multiply-adds, which never repeat.
    assert_eq!(chosen["tensor"], "stem_relu", "{sweep:#}");
    assert_eq!(auto["model"]["at"], chosen["tensor"]);
    assert_eq!(auto["model"]["feature_length"], chosen["features"]);
    assert!(auto["reused"]["parameters"].as_u64() < Some(300), "{:#}", auto["reused"]);
    let named = sandbox.train("photos", "--output named.graft --at stem_relu --name auto --json");
    assert_eq!(named.done().json()["bundle"]["sha256"], auto["bundle"]["sha256"]);
    sandbox.run("compare auto.graft photos").done();
}

#[test]
fn quarters_know_where_something_is() {
    let sandbox = Sandbox::with_photos(24);
    let json = cuts(&sandbox, "--pool both --no-latency --json").done().json();
    let rows: Vec<(String, String, u64)> = json["cuts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            let text = |field: &str| c[field].as_str().unwrap().to_owned();
            (text("tensor"), text("pool"), c["features"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("stem_relu", "mean", 8),
        ("stem_relu", "grid", 32),
        ("depthwise_clip", "mean", 8),
        ("depthwise_clip", "grid", 32),
        ("pointwise", "grid", 64),
        ("flat", "mean", 16),
    ];
    assert_eq!(rows, expected.map(|(t, p, n)| (t.to_owned(), p.to_owned(), n)));
    sandbox.train("photos", "--output grid.graft --at pointwise --pool grid").done();
    sandbox.run("compare grid.graft photos").done();
}

#[test]
fn limits_steer_and_say_when_nothing_is_left() {
    let sandbox = Sandbox::with_photos(24);
    // 224 parameters of four bytes.
    let json = cuts(&sandbox, "--at best --max-bytes 900 --json").done().json();
    assert_eq!(json["cuts"][json["chosen"].as_u64().unwrap() as usize]["tensor"], "stem_relu");
    cuts(&sandbox, "--max-bytes 100").refuses(&["100 bytes", "stem_relu", "--max-bytes"]);
    cuts(&sandbox, "--max-latency-ms 0.000001").refuses(&["0.000001 ms", "--max-latency-ms"]);
    cuts(&sandbox, "--max-latency-ms 5 --no-latency").refuses(&["--no-latency"]);
    let train = |words: &str| sandbox.train("photos", &format!("--output x.graft {words}"));
    train("--max-bytes 900").refuses(&["--at auto"]);
    train("--pool both").refuses(&["--at auto"]);
    train("--at stem_rely").refuses(&["stem_rely", "stem_relu"]);
}

/// The tiny model was exported for photos of 32×32.
#[test]
fn photos_are_shown_in_another_size() {
    let sandbox = Sandbox::with_photos(24);
    let json = sandbox.train("photos", "--output large.graft --image-size 48x40 --json");
    let json = json.done().json();
    assert_eq!((&json["input"]["width"], &json["input"]["height"]), (&48.into(), &40.into()));
    assert_eq!(json["model"]["feature_length"], 16);
    assert_eq!(sandbox.run("compare large.graft photos --json").done().json()["passed"], true);
    let shown = sandbox.run("inspect large.graft --json").done().json();
    assert_eq!(shown["bundle"]["input"]["width"], 48, "{shown:#}");

    let refused = sandbox.train("photos", "--output x.graft --image-size 9999x40");
    refused.refuses(&["width"]);
}
