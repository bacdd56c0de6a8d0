use std::io::Write as _;

use graft_bundle::{Bundle, BundleFile, Contents, Kind, ModelPart};
use graft_input::synthetic;
use graft_runtime::{EngineError, Model, NNEF_INPUT, OpenError, to_nnef};
use graft_spec::{Form, ModelFormat};

use crate::TINY;

const SHAPE: [usize; 4] = [1, 3, 32, 32];
/// The tiny network in the other form.
pub(crate) fn nnef() -> Vec<u8> {
    let bundle = Bundle::parse(TINY).unwrap();
    let form = bundle.onnx().form;
    let tensors = [(form.features.as_str(), 16), (form.logits.as_str(), 4)];
    to_nnef(bundle.onnx().model, &form.input, SHAPE, tensors).unwrap()
}

/// The tiny bundle with `model` before its own.
pub(crate) fn with_nnef(model: &[u8]) -> Vec<u8> {
    let bundle = Bundle::parse(TINY).unwrap();
    let onnx = bundle.onnx();
    let nnef =
        Form { format: ModelFormat::Nnef, input: NNEF_INPUT.to_owned(), ..onnx.form.clone() };
    let mut manifest = bundle.manifest().clone();
    manifest.forms.insert(0, nnef);
    let part = |bytes| ModelPart { bytes, references: onnx.references.clone() };
    let labels = bundle.labels().clone();
    let models = vec![part(model), part(onnx.model)];
    graft_bundle::write(&Contents {
        manifest,
        labels,
        models,
        words: None,
        tokenizer: None,
        provenance: None,
    })
    .unwrap()
}

#[test]
fn it_answers_as_onnx_does() {
    let bytes = with_nnef(&nnef());
    let bundle = Bundle::parse(&bytes).unwrap();
    let mut model = Model::open(&bundle).unwrap();
    assert_eq!((model.format(), model.refusals()), (ModelFormat::Nnef, &[][..]));
    // By ONNX Runtime's references.
    model.verify().unwrap();
    let mut onnx = Model::open_form(&bundle, &bundle.onnx()).unwrap();
    assert_eq!(onnx.format(), ModelFormat::Onnx);
    for seed in 0..8 {
        let picture = synthetic(seed, 50, 40);
        let found = model.predict(picture.frame()).unwrap();
        let expected = onnx.predict(picture.frame()).unwrap();
        for (found, expected) in [
            (found.logits, expected.logits),
            (found.features, expected.features),
            (found.probabilities, expected.probabilities),
        ] {
            assert_eq!(found.len(), expected.len());
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            assert!(found.iter().zip(expected).all(close), "{found:?} is not {expected:?}");
        }
    }
}

#[test]
fn a_file_is_opened_as_memory_is() {
    let mut bytes = with_nnef(&nnef());
    let open = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Model::open_file(&BundleFile::open(file, None).unwrap())
    };
    let mut of_file = open(&bytes).unwrap();
    let mut of_memory = Model::open(&Bundle::parse(&bytes).unwrap()).unwrap();
    assert_eq!(of_file.format(), ModelFormat::Nnef);
    of_file.verify().unwrap();
    let picture = synthetic(5, 50, 40);
    assert_eq!(
        of_file.predict(picture.frame()).unwrap().logits,
        of_memory.predict(picture.frame()).unwrap().logits
    );
    // The ONNX form is streamed too.
    assert_eq!(open(&with_nnef(b"text")).unwrap().format(), ModelFormat::Onnx);

    // Damage is no reason to take another form.
    let sections = Bundle::parse(&bytes).unwrap().sections().to_vec();
    let model = sections.iter().find(|s| s.id.kind == Kind::Model).unwrap();
    bytes[(model.offset + model.length / 2) as usize] ^= 1;
    assert!(matches!(open(&bytes), Err(OpenError::Damaged(_))));
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert!(nnef() == nnef());
}

/// The engine allocates what a tensor's header says: it must be in the file.
#[test]
fn a_tensor_is_as_large_as_its_file() {
    let nnef = nnef();
    // Of the first tensor: magic number and version, then its size in bytes.
    let at = nnef.windows(4).position(|w| w == [0x4e, 0xef, 1, 0]).unwrap();
    let refused = |field: usize, value: u32, expected: &str| {
        let mut nnef = nnef.clone();
        nnef[at + field..][..4].copy_from_slice(&value.to_le_bytes());
        let bytes = with_nnef(&nnef);
        let bundle = Bundle::parse(&bytes).unwrap();
        let first = bundle.forms().next().unwrap();
        let error = Model::open_form(&bundle, &first).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let size = u32::from_le_bytes(nnef[at + 4..at + 8].try_into().unwrap());
    refused(4, 1 << 31, "its header speaks of 128 and 2147483648");
    refused(4, size + 4, "its header speaks of");
    refused(4, 0, "its header speaks of 128 and 0");
    // A million strings, of which the header need not know the size.
    refused(48, 0x5452_1000, "its items are of type 0x54521000");
    // The shape is the engine's matter.
    refused(12, u32::MAX, "mismatch");
}

/// Anything with another version of the engine: the ONNX form is taken, and the
/// one who opened is told.
#[test]
fn a_form_that_does_not_open_is_passed_over_but_not_in_silence() {
    let nnef = nnef();
    let broken = |model: &[u8], expected: &str| {
        let bytes = with_nnef(model);
        let bundle = Bundle::parse(&bytes).unwrap();
        let mut model = Model::open(&bundle).unwrap();
        assert_eq!(model.format(), ModelFormat::Onnx);
        let [refusal] = model.refusals() else { panic!("{:?}", model.refusals()) };
        assert_eq!(refusal.format, ModelFormat::Nnef);
        assert!(refusal.to_string().contains(expected), "{refusal}");
        model.verify().unwrap();
    };
    broken(b"text", "nnef: ");
    broken(&nnef[..nnef.len() / 3], "nnef: ");
    broken(&[0; 2048], "there is no graph.nnef");
    let renamed = |from: &str, to: &str| -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let at = nnef.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut nnef = nnef.clone();
        nnef[at..at + to.len()].copy_from_slice(to.as_bytes());
        nnef
    };
    broken(&renamed("tract_core", "other_core"), "other_core");
    broken(&renamed("[1, 3, 32, 32]", "[1, 3, 33, 32]"), "nnef: ");
    broken(&renamed("input = external", "imput = external"), "nnef: ");
    broken(&renamed("(features, logits)", "(logits, features)"), "no tensor \"features\"");

    // By itself, or if ONNX is broken too, it is an error.
    let bytes = with_nnef(b"text");
    let bundle = Bundle::parse(&bytes).unwrap();
    let first = bundle.forms().next().unwrap();
    let error = Model::open_form(&bundle, &first).unwrap_err();
    assert!(matches!(error, OpenError::Engine(EngineError::Refused(_))), "{error}");
}

#[test]
fn what_onnx_lacks_nnef_lacks() {
    let bundle = Bundle::parse(TINY).unwrap();
    let onnx = bundle.onnx();
    let tensors = [("features", 16), ("logits", 4)];
    let error = to_nnef(onnx.model, "pictures", SHAPE, tensors).unwrap_err();
    assert!(matches!(error, OpenError::Inputs { .. }), "{error}");
    let error =
        to_nnef(onnx.model, &onnx.form.input, SHAPE, [("neck", 16), ("logits", 4)]).unwrap_err();
    assert!(matches!(error, OpenError::NoTensor { .. }), "{error}");
}
