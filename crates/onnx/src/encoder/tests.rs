//! The tiny encoder of the catalogue against PyTorch: models/tiny_encoder/make.py.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::eval::Value;
use crate::eval::network::run_graph;
use crate::tensor::{Dim, ElementType};
use crate::{DenseLayer, FEATURES, HeadWeights, LOGITS};

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tiny_encoder/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn tiny(pooling: TokenPooling) -> SentenceEncoder {
    let (config, weights) = (file("config.json"), file("model.safetensors"));
    SentenceEncoder::of_hugging_face(&config, &weights, pooling).unwrap()
}

fn expected() -> Vec<Json> {
    let Json::Object(mut file) = serde_json::from_slice(&file("expected.json")).unwrap() else {
        panic!("expected.json is an object")
    };
    let Some(Json::Array(texts)) = file.remove("texts") else { panic!("it has texts") };
    texts
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Rows of texts that are filled up to the longest with padding.
fn rows(graph: &Graph, texts: &[Vec<f64>], longest: usize) -> Vec<Vec<f64>> {
    let padded = texts.iter().flat_map(|ids| {
        let padding = std::iter::repeat_n(-1.0, longest - ids.len());
        ids.iter().copied().chain(padding)
    });
    let value = Value::real_of(ElementType::F32, vec![texts.len(), longest], padded.collect());
    let made = run_graph(graph, &HashMap::from([(TOKENS.to_owned(), value)])).unwrap();
    let all = made[FEATURES].reals().unwrap();
    all.chunks_exact(all.len() / texts.len()).map(<[f64]>::to_vec).collect()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        // Both round to 32 bits after every step, in another order.
        assert!((found - expected).abs() < 2e-6, "{what}: {found} {expected}");
    }
}

#[test]
fn rows_are_those_of_pytorch_alone_and_padded() {
    let texts = expected();
    let ids: Vec<Vec<f64>> = texts.iter().map(|text| numbers(&text["ids"])).collect();
    for (key, pooling) in [("mean", TokenPooling::Mean), ("first", TokenPooling::First)] {
        let SentenceEncoder { graph, length, vocabulary, positions } = tiny(pooling);
        assert_eq!((length, vocabulary, positions), (24, 166, Some(32)));
        let together = rows(&graph, &ids, 32);
        for ((text, ids), padded) in texts.iter().zip(&ids).zip(together) {
            let what = format!("{key} of {}", text["text"]);
            let expected = numbers(&text[key]);
            let alone = rows(&graph, std::slice::from_ref(ids), ids.len()).remove(0);
            assert_close(&alone, &expected, &what);
            assert_close(&padded, &expected, &format!("{what}, padded"));
        }
    }
}

#[test]
fn a_head_is_grafted_as_onto_any_graph() {
    let graph = tiny(TokenPooling::Mean).graph;
    let layer = DenseLayer { inputs: 24, outputs: 2, weights: vec![0.5; 48], bias: vec![0.0; 2] };
    let grafted = graph.append_head(&HeadWeights { layers: vec![layer] }).unwrap();
    let outputs: Vec<String> = grafted.outputs().into_iter().map(|o| o.name).collect();
    assert_eq!(outputs, [FEATURES, LOGITS]);
    assert_eq!(grafted.shape_of(LOGITS).unwrap()[1], Dim::Fixed(2));
    let inputs: Vec<String> = grafted.inputs().into_iter().map(|o| o.name).collect();
    assert_eq!(inputs, [TOKENS]);
}

