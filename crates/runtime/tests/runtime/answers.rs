use graft_bundle::Bundle;
use graft_input::synthetic;
use graft_runtime::{Model, RunError};
use graft_spec::{Answer, Decision};

use crate::{OVERFLOW, TINY, changed};

fn close(found: &[f32], expected: &[f32]) {
    assert!(found.len() >= expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}

/// Expected: ONNX Runtime 1.32 and scipy's softmax, printed by fixtures/make.py.
#[test]
fn answers_as_onnx_runtime_does() {
    let bundle = Bundle::parse(TINY).unwrap();
    let mut model = Model::open(&bundle).unwrap();

    let answer = model.predict(synthetic(1, 32, 32).frame()).unwrap();
    close(answer.logits, &[-2.265905, -1.3001324, 1.175923, -1.5708565]);
    close(answer.probabilities, &[0.171612, 0.21847667, 0.4057321, 0.20417924]);
    close(answer.features, &[-0.5707485, 1.2013445, -0.29926997]);
    assert_eq!(answer.features.len(), 16);
    assert_eq!((answer.decision, answer.label()), (Decision::Label(2), Some("dust")));
    assert_eq!(answer.by_label().next().unwrap().0, "cell");

    // The largest probability is under the threshold of 0.4.
    let answer = model.predict(synthetic(2, 32, 32).frame()).unwrap();
    close(answer.probabilities, &[0.1751163, 0.22612786, 0.395_724, 0.20303146]);
    assert_eq!((answer.decision, answer.label()), (Decision::Unknown, None));
}

#[test]
fn a_prepared_tensor_is_answered_like_its_frame() {
    let bundle = Bundle::parse(TINY).unwrap();
    let mut model = Model::open(&bundle).unwrap();
    let picture = synthetic(9, 100, 70);
    let of_frame = model.predict(picture.frame()).unwrap().logits.to_owned();

    let spec = model.manifest().input.image().unwrap();
    let mut tensor = vec![0.0; spec.tensor_len()];
    graft_input::Preparer::new(spec).unwrap().fill(picture.frame(), &mut tensor);
    assert_eq!(model.predict_tensor(&tensor).unwrap().logits, of_frame);
    assert_eq!(
        model.predict_tensor(&tensor[1..]).unwrap_err(),
        RunError::TensorLength { expected: 3072, found: 3071 }
    );
}

#[test]
fn threads_with_a_model_each_answer_the_same() {
    let answer = || {
        let bundle = Bundle::parse(TINY).unwrap();
        let mut model = Model::open(&bundle).unwrap();
        (0..20)
            .map(|seed| {
                let answer = model.predict(synthetic(seed, 40, 30).frame()).unwrap();
                answer.logits.to_owned()
            })
            .collect::<Vec<_>>()
    };
    let (here, there) = std::thread::scope(|scope| {
        let there = scope.spawn(answer);
        (answer(), there.join().unwrap())
    });
    assert_eq!(here, there);
}

#[test]
fn a_model_moves_to_another_thread() {
    let mut model = Model::open(&Bundle::parse(TINY).unwrap()).unwrap();
    let verified = std::thread::spawn(move || model.verify()).join().unwrap();
    assert_eq!(verified.unwrap().references, 3);
}

#[test]
fn a_broken_network_is_never_sure() {
    let bytes = changed(|contents| {
        contents.models[0].bytes = OVERFLOW;
        let Answer::Class(calibration) = &mut contents.manifest.answer;
        calibration.unknown_below = None;
    });
    let mut model = Model::open(&Bundle::parse(&bytes).unwrap()).unwrap();
    let answer = model.predict(synthetic(1, 32, 32).frame()).unwrap();
    assert_eq!((answer.decision, answer.label()), (Decision::Unknown, None));
}
