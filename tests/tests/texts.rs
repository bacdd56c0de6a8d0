//! Tasks about texts, from the table of texts to the device engine's answers.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use graft_bundle::{Bundle, Kind};
use graft_input::words::{TextPreparer, WordTable};
use graft_tests::sandbox::{Said, Sandbox, repository, run};
use serde_json::Value;

/// Two directions that matter, one that doesn't; "the" is common to all texts.
const VECTORS: &str = "the 0.1 0.1 4\n, 0 0.1 3\n. 0.1 0 3\nn't -0.5 -0.5 0.2\ndo 0.1 0 0.3\n\
    soup 2 0.1 0.2\nbread 1.8 0.2 -0.1\nsalt 2.1 -0.2 0.3\nbutter 1.7 0.3 0.1\n\
    goal 0.2 2 0.2\nmatch -0.1 1.9 0.3\nteam 0.1 2.2 -0.2\nscore 0.3 1.6 0.1\n\
    road 0.2 0.2 1\ncoach 0.1 1.5 0.4\noven 1.4 0.1 0.2\n";

const FOOD: [&str; 4] = ["soup", "bread", "salt", "butter"];
const SPORT: [&str; 4] = ["goal", "match", "team", "score"];

/// Sixty short texts of two classes, no two alike, and their table.
fn table() -> String {
    let mut table = String::from("text,label,group\n");
    for i in 0..30 {
        for (label, words) in [("food", FOOD), ("sport", SPORT)] {
            let (a, b, c) = (words[i % 4], words[i / 4 % 4], words[(i + i / 8) % 4]);
            table += &format!("\"The {a}, the {b} and {c}. Don't! No {i}\",{label},g{i}{label}\n");
        }
    }
    table
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.txt", VECTORS);
    sandbox.write("texts.csv", table());
    sandbox
}

fn train(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.run(&format!("train texts.csv --model tiny.txt -o task.graft {words}"))
}

/// What the device engine answers to one text.
fn predict(sandbox: &Sandbox, text: &str) -> Value {
    let said = run(sandbox.graft(["predict", "task.graft", "--json"]).arg(text)).done().json();
    said["predictions"][0].clone()
}

