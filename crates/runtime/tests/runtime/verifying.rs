use graft_bundle::Bundle;
use graft_runtime::{Model, VerifyError};

use crate::{OVERFLOW, TINY, changed};

fn verify(bytes: &[u8]) -> Result<graft_runtime::Verified, VerifyError> {
    Model::open(&Bundle::parse(bytes).unwrap()).unwrap().verify()
}

#[test]
fn references_of_onnx_runtime_hold() {
    let verified = verify(TINY).unwrap();
    assert_eq!(verified.references, 3);
    assert!(verified.max_abs_diff < 5e-6, "{verified:?}");
    // Not zero either: two engines computed them.
    assert!(verified.max_abs_diff > 0.0, "{verified:?}");
}

#[test]
fn verifying_twice_is_the_same() {
    let bundle = Bundle::parse(TINY).unwrap();
    let mut model = Model::open(&bundle).unwrap();
    assert_eq!(model.verify(), model.verify());
}

#[test]
fn a_wrong_logit_is_found() {
    let bytes = changed(|contents| contents.models[0].references.items[1].logits[3] += 0.01);
    let error = verify(&bytes).unwrap_err();
    let VerifyError::Logit { reference: 1, label, expected, found, allowed } = &error else {
        panic!("{error}");
    };
    assert_eq!(label, "glass");
    assert!((expected - found - 0.01).abs() < 1e-5 && *allowed < 1e-4, "{error}");
    assert!(error.to_string().starts_with("reference 1 gives logit -1.5547"), "{error}");
}

#[test]
fn another_preparation_is_found_before_the_network_is_asked() {
    let bytes = changed(|contents| contents.models[0].references.items[2].prepared_sha256[0] ^= 1);
    let error = verify(&bytes).unwrap_err();
    assert!(
        matches!(error, VerifyError::Prepared { reference: 2, width: 32, height: 32, .. }),
        "{error}"
    );
    // A mean that differs in its last bit.
    let bytes = changed(|contents| {
        let graft_spec::Input::Image(image) = &mut contents.manifest.input else { panic!() };
        image.mean[0] = image.mean[0].next_up();
    });
    assert!(matches!(verify(&bytes).unwrap_err(), VerifyError::Prepared { reference: 0, .. }));
}

#[test]
fn no_tolerance_is_wide_enough_for_an_infinite_logit() {
    let bytes = changed(|contents| {
        contents.models[0].bytes = OVERFLOW;
        contents.manifest.forms[0].tolerance.relative = f32::MAX;
        contents.manifest.forms[0].tolerance.absolute = f32::MAX;
    });
    let error = verify(&bytes).unwrap_err();
    assert!(matches!(error, VerifyError::Logit { found, .. } if !found.is_finite()), "{error}");
}
