//! Bundles whose network is written here, in NNEF, for its weights to be large.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::fs::{self, File};
use std::io::Write as _;

use graft_bundle::{Bundle, Contents, ModelPart};
use graft_runtime::NNEF_INPUT;
use graft_spec::{Form, ModelFormat};

const TINY: &[u8] = include_bytes!("../fixtures/tiny.graft");

/// A tar of a graph and its tensors: name, shape, values.
pub fn network(graph: &str, tensors: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    add("graph.nnef", graph.as_bytes());
    for (label, shape, values) in tensors {
        add(&format!("{label}.dat"), &tensor(shape, values));
    }
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

/// A file of a bundle whose first form it is: of a picture of 32 × 32, and with four
/// labels.
pub fn bundle(model: &[u8], feature_length: usize) -> File {
    let tiny = Bundle::parse(TINY).unwrap();
    let onnx = tiny.onnx();
    let nnef = Form {
        format: ModelFormat::Nnef,
        input: NNEF_INPUT.to_owned(),
        feature_length,
        ..onnx.form.clone()
    };
    let mut manifest = tiny.manifest().clone();
    manifest.forms.insert(0, nnef);
    let part = |bytes| ModelPart { bytes, references: onnx.references.clone() };
    let bytes = graft_bundle::write(&Contents {
        manifest,
        labels: tiny.labels().clone(),
        models: vec![part(model), part(onnx.model)],
        words: None,
        tokenizer: None,
        provenance: None,
    })
    .unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    file
}

/// A dense layer from all of the picture, by far the largest of the network: so are
/// the fully connected layers of VGG.
pub mod dense {
    use super::*;

    pub const OUTPUTS: usize = 4096;
    pub const INPUTS: usize = 3 * 32 * 32;
    pub const WEIGHT_BYTES: usize = OUTPUTS * INPUTS * 4;

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
    pub fn bundle() -> File {
        let mut w = vec![0.0_f32; OUTPUTS * INPUTS];
        (0..OUTPUTS).for_each(|output| w[output * INPUTS + output % INPUTS] = 1e-3);
        let mut v = vec![0.0_f32; 4 * OUTPUTS];
        (0..4).for_each(|class| v[class * OUTPUTS + class] = 1.0);
        let model = network(GRAPH, &[("w", &[OUTPUTS, INPUTS], w), ("v", &[4, OUTPUTS], v)]);
        super::bundle(&model, OUTPUTS)
    }

    /// It is the network that was written.
    #[track_caller]
    pub fn check(answer: &graft_runtime::Answer<'_>) {
        assert_eq!(answer.logits, &answer.features[..4]);
        assert_eq!(answer.features[..OUTPUTS - INPUTS], answer.features[INPUTS..]);
        assert!(answer.logits.iter().any(|logit| *logit != 0.0));
    }
}

/// Of this process, in bytes.
pub fn resident(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Has the kernel forget the peak until now.
pub fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}
