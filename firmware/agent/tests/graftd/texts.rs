//! Texts: a line each, all of them answered.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::*;

/// A bundle about texts; see `crates/runtime/tests/fixtures`.
const WORDS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/runtime/tests/fixtures/words.graft");

/// A bundle that continues texts.
const NEXT_WORD: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/runtime/tests/fixtures/next_word.graft");

/// A bundle with a sentence encoder.
const SENTENCE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/runtime/tests/fixtures/sentence.graft");

fn command(source: &str, rest: &[&str]) -> Command {
    let about = ["--bundle", WORDS, "--source", source, "--format", "text"];
    Graftd::command(&[&about, rest].concat())
}

fn start(source: &str, rest: &[&str]) -> Graftd {
    Graftd::spawn(&mut command(source, rest))
}

/// What the runtime says of a text in this process.
fn expect(bundle: &str, text: &str) -> Expected {
    let bytes = std::fs::read(bundle).unwrap();
    let mut model = Model::open(&Bundle::parse(&bytes).unwrap()).unwrap();
    let answer = model.predict_text(text).unwrap();
    let probability = answer.probabilities.iter().copied().fold(0.0, f32::max);
    Expected { label: answer.label().map(str::to_owned), probability }
}

#[test]
fn every_line_is_answered_as_the_runtime_answers_it() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["The storm wasn't cold.", "Pay the TAX on a loan!", "", "qwerty", "ice-cold soup"];
    let file = write_file(folder.path(), "texts", texts.join("\n").as_bytes());
    let answers = start(&format!("replay:{file}"), &["--repeat", "3"]).ends_well();
    assert_eq!(sequences(&answers), (0..15).collect::<Vec<u64>>());
    for (answer, text) in answers.iter().zip(texts.iter().cycle()) {
        assert_eq!(found(answer), expect(WORDS, text), "{text}");
        assert_eq!(answer["stable"], answer["label"], "{answer}");
    }
    // Expected: the Python that made the bundle.
    let counts = |answer: &Value| {
        ["tokens", "known", "cut_bytes"].map(|field| answer[field].as_u64().unwrap())
    };
    let all: Vec<_> = answers.iter().take(5).map(counts).collect();
    assert_eq!(all, [[6, 6, 0], [7, 7, 0], [0, 0, 0], [1, 0, 0], [2, 2, 0]]);
    assert_eq!(answers[0]["label"], "weather");
    assert_eq!(answers[1]["label"], "money");
    assert!(answers[2]["label"].is_null() && answers[3]["label"].is_null());
}

#[test]
fn sentences_are_read_by_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let long = "the soup ".repeat(100);
    let texts = ["The soup, the bread and salt.", "", "🙂", "goal and team", &long];
    let file = write_file(folder.path(), "texts", texts.join("\n").as_bytes());
    let source = format!("replay:{file}");
    let arguments = ["--bundle", SENTENCE, "--source", &source, "--format", "text"];
    let answers = Graftd::spawn(&mut Graftd::command(&arguments)).ends_well();
    assert_eq!(answers.len(), 5);
    for (answer, text) in answers.iter().zip(texts) {
        assert_eq!(found(answer), expect(SENTENCE, text), "{text}");
    }
    let counts = |answer: &Value| {
        ["tokens", "known", "cut_bytes"].map(|field| answer[field].as_u64().unwrap())
    };
    let all: Vec<_> = answers.iter().map(counts).collect();
    // The encoder takes 24 tokens, of which two are at the ends.
    assert_eq!(all, [[8, 8, 0], [0, 0, 0], [1, 0, 0], [3, 3, 0], [22, 22, 802]]);
}

/// Expected: ONNX Runtime, printed by the script that made the bundle.
#[test]
fn words_that_come_next_are_suggested() {
    let arguments = ["--bundle", NEXT_WORD, "--source", "stdin", "--format", "text", "--top", "3"];
    let mut graftd = Graftd::spawn(&mut Graftd::command(&arguments));
    let mut stdin = graftd.child.stdin.take().unwrap();
    let mut suggested = |text: &str| {
        writeln!(stdin, "{text}").unwrap();
        let answer = graftd.answer();
        let top = answer["top"].as_array().unwrap().iter();
        let words: Vec<String> = top.map(|one| one["label"].as_str().unwrap().to_owned()).collect();
        (answer["label"].as_str().map(str::to_owned), words)
    };
    let check = |(label, words): (Option<String>, Vec<String>), expected: [&str; 3]| {
        assert_eq!(label.as_deref(), Some(expected[0]));
        assert_eq!(words, expected);
    };
    check(suggested("The cat"), ["wins", "eats", "sees"]);
    check(suggested("the cat doesn't: it eats"), ["some", "a", "this"]);
    check(suggested("Likes, 3.5 THIS"), ["bank", "storm", "cat"]);
    assert_eq!(suggested("").0, None);
    drop(stdin);
    graftd.ends_well();
}

