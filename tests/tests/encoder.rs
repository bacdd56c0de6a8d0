//! Tasks about texts with a sentence encoder: models/tiny_encoder, which knows nothing,
//! and MiniLM-L6-v2 where `make setup` has put it.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use graft_bundle::{Bundle, Kind};
use graft_host::encoder::{Encoder, StatedEncoder};
use graft_host::engine::{Engine, LibrarySearch};
use graft_host::features::FeatureOptions;
use graft_host::provider::Provider;
use graft_host::texts::{Encoded, encoded};
use graft_input::tokens::TokenPreparer;
use graft_spec::{Input, TokensSpec};
use graft_tests::sandbox::{Said, Sandbox, onnx_runtime, repository, run};
use serde_json::Value;

const FOOD: [&str; 4] = ["soup", "bread", "salt", "butter"];
const SPORT: [&str; 4] = ["goal", "match", "team", "score"];

fn tiny() -> PathBuf {
    repository().join("models/tiny_encoder")
}

/// Sixty short texts of two classes, no two alike, and their table.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut table = String::from("text,label\n");
    for i in 0..30 {
        for (label, words) in [("food", FOOD), ("sport", SPORT)] {
            let (a, b, c) = (words[i % 4], words[i / 4 % 4], words[(i + i / 8) % 4]);
            table += &format!("\"The {a}, the {b} and {c}. Don't! No {i}\",{label}\n");
        }
    }
    sandbox.write("texts.csv", table);
    copy(&sandbox, "tiny");
    sandbox
}

/// The files of the tiny encoder, to be changed.
fn copy(sandbox: &Sandbox, folder: &str) {
    fs::create_dir_all(sandbox.path(folder)).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        sandbox.write(format!("{folder}/{file}"), fs::read(tiny().join(file)).unwrap());
    }
}

fn train(sandbox: &Sandbox, words: &str) -> Said {
    sandbox.run(&format!("train texts.csv --model ./tiny -o task.graft {words}"))
}

#[test]
fn a_task_is_learned_judged_and_answered() {
    let sandbox = sandbox();
    let said = train(&sandbox, "--json").done().json();
    // Of an encoder that knows nothing.
    let share = |key: &str| said[key].as_f64().unwrap();
    assert!(share("accuracy") > share("baseline_accuracy") + 0.2, "{said:#}");
    assert_eq!((&said["examples"], &said["model"]["feature_length"]), (&60.into(), &24.into()));
    assert_eq!((&said["model"]["name"], &said["texts"]), (&"tiny".into(), &Value::Null));
    let sentences = &said["sentences"];
    assert_eq!((&sentences["max_tokens"], &sentences["vocabulary"]), (&32.into(), &166.into()));
    // [CLS] The soup , the bread and salt . Do n ' t ! No 7 [SEP], and some have 1 and 7.
    assert_eq!((&sentences["median_tokens"], &sentences["cut"]), (&15.into(), &0.into()));
    assert_eq!(said["input"]["length"], "text");

    let bytes = fs::read(sandbox.path("task.graft")).unwrap();
    let bundle = Bundle::parse(&bytes).unwrap();
    assert!(matches!(bundle.manifest().input, Input::Tokens(TokensSpec { max_tokens: 32, .. })));
    assert!(bundle.sections().iter().any(|section| section.id.kind == Kind::Tokenizer));
    assert_eq!(bundle.tokenizer().unwrap(), fs::read(tiny().join("tokenizer.json")).unwrap());
    assert_eq!(bytes[10], 3, "the format's minor version");
    // tract 0.23.9 writes no NNEF of a slice whose end is the text's.
    assert_eq!(bundle.forms().len(), 1);

    let device = sandbox.run("evaluate task.graft texts.csv --json").done().json();
    let host =
        sandbox.run("evaluate task.graft texts.csv --engine onnxruntime --json").done().json();
    assert_eq!(device["accuracy"], host["accuracy"]);
    let compared = sandbox.run("compare task.graft texts.csv --json").done().json();
    assert_eq!((&compared["examples"], &compared["disagreements"]), (&60.into(), &0.into()));
    assert!(compared["max_abs_diff"].as_f64().unwrap() < 1e-4, "{compared}");
    let texts = ["the goal and the team", "", "🙂"];
    let mut command = sandbox.graft(["predict", "task.graft", "--json"]);
    let answers = run(command.args(texts)).done().json();
    let of = |i: usize| &answers["predictions"][i];
    assert_eq!(of(0)["words"], 5);
    // Of nothing, and of what has no token of its own, nothing is known.
    for (i, tokens) in [(1, 0), (2, 1)] {
        assert_eq!((&of(i)["answer"], &of(i)["known_words"]), (&Value::Null, &0.into()));
        assert_eq!(of(i)["words"], tokens);
    }
}

