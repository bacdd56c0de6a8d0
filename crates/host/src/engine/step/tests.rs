//! Gradients of whole networks against PyTorch's, which
//! `crates/onnx/tests/fixtures/autodiff/networks.py` stored, in ONNX Runtime with
//! everything bound.

use std::fs;
use std::path::{Path, PathBuf};

use graft_onnx::{Graph, Loss, Optimiser, StateRole, Statistics, StepOptions, Trainable};
use serde_json::Value;

use super::{Batch, Step};
use crate::engine::Engine;
use crate::provider::Provider;

/// Of 32-bit floats against 64-bit ones.
const SHARE: f64 = 1e-4;

#[test]
fn whole_networks_have_pytorchs_gradients() {
    let engine = crate::engine::of_tests();
    let folder = root().join("crates/onnx/tests/fixtures/autodiff");
    let stored: Value = serde_json::from_slice(&read(&folder.join("networks.json"))).unwrap();
    for (network, facts) in stored.as_object().unwrap() {
        check(engine, network, facts);
    }
}

fn check(engine: &Engine, network: &str, facts: &Value) {
    let number = |key: &str| facts[key].as_f64().unwrap();
    let graph = Graph::parse(&read(&root().join(facts["path"].as_str().unwrap()))).unwrap();
    let logits = facts["logits"].as_str().unwrap();
    let whole = graph.outputs().iter().any(|output| output.name == logits);
    let graph = if whole { graph } else { graph.cut_at(logits).unwrap() };
    let labels = facts["labels"].as_array().unwrap();
    let labels: Vec<usize> = labels.iter().map(|label| label.as_u64().unwrap() as usize).collect();
    let weights = graph.weights().into_iter();
    let options = StepOptions {
        batch: labels.len(),
        loss: Loss::CrossEntropy,
        // At rate 1 a weight moves by its gradient.
        optimiser: Optimiser::Sgd { momentum: 0.0, weight_decay: 0.0 },
        clip_norm: None,
        trainable: weights.map(|w| Trainable { name: w.name, rate: 1.0 }).collect(),
        statistics: Statistics::Frozen,
    };
    let step = graph.training_step(&options).unwrap();

    let classes = step.targets.shape[1];
    let smoothing = number("label_smoothing");
    let mut targets = vec![(smoothing / classes as f64) as f32; labels.len() * classes];
    for (row, &label) in labels.iter().enumerate() {
        targets[row * classes + label] += 1.0 - smoothing as f32;
    }
    let count = step.examples.shape.iter().product();
    let batch = Batch {
        examples: drawn(facts["seed"].as_u64().unwrap(), count, number("low"), number("high")),
        targets,
        row_weights: vec![1.0 / labels.len() as f32; labels.len()],
        schedule: [1.0; 3],
    };
    let mut session = Step::open(engine, &Provider::Cpu, 2, &step, None).unwrap();
    let moved = session.run(&batch).unwrap();
    let near = |found: f64, expected: f64, what: &str| {
        let close = (found - expected).abs() <= SHARE * expected.abs();
        assert!(close, "{network}: {what} is {found}, not {expected}");
    };
    near(moved.loss.into(), number("loss"), "the loss");
    near(moved.gradient_norm.into(), number("gradient_norm"), "the gradients' length");

    let gradients = facts["gradients"].as_object().unwrap();
    assert_eq!(step.state.len(), gradients.len(), "{network}");
    for (state, new) in step.state.iter().zip(session.state().unwrap()) {
        assert_eq!(state.role, StateRole::Weight);
        let expected = &gradients[&state.weight];
        let gradient: Vec<f64> = std::iter::zip(&state.initial, new)
            .map(|(&old, new)| f64::from(old) - f64::from(new))
            .collect();
        let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        near(length, expected["norm"].as_f64().unwrap(), &state.weight);
        let values = expected["values"].as_array().unwrap();
        let values: Vec<f64> = values.iter().map(|value| value.as_f64().unwrap()).collect();
        // A small value carries the rounding of the large ones around it.
        let typical = length / (gradient.len() as f64).sqrt();
        let scale = values.iter().fold(typical, |most, value| most.max(value.abs()));
        for (i, &value) in values.iter().enumerate() {
            let at = i * (gradient.len() - 1) / (values.len() - 1);
            let close = (gradient[at] - value).abs() <= SHARE * scale;
            let (name, found) = (&state.weight, gradient[at]);
            assert!(close, "{network}: {name} at {at} is {found}, not {value}");
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), as the script has it.
fn drawn(seed: u64, count: usize, low: f64, high: f64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        (low + (high - low) * unit) as f32
    };
    (0..count).map(|_| next()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; run make setup", path.display()))
}
