//! A thousand texts are answered on every processor as the device engine answers them
//! on the host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use graft_bundle::Bundle;
use graft_input::words::{WordTable, synthetic_text};
use graft_runtime::Model;
use graft_spec::ModelFormat;
use graft_tests::sandbox::{Sandbox, repository};

use super::answers::{Answer, assert_same, texts_on_arm};
use super::{emulated, processors};

/// What generated texts have not: nothing at all, nothing known, more than a bundle
/// takes, other alphabets, numbers, marks that are alike.
pub fn hard() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "qwerty",
        "?!?!...",
        "RAIN",
        "rain\tand\u{a0}snow",
        "Ice-Cold",
        "can't won’t 'tis",
        "3.5 1,000 -2 1e9",
        "über ÜBER U\u{308}ber",
        "雨と雪",
        "дождь и снег",
        "e\u{301}te\u{301}",
        "\u{fffd}",
        "👍 goal 👍",
        "a_b/c\\d",
        "<b>rain</b>",
        "İstanbul ſoup ﬁsh",
    ]
    .map(str::to_owned)
    .into();
    texts.push("snow ".repeat(2000));
    texts.push("ж".repeat(3000));
    texts
}

fn thousand(bundle: &Bundle<'_>) -> Vec<String> {
    let table = WordTable::parse(bundle.words().expect("it has words")).expect("a table");
    let generated = (1..).map(|seed: u64| synthetic_text(seed, 1 + seed as u32 % 60, &table));
    hard().into_iter().chain(generated).take(1000).collect()
}

pub fn on_host(bundle: &Bundle<'_>, texts: &[String]) -> (ModelFormat, BTreeMap<String, Answer>) {
    let mut model = Model::open(bundle).expect("it opens");
    model.verify().expect("its references hold");
    let answers = texts.iter().enumerate().map(|(number, text)| {
        let answer = model.predict_text(text).expect("it answers");
        (number.to_string(), Answer::of_engine(&answer))
    });
    let answers = answers.collect();
    (model.format(), answers)
}

#[track_caller]
fn every_processor_answers_as_the_host(bundle: &Path, folder: &Path) -> ModelFormat {
    let bytes = fs::read(bundle).expect("the bundle can be read");
    let parsed = Bundle::parse(&bytes).expect("it is a bundle");
    let texts = thousand(&parsed);
    let file = folder.join("texts");
    fs::write(&file, texts.join("\n")).expect("texts can be written");
    let (format, host) = on_host(&parsed, &texts);
    assert_eq!(host.len(), 1000);
    // All labels and "unknown": texts that all say the same would prove little.
    let labels: BTreeSet<_> = host.values().map(|answer| answer.label.as_deref()).collect();
    assert_eq!(labels.len(), parsed.labels().names().len() + 1, "{labels:?}");
    for (arch, cpu) in processors() {
        let arm = texts_on_arm(emulated(arch, &cpu, "graftd"), bundle, &file);
        let largest = assert_same(&cpu, &arm, &host);
        println!("{cpu}: probabilities differ by at most {largest:e}");
    }
    format
}

/// The largest and the mean of 8-bit vectors, and a network as ONNX.
#[test]
fn generated_texts_are_answered_as_on_the_host() {
    let sandbox = Sandbox::new();
    let bundle = repository().join("crates/runtime/tests/fixtures/words.graft");
    let format = every_processor_answers_as_the_host(&bundle, &sandbox.work());
    assert_eq!(format, ModelFormat::Onnx);
}

/// The weighted mean of 16-bit vectors, and the form that `graft train` prepares.
#[test]
fn a_task_that_was_trained_here_is_answered_as_on_the_host() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "tiny.txt",
        "the 0.1 0.1 4\nand 0.2 0.1 3\nsoup 2 0.1 0.2\nbread 1.8 0.2 -0.1\nsalt 2.1 -0.2 0.3\n\
         goal 0.2 2 0.2\nmatch -0.1 1.9 0.3\nteam 0.1 2.2 -0.2\nroad 0.2 0.2 1\n",
    );
    let mut table = String::from("text,label\n");
    for i in 0..20 {
        for (label, words) in
            [("food", ["soup", "bread", "salt"]), ("sport", ["goal", "match", "team"])]
        {
            table += &format!("The {} and {} {i},{label}\n", words[i % 3], words[i / 3 % 3]);
        }
    }
    sandbox.write("texts.csv", table);
    let flags = "--pooling weighted --precision f16 --quiet";
    sandbox.run(&format!("train texts.csv --model tiny.txt -o task.graft {flags}")).done();
    let format = every_processor_answers_as_the_host(&sandbox.path("task.graft"), &sandbox.work());
    assert_eq!(format, ModelFormat::Nnef);
}
