use std::fs;

use graft_tests::sandbox::{Said, Sandbox};
use serde_json::Value;

use super::{sandbox, table};

/// Few sizes, seeds and epochs.
fn report(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.run(&format!(
        "report marked.csv --model tiny.txt -o page.html --sizes 2 --seeds 2 --epochs 3 \
         --scratch-epochs 6 {words}"
    ))
}

/// The usual texts, with marks that a page must not take for its own.
fn marked() -> Sandbox {
    let sandbox = sandbox();
    sandbox.write("marked.csv", table().replace(" and ", " <b>& \u{202e}and "));
    sandbox
}

fn of<'a>(list: &'a Value, method: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|one| one["method"] == method).unwrap()
}

#[test]
fn three_ways_to_learn_are_compared() {
    let sandbox = marked();
    let said = report(&sandbox, "--json --quiet --threads 1").done();
    let json = said.json();
    assert_eq!((&json["about"], &json["trained"]), (&"texts".into(), &60.into()), "{said}");
    assert_eq!(json["sizes"], serde_json::json!([30, 60]), "{said}");
    // The vectors know the two directions; numbers of chance do not.
    let frozen = of(&json["methods"], "frozen");
    assert_eq!(frozen["by_examples"][0]["accuracy"]["value"], 1.0, "{said}");
    let before = |method: &str| {
        let of = &of(&json["methods"], method)["by_epoch"][0]["accuracy"]["value"];
        of.as_f64().unwrap()
    };
    assert_eq!(before("fine_tuned"), 1.0, "tuning begins with the solved head: {said}");
    assert!(before("scratch") < 0.9, "{said}");
    let gains = of(&json["benefits"], "frozen")["gains"].as_array().unwrap();
    let start = gains.iter().find(|gain| gain["measure"] == "fewest_examples").unwrap();
    assert_eq!(start["verdict"], "helps", "{said}");
    let provenance = &json["provenance"];
    assert_eq!((&provenance["model"], &provenance["at"]), (&"tiny".into(), &"texts".into()));
    assert_eq!(provenance["input"]["pooling"], "mean", "{said}");
    assert_eq!(provenance["scratch"]["architecture"], "word_vectors", "{said}");
    // Nine words of three numbers, and a head for two classes.
    assert_eq!(provenance["scratch"]["parameters"], 9 * 3 + 2 * 4, "{said}");
    assert!(provenance["fine_tuning"].as_str().unwrap().contains("from = \"vectors\""), "{said}");
    let shown = &json["shown"]["undecided"][0];
    assert!(shown["text"].as_str().unwrap().contains("<b>&"), "{said}");

    let page = fs::read_to_string(sandbox.path("page.html")).unwrap();
    assert!(page.contains("&lt;b&gt;&amp; \u{fffd}and") && !page.contains("<b>&"), "escaped");
    assert!(page.contains("60 texts to learn from") && page.contains("marked.csv:"));
    let (_, body) = page.split_once("</style>").unwrap();
    assert!(!body.contains("photo"), "a page about texts: {body}");

    let other = report(&sandbox, "--json --quiet --threads 2 --no-texts").done().json();
    for (one, other) in [(&json["benefits"], &other["benefits"]), (&json["sizes"], &other["sizes"])]
    {
        assert_eq!(one, other, "threads change nothing");
    }
    assert!(other["shown"]["undecided"][0]["text"].is_null());
    let page = fs::read_to_string(sandbox.path("page.html")).unwrap();
    assert!(page.contains("not shown") && !page.contains("&lt;b&gt;"), "no texts");
}

#[test]
fn what_cannot_be_reported_on_is_said() {
    let sandbox = marked();
    let refuses = |line: &str, words: &[&str]| sandbox.run(line).refuses(words);
    refuses("report marked.csv", &["are texts", "--model"]);
    refuses("report marked.csv --model tiny.txt --pooling max-mean", &["by the largest"]);
    refuses("report marked.csv --model mobilenet_v2", &["a network, not word vectors"]);
    refuses("report marked.csv --model tiny.txt --fine-tune last:1", &["--fine-tune vectors"]);
    refuses("report marked.csv --model tiny.txt --size 3x3", &["is for networks"]);
    refuses("report marked.csv --model tiny.txt -o marked.csv", &["has the texts"]);
    sandbox.write("other.txt", "xyzzy 1 2\nplugh 2 1\n");
    refuses("report marked.csv --model other.txt", &["none of 80 examples", "no word"]);
    let frozen = "report marked.csv --model tiny.txt --methods frozen --pooling max-mean -o p.html";
    sandbox.run(frozen).done();
}