#[test]
fn a_task_is_learned_judged_and_answered() {
    let sandbox = sandbox();
    let said = train(&sandbox, "--json").done().json();
    assert_eq!(said["accuracy"], 1.0, "{said:#}");
    assert_eq!(said["examples"], 60);
    assert_eq!(said["input"]["pooling"], "mean");
    assert_eq!(said["model"]["name"], "tiny");
    let texts = &said["texts"];
    assert_eq!((&texts["source_words"], &texts["precision"]), (&16.into(), &"i8".into()));
    // The file has sixteen words, and all of them fit.
    assert_eq!((&texts["table_words"], &texts["task_words"]), (&16.into(), &13.into()));
    assert_eq!(texts["lowercase"], true);
    // Of "The soup , the bread and salt . Do n't ! No 7": and, !, no and the number.
    assert!((texts["unknown_train"].as_f64().unwrap() - 4.0 / 13.0).abs() < 1e-9, "{texts}");
    let unknown: Vec<&str> =
        texts["unknown_words"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(unknown[..3], ["!", "and", "no"]);

    let held_out = sandbox.run("evaluate task.graft texts.csv --json").done().json();
    assert_eq!(
        (&held_out["accuracy"], &held_out["evaluation"]["examples"]),
        (&1.0.into(), &60.into())
    );
    let onnx =
        sandbox.run("evaluate task.graft texts.csv --engine onnxruntime --json").done().json();
    assert_eq!(
        onnx["evaluation"]["log_loss"].as_f64(),
        held_out["evaluation"]["log_loss"].as_f64()
    );
    let compared = sandbox.run("compare task.graft texts.csv --json").done().json();
    assert_eq!((&compared["passed"], &compared["examples"]), (&true.into(), &60.into()));

    // Words that no text had, and that travel as the most frequent others do.
    assert_eq!(predict(&sandbox, "the coach")["answer"], "sport");
    assert_eq!(predict(&sandbox, "An OVEN!")["answer"], "food");
    let unknown = predict(&sandbox, "xyzzy plugh");
    assert!(unknown["answer"].is_null(), "{unknown}");
    assert_eq!((&unknown["words"], &unknown["known_words"]), (&2.into(), &0.into()));
    assert!(predict(&sandbox, "")["answer"].is_null());
}

#[test]
fn texts_come_from_standard_input_a_line_each() {
    let sandbox = sandbox();
    train(&sandbox, "").done();
    let mut command = sandbox.graft(["predict", "task.graft", "--json"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"soup and bread\nthe match\n").unwrap();
    let said = Said::of(child.wait_with_output().unwrap(), "predict".to_owned()).done().json();
    let answers: Vec<&Value> =
        said["predictions"].as_array().unwrap().iter().map(|p| &p["answer"]).collect();
    assert_eq!(answers, ["food", "sport"]);
    assert_eq!(said["predictions"][0]["text"], "soup and bread");
    assert!(said["predictions"][0]["path"].is_null());

    // A file's name is answered, and somebody may have meant its lines.
    let said = sandbox.run("predict task.graft texts.csv").done();
    assert!(
        said.stderr.contains("texts.csv is a file, and is taken for a text"),
        "{}",
        said.stderr
    );
}

#[test]
fn every_pooling_and_precision_learns_the_task() {
    let sandbox = sandbox();
    let mut bytes = Vec::new();
    for pooling in ["mean", "weighted", "max-mean"] {
        for precision in ["f32", "f16", "i8"] {
            let flags = format!("--pooling {pooling} --precision {precision} --json");
            let said = train(&sandbox, &flags).done().json();
            assert_eq!(said["accuracy"], 1.0, "{pooling} {precision}");
            let exact = &said["texts"]["f32_accuracy"];
            assert_eq!(exact.is_null(), precision == "f32");
            let compared = sandbox.run("compare task.graft texts.csv --json").done().json();
            assert_eq!(compared["passed"], true, "{pooling} {precision}: {compared:#}");
            assert_eq!(predict(&sandbox, "Butter, salt")["answer"], "food");
            bytes.push(said["texts"]["table_bytes"].as_i64().unwrap());
        }
    }
    // A number is four bytes, two, or one and its row's scale.
    assert!(
        bytes[0] - bytes[1] == 16 * 3 * 2 && bytes[1] - bytes[2] == 16 * (3 * 2 - 3 - 4),
        "{bytes:?}"
    );
}

/// What was taken out of the rows is folded into the head: the device's features are
/// plain, and the answers are those of rows without it.
#[test]
fn weighted_rows_are_the_weighted_means_of_the_table() {
    let sandbox = sandbox();
    train(&sandbox, "--pooling weighted --precision f32").done();
    let file = fs::read(sandbox.path("task.graft")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    let table = WordTable::parse(bundle.words().unwrap()).unwrap();
    let the = table.lookup("the").unwrap();
    let soup = table.lookup("soup").unwrap();
    let oven = table.lookup("oven").unwrap();
    // A word that no text has is as rare as can be; "the" is in all of them, twice.
    assert_eq!(table.weight(oven), 1.0);
    let share = 2.0 / 13.0;
    assert!((table.weight(the) - (1e-3 / (1e-3 + share)) as f32).abs() < 1e-7);
    let mut preparer = TextPreparer::new(bundle.manifest().input.words().unwrap(), table).unwrap();
    let mut features = [0.0; 3];
    preparer.fill("the soup", &mut features);
    let weight = |index| preparer.table().weight(index);
    let expected = (0.1 * weight(the) + 2.0 * weight(soup)) / 2.0;
    assert!((features[0] - expected).abs() < 1e-6);
}

#[test]
fn the_words_of_held_out_texts_do_not_travel() {
    let sandbox = sandbox();
    let mut table = String::from("text,label,split\n");
    for i in 0..12 {
        table += &format!("the soup {i},food,train\nthe goal {i},sport,train\n");
    }
    table += "the soup oven,food,test\nthe goal coach,sport,test\n";
    sandbox.write("split.csv", table);
    let said = sandbox
        .run("train split.csv --model tiny.txt -o task.graft --vocab 0 --json")
        .done()
        .json();
    assert_eq!(said["texts"]["table_words"], 3);
    assert_eq!(predict(&sandbox, "oven coach")["known_words"], 0);
    // Of each held-out text one word in three.
    assert!((said["texts"]["unknown_test"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9);
    let file = fs::read(sandbox.path("task.graft")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    let section = bundle.sections().iter().find(|s| s.id.kind == Kind::Words).unwrap();
    assert_eq!(section.length, said["texts"]["table_bytes"].as_u64().unwrap());
}

#[test]
fn folders_and_json_lines_give_what_tables_give() {
    let sandbox = sandbox();
    let from_table = train(&sandbox, "--json").done().json();
    let mut lines = String::new();
    for (row, record) in table().lines().skip(1).enumerate() {
        let (text, rest) = record[1..].split_once("\",").unwrap();
        let (label, group) = rest.split_once(',').unwrap();
        lines +=
            &format!("{}\n", serde_json::json!({ "text": text, "label": label, "group": group }));
        fs::create_dir_all(sandbox.path(format!("folder/{label}"))).unwrap();
        sandbox.write(format!("folder/{label}/{row:03}.txt"), text);
    }
    sandbox.write("texts.jsonl", lines);
    let from_lines =
        sandbox.run("train texts.jsonl --model tiny.txt -o task.graft --json").done().json();
    for field in ["bundle", "evaluation"] {
        let of = |said: &Value| said[field].clone();
        assert_eq!(of(&from_lines), of(&from_table), "{field}");
    }
    let from_folder =
        sandbox.run("train folder --model tiny.txt -o task.graft --json").done().json();
    assert_eq!((&from_folder["examples"], &from_folder["accuracy"]), (&60.into(), &1.0.into()));
}

#[test]
fn what_cannot_be_used_is_named_skipped_and_counted() {
    let sandbox = sandbox();
    let mut bytes = table().into_bytes();
    bytes.extend(b"  ,food,x1\nna\xefve soup,food,x2\nxyzzy,sport,x3\n");
    sandbox.write("texts.csv", &bytes);
    let said = train(&sandbox, "--json").done().json();
    assert_eq!((&said["skipped"], &said["examples"]), (&3.into(), &60.into()));
    let reasons: Vec<(&str, &str)> = said["skipped_files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["path"].as_str().unwrap(), s["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("texts.csv:62", "is empty"),
            ("texts.csv:63", "is not UTF-8"),
            ("texts.csv:64", "has no word that is known")
        ]
    );
    train(&sandbox, "--strict").refuses(&["examples cannot be used", "texts.csv:62", "is empty"]);
    let evaluated = sandbox.run("evaluate task.graft texts.csv --json").done().json();
    assert_eq!(
        (&evaluated["skipped"], &evaluated["evaluation"]["examples"]),
        (&3.into(), &60.into())
    );
}

#[test]
fn what_is_wrong_with_data_flags_or_vectors_is_said() {
    let sandbox = sandbox();
    let refuses = |line: &str, words: &[&str]| sandbox.run(line).refuses(words);
    let task = "--model tiny.txt -o task.graft";
    sandbox.write("path.csv", "path,label\na.png,x\n");
    refuses(&format!("train path.csv {task}"), &["no column \"text\"", "text and label"]);
    sandbox.write("label.csv", "text,label\nsoup,food\ngoal,\n");
    refuses(&format!("train label.csv {task}"), &["line 3", "label is empty"]);
    sandbox.write("bad.jsonl", "{\"text\": \"soup\", \"label\": \"food\"}\n{\"text\": 3\n");
    refuses(&format!("train bad.jsonl {task}"), &["bad.jsonl, line 2", "no JSON object"]);
    sandbox.write("no.jsonl", "{\"label\": \"food\"}\n");
    refuses(&format!("train no.jsonl {task}"), &["line 1", "has no \"text\""]);
    sandbox.write("texts.txt", "soup\n");
    refuses(&format!("train texts.txt {task}"), &["neither a folder", ".jsonl"]);
    refuses(&format!("train texts.csv {task} --at x"), &["--at is for networks"]);
    refuses(&format!("train texts.csv {task} --fine-tune all"), &["--fine-tune vectors"]);
    refuses(
        "train texts.csv --model mobilenet_v2 --pooling mean -o t.graft",
        &["a network, not word vectors"],
    );
    sandbox.write("short.txt", "the 1 2\nsoup 1\n");
    refuses("train texts.csv --model short.txt -o t.graft", &["short.txt: line 2 is short"]);
    sandbox.write("other.txt", "xyzzy 1 2\nplugh 2 1\n");
    refuses(
        "train texts.csv --model other.txt -o t.graft",
        &["none of", "has a word that other knows"],
    );
    assert!(!sandbox.path("task.graft").exists() && !sandbox.path("t.graft").exists());
    sandbox.assert_no_remains();

    train(&sandbox, "").done();
    let no_photos = ["no column \"path\"", "word vectors for --model"];
    sandbox.run("train texts.csv -o t.graft").refuses(&no_photos);
}

#[test]
fn the_same_data_give_the_same_bundle() {
    let sandbox = sandbox();
    let mut made = Vec::new();
    for threads in [1, 2] {
        train(&sandbox, &format!("--pooling weighted --threads {threads}")).done();
        made.push(fs::read(sandbox.path("task.graft")).unwrap());
    }
    assert_eq!(made[0], made[1]);
}

fn fetched(name: &str) -> PathBuf {
    repository().join(".deps").join(name)
}

#[test]
fn a_label_that_occurs_once_is_learned_and_said() {
    let sandbox = sandbox();
    sandbox.write("once.csv", table() + "the road,traffic,gx\n");
    let said = sandbox.run("train once.csv --model tiny.txt -o task.graft --json").done();
    let words = "class \"traffic\" has one example: it is learned, and nothing judges it";
    assert!(said.stderr.contains(words), "{said}");
    let json = said.json();
    assert_eq!((&json["labels"][2], &json["trained"]), (&"traffic".into(), &45.into()));
    assert_eq!(json["evaluation"]["classes"][2]["examples"], 0);
}

/// Real mails and real vectors. Without npm there are no mails, and tests/run.sh leaves
/// this out.
#[test]
fn spam_is_told_from_ham_with_glove() {
    let mails = fetched("spam_assassin/mails.jsonl");
    assert!(mails.is_file(), "there is no {}: run `make setup`", mails.display());
    let glove = fetched("glove-6b-50d/glove.6B.50d.txt");
    assert!(glove.is_file(), "there is no {}: run `make setup`", glove.display());
    let sandbox = Sandbox::new();
    let mut command = sandbox.graft(["train", "--json", "--output", "spam.graft", "--model"]);
    let said = run(command.arg(&glove).arg(&mails)).done().json();
    let accuracy = said["accuracy"].as_f64().unwrap();
    let baseline = said["baseline_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9 && accuracy > baseline + 0.15, "{accuracy} {baseline}");
    let exact = said["texts"]["f32_accuracy"].as_f64().unwrap();
    assert!((exact - accuracy).abs() < 0.01, "{accuracy}, with f32 {exact}");
    // A text classifier in a few megabytes.
    assert!(said["bundle"]["bytes"].as_u64().unwrap() < 5_000_000);
    // The mails that were held out, and a thousand others, in both engines.
    let compared =
        run(sandbox.graft(["compare", "spam.graft", "--json"]).arg(&mails)).done().json();
    assert_eq!(compared["disagreements"], 0);
    assert!(compared["examples"].as_u64().unwrap() > 5_900);
}
