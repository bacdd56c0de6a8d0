//! Bundles to hand to C, right and wrong ones, and what the Rust library says to
//! the right one.

use std::fs;
use std::path::{Path, PathBuf};

use device::{Answer, Model, NNEF_INPUT, to_nnef};
use graft_bundle::{Bundle, Contents, ModelPart, References};
use graft_input::{PixelFormat, RawFrame};
use graft_spec::{Form, ModelFormat};

use crate::firmware;

pub fn tiny() -> PathBuf {
    firmware("../crates/runtime/tests/fixtures/tiny.graft")
}

/// A bundle about texts.
pub fn words() -> PathBuf {
    firmware("../crates/runtime/tests/fixtures/words.graft")
}

/// A bundle that continues texts.
pub fn next_word() -> PathBuf {
    firmware("../crates/runtime/tests/fixtures/next_word.graft")
}

/// A bundle with a sentence encoder.
pub fn sentence() -> PathBuf {
    firmware("../crates/runtime/tests/fixtures/sentence.graft")
}

/// The tiny bundle with another network, or with other references.
fn rewritten(network: Option<&[u8]>, change: impl FnOnce(&mut References)) -> Vec<u8> {
    let tiny = fs::read(tiny()).expect("the fixture is there");
    let bundle = Bundle::parse(&tiny).expect("the fixture is a bundle");
    let form = bundle.forms().next().expect("a bundle has a form");
    let mut references = form.references.clone();
    change(&mut references);
    graft_bundle::write(&Contents {
        manifest: bundle.manifest().clone(),
        labels: bundle.labels().clone(),
        models: vec![ModelPart { bytes: network.unwrap_or(form.model), references }],
        words: None,
        tokenizer: None,
        provenance: None,
    })
    .expect("the change leaves a bundle")
}

/// The tiny bundle with a second form of its network, which stands first.
fn with_nnef(network: &[u8]) -> Vec<u8> {
    let tiny = fs::read(tiny()).expect("the fixture is there");
    let bundle = Bundle::parse(&tiny).expect("the fixture is a bundle");
    let onnx = bundle.onnx();
    let nnef =
        Form { format: ModelFormat::Nnef, input: NNEF_INPUT.to_owned(), ..onnx.form.clone() };
    let mut manifest = bundle.manifest().clone();
    manifest.forms.insert(0, nnef);
    let part = |bytes| ModelPart { bytes, references: onnx.references.clone() };
    let labels = bundle.labels().clone();
    let models = vec![part(network), part(onnx.model)];
    graft_bundle::write(&Contents {
        manifest,
        labels,
        models,
        words: None,
        tokenizer: None,
        provenance: None,
    })
    .expect("two forms are a bundle")
}

/// The tiny bundle with both forms of its network.
pub fn two_forms() -> Vec<u8> {
    let tiny = fs::read(tiny()).expect("the fixture is there");
    let bundle = Bundle::parse(&tiny).expect("the fixture is a bundle");
    let (model, form) = (bundle.onnx().model, bundle.onnx().form);
    let tensors = [(form.features.as_str(), 16), (form.logits.as_str(), 4)];
    let nnef = to_nnef(model, &form.input, [1, 3, 32, 32], tensors);
    with_nnef(&nnef.expect("the engine writes the fixture"))
}

/// The arguments of misuse.c; what has to be made is made in `folder`.
pub fn for_misuse(folder: &Path) -> Vec<String> {
    let runtime = firmware("../crates/runtime/tests/fixtures");
    let signing = firmware("../crates/bundle/tests/fixtures");
    let read = |path: PathBuf| fs::read(path).expect("the fixture is there");
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("there is room for a tiny bundle");
        path
    };

    let mut damaged = read(tiny());
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let operator = read(runtime.join("operator.onnx"));
    let panicking = panicking_network();
    let files = [
        tiny(),
        write("damaged.graft", damaged),
        folder.join("missing.graft"),
        signing.join("signed.graft"),
    ];
    let keys = ["minisign.pub", "other.pub"]
        .map(|name| fs::read_to_string(signing.join(name)).expect("the fixture is there"));
    let networks = [
        write("operator.graft", rewritten(Some(&operator), |_| {})),
        write("panicking.graft", rewritten(Some(&panicking), |_| {})),
        write("differing.graft", rewritten(None, |all| all.items[1].logits[2] += 0.1)),
        write("forms.graft", with_nnef(b"no tar")),
    ];
    let text = |path: PathBuf| path.into_os_string().into_string().expect("paths are UTF-8");
    let networks = networks.map(text).into_iter().chain([text(words())]);
    files.map(text).into_iter().chain(keys).chain(networks).collect()
}

/// The tiny network with an output that no node computes. The engine (tract
/// 0.23.9) takes for granted that one does and panics, which the library must
/// catch: one that was built with `panic = "abort"` dies here.
fn panicking_network() -> Vec<u8> {
    let tiny = fs::read(tiny()).expect("the fixture is there");
    let bundle = Bundle::parse(&tiny).expect("the fixture is a bundle");
    let mut network = bundle.forms().next().expect("a bundle has a form").model.to_owned();
    // Field 2 of a node, its output: a name of six bytes.
    let output = b"\x12\x06logits";
    let at = network.windows(output.len()).position(|window| window == output);
    network[at.expect("the classifier's output") + output.len() - 1] = b'z';
    network
}

/// What the Rust library answers: a line for the decision, and probabilities.
pub struct Expected {
    pub decision: String,
    pub probabilities: Vec<f32>,
}

pub fn expected(
    bundle: &Path,
    format: PixelFormat,
    (width, height): (u32, u32),
    stride: usize,
    bytes: &[u8],
) -> Expected {
    let raw = RawFrame::new(format, width, height, stride, bytes).expect("a right frame");
    let bytes = fs::read(bundle).expect("the bundle is there");
    let bundle = Bundle::parse(&bytes).expect("it is a bundle");
    let mut model = Model::open(&bundle).expect("the engine runs it");
    let mut rgb = Vec::new();
    as_said(&model.predict(raw.frame(&mut rgb)).expect("the engine answers"))
}

pub fn expected_of_text(bundle: &Path, text: &str) -> Expected {
    let bytes = fs::read(bundle).expect("the bundle is there");
    let bundle = Bundle::parse(&bytes).expect("it is a bundle");
    let mut model = Model::open(&bundle).expect("the engine runs it");
    as_said(&model.predict_text(text).expect("the engine answers"))
}

fn as_said(answer: &Answer<'_>) -> Expected {
    Expected {
        decision: answer.label().unwrap_or("unknown").to_owned(),
        probabilities: answer.probabilities.to_vec(),
    }
}
