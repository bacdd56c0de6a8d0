//! Bundles in the device engine: what ONNX Runtime answered is answered, what
//! cannot run is refused with its reason.

mod answers;
#[path = "../large/mod.rs"]
mod large;
mod mapped;
mod nnef;
mod opening;
mod sentences;
mod texts;
mod verifying;

use graft_bundle::{Bundle, Contents, ModelPart};

/// Written by fixtures/make.py, with ONNX Runtime's answers.
const TINY: &[u8] = include_bytes!("../fixtures/tiny.graft");

/// The tiny network with logits beyond the range of f32.
const OVERFLOW: &[u8] = include_bytes!("../fixtures/overflow.onnx");

/// The tiny bundle with something changed, and right digests again.
fn changed(change: impl FnOnce(&mut Contents<'_>)) -> Vec<u8> {
    let bundle = Bundle::parse(TINY).unwrap();
    let form = bundle.forms().next().unwrap();
    let mut contents = Contents {
        manifest: bundle.manifest().clone(),
        labels: bundle.labels().clone(),
        models: vec![ModelPart { bytes: form.model, references: form.references.clone() }],
        words: None,
        tokenizer: None,
        provenance: None,
    };
    change(&mut contents);
    graft_bundle::write(&contents).unwrap()
}