#[test]
fn it_is_inspected_and_exported() {
    let sandbox = sandbox();
    train(&sandbox, "").done();
    let said = sandbox.run("inspect task.graft").done();
    assert!(said.stdout.contains("up to 32 tokens of 166"), "{said}");
    let json = sandbox.run("inspect task.graft --json").done().json();
    assert_eq!(json["device"]["runs"], true, "{json:#}");
    assert_eq!(json["bundle"]["input"]["vocabulary"], 166);
    sandbox.run("export task.graft --onnx plain.onnx --onnx-bundle small.graft").done();
    let small = fs::read(sandbox.path("small.graft")).unwrap();
    assert_eq!(Bundle::parse(&small).unwrap().forms().len(), 1);
    let compared = sandbox.run("compare small.graft texts.csv --json").done().json();
    assert_eq!(compared["disagreements"], 0);
}

#[test]
fn the_same_data_give_the_same_bundle_and_rows_are_found_again() {
    let sandbox = sandbox();
    let mut made = Vec::new();
    for (flags, found) in [("--threads 1", 0), ("--threads 2", 60), ("--threads 2 --no-cache", 0)] {
        let said = train(&sandbox, &format!("{flags} --json")).done().json();
        assert_eq!(said["features_cached"], found, "{flags}");
        made.push(fs::read(sandbox.path("task.graft")).unwrap());
    }
    assert!(made[0] == made[1] && made[1] == made[2]);
    // Another length of texts is another space.
    let said = train(&sandbox, "--max-tokens 10 --json").done();
    assert!(said.stderr.contains("60 of 60 texts are longer than 10 tokens"), "{said}");
    let json = said.json();
    assert_eq!((&json["features_cached"], &json["sentences"]["cut"]), (&0.into(), &60.into()));
}

#[test]
fn it_goes_into_the_catalogue() {
    let sandbox = sandbox();
    let said = sandbox.run("models add ./tiny --name small --licence MIT --json").done().json();
    assert_eq!((&said["name"], &said["encoder"]["max_tokens"]), (&"small".into(), &32.into()));
    assert_eq!(said["encoder"]["config"], "config.json");
    let list = sandbox.run("models").done();
    assert!(list.stdout.contains("32 tokens") && list.stdout.contains("minilm_l6_v2"), "{list}");
    let said = sandbox.run("train texts.csv --model small -o task.graft --json").done().json();
    assert_eq!(said["model"]["licence"], "MIT");
    // Its files are held to their digests each time.
    let tokenizer = sandbox.data().join("models/small/tokenizer.json");
    let mut bytes = fs::read(&tokenizer).unwrap();
    bytes.push(b'\n');
    fs::write(&tokenizer, bytes).unwrap();
    sandbox
        .run("train texts.csv --model small -o task.graft")
        .refuses(&["tokenizer.json has sha256", "its model.toml says"]);
    sandbox.run("models remove small").done();
    assert!(!sandbox.data().join("models/small").exists());
}

