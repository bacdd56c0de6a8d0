//! What opening takes beside the weights. Memory is the process's, so this file is one
//! test, which has a process of its own.

use std::fs::{self, File};
use std::io::Write as _;

use graft_bundle::{Bundle, BundleFile, Contents, ModelPart};
use graft_input::synthetic;
use graft_runtime::{Model, NNEF_INPUT};
use graft_spec::{Form, ModelFormat};

const TINY: &[u8] = include_bytes!("fixtures/tiny.graft");

/// A dense layer from all of the picture, by far the largest of the network: so are
/// the fully connected layers of VGG.
const OUTPUTS: usize = 4096;
const INPUTS: usize = 3 * 32 * 32;
const WEIGHT_BYTES: usize = OUTPUTS * INPUTS * 4;

const GRAPH: &str = "version 1.0;

graph network(input) -> (features, logits) {
  input = external(shape = [1, 3, 32, 32]);
  flat = reshape(input, shape = [3072], axis_start = 1, axis_count = 3);
  w = variable<scalar>(label = \"w\", shape = [4096, 3072]);
  features = matmul(flat, w, transposeA = false, transposeB = true);
  v = variable<scalar>(label = \"v\", shape = [4, 4096]);
  logits = matmul(features, v, transposeA = false, transposeB = true);
}
";

/// Each output is a thousandth of one value of the picture; the logits are the first
/// four outputs.
fn model() -> Vec<u8> {
    let mut w = vec![0.0_f32; OUTPUTS * INPUTS];
    (0..OUTPUTS).for_each(|output| w[output * INPUTS + output % INPUTS] = 1e-3);
    let mut v = vec![0.0_f32; 4 * OUTPUTS];
    (0..4).for_each(|class| v[class * OUTPUTS + class] = 1.0);
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    add("graph.nnef", GRAPH.as_bytes());
    add("w.dat", &tensor(&[OUTPUTS, INPUTS], &w));
    add("v.dat", &tensor(&[4, OUTPUTS], &v));
    tar.into_inner().unwrap()
}

/// A tensor file by chapter 5.1 of the NNEF specification.
fn tensor(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0x4e, 0xef, 1, 0];
    let dims = (0..8).map(|axis| shape.get(axis).map_or(0, |&size| size as u32));
    let numbers = [4 * values.len() as u32, shape.len() as u32].into_iter().chain(dims).chain([32]);
    numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.resize(128, 0);
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

/// A file of a bundle whose first form it is.
fn bundle() -> File {
    let tiny = Bundle::parse(TINY).unwrap();
    let onnx = tiny.onnx();
    let nnef = Form {
        format: ModelFormat::Nnef,
        input: NNEF_INPUT.to_owned(),
        feature_length: OUTPUTS,
        ..onnx.form.clone()
    };
    let mut manifest = tiny.manifest().clone();
    manifest.forms.insert(0, nnef);
    let model = model();
    let part = |bytes| ModelPart { bytes, references: onnx.references.clone() };
    let models = vec![part(&model[..]), part(onnx.model)];
    let labels = tiny.labels().clone();
    let bytes = graft_bundle::write(&Contents {
        manifest,
        labels,
        models,
        words: None,
        tokenizer: None,
        provenance: None,
    })
    .unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    file
}

fn resident(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

#[test]
fn weights_are_in_memory_once() {
    let file = BundleFile::open(bundle(), None).unwrap();
    // The peak is forgotten. What was allocated until here has been given back: each
    // of it was far above what the allocator keeps.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident("VmRSS");
    let mut model = Model::open_file(&file).unwrap();
    let peak = resident("VmHWM") - before;
    println!("weights {WEIGHT_BYTES}, peak {peak}");
    assert_eq!(model.format(), ModelFormat::Nnef, "{:?}", model.refusals());
    assert!(peak >= WEIGHT_BYTES, "the weights are not there");
    // A sixth on top are the pages of the engine's own code.
    assert!(peak < WEIGHT_BYTES * 3 / 2, "{peak} bytes for {WEIGHT_BYTES} of weights");

    // It is the network that was written.
    let answer = model.predict(synthetic(3, 32, 32).frame()).unwrap();
    assert_eq!(answer.logits, &answer.features[..4]);
    assert_eq!(answer.features[..OUTPUTS - INPUTS], answer.features[INPUTS..]);
    assert!(answer.logits.iter().any(|logit| *logit != 0.0));
}
