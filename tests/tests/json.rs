//! `--json` against its page: what docs/json.md names is there, and nothing is
//! there that it does not name.

use std::collections::BTreeSet;
use std::fs;

use graft_tests::sandbox::{Sandbox, fixture, repository, run, tiny_model};
use serde_json::Value;

/// The part of docs/json.md below a heading.
fn section(heading: &str) -> String {
    let page = fs::read_to_string(repository().join("docs/json.md")).unwrap();
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect("a section of the page");
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The words in code style.
fn words(text: &str) -> BTreeSet<String> {
    text.split("\n\n")
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// The fields in the first column of the first table; empty if there is none.
fn table(text: &str) -> BTreeSet<String> {
    let rows = text.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| words(row.split(" | ").next().unwrap())).collect()
}

/// The fields of a section in prose: those of its first sentence that stand
/// outside parentheses, those within arrays too.
fn sentence(text: &str) -> BTreeSet<String> {
    let (mut depth, mut outside) = (0, String::new());
    for letter in text.split(". ").next().unwrap().chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            other if depth == 0 => outside.push(other),
            _ => {}
        }
    }
    // A sentence speaks of `models list` and the like too.
    words(&outside).into_iter().filter(|word| !word.contains(' ')).collect()
}

/// Every key at any depth; what stands in `provenance` is another page's.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                if key != "provenance" {
                    keys(value, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|v| keys(v, found)),
        _ => {}
    }
}