#[test]
fn what_is_wrong_is_named() {
    let sandbox = sandbox();
    let refuses = |words: &[&str]| train(&sandbox, "").refuses(words);
    let tokenizer = fs::read_to_string(tiny().join("tokenizer.json")).unwrap();

    let more = tokenizer.replacen("\"[PAD]\": 0", "\"far\": 4000,\n\"[PAD]\": 0", 1);
    assert_ne!(more, tokenizer);
    sandbox.write("tiny/tokenizer.json", more);
    refuses(&["tiny/tokenizer.json", "token \"far\" the id 4000", "not of the same model"]);
    sandbox.write("tiny/tokenizer.json", tokenizer.replacen("WordPiece", "BPE", 2));
    refuses(&["tiny/tokenizer.json", "the tokenizer cannot be read"]);
    sandbox.write("tiny/tokenizer.json", &tokenizer);

    let config = fs::read_to_string(tiny().join("config.json")).unwrap();
    sandbox.write("tiny/config.json", config.replace("\"bert\"", "\"deberta-v2\""));
    refuses(&["model.safetensors", "model_type is \"deberta-v2\"", "bert is"]);
    sandbox.write("tiny/config.json", config.replace("\"vocab_size\": 166", "\"vocab_size\": 170"));
    refuses(&["\"embeddings.word_embeddings.weight\" has shape [166, 24]", "[170, 24]"]);
    fs::remove_file(sandbox.path("tiny/config.json")).unwrap();
    refuses(&["there is no config.json in ./tiny", "keep the files together"]);
    sandbox.write("tiny/config.json", &config);

    train(&sandbox, "--max-tokens 33").refuses(&["33 tokens were asked for", "--max-tokens 32"]);
    train(&sandbox, "--vocab 7").refuses(&["--vocab", "sentence encoder"]);
    train(&sandbox, "--batch 2").refuses(&["--batch is for networks for photos"]);
    fs::remove_file(sandbox.path("tiny/model.safetensors")).unwrap();
    refuses(&["neither model.safetensors with config.json nor model.onnx"]);
    sandbox
        .run("train texts.csv --model minilm_l6_v2 -o task.graft")
        .refuses(&["minilm_l6_v2 is not here yet", "graft models fetch minilm_l6_v2"]);
    sandbox.assert_no_remains();
    assert!(!sandbox.path("task.graft").exists());
}

/// One environment a process.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::load(&LibrarySearch::Named(onnx_runtime())).unwrap())
}

fn features(encoder: &Encoder, texts: &[String], threads: usize) -> Encoded {
    let options =
        FeatureOptions { provider: Provider::Cpu, threads, batch: None, cache: None, spill: None };
    let places: Vec<&Path> = texts.iter().map(|_| Path::new("a text")).collect();
    let mut on = |_: graft_host::progress::Event<'_>| ControlFlow::Continue(());
    encoded(engine(), encoder, &places, texts, &options, &mut on).unwrap()
}

fn expected(file: &Path) -> (Value, Vec<String>) {
    let json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let texts = json["texts"].as_array().unwrap().iter();
    let texts = texts.map(|text| text["text"].as_str().unwrap().to_owned()).collect();
    (json, texts)
}

/// Of models/tiny_encoder/make.py: PyTorch 2.15.0 and transformers 5.24.0.
#[test]
fn rows_in_onnx_runtime_are_those_of_pytorch() {
    let (json, texts) = expected(&tiny().join("expected.json"));
    let stated = StatedEncoder { max_tokens: Some(24), pooling: None };
    let encoder = Encoder::of_path(&tiny(), stated).unwrap();
    let found = features(&encoder, &texts, 2).rows;
    for (row, text) in found.outer_iter().zip(json["texts"].as_array().unwrap()) {
        for (found, expected) in row.iter().zip(text["mean"].as_array().unwrap()) {
            let expected = expected.as_f64().unwrap() as f32;
            assert!((found - expected).abs() < 1e-5, "{}: {found} {expected}", text["text"]);
        }
    }
}

fn minilm() -> PathBuf {
    let folder = repository().join(".deps/models/minilm_l6_v2");
    assert!(folder.is_dir(), "there is no {}: run `make setup`", folder.display());
    folder
}

fn ids(preparer: &TokenPreparer, text: &str) -> Vec<u8> {
    let mut tensor = Vec::new();
    preparer.fill(text, &mut tensor).unwrap();
    let ids = tensor.iter().map(|&id| id as u32);
    let length = u32::try_from(tensor.len()).unwrap();
    std::iter::once(length).chain(ids).flat_map(u32::to_le_bytes).collect()
}

fn digest(lists: impl Iterator<Item = Vec<u8>>) -> String {
    let all: Vec<u8> = lists.flatten().collect();
    graft_host::digest::Digest::of(&all).to_string()
}

fn minilm_preparer() -> TokenPreparer {
    let spec = TokensSpec {
        max_tokens: 256,
        length: graft_spec::TokensLength::Text,
        vocabulary: 30_522,
        max_bytes: 1 << 16,
    };
    TokenPreparer::new(&spec, &fs::read(minilm().join("tokenizer.json")).unwrap()).unwrap()
}

