//! What one frame allocates: nothing here, and how much in the dependencies.
//!
//! A test binary of its own, because it counts for the whole process.

#[path = "../../../tests/counting.rs"]
mod counting;

use graft_bundle::Bundle;
use graft_input::{Picture, Preparer, synthetic};
use graft_runtime::Model;
use tract_onnx::prelude::*;

const WORDS: &[u8] = include_bytes!("fixtures/words.graft");
const NEXT_WORD: &[u8] = include_bytes!("fixtures/next_word.graft");
const TINY: &[u8] = include_bytes!("fixtures/tiny.graft");

/// Allocations of each call of `work` once it is warm.
fn per_call(mut work: impl FnMut()) -> u64 {
    (0..3).for_each(|_| work());
    let calls = 10;
    let before = counting::of_this_thread();
    (0..calls).for_each(|_| work());
    let total = counting::of_this_thread() - before;
    assert_eq!(total % calls, 0, "some calls allocate more than others");
    total / calls
}

/// The engine alone, as it is used in the crate.
fn engine_alone(onnx_bytes: &[u8], shape: &[usize]) -> u64 {
    let mut model = onnx()
        .model_for_read(&mut &*onnx_bytes)
        .unwrap()
        .with_input_fact(0, f32::fact(shape).into())
        .unwrap();
    model.select_outputs_by_name(["features", "logits"]).unwrap();
    let plan = TypedSimplePlan::new(model.into_optimized().unwrap()).unwrap();
    let mut state = plan.spawn().unwrap();
    let input = Arc::new(Tensor::zero::<f32>(shape).unwrap());
    per_call(|| drop(state.run(tvec!(TValue::from_const(Arc::clone(&input)))).unwrap()))
}

fn preparation_alone(model: &Model, picture: &Picture) -> u64 {
    let spec = model.manifest().input.image().unwrap();
    let mut preparer = Preparer::new(spec).unwrap();
    let mut tensor = vec![0.0; spec.tensor_len()];
    per_call(|| preparer.fill(picture.frame(), &mut tensor))
}

#[test]
fn a_frame_allocates_nothing_of_ours() {
    let bundle = Bundle::parse(TINY).unwrap();
    let mut model = Model::open(&bundle).unwrap();
    let engine = engine_alone(bundle.onnx().model, &[1, 3, 32, 32]);

    for (width, height) in [(32, 32), (100, 70)] {
        let picture = synthetic(1, width, height);
        let resizer = preparation_alone(&model, &picture);
        let all = per_call(|| assert!(model.predict(picture.frame()).is_ok()));
        println!("{width} × {height}: {all} a frame, tract {engine}, resizer {resizer}");
        assert_eq!(all, engine + resizer);
        // A frame of the tensor's size is not resized.
        assert_eq!(resizer > 0, (width, height) != (32, 32));
    }
}

#[test]
fn a_text_allocates_nothing_of_ours() {
    for (bundle, length) in [(WORDS, 16), (NEXT_WORD, 18)] {
        check_texts(bundle, length);
    }
}

fn check_texts(bundle: &[u8], length: usize) {
    let bundle = Bundle::parse(bundle).unwrap();
    let mut model = Model::open(&bundle).unwrap();
    let engine = engine_alone(bundle.onnx().model, &[1, length]);
    for text in ["Rain, snow and a STORM: it wasn't ice-cold; qwerty’s", "", "soup"] {
        let all = per_call(|| assert!(model.predict_text(text).is_ok()));
        println!("{text:?}: {all} a text, tract {engine}");
        assert_eq!(all, engine);
    }
}