/// As exporters write it: the same network with inputs of its own.
#[test]
fn an_exporters_graph_gives_the_same_rows() {
    let own = tiny(TokenPooling::Mean).graph;
    // Ids and mask become inputs; below the pooling it is an exporter's network.
    let mut model = own.model.clone();
    let graph = model.graph.as_mut().unwrap();
    let last = "encoder.layer.1.output.LayerNorm";
    graph.node.retain(|node| {
        !node.output[0].starts_with("tokens.")
            && !node.output[0].starts_with("sentence.")
            && node.output[0] != FEATURES
    });
    graph.initializer.retain(|tensor| {
        !tensor.name().starts_with("tokens.") && !tensor.name().starts_with("sentence.")
    });
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        match input.as_str() {
            "tokens.ids" => *input = "input_ids".to_owned(),
            "tokens.mask" => *input = "mask".to_owned(),
            _ if input == last => *input = "last_hidden_state".to_owned(),
            _ => {}
        }
    }
    let made = graph.node.iter_mut().find(|node| node.output[0] == last).unwrap();
    made.output[0] = "last_hidden_state".to_owned();
    graph.node.insert(
        0,
        crate::pool::node(
            "Cast",
            ["attention_mask".to_owned()],
            "mask".to_owned(),
            vec![crate::pool::int("to", 1)],
        ),
    );
    let info = |name: &str, element, last: &[Dim]| {
        let shape = [Dim::Symbol("batch".into()), Dim::Symbol("sequence".into())];
        let shape = Some(shape.into_iter().chain(last.iter().cloned()).collect());
        crate::TensorInfo { name: name.to_owned(), element: Some(element), shape }.to_value_info()
    };
    graph.input = vec![
        info("input_ids", ElementType::I64, &[]),
        info("attention_mask", ElementType::I64, &[]),
    ];
    graph.output = vec![info("last_hidden_state", ElementType::F32, &[Dim::Fixed(24)])];
    let exported = Graph::of_model(model).unwrap();

    let read = SentenceEncoder::of_graph(exported.clone(), TokenPooling::Mean).unwrap();
    assert_eq!((read.length, read.vocabulary), (24, 166));
    for text in expected() {
        let ids = vec![numbers(&text["ids"])];
        let found = rows(&read.graph, &ids, 30).remove(0);
        assert_close(&found, &numbers(&text["mean"]), &text["text"].to_string());
    }

    let mut strange = exported.clone();
    strange.graph_mut().input[1].name = Some("attention".to_owned());
    strange.graph_mut().node[0].input[0] = "attention".to_owned();
    let error = SentenceEncoder::of_graph(strange, TokenPooling::Mean).unwrap_err().to_string();
    assert!(error.contains("it has an input \"attention\""), "{error}");
    let mut other = exported;
    crate::names::rename(other.graph_mut(), "last_hidden_state", "y");
    let error = SentenceEncoder::of_graph(other, TokenPooling::Mean).unwrap_err().to_string();
    assert!(error.contains("none of its outputs y is one of last_hidden_state"), "{error}");
}

fn config_with(key: &str, value: Json) -> Vec<u8> {
    let mut config: Json = serde_json::from_slice(&file("config.json")).unwrap();
    config[key] = value;
    serde_json::to_vec(&config).unwrap()
}

#[test]
fn what_is_wrong_is_named() {
    let weights = file("model.safetensors");
    let check = |config: &[u8], weights: &[u8], words: &str| {
        let made = SentenceEncoder::of_hugging_face(config, weights, TokenPooling::Mean);
        let error = made.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let config = file("config.json");
    check(b"{", &weights, "config.json: EOF");
    check(b"{}", &weights, "model_type is \"\", which is not written here; bert is");
    check(&config_with("model_type", json!("t5")), &weights, "model_type is \"t5\"");
    check(&config_with("hidden_act", json!("silu")), &weights, "hidden_act is \"silu\"");
    check(&config_with("position_embedding_type", json!("relative_key")), &weights, "absolute is");
    check(&config_with("num_attention_heads", json!(5)), &weights, "does not divide among 5 heads");
    check(&config_with("num_attention_heads", json!(0)), &weights, "num_attention_heads is 0");
    check(&config_with("hidden_size", json!(-1)), &weights, "config.json: invalid value");
    check(
        &config_with("vocab_size", json!(167)),
        &weights,
        "\"embeddings.word_embeddings.weight\" has shape [166, 24], config.json asks for [167, 24]",
    );
    check(
        &config_with("num_hidden_layers", json!(3)),
        &weights,
        "there is no tensor \"encoder.layer.2.attention.self.query.weight\"",
    );
    check(&config, &weights[..5], "it has 5 bytes");
    check(&config, &weights[..500], "header is said to have");
    check(&config, &weights[..weights.len() - 4], "bytes");
    let mut integers = weights.clone();
    let at = integers.windows(5).position(|five| five == b"\"F32\"").unwrap();
    integers[at..at + 5].copy_from_slice(b"\"I32\"");
    check(&config, &integers, "is of type I32; F32, F16 and BF16 are read");
    let mut nan = weights.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    check(&config, &nan, "has a value that is not finite");
}

#[test]
fn broken_weights_are_errors_and_no_panics() {
    let (config, weights) = (file("config.json"), file("model.safetensors"));
    // Every byte of the header, one at a time.
    let header = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    for at in (0..header).step_by(7) {
        for flip in [0x01, 0x80] {
            let mut broken = weights.clone();
            broken[at] ^= flip;
            let _ = SentenceEncoder::of_hugging_face(&config, &broken, TokenPooling::Mean);
        }
    }
}
