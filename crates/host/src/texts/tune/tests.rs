//! Tuned vectors against PyTorch's, which `tests/fixtures/texts/make.py` stored.

use std::ops::ControlFlow;
use std::path::Path;

use graft_learn::{ClassWeights, Decay};
use serde_json::Value;

use super::*;
use crate::finetune::{From, Optimiser, Parts, Rates};
use crate::vectors::{StatedVectors, VectorsFile};

fn stored() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/texts");
    serde_json::from_slice(&std::fs::read(folder.join("tuned.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect()
}

/// Ten steps of AdamW on all texts.
fn recipe(of: &Value) -> FineTuning {
    let number = |key: &str| of[key].as_f64().unwrap();
    FineTuning {
        from: From::Vectors,
        epochs: number("epochs") as usize,
        batch: 8,
        patience: 0,
        stop_share: 0.0,
        clip_norm: number("clip_norm") as f32,
        class_weights: ClassWeights::Uniform,
        optimiser: Optimiser::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: number("weight_decay") as f32,
        },
        rates: Rates {
            backbone: number("rate"),
            head: number("head_rate"),
            layer_decay: 1.0,
            warm_up: 0.0,
            decay: Decay::Constant,
        },
        ..FineTuning::default()
    }
}

fn tuned(of: &Value, threads: usize) -> finetune::Tuned {
    let engine = crate::engine::of_tests();
    let folder = tempfile::tempdir().unwrap();
    let (words, texts) = (strings(&of["words"]), strings(&of["texts"]));
    let (vectors, dimensions) = (numbers(&of["vectors"]), of["dimensions"].as_u64().unwrap());
    let mut file = String::new();
    for (word, vector) in words.iter().zip(vectors.chunks_exact(dimensions as usize)) {
        let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
        file += &format!("{word} {}\n", numbers.join(" "));
    }
    let path = folder.path().join("vectors.txt");
    std::fs::write(&path, file).unwrap();
    let file = VectorsFile::of_file(&path, StatedVectors::default()).unwrap();
    let text_recipe =
        TextRecipe { pooling: Pooling::Mean, precision: TablePrecision::F32, other_words: 0 };
    let mut on = |_: crate::progress::Event<'_>| ControlFlow::Continue(());
    let words = Words::of(&file, &texts, &text_recipe, &mut on).unwrap();
    let all: Vec<usize> = (0..texts.len()).collect();
    let (bags, places) = words.bags(&words.counts(&texts), &all);
    assert_eq!(places, (0..10).collect::<Vec<_>>(), "every word moves, in the file's order");
    let head = dense(&numbers(&of["weight"]), &numbers(&of["bias"]));
    let joined = join(bags.graph(), &head).unwrap();
    let example = |label: &Value| Example {
        path: "x".into(),
        label: label.as_u64().unwrap() as usize,
        split: None,
        group: None,
        stratum: None,
    };
    let examples: Vec<Example> = of["labels"].as_array().unwrap().iter().map(example).collect();
    let examples: Vec<&Example> = examples.iter().collect();
    let contents: Vec<_> =
        texts.iter().map(|text| crate::digest::Digest::of(text.as_bytes())).collect();
    let parts = Parts { train: all, stop: Vec::new(), calibrate: vec![0] };
    let options =
        FeatureOptions { provider: Provider::Cpu, threads, batch: None, cache: None, spill: None };
    let checkpoints = Checkpoints { folder: folder.path().join("checkpoints"), resume: false };
    let task = Task {
        engine,
        below: Below::Texts(&bags),
        joined: &joined,
        examples: &examples,
        contents: &contents,
        parts: &parts,
        test: &[1],
        classes: 2,
        recipe: &recipe(of),
        options: &options,
        statistics: graft_onnx::Statistics::Frozen,
        checkpoints: &checkpoints,
    };
    finetune::tune(&task, &mut on).unwrap()
}

#[test]
fn ten_steps_are_pytorchs() {
    let of = stored();
    let tuned = tuned(&of, 1);
    for (name, key) in [
        (VECTORS, "tuned_vectors"),
        ("head.0.weight", "tuned_weight"),
        ("head.0.bias", "tuned_bias"),
    ] {
        let found = &tuned.weights.iter().find(|(weight, _)| weight == name).unwrap().1;
        let expected = numbers(&of[key]);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // Of 32-bit floats, which ten steps of up to 0.02 each have moved.
            assert!((found - expected).abs() < 1e-5, "{name} {at}: {found} is not {expected}");
        }
    }
    let losses = of["losses"].as_array().unwrap();
    assert_eq!(tuned.facts.epochs.len(), losses.len());
    for (epoch, loss) in tuned.facts.epochs.iter().zip(losses) {
        assert!((epoch.loss.unwrap() - loss.as_f64().unwrap()).abs() < 1e-5, "{epoch:?}: {loss}");
    }
}

#[test]
fn threads_change_no_bit() {
    let of = stored();
    let bits = |threads| -> Vec<u32> {
        let weights = tuned(&of, threads).weights;
        weights.iter().flat_map(|(_, values)| values.iter().map(|v| v.to_bits())).collect()
    };
    assert_eq!(bits(1), bits(2));
}