fn fields(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

#[track_caller]
fn check(verb: &str, json: &Value) {
    check_section(&format!("`{verb}`"), verb, json);
}

#[track_caller]
fn check_section(heading: &str, verb: &str, json: &Value) {
    assert_eq!(json["graft"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["verb"], verb);
    let mut there = fields(json);
    there.retain(|name| name != "graft" && name != "verb");
    let text = section(heading);
    let mut all = BTreeSet::new();
    keys(json, &mut all);
    if text.trim_start().starts_with('|') {
        assert_eq!(there, table(&text), "`{verb}` as it is, and as its table says");
    } else {
        let promised = sentence(&text);
        assert!(promised.is_subset(&all), "{promised:?} are promised: {json:#}");
        assert!(there.is_subset(&words(&text)), "docs/json.md is silent about some of {there:?}");
    }

    let shared = section("Shared objects");
    let after = |text: &str, name: &str| table(text.split_once(&format!("**{name}**")).unwrap().1);
    if let Some(evaluation) = json.get("evaluation") {
        assert_eq!(fields(evaluation), after(&shared, "evaluation"));
    }
    if let Some(head) = json.get("head") {
        assert_eq!(fields(head), after(&text, "head"));
    }
    if let Some(path) = json["bundle"].get("path") {
        assert!(path.is_string());
        assert_eq!(fields(&json["bundle"]), words("`path` `name` `bytes` `sha256`"));
    }

    // Nothing at any depth that nobody explains.
    let format = fs::read_to_string(repository().join("docs/format.md")).unwrap();
    let known = [words(&text), words(&shared), words(&format)];
    all.retain(|name| name != "graft" && name != "verb" && !known.iter().any(|k| k.contains(name)));
    assert!(all.is_empty(), "`{verb}`: nobody explains {all:?}");
}

#[test]
fn every_document_has_the_fields_of_its_page() {
    let sandbox = Sandbox::with_photos(12);
    // Something to list.
    sandbox.write("photos/berry/broken.png", "no picture");
    let of = |line: &str| sandbox.run(&format!("{line} --json")).done().json();

    let words = "--output task.graft --json --head";
    let train = sandbox.train("photos", &format!("{words} mlp --epochs 3")).done().json();
    check("train", &train);
    let train = sandbox.train("photos", &format!("{words} linear")).done().json();
    check("train", &train);
    check("train", &sandbox.train("photos", &format!("{words} linear --at auto")).done().json());
    let develop = "develop photos --size 16x16 --width 0.25 --epochs 1 -o source.onnx --json";
    let developed = sandbox.run(develop);
    // No is an answer too.
    assert!(matches!(developed.status, Some(0 | 1)), "{}", developed.stderr);
    check("develop", &developed.json());
    let tuned = format!("{words} linear --fine-tune all --epochs 2");
    check("train", &sandbox.train("photos", &tuned).done().json());
    let tiny = tiny_model();
    let tiny = tiny.to_str().unwrap();
    check("cuts", &of(&format!("cuts photos --model {tiny} --pool both")));
    let rank =
        run(sandbox.graft(["rank", "photos", "--json", "--models"]).arg(tiny_model())).done();
    check("rank", &rank.json());
    let few = "--sizes 3 --seeds 2 --epochs 1 --scratch-epochs 1 --scratch-size 16 --json";
    let mut report = sandbox.graft(["report", "photos", "--backbone", tiny]);
    check("report", &run(report.args(few.split(' '))).done().json());
    sandbox.write("pets.txt", "cat 1 0\ndog 0 1\nthe 1 1\n");
    let lines = |i| format!("the cat {i},purrs\nthe dog {i},barks\n");
    let pets: String = (0..12).map(lines).collect();
    sandbox.write("pets.csv", format!("text,label\n{pets}"));
    check("train", &of("train pets.csv --model pets.txt -o pets.graft"));
    check("evaluate", &of("evaluate pets.graft pets.csv"));
    check("predict", &of("predict pets.graft cat"));
    check("compare", &of("compare pets.graft pets.csv"));
    check("inspect", &of("inspect pets.graft"));
    sandbox.write(
        "notes.txt",
        "A cat and the dog, a goat or an owl; the cow is by my fox.\n\n".repeat(99),
    );
    let vectors: Vec<String> = "cat dog goat owl cow fox a the an and or is by my ,"
        .split(' ')
        .map(|w| format!("{w} 1 0\n"))
        .collect();
    sandbox.write("few.txt", vectors.concat());
    let next =
        "train notes.txt --next-word --model few.txt -o next.graft --epochs 1 --against-random";
    let next = of(next);
    check_section("`train --next-word`", "train", &next);
    let text = section("`train --next-word`");
    let rivals = table(text.split_once("**rivals**").unwrap().1);
    assert_eq!(fields(&next["rivals"][0]), rivals);
    let evaluated = of("evaluate next.graft notes.txt");
    check_section("`evaluate` of a bundle that continues texts", "evaluate", &evaluated);
    check("predict", &of("predict next.graft cat --generate 2"));
    check("compare", &of("compare next.graft notes.txt"));
    check("inspect", &of("inspect next.graft"));
    check("evaluate", &of("evaluate task.graft photos"));
    check("predict", &of("predict task.graft photos/leaf/0000.png"));
    check("compare", &of("compare task.graft photos"));
    check("bench", &of("bench task.graft --frames 3 --rounds 1"));
    check("inspect", &of("inspect task.graft"));
    let inspect = run(sandbox.graft(["inspect", "--json"]).arg(fixture("lp_pool.onnx"))).done();
    check("inspect", &inspect.json());
    check("inspect", &of("inspect task.graft --cuts"));
    check("models", &of("models list"));
    sandbox.write("tiny.txt", "a 1 2\nb 2 1\nc 1 1\n");
    for question in ["info", "nearest a", "analogy a b c"] {
        check("words", &of(&format!("words tiny.txt {question}")));
    }
    check("export", &of("export task.graft --onnx task.onnx"));
    check("cache", &of("cache show"));
    check("cache", &of("cache clear"));
    check("completions", &of("completions bash"));
    check("doctor", &of("doctor"));
}

#[test]
fn doctor_looks_at_everything_that_the_page_lists() {
    let json = Sandbox::new().run("doctor --json").done().json();
    assert_eq!(json["ok"], true, "{json:#}");
    let text = section("`doctor`");
    let (_, names) = text.split_once("Names:").unwrap();
    let listed = words(names.split('.').next().unwrap());
    let checks = json["checks"].as_array().unwrap();
    let found: BTreeSet<_> =
        checks.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, listed);
    for check in checks {
        let ok = check["status"] == "ok";
        assert_eq!(check["cure"].is_null(), ok, "{check}");
        assert!(ok || check["needed"] == false, "{check}");
    }
}

#[test]
fn a_json_file_is_the_same_document_and_leaves_the_text() {
    let sandbox = Sandbox::new();
    let tiny = tiny_model().join("tiny.onnx");
    let run = |words: &[&str]| run(sandbox.graft(["inspect"]).args(words).arg(&tiny)).done();
    let (text, json) = (run(&[]), run(&["--json"]));
    let beside = run(&["--json-file", "tiny.json"]);
    assert_eq!(beside.stdout, text.stdout);
    assert_eq!(fs::read_to_string(sandbox.path("tiny.json")).unwrap(), json.stdout);
    let both = run(&["--json", "--json-file", "both.json"]);
    assert_eq!(both.stdout, json.stdout);
    assert_eq!(fs::read_to_string(sandbox.path("both.json")).unwrap(), json.stdout);
    assert_eq!(sandbox.files().len(), 2);
}
