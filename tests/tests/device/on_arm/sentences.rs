//! A sentence encoder on ARM: the graftd that has a tokenizer answers as the device
//! engine does on the host; the one that has none says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use graft_bundle::Bundle;
use graft_input::tokens::synthetic_sentence;
use graft_tests::sandbox::{Sandbox, repository, run};
use serde_json::Value;

use super::answers::{assert_same, texts_on_arm};
use super::texts::{hard, on_host};
use super::{emulated, processors};

fn bundle() -> PathBuf {
    repository().join("crates/runtime/tests/fixtures/sentence.graft")
}

/// Those of the tests of its tokenizer and of pooled words, and synthetic ones.
fn texts() -> Vec<String> {
    let file = repository().join("models/tiny_encoder/expected.json");
    let expected: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let of_tokenizer = expected["texts"].as_array().unwrap().iter();
    let of_tokenizer = of_tokenizer.map(|one| one["text"].as_str().unwrap().to_owned());
    let synthetic = (1..).map(|seed| synthetic_sentence(seed, 1 + seed as u32 % 12));
    // A text is a line here.
    let lines = of_tokenizer.chain(hard()).filter(|text| !text.contains(['\n', '\r']));
    lines.chain(synthetic).take(200).collect()
}

#[test]
fn sentences_are_answered_as_on_the_host() {
    let sandbox = Sandbox::new();
    let bytes = fs::read(bundle()).unwrap();
    let texts = texts();
    let file = sandbox.path("texts");
    fs::write(&file, texts.join("\n")).unwrap();
    let (_, host) = on_host(&Bundle::parse(&bytes).unwrap(), &texts);
    // Both labels and "unknown": texts that all say the same would prove little.
    let labels: BTreeSet<_> = host.values().map(|answer| answer.label.as_deref()).collect();
    assert_eq!(labels.len(), 3, "{labels:?}");
    for (arch, cpu) in processors() {
        let arm = texts_on_arm(emulated(arch, &cpu, "tokens/graftd"), &bundle(), &file);
        let largest = assert_same(&cpu, &arm, &host);
        println!("{cpu}: probabilities differ by at most {largest:e}");
    }
}

#[test]
fn a_graftd_without_a_tokenizer_refuses_the_bundle_and_names_the_feature() {
    for (arch, cpu) in processors() {
        let mut graftd = emulated(arch, &cpu, "graftd");
        graftd.arg("--bundle").arg(bundle()).args(["--source", "stdin", "--format", "text"]);
        let said = run(&mut graftd).exits(1);
        let words =
            "this program was built without its tokenizer: build it with the feature \"tokens\"";
        assert!(said.stderr.contains(words), "{said}");
    }
}
