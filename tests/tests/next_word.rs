//! What comes next: from texts as they are written to the device engine's answers.

use std::fs;

use graft_bundle::Bundle;
use graft_input::words::WordTable;
use graft_runtime::Model;
use graft_tests::sandbox::{Said, Sandbox, run};
use serde_json::Value;

/// Kinds of words that follow each other, each with a direction of its own.
const KINDS: [&[&str]; 4] = [
    &["the", "a", "some", "every"],
    &["cat", "dog", "goat", "hen", "owl", "fox"],
    &["sees", "likes", "chases", "knows"],
    &["today", "often", "gladly", "quietly"],
];

/// Vectors of all of them, of the marks, and of words that no text has.
fn vectors() -> String {
    let mut file = String::new();
    let mut line = |word: &str, kind: usize, number: usize| {
        let value = |at: usize| match at {
            at if at == kind => 1.5,
            at => ((number * 7 + at * 5) % 11) as f32 / 11.0 - 0.5,
        };
        let values: Vec<String> = (0..6).map(|at| format!("{:.3}", value(at))).collect();
        file += &format!("{word} {}\n", values.join(" "));
    };
    line(",", 4, 0);
    line(".", 5, 1);
    for (kind, words) in KINDS.iter().enumerate() {
        words.iter().enumerate().for_each(|(number, word)| line(word, kind, number + 3 * kind));
    }
    // Nobody writes of bears here.
    line("bear", 1, 9);
    line("7", 5, 4);
    file
}

/// Sentences of articles, animals, what they do to animals, and when, in paragraphs.
fn notes(paragraphs: usize) -> String {
    let mut state = 12345_u32;
    let mut pick = |words: &[&'static str]| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        words[(state >> 16) as usize % words.len()]
    };
    let mut text = String::new();
    for number in 0..paragraphs {
        for _ in 0..3 {
            let [article, animal, verb, when] = [0, 1, 2, 3].map(|kind| pick(KINDS[kind]));
            let (other_article, other) = (pick(KINDS[0]), pick(KINDS[1]));
            let capital = article[..1].to_uppercase() + &article[1..];
            text += &format!("{capital} {animal} {verb}\n{other_article} {other} {when}. ");
        }
        text += &format!("7 Xyzzy {number}, the owl.\n\n");
    }
    text
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.txt", vectors());
    sandbox.write("notes.txt", notes(120));
    sandbox
}

fn train(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.run(&format!(
        "train notes.txt --next-word --model tiny.txt -o next.graft --hidden 16 --epochs 30 {words}"
    ))
}

fn predict(sandbox: &Sandbox, flags: &str, text: &str) -> Value {
    let said =
        run(sandbox.graft(["predict", "next.graft", "--json"]).args(flags.split(' ')).arg(text));
    said.done().json()
}

