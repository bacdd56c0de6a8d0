//! `graft words`, and word vectors in the catalogue.

use graft_tests::sandbox::Sandbox;

const VECTORS: &str = "king 1 1 0\nqueen 1 -1 0\nman 0.2 1 0.1\nwoman 0.2 -1 0.1\nroad 0 0 3\n";

fn with_vectors() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.3d.txt", VECTORS);
    sandbox
}

#[test]
fn words_are_near_and_analogies_are_completed() {
    let sandbox = with_vectors();
    let said = sandbox.run("words tiny.3d.txt analogy man king woman -n 2 --json").done().json();
    assert_eq!(said["terms"], serde_json::json!(["man", "king", "woman"]));
    assert_eq!(said["neighbours"][0]["word"], "queen");
    assert_eq!(said["neighbours"].as_array().unwrap().len(), 2);
    let said = sandbox.run("words tiny.3d.txt nearest king --json").done().json();
    let near = &said["neighbours"][0];
    // (1, 1, 0) and (0.2, 1, 0.1): 1.2 / √(2 · 1.05).
    assert_eq!(near["word"], "man");
    assert!((near["similarity"].as_f64().unwrap() - 0.828_078_671).abs() < 1e-6, "{near}");
    let text = sandbox.run("words tiny.3d.txt analogy man king woman").done().stdout;
    assert!(text.starts_with("woman + king - man, in tiny.3d: 5 words of 3 numbers\n"), "{text}");
}

#[test]
fn word_vectors_are_added_listed_asked_and_removed() {
    let sandbox = with_vectors();
    sandbox.run("models add tiny.3d.txt").refuses(&["licence", "--licence"]);
    sandbox.run("models add tiny.3d.txt --licence MIT --size 8x8").refuses(&["no input"]);
    let added = sandbox.run("models add tiny.3d.txt --licence MIT --json").done().json();
    assert_eq!(added["name"], "tiny.3d");
    let words = serde_json::json!({ "format": "glove", "count": 5, "dimensions": 3 });
    assert_eq!(added["words"], words);
    assert!(added["input"].is_null());
    sandbox.run("models add tiny.3d.txt --licence MIT").refuses(&["there is a model tiny.3d"]);
    let listing = sandbox.run("models list --json").done().json();
    let models = listing["models"].as_array().unwrap();
    let listed = models.iter().find(|model| model["name"] == "tiny.3d").unwrap();
    assert_eq!((&listed["words"], &listed["parameters"]), (&words, &15.into()));

    // By its name, with the file gone.
    std::fs::remove_file(sandbox.path("tiny.3d.txt")).unwrap();
    let info = sandbox.run("words tiny.3d info --json").done().json();
    assert_eq!((&info["licence"], &info["words"]), (&"MIT".into(), &5.into()));
    assert_eq!(info["norms"]["greatest"], 3.0);
    let copy = sandbox.data().join("models/tiny.3d/tiny.3d.txt");
    std::fs::write(copy, "king 1 1\n").unwrap();
    sandbox.run("words tiny.3d info").refuses(&["sha256", "another version"]);
    sandbox.run("models remove tiny.3d").done();
    sandbox.run("words tiny.3d info").refuses(&["there is no model \"tiny.3d\""]);
}

#[test]
fn what_is_no_network_and_what_are_no_words_is_said() {
    let sandbox = with_vectors();
    sandbox.run("words mobilenet_v2 nearest x").refuses(&["a network, not word vectors"]);
    sandbox.run("words none.txt nearest x").refuses(&["cannot read none.txt"]);
    sandbox.run("words tiny.3d.txt nearest King").refuses(&["\"King\"", "lower-case"]);
    sandbox.write("short.txt", "a 1 2\nb 1\n");
    sandbox.run("words short.txt info").refuses(&["short.txt", "line 2 is short"]);
    sandbox.run("models add short.txt --licence MIT").refuses(&["line 2 is short"]);
    assert!(!sandbox.data().join("models/short").exists());
    sandbox.write("nan.txt", "a 1 2\nb nan 1\n");
    sandbox.run("words nan.txt info").refuses(&["line 2: number 1 is NaN"]);
    sandbox.write("lies.txt", "3 2\na 1 2\nb 2 1\n");
    sandbox.run("words lies.txt info").refuses(&["the header says 3 words, the file has 2"]);
    sandbox.write("latin.txt", b"a 1 2\nna\xefve 2 1\n");
    sandbox.run("words latin.txt info").refuses(&["line 2", "not UTF-8", "--skip-not-utf8"]);
    let info = sandbox.run("words latin.txt --skip-not-utf8 info --json").done().json();
    assert_eq!((&info["words"], &info["not_utf8"]), (&2.into(), &1.into()));
    let seen = sandbox.run("inspect latin.txt --json").done().json();
    assert_eq!((&seen["verb"], &seen["format"]), (&"inspect".into(), &"glove".into()));
}
