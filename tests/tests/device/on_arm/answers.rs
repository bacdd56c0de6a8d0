//! graftd on ARM answers as the device engine does on the host.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::Command;

use graft_bundle::Bundle;
use graft_input::{decode, synthetic};
use graft_runtime::Model;
use graft_tests::sandbox::{Sandbox, repository, run};
use image::RgbImage;
use serde_json::Value;

use super::{emulated, processors};
use crate::board_files::Arch;

/// Logits differ by some units in the last place between processors: other
/// instructions add up in another order.
const LARGEST_DIFFERENCE: f64 = 1e-5;

/// What is said of one picture or text: a label or unknown, and all probabilities.
#[derive(Debug)]
pub struct Answer {
    pub label: Option<String>,
    probabilities: BTreeMap<String, f64>,
    /// Of a text: tokens, those that are known, and bytes that were cut off.
    counts: Option<[u64; 3]>,
}

impl Answer {
    /// In the device engine here.
    pub fn of_engine(answer: &graft_runtime::Answer<'_>) -> Answer {
        let label = answer.label().map(str::to_owned);
        let named = answer.by_label().map(|(label, p)| (label.to_owned(), f64::from(p)));
        let counts =
            answer.text.map(|text| [text.tokens.into(), text.known.into(), text.cut_bytes as u64]);
        Answer { label, probabilities: named.collect(), counts }
    }

    /// In a line of graftd's.
    fn of_line(line: &Value) -> Answer {
        let top = line["top"].as_array().expect("the probabilities are a list");
        let named = top.iter().map(|entry| {
            let label = entry["label"].as_str().expect("a label is text").to_owned();
            (label, entry["probability"].as_f64().expect("a probability is a number"))
        });
        let label = line["label"].as_str().map(str::to_owned);
        assert_eq!(line["unknown"], label.is_none(), "{line}");
        let count = |field: &str| line.get(field).map(|n| n.as_u64().expect("a count"));
        let counts = [count("tokens"), count("known"), count("cut_bytes")];
        let counts = counts.iter().all(Option::is_some).then(|| counts.map(Option::unwrap));
        Answer { label, probabilities: named.collect(), counts }
    }
}

/// Pictures that any machine makes anew, of the sizes that are hard on a resizer:
/// smaller, larger, flat, tall, and the tensor's own.
pub fn write_pictures(folder: &Path, sizes: &[(u32, u32)]) {
    fs::create_dir(folder).expect("a folder can be made");
    for (seed, &(width, height)) in (1..).zip(sizes) {
        let picture = synthetic(seed, width, height);
        let pixels = picture.rgb().to_vec();
        let image = RgbImage::from_raw(width, height, pixels).expect("three bytes for each pixel");
        let name = format!("{seed:03}-{width}x{height}.png");
        image.save(folder.join(name)).expect("a picture can be written");
    }
}

/// The answers of the device engine here, by the names of the pictures.
pub fn on_host(bundle: &Path, pictures: &Path) -> BTreeMap<String, Answer> {
    let bytes = fs::read(bundle).expect("the bundle can be read");
    let mut model = Model::open(&Bundle::parse(&bytes).expect("it is a bundle")).expect("it opens");
    model.verify().expect("its references hold");
    let files = fs::read_dir(pictures).expect("the folder can be read");
    files
        .map(|file| {
            let file = file.expect("the folder can be read");
            let picture = decode(&fs::read(file.path()).expect("it can be read"), [0; 3]);
            let picture = picture.expect("it is a picture");
            let answer = model.predict(picture.frame()).expect("it answers");
            let name = file.file_name().into_string().expect("names here are UTF-8");
            (name, Answer::of_engine(&answer))
        })
        .collect()
}

/// The answers of graftd on an emulated processor. That it answers at all says
/// that the references held there, the hashes of their prepared tensors included.
pub fn on_arm(arch: Arch, cpu: &str, bundle: &Path, pictures: &Path) -> BTreeMap<String, Answer> {
    pictures_on_arm(emulated(arch, cpu, "graftd"), bundle, pictures)
}

fn pictures_on_arm(
    mut graftd: Command,
    bundle: &Path,
    pictures: &Path,
) -> BTreeMap<String, Answer> {
    let mut source = OsString::from("folder:");
    source.push(pictures);
    let lines = lines(graftd.arg("--bundle").arg(bundle), &source, &["--once"]);
    let answers = lines.iter().map(|line| {
        let name = line["name"].as_str().expect("a picture of a folder has a name");
        (name.to_owned(), Answer::of_line(line))
    });
    answers.collect()
}

/// The same of texts, a line of the file each, by their numbers; of this graftd.
pub fn texts_on_arm(mut graftd: Command, bundle: &Path, texts: &Path) -> BTreeMap<String, Answer> {
    let mut source = OsString::from("replay:");
    source.push(texts);
    let lines = lines(graftd.arg("--bundle").arg(bundle), &source, &["--format", "text"]);
    let answers = lines.iter().map(|line| (line["sequence"].to_string(), Answer::of_line(line)));
    answers.collect()
}

