use graft_bundle::Bundle;
use graft_runtime::{EngineError, Model, OpenError, check_onnx, supports_operator};
use graft_spec::Labels;

use crate::{TINY, changed};

const OPERATOR: &[u8] = include_bytes!("../fixtures/operator.onnx");
const DOMAIN: &[u8] = include_bytes!("../fixtures/domain.onnx");
const EXTERNAL: &[u8] = include_bytes!("../fixtures/external.onnx");
const TWO_INPUTS: &[u8] = include_bytes!("../fixtures/two_inputs.onnx");
const WRONG_WEIGHTS: &[u8] = include_bytes!("../fixtures/wrong_weights.onnx");
const SHAPE: [usize; 4] = [1, 3, 32, 32];

fn open(bytes: &[u8]) -> OpenError {
    Model::open(&Bundle::parse(bytes).unwrap()).unwrap_err()
}

fn with_model(model: &'static [u8]) -> Vec<u8> {
    changed(|contents| contents.models[0].bytes = model)
}

fn tiny_model() -> Vec<u8> {
    Bundle::parse(TINY).unwrap().forms().next().unwrap().model.to_owned()
}

#[test]
fn a_missing_operator_is_named_with_its_node() {
    let expected = OpenError::Operator { operator: "MaxRoiPool".into(), node: "neck".into() };
    assert_eq!(open(&with_model(OPERATOR)), expected);
    assert_eq!(check_onnx(OPERATOR, SHAPE), Err(expected));
    // A node without a name goes by its output.
    let expected =
        OpenError::Operator { operator: "example.org::Relu".into(), node: "stem_relu".into() };
    assert_eq!(open(&with_model(DOMAIN)), expected);
}

#[test]
fn operators_are_known_by_domain_and_name() {
    assert!(supports_operator("", "Conv"));
    assert!(supports_operator("ai.onnx", "Gemm"));
    assert!(!supports_operator("", "MaxRoiPool"));
    assert!(!supports_operator("example.org", "Conv"));
}

#[test]
fn a_model_reads_no_other_files() {
    let error = open(&with_model(EXTERNAL));
    assert!(matches!(&error, OpenError::Engine(EngineError::Refused(_))), "{error}");
    assert!(error.to_string().contains("external data"), "{error}");
}

#[test]
fn broken_models_are_refused() {
    let model = tiny_model();
    for length in [0, 1, 2, model.len() / 2, model.len() - 1] {
        let error = check_onnx(&model[..length], SHAPE).unwrap_err();
        assert!(matches!(error, OpenError::Engine(_)), "{length}: {error}");
    }
    assert!(matches!(open(&with_model(b"text")), OpenError::Engine(_)));
    assert!(matches!(open(&with_model(WRONG_WEIGHTS)), OpenError::Engine(_)));
}

#[test]
fn a_model_that_runs_passes() {
    assert_eq!(check_onnx(&tiny_model(), SHAPE), Ok(()));
}

#[test]
fn inputs_must_be_the_manifests() {
    assert_eq!(
        open(&with_model(TWO_INPUTS)),
        OpenError::Inputs {
            expected: "[\"images\"]".into(),
            found: vec!["images".into(), "more".into()]
        }
    );
    let other = changed(|contents| contents.manifest.forms[0].input = "pictures".into());
    assert_eq!(
        open(&other).to_string(),
        "the model's inputs are [\"images\"], must be [\"pictures\"]"
    );
    let wide = changed(|contents| {
        let graft_spec::Input::Image(image) = &mut contents.manifest.input else { panic!() };
        image.width = 64;
    });
    assert_eq!(
        open(&wide).to_string(),
        "the model's input has shape [?, 3, 32, 32], the prepared example [1, 3, 32, 64]"
    );
}

#[test]
fn outputs_must_be_the_manifests() {
    let labels = ["a", "b", "c"].map(String::from).to_vec();
    let three = changed(|contents| {
        contents.labels = Labels::new(labels).unwrap();
        let references = &mut contents.models[0].references;
        references.classes = 3;
        references.items.iter_mut().for_each(|r| r.logits.truncate(3));
    });
    let error = open(&three).to_string();
    assert_eq!(error, "tensor \"logits\" is 1,4,F32, must be f32 of shape [1, 3]");
    let features = changed(|contents| contents.manifest.forms[0].feature_length = 17);
    let error = open(&features).to_string();
    assert_eq!(error, "tensor \"features\" is 1,16,F32, must be f32 of shape [1, 17]");
    let unknown = changed(|contents| contents.manifest.forms[0].logits = "scores".into());
    assert_eq!(open(&unknown), OpenError::NoTensor { tensor: "scores".into() });
    // A tensor in the middle of the network, of four axes.
    let middle = changed(|contents| contents.manifest.forms[0].features = "stem".into());
    assert!(matches!(open(&middle), OpenError::Output { tensor, .. } if tensor == "stem"));
}

/// A model may be anything: an error or a model, never a panic that gets out.
#[test]
fn changed_models_do_not_panic() {
    let mut model = tiny_model();
    // Panics of the engine are caught; their reports are not for this log.
    std::panic::set_hook(Box::new(|_| {}));
    let escaped = (0..model.len()).step_by(31).find(|&at| {
        model[at] ^= 0x11;
        let caught = std::panic::catch_unwind(|| check_onnx(&model, SHAPE).is_ok());
        model[at] ^= 0x11;
        caught.is_err()
    });
    drop(std::panic::take_hook());
    assert_eq!(escaped, None);
}

/// Reports and caches carry it, so it may not lag behind the dependency.
#[test]
fn the_engine_is_the_pinned_one() {
    let workspace = include_str!("../../../../Cargo.toml");
    let (name, version) = graft_runtime::ENGINE.split_once(' ').unwrap();
    assert!(workspace.contains(&format!("{name}-onnx = {{ version = \"={version}\"")));
}