/// Of tests/fixtures/minilm/make.py: tokenizers 0.23.2. Every character there is, inside
/// a word, before one and alone.
#[test]
fn tokens_of_all_characters_are_those_of_the_reference() {
    let (json, texts) = expected(&repository().join("tests/fixtures/minilm/expected.json"));
    let preparer = minilm_preparer();
    for (text, one) in texts.iter().zip(json["texts"].as_array().unwrap()) {
        let mut tensor = Vec::new();
        preparer.fill(text, &mut tensor).unwrap();
        let expected: Vec<f32> = serde_json::from_value(one["ids"].clone()).unwrap();
        assert_eq!(tensor, expected, "{text:?}");
    }
    let characters: Vec<char> = ('\0'..=char::MAX).collect();
    let chunks = json["digests"]["characters"].as_array().unwrap();
    assert_eq!(characters.len().div_ceil(1 << 16), chunks.len());
    for (number, (chunk, expected)) in characters.chunks(1 << 16).zip(chunks).enumerate() {
        let texts = chunk.iter().map(|c| format!("ab{c}cd {c}e {c}"));
        let found = digest(texts.map(|text| ids(&preparer, &text)));
        assert_eq!(&found, expected, "chunk {number}");
    }
}

/// The same on 6,046 real mails. Without npm there are none, and tests/run.sh leaves this
/// out.
#[test]
fn spam_is_taken_apart_as_by_the_reference() {
    let (json, _) = expected(&repository().join("tests/fixtures/minilm/expected.json"));
    let preparer = minilm_preparer();
    let mails = mails();
    assert_eq!(json["digests"]["mail_count"], mails.len());
    let found = digest(mails.iter().map(|mail| ids(&preparer, mail)));
    assert_eq!(&found, &json["digests"]["mails"]);
}

fn mails() -> Vec<String> {
    let path = repository().join(".deps/spam_assassin/mails.jsonl");
    assert!(path.is_file(), "there is no {}: run `make setup`", path.display());
    let text = fs::read_to_string(path).unwrap();
    let mail =
        |line| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    text.lines().map(mail).collect()
}

#[test]
fn rows_of_minilm_are_those_of_pytorch() {
    let fixtures = repository().join("tests/fixtures/minilm");
    let (_, texts) = expected(&fixtures.join("expected.json"));
    let rows = fs::read(fixtures.join("features.f32")).unwrap();
    let rows: Vec<f32> =
        rows.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let encoder =
        Encoder::of_path(&minilm(), StatedEncoder { max_tokens: Some(256), pooling: None });
    let found = features(&encoder.unwrap(), &texts, 2).rows;
    assert_eq!(found.len(), rows.len());
    let mut largest = 0_f32;
    for (found, expected) in found.iter().zip(&rows) {
        largest = largest.max((found - expected).abs());
    }
    assert!(largest < 1e-5, "{largest}");
}

/// ONNX Runtime against the device engine: 64 mails, or as many as GRAFT_ENCODER_MAILS
/// says. Without npm there are none, and tests/run.sh leaves this out.
#[test]
fn spam_is_the_same_to_both_engines() {
    let count: usize =
        std::env::var("GRAFT_ENCODER_MAILS").ok().map_or(64, |count| count.parse().unwrap());
    let sandbox = Sandbox::new();
    let table = fs::read_to_string(repository().join(".deps/spam_assassin/mails.jsonl")).unwrap();
    // Every so many, so that both classes are there; twice as many are learned from.
    let lines: Vec<&str> = table.lines().collect();
    let pick = |count: usize, from: usize| -> String {
        let step = lines.len() / count;
        (0..count).map(|i| format!("{}\n", lines[from + i * step])).collect()
    };
    sandbox.write("learn.jsonl", pick(64, 0));
    sandbox.write("mails.jsonl", pick(count, 0));
    let mut command =
        sandbox.graft(["train", "learn.jsonl", "-o", "spam.graft", "--json", "--model"]);
    run(command.arg(minilm())).done();
    let compared = sandbox.run("compare spam.graft mails.jsonl --json").done().json();
    println!("{compared:#}");
    assert_eq!(compared["disagreements"], 0);
    assert_eq!(compared["examples"], count);
    assert!(compared["max_abs_diff"].as_f64().unwrap() < 1e-4, "{compared:#}");
}