fn lines(graftd: &mut Command, source: &OsStr, rest: &[&str]) -> Vec<Value> {
    graftd.arg("--source").arg(source).args(["--top", "1000"]).args(rest);
    let said = run(graftd).done();
    let lines = said.stdout.lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Compares, and gives the largest difference.
#[track_caller]
pub fn assert_same(
    cpu: &str,
    arm: &BTreeMap<String, Answer>,
    host: &BTreeMap<String, Answer>,
) -> f64 {
    let names = |answers: &BTreeMap<String, Answer>| answers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(arm), names(host), "{cpu} answered others");
    let mut largest = 0.0_f64;
    for (name, host) in host {
        let arm = &arm[name];
        assert_eq!(arm.label, host.label, "{cpu}, {name}: {arm:?} instead of {host:?}");
        assert_eq!(arm.counts, host.counts, "{cpu}, {name}");
        assert_eq!(
            arm.probabilities.keys().collect::<Vec<_>>(),
            host.probabilities.keys().collect::<Vec<_>>(),
            "{cpu}, {name}"
        );
        for (label, probability) in &host.probabilities {
            let difference = (arm.probabilities[label] - probability).abs();
            assert!(
                difference <= LARGEST_DIFFERENCE,
                "{cpu}, {name}, {label}: {} instead of {probability}",
                arm.probabilities[label]
            );
            largest = largest.max(difference);
        }
    }
    largest
}

#[track_caller]
fn every_processor_answers_as_the_host(bundle: &Path, pictures: &Path) -> BTreeMap<String, Answer> {
    let host = on_host(bundle, pictures);
    for (arch, cpu) in processors() {
        let largest = assert_same(&cpu, &on_arm(arch, &cpu, bundle, pictures), &host);
        println!("{cpu}: probabilities differ by at most {largest:e}");
    }
    host
}

#[test]
fn generated_pictures_of_any_size_are_answered_as_on_the_host() {
    let sandbox = Sandbox::new();
    let pictures = sandbox.path("pictures");
    let sizes = [(32, 32), (1, 1), (31, 33), (64, 64), (640, 480), (333, 7), (7, 333), (96, 40)];
    write_pictures(&pictures, &sizes.repeat(2));
    let bundle = repository().join("crates/runtime/tests/fixtures/tiny.graft");
    let answers = every_processor_answers_as_the_host(&bundle, &pictures);
    assert_eq!(answers.len(), 16);
    // Pictures that all look the same to the network would prove little.
    let all: BTreeSet<String> =
        answers.values().map(|answer| format!("{:?}", answer.probabilities)).collect();
    assert_eq!(all.len(), 16, "{answers:#?}");
}

/// The bundle above is sure of nothing; here every answer is a label.
#[test]
fn labels_are_those_of_the_host() {
    let sandbox = Sandbox::with_photos(8);
    let pictures = sandbox.path("pictures");
    fs::create_dir(&pictures).expect("a folder can be made");
    for (path, bytes) in sandbox.files() {
        if path.extension().is_some_and(|extension| extension == "png") {
            // The photos of two classes have the same names.
            let name = path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>();
            fs::write(pictures.join(name[name.len() - 2..].join("-")), bytes)
                .expect("a photo can be written");
        }
    }
    let answers = every_processor_answers_as_the_host(&sandbox.bundle(), &pictures);
    assert_eq!(answers.len(), 16);
    let labels: BTreeSet<_> = answers.values().filter_map(|a| a.label.as_deref()).collect();
    assert_eq!(labels, BTreeSet::from(["berry", "leaf"]), "{answers:#?}");
}

/// Weights in a file are packed for the processor that made it. Here the folder goes from
/// board to board, as a card does: each has the answers that it has from memory.
#[test]
fn weights_in_a_file_answer_as_those_in_memory() {
    let sandbox = Sandbox::with_photos(8);
    let (bundle, pictures) = (sandbox.bundle_of("mobilenet_v2"), sandbox.path("pictures"));
    write_pictures(&pictures, &[(96, 40)]);
    let weights = sandbox.path("weights");
    fs::create_dir(&weights).expect("a folder can be made");
    let file = || {
        let files = fs::read_dir(&weights).expect("the folder can be read");
        let files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
        let [file] = &files[..] else { panic!("{files:?}") };
        fs::read(file).expect("it can be read")
    };
    for (arch, cpu) in processors() {
        let in_memory = on_arm(arch, &cpu, &bundle, &pictures);
        let mapped = || {
            let mut graftd = emulated(arch, &cpu, "graftd");
            graftd.arg("--weights").arg(&weights);
            pictures_on_arm(graftd, &bundle, &pictures)
        };
        let written = mapped();
        let of_this_processor = file();
        assert!(of_this_processor.len() > 1_000_000, "{cpu}: {}", of_this_processor.len());
        let read = mapped();
        assert!(file() == of_this_processor, "{cpu}: it was made twice");
        for mapped in [written, read] {
            let largest = assert_same(&cpu, &mapped, &in_memory);
            assert_eq!(largest, 0.0, "{cpu}: the same processor, and other sums");
        }
    }
}