#[test]
fn what_is_no_text_or_too_long_is_counted_and_the_next_one_answered() {
    let mut graftd = start("stdin", &["--metrics", "0"]);
    let line = graftd.says("metrics on ");
    let address = line.split("http://").nth(1).unwrap().strip_suffix("/metrics").unwrap();
    let mut stdin = graftd.child.stdin.take().unwrap();
    stdin.write_all(b"rain \xff\xfe snow\n").unwrap();
    graftd.says("the text is not UTF-8");
    let long = "rain ".repeat(1000);
    writeln!(stdin, "{long}").unwrap();
    let answer = graftd.answer();
    assert_eq!((answer["sequence"].as_u64(), answer["label"].as_str()), (Some(0), Some("weather")));
    // The bundle takes 4096 bytes: 819 words and the first letter of another.
    assert_eq!([&answer["tokens"], &answer["known"], &answer["cut_bytes"]], [820, 819, 904]);
    stdin.write_all(&[b'x'; (1 << 20) + 1]).unwrap();
    stdin.write_all(b"\nrain\r\n").unwrap();
    graftd.says("a text in the stream is longer than 1048576 bytes");
    let answer = graftd.answer();
    assert_eq!((answer["sequence"].as_u64(), answer["label"].as_str()), (Some(1), Some("weather")));
    assert_eq!([&answer["tokens"], &answer["known"], &answer["cut_bytes"]], [1, 1, 0]);

    // The last answer is counted after it is told.
    let mut page = String::new();
    until("two are counted", || {
        page = health::scrape(address, "/metrics").1;
        page.contains("\ngraft_answers_total 2\n")
    });
    let value = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().unwrap()
    };
    assert_eq!(value("graft_frames_unreadable_total"), 2.0);
    assert_eq!(value("graft_tokens_total"), 821.0);
    assert_eq!(value("graft_tokens_unknown_total"), 1.0);
    assert_eq!(value("graft_texts_cut_total"), 1.0);
    drop(stdin);
    graftd.ends_well();
}

/// None gives way to another, however slowly they are read.
#[test]
fn texts_in_a_fifo_are_never_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut graftd = start(&format!("fifo:{}", path.display()), &["--once"]);
    let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
    writer.write_all("rain\nbread\n".repeat(2000).as_bytes()).unwrap();
    drop(writer);
    let answers = graftd.ends_well();
    assert_eq!(answers.len(), 4000);
    assert!(answers.iter().all(|answer| answer["dropped"] == 0));
    let labels = answers.iter().map(|answer| answer["label"].as_str().unwrap());
    assert!(labels.eq(["weather", "food"].into_iter().cycle().take(4000)));
}

#[test]
fn bundle_and_source_must_be_about_the_same() {
    let check = |arguments: &[&str], code: i32, words: &str| {
        let mut graftd = Graftd::spawn(&mut Graftd::command(arguments));
        let (status, answers) = graftd.end();
        assert_eq!((status.code(), answers.len()), (Some(code), 0), "{arguments:?}");
        let said = graftd.all_said();
        assert!(said.contains(words), "{said}");
    };
    check(
        &["--bundle", WORDS, "--source", "stdin"],
        1,
        "it answers about texts, and the source gives pictures",
    );
    let pictures = "it answers about pictures, and the source gives texts";
    check(&["--source", "stdin", "--format", "text"], 1, pictures);
    check(&["--source", "stdin", "--format", "text", "--keep", "kept"], 2, "frames alone are kept");
}

/// A bundle about pictures does not take over from one about texts.
#[test]
fn another_matter_is_refused_at_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("b.graft");
    std::fs::copy(WORDS, &bundle).unwrap();
    let path = bundle.display().to_string();
    let mut graftd = start("stdin", &["--bundle", &path]);
    let mut stdin = graftd.child.stdin.take().unwrap();
    stdin.write_all(b"rain\n").unwrap();
    assert_eq!(graftd.answer()["label"], "weather");
    let replace = |with: &str| {
        let other = folder.path().join("other.graft");
        std::fs::copy(with, &other).unwrap();
        std::fs::rename(&other, &bundle).unwrap();
    };
    replace(TINY);
    graftd.signal(Signal::HUP);
    graftd.says("the running bundle stays");
    stdin.write_all(b"bread\n").unwrap();
    assert_eq!(graftd.answer()["label"], "food");
    // The table is mapped: the file of its name may go.
    replace(WORDS);
    graftd.signal(Signal::HUP);
    graftd.says("words takes over from words");
    stdin.write_all(b"tax\n").unwrap();
    assert_eq!(graftd.answer()["label"], "money");
    drop(stdin);
    graftd.ends_well();
}
