//! What a cut keeps, against `onnx.utils`, and what it refuses.

mod fixture;

use graft_onnx::{Batch, Graph, GraphError};

#[test]
fn cuts_keep_what_onnx_keeps() {
    for cut in fixture::expected()["cuts"].as_array().expect("cuts") {
        let (name, tensor) = (cut["graph"].as_str().unwrap(), cut["tensor"].as_str().unwrap());
        let part = fixture::graph(name).cut_at(tensor).expect("the tensor exists");
        let summary = part.summary();
        assert_eq!(summary.nodes as u64, cut["nodes"].as_u64().unwrap(), "{name} {tensor}");
        assert_eq!(summary.parameters, cut["parameters"].as_u64().unwrap(), "{name} {tensor}");
        let outputs: Vec<String> = part.outputs().into_iter().map(|o| o.name).collect();
        assert_eq!(outputs, [tensor]);
        let again = Graph::parse(&part.to_bytes()).expect("a cut graph is a graph");
        assert_eq!(again, part);
    }
}

#[test]
fn the_old_head_is_gone_from_the_file() {
    let whole = fixture::graph("mobilenet_v2");
    let cut = whole.clone().cut_at("/Flatten_output_0").expect("the tensor exists");
    // Gemm's 1280 × 1000 weights and 1000 biases.
    let gone = whole.to_bytes().len() - cut.to_bytes().len();
    let head = 4 * (1280 * 1000 + 1000);
    assert!((head..head + 400).contains(&gone), "{gone} bytes");
    assert_eq!(cut.batch(), Batch::Dynamic);
}

#[test]
fn a_wrong_name_brings_the_nearest() {
    let check = |tensor: &str, expected: &[&str]| match fixture::graph("tiny").cut_at(tensor) {
        Err(GraphError::UnknownTensor { nearest, .. }) => assert_eq!(nearest, expected, "{tensor}"),
        other => panic!("{tensor}: {other:?}"),
    };
    check("Flat", &["flat"]);
    check("stem_rely", &["stem_relu", "stem"]);
    check("pooling", &["pooled"]);
    check("/features/features.18/Clip_output_0", &[]);
}

#[test]
fn inputs_and_weights_are_no_place_to_cut() {
    for tensor in ["images", "stem.weight"] {
        let cut = fixture::graph("tiny").cut_at(tensor);
        assert_eq!(cut, Err(GraphError::NotComputed { tensor: tensor.to_owned() }));
    }
}