#[test]
fn notes_are_learned_judged_and_continued() {
    let sandbox = sandbox();
    let said = train(&sandbox, "--against-random --json").done().json();
    let number = |name: &str| said[name].as_f64().unwrap();
    // 18 words are of some kind; marks, numbers and words without a vector are none.
    assert_eq!((&said["words"], &said["context"]), (&18.into(), &4.into()), "{said:#}");
    assert_eq!((&said["precision"], &said["lowercase"]), (&"i8".into(), &true.into()));
    assert_eq!(said["table_words"], 22);
    // Of a kind of n words each is as likely as the others: the entropy of the kinds.
    assert!(number("perplexity") < 5.5, "{}", number("perplexity"));
    assert!(number("top3") > 0.6 && number("top1") > 0.25, "{said:#}");
    for (name, share) in [("top1", "top1_interval"), ("top3", "top3_interval")] {
        let [low, high] = [0, 1].map(|end| said[share][end].as_f64().unwrap());
        assert!(low <= number(name) && number(name) <= high && low < high, "{name}");
    }
    // "xyzzy" is asked for, and nobody can answer it: one of 20 words a paragraph.
    assert!((number("outside") - 1.0 / 20.0).abs() < 1e-9, "{}", number("outside"));
    let rivals = said["rivals"].as_array().unwrap();
    let names: Vec<&str> = rivals.iter().map(|rival| rival["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["unigram", "bigram", "random_vectors"]);
    let unigram = &rivals[0];
    assert!(unigram["perplexity"].as_f64().unwrap() > 10.0);
    assert!(unigram["top3_gain_interval"][0].as_f64().unwrap() > 0.2, "{unigram:#}");
    // Whether an animal does something or it is said when takes more than one word before.
    assert!(rivals[1]["perplexity_ratio_interval"][1].as_f64().unwrap() < 1.0, "{said:#}");

    let file = fs::read(sandbox.path("next.graft")).unwrap();
    assert_eq!(file[10], 3, "the version that has the pooling");
    let bundle = Bundle::parse(&file).unwrap();
    assert_eq!(bundle.manifest().input.words().unwrap().last_words(), Some(4));
    let mut labels: Vec<&str> = bundle.labels().names().iter().map(String::as_str).collect();
    labels.sort_unstable();
    let mut expected: Vec<&str> = KINDS.concat();
    expected.sort_unstable();
    assert_eq!(labels, expected);

    let next = |text: &str| {
        let said = predict(&sandbox, "--top 4", text);
        let top = said["predictions"][0]["top"].as_array().unwrap().iter();
        top.map(|one| one["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(next("Some fox CHASES").iter().all(|word| KINDS[0].contains(&word.as_str())));
    // A word that no text had, whose vector is like those of animals.
    assert!(next("gladly. Every bear").iter().all(|word| KINDS[2].contains(&word.as_str())));
    let unknown = predict(&sandbox, "--top 4", "plugh");
    assert!(unknown["predictions"][0]["answer"].is_null());
    assert!(unknown["generated"].is_null());

    let said = predict(&sandbox, "--generate 3", "The dog");
    let text = said["generated"][0].as_str().unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!((words.len(), words[..2].to_vec()), (5, vec!["The", "dog"]), "{text}");
    for (word, kind) in words[2..].iter().zip([2, 0, 1]) {
        assert!(KINDS[kind].contains(word), "{text}");
    }
    let drawn = |seed: u32| {
        let flags = format!("--generate 12 --seed {seed}");
        predict(&sandbox, &flags, "the cat")["generated"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert_eq!(predict(&sandbox, "--generate 3", "plugh")["generated"][0], "plugh");
}

#[test]
fn both_engines_judge_later_notes_alike() {
    let sandbox = sandbox();
    train(&sandbox, "").done();
    sandbox.write(
        "later.jsonl",
        notes(40).split("\n\n").filter(|p| !p.is_empty()).fold(String::new(), |all, text| {
            all + &serde_json::json!({ "text": text, "label": 1 }).to_string() + "\n"
        }),
    );
    let device = sandbox.run("evaluate next.graft later.jsonl --json").done().json();
    let onnx =
        sandbox.run("evaluate next.graft later.jsonl --engine onnxruntime --json").done().json();
    assert_eq!((&device["asked"], &device["texts"]), (&onnx["asked"], &40.into()));
    for name in ["perplexity", "top1", "top3"] {
        let [device, onnx] = [&device, &onnx].map(|said| said[name].as_f64().unwrap());
        assert!((device - onnx).abs() < 1e-4 * onnx, "{name}: {device} {onnx}");
    }
    assert!(device["top3"].as_f64().unwrap() > 0.6);
    sandbox.run("evaluate next.graft later.jsonl --at-least 0.5").done();
    sandbox.run("evaluate next.graft later.jsonl --at-least 0.99").exits(1);

    let compared = sandbox.run("compare next.graft notes.txt --json").done().json();
    assert_eq!(compared["passed"], true, "{compared:#}");
    let examples = compared["examples"].as_u64().unwrap();
    assert!((500..=1000).contains(&examples), "{examples}");
    sandbox.run("inspect next.graft").done();
}

/// The device engine's probability of each word is that of ONNX Runtime on the host, at
/// a thousand places of the text, and the vector that it says has the table's length.
#[test]
fn the_device_prepares_and_answers_what_somebody_has_written_so_far() {
    let sandbox = sandbox();
    train(&sandbox, "--context 2").done();
    let file = fs::read(sandbox.path("next.graft")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    let mut model = Model::open(&bundle).unwrap();
    model.verify().unwrap();
    let features =
        |model: &mut Model, text: &str| model.predict_text(text).unwrap().features.to_vec();
    // Two words are looked at, wherever they stand.
    let short = features(&mut model, "dog likes");
    assert_eq!(short.len(), 6);
    assert_eq!(short, features(&mut model, "Never mind: the xyzzy, every DOG likes"));
    assert_eq!(short, features(&mut model, &format!("{}dog likes ", "word ".repeat(5000))));
    assert_ne!(short, features(&mut model, "cat likes"));
}

#[test]
fn the_same_texts_give_the_same_bytes() {
    let sandbox = sandbox();
    train(&sandbox, "--seed 3").done();
    let first = fs::read(sandbox.path("next.graft")).unwrap();
    train(&sandbox, "--seed 3").done();
    assert!(first == fs::read(sandbox.path("next.graft")).unwrap());
    train(&sandbox, "--seed 3 --output-vectors frozen").done();
    assert!(first != fs::read(sandbox.path("next.graft")).unwrap());
}

#[test]
fn a_split_that_is_stated_is_taken() {
    let sandbox = sandbox();
    let rows = notes(120).split("\n\n").filter(|p| !p.is_empty()).enumerate().fold(
        "text,split\n".to_owned(),
        |all, (number, text)| {
            let side = if number < 90 { "train" } else { "test" };
            all + &format!("\"{}\",{side}\n", text.replace('\n', " "))
        },
    );
    sandbox.write("notes.csv", rows);
    let flags = "--next-word --model tiny.txt -o next.graft --hidden 16 --epochs 2 --json";
    let said = sandbox.run(&format!("train notes.csv {flags}")).done().json();
    // 20 words a paragraph that are asked for.
    assert_eq!(said["asked"].as_u64().unwrap(), 30 * 20, "{said:#}");
    let held_out = sandbox.run("evaluate next.graft notes.csv --split test --json").done().json();
    assert_eq!(held_out["texts"], 30);
    assert_eq!(held_out["asked"], said["asked"]);
}

/// Paragraphs as rows with a column more.
fn rows(column: &str, of: impl Fn(usize) -> String) -> String {
    notes(120)
        .split("\n\n")
        .filter(|p| !p.is_empty())
        .enumerate()
        .fold(format!("text,{column}\n"), |all, (number, text)| {
            all + &format!("\"{}\",{}\n", text.replace('\n', " "), of(number))
        })
}

/// The vectors of words that are learned from are tuned and travel so, one table for what
/// stands before and what comes next; of that very table the held-out results are.
#[test]
fn one_table_on_both_sides_travels_as_it_was_tuned() {
    let sandbox = sandbox();
    sandbox.write("notes.csv", rows("split", |n| ["train", "test"][n / 90].to_owned()));
    let flags = "--next-word --model tiny.txt -o next.graft --hidden 16 --epochs 20 --json \
                 --output-vectors tied --against-random";
    let said = sandbox.run(&format!("train notes.csv {flags}")).done().json();
    assert!(said["perplexity"].as_f64().unwrap() < 5.5, "{said:#}");
    assert!(said["best_epoch"].as_u64().unwrap() > 2, "{said:#}");
    let judged = sandbox.run("evaluate next.graft notes.csv --split test --json").done().json();
    for name in ["perplexity", "top1", "top3"] {
        let [said, judged] = [&said, &judged].map(|one| one[name].as_f64().unwrap());
        assert!((said - judged).abs() < 1e-5 * judged, "{name}: {said} {judged}");
    }

    let file = fs::read(sandbox.path("next.graft")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    let table = WordTable::parse(bundle.words().unwrap()).unwrap();
    let row = |word: &str| {
        let mut row = [f32::NAN; 6];
        table.row(table.lookup(word).unwrap(), &mut row);
        row
    };
    let vectors = vectors();
    let before = |word: &str| -> Vec<f32> {
        let line = vectors.lines().find(|line| line.split(' ').next() == Some(word)).unwrap();
        line.split(' ').skip(1).map(|number| number.parse().unwrap()).collect()
    };
    let distance = |word: &str| {
        let pairs = row(word).into_iter().zip(before(word));
        pairs.map(|(now, before)| (now - before).abs()).fold(0.0, f32::max)
    };
    // A mark is read, and moves as words do; what no text has stays.
    for word in ["the", "owl", "quietly", "."] {
        assert!(distance(word) > 0.05, "{word}: {}", distance(word));
    }
    assert!(distance("bear") < 0.01, "{}", distance("bear"));
    let first = fs::read(sandbox.path("next.graft")).unwrap();
    sandbox.run(&format!("train notes.csv {flags}")).done();
    assert!(first == fs::read(sandbox.path("next.graft")).unwrap(), "the same bytes again");
}

/// Paragraphs of twelve groups, one after another in turn, of 20 words each that are asked
/// for, one of which cannot be answered.
#[test]
fn groups_are_in_one_part() {
    let sandbox = sandbox();
    sandbox.write("notes.csv", rows("group", |number| format!("writer {}", number % 12)));
    let flags = "--next-word --model tiny.txt -o next.graft --hidden 16 --epochs 1 --json";
    let said = sandbox.run(&format!("train notes.csv {flags}")).done().json();
    assert_eq!((&said["asked"], &said["blocks"]), (&(3 * 200).into(), &3.into()), "{said:#}");
    assert_eq!(said["stopped_by"], 190);
    assert_eq!(said["learned_from"], 8 * 190);

    let object = |number: usize, text: &str| {
        let group = if number < 60 { "one" } else { "other" };
        let side = if number.is_multiple_of(4) { "test" } else { "train" };
        serde_json::json!({ "text": text, "group": group, "split": side }).to_string() + "\n"
    };
    let notes = notes(120);
    let texts = notes.split("\n\n").filter(|text| !text.is_empty()).enumerate();
    sandbox.write("torn.jsonl", texts.map(|(n, text)| object(n, text)).collect::<String>());
    let said = sandbox.run(&format!("train torn.jsonl {flags}")).done();
    assert!(said.stderr.contains("the split that is stated has 2 groups on both sides"));
    let said = said.json();
    assert_eq!((&said["asked"], &said["blocks"]), (&600.into(), &2.into()), "{said:#}");
    assert_eq!((&said["stopped_by"], &said["learned_from"]), (&855.into(), &855.into()));
    sandbox.write("one.csv", rows("group", |_| "the only one".to_owned()));
    sandbox
        .run("train one.csv --next-word --model tiny.txt -o one.graft")
        .refuses(&["no word can be asked for in the learning part", "too few groups"]);
}

#[test]
fn what_cannot_be_learned_is_named() {
    let sandbox = sandbox();
    let refuse = |data: &str, flags: &str, words: &[&str]| {
        let line = format!("train {data} --next-word --model tiny.txt -o next.graft {flags}");
        sandbox.run(&line).refuses(words);
        assert!(!sandbox.path("next.graft").exists());
    };
    sandbox.write("empty.txt", " \n\n");
    refuse("empty.txt", "", &["empty.txt has no text"]);
    sandbox.write("short.txt", "The cat sees the dog.\n");
    refuse("short.txt", "", &["have 6 words and marks; at least 1000 are needed", "add texts"]);
    sandbox.write("other.txt", "ich weiß nicht was soll es bedeuten ".repeat(300));
    refuse("other.txt", "", &["have 0 words", "tiny knows", "need other vectors"]);
    refuse(
        "notes.txt",
        "--words 500",
        &["500 words to choose from are asked for", "have 18 that tiny knows", "--words"],
    );
    sandbox.write("broken.txt", b"the cat\nsees\nthe \xff dog\n");
    refuse("broken.txt", "", &["broken.txt, line 3: is not UTF-8"]);
    sandbox.write("table.csv", "words,label\na,b\n");
    refuse("table.csv", "", &["has no column \"text\"", "found: words, label"]);
    sandbox.write("lines.jsonl", "{\"text\": [7]}\n");
    refuse("lines.jsonl", "", &["lines.jsonl, line 1", "\"text\" is neither a string"]);
    fs::create_dir(sandbox.path("folder")).unwrap();
    refuse("folder", "", &["folder has no .txt files"]);
    sandbox.write("folder/a.txt", b"\xff");
    refuse("folder", "", &["none of 1 texts can be used", "line 1 is not UTF-8"]);
    sandbox.write("half.csv", format!("text,split\n\"{}\",train\nb,\n", notes(120)));
    refuse("half.csv", "", &["1 of 2 examples have no split"]);
    refuse("notes.txt", "--head mlp", &["--head is for tasks with labels"]);
    sandbox.run("train notes.txt --model tiny.txt -o next.graft --words 20").exits(2);
    // One broken file among others is skipped, or an error if that is asked for.
    sandbox.write("folder/b.txt", notes(120));
    refuse("folder", "--strict", &["1 of ", "a.txt: line 1 is not UTF-8"]);
    let flags = "--next-word --model tiny.txt -o next.graft --hidden 8 --epochs 1 --json";
    let said = sandbox.run(&format!("train folder {flags}")).done().json();
    assert_eq!(said["skipped"], 1);
    // A bundle that answers from labels continues nothing.
    sandbox.run("predict next.graft --generate 0 cat").exits(2);
    sandbox.write("none.txt", "7, 8. 9\n");
    sandbox.run("evaluate next.graft none.txt").refuses(&["no word can be asked for"]);
}
