//! Grafted graphs are, to the byte, those that `fixtures/check_grafts.py` found
//! right in ONNX Runtime.

mod fixture;

use std::fs;
use std::path::Path;

use graft_onnx::{
    DenseLayer, Dim, FeatureProblem, Graph, GraphError, HeadProblem, HeadWeights, Pool,
};

/// Weights that Python makes again: multiples of 1/64 between -1 and 1.
fn layer(inputs: usize, outputs: usize) -> DenseLayer {
    let value = |i: usize| ((i * 37 + 11) % 129) as f32 / 64.0 - 1.0;
    DenseLayer {
        inputs,
        outputs,
        weights: (0..inputs * outputs).map(value).collect(),
        bias: (0..outputs).map(|i| value(i + 5)).collect(),
    }
}

fn head(sizes: &[usize]) -> HeadWeights {
    HeadWeights { layers: sizes.windows(2).map(|pair| layer(pair[0], pair[1])).collect() }
}

fn grafted(name: &str, tensor: &str, sizes: &[usize]) -> Graph {
    let cut = fixture::graph(name).cut_at(tensor).expect("the tensor exists");
    cut.append_head(&head(sizes)).expect("the head fits")
}

fn check(name: &str, graph: &Graph) {
    let file = format!("tests/fixtures/grafts/{name}.onnx");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let bytes = graph.to_bytes();
    if std::env::var_os("GRAFT_WRITE_GENERATED").is_some() {
        fs::write(&path, &bytes).expect("the fixture is written");
    }
    let committed = fs::read(&path).expect("the fixture");
    assert!(bytes == committed, "{name} differs: fixtures/README.md says how to check it");
    assert_eq!(Graph::parse(&bytes).as_ref(), Ok(graph));
}

#[test]
fn a_linear_head_on_features() {
    check("linear", &grafted("tiny", "flat", &[16, 3]));
}

#[test]
fn a_deep_head_on_a_convolution_with_probabilities() {
    let mut graph = grafted("tiny", "depthwise_clip", &[8, 5, 4, 2])
        .with_probabilities(1.75)
        .expect("there are logits");
    graph.set_metadata("labels", r#"["no","yes"]"#);
    check("deep", &graph);
}

#[test]
fn channels_last_are_pooled_over_the_right_axes() {
    check("channels_last", &grafted("channels_last", "nhwc", &[5, 2]));
}

#[test]
fn features_and_logits_that_are_there_already_make_way() {
    let graph = grafted("channels_last", "logits", &[3, 2]).with_probabilities(1.0);
    check("renamed", &graph.expect("there are logits"));
}

#[test]
fn an_old_graph_gets_old_forms() {
    let graph = grafted("opset_6", "relu", &[5, 4, 2]).with_probabilities(0.5);
    check("opset_6", &graph.expect("there are logits"));
}

#[test]
fn outputs_are_declared() {
    let graph = grafted("mobilenet_v2", "/Flatten_output_0", &[1280, 2]);
    let batch = || Dim::Symbol("batch".to_owned());
    let outputs: Vec<_> = graph.outputs().into_iter().map(|o| (o.name, o.shape)).collect();
    assert_eq!(
        outputs,
        [
            ("features".to_owned(), Some(vec![batch(), Dim::Fixed(1280)])),
            ("logits".to_owned(), Some(vec![batch(), Dim::Fixed(2)])),
        ]
    );
}

#[test]
fn features_are_made_by_the_same_nodes_with_and_without_head() {
    for (name, tensor, length) in
        [("tiny", "pointwise", 16), ("efficientnet_lite0", "features", 1280)]
    {
        let features = fixture::graph(name).pooled_features(tensor, Pool::Mean).expect("features");
        let grafted = features.clone().append_head(&head(&[length, 2])).expect("the head fits");
        assert_eq!(grafted.cut_at("features"), Ok(features), "{name}");
    }
}

#[test]
fn heads_that_do_not_fit_are_refused() {
    let check = |head: HeadWeights, layer: usize, problem: HeadProblem| {
        let cut = fixture::graph("tiny").cut_at("flat").expect("the tensor exists");
        assert_eq!(cut.append_head(&head), Err(GraphError::Head { layer, problem }));
    };
    check(HeadWeights { layers: Vec::new() }, 0, HeadProblem::Empty);
    check(head(&[15, 2]), 0, HeadProblem::Inputs { takes: 15, there_are: 16 });
    let gap = HeadWeights { layers: vec![layer(16, 4), layer(5, 2)] };
    check(gap, 1, HeadProblem::Inputs { takes: 5, there_are: 4 });
    check(head(&[16, 0]), 0, HeadProblem::NoOutputs);
    let mut short = head(&[16, 2]);
    short.layers[0].weights.pop();
    check(short, 0, HeadProblem::Weights { expected: 32, found: 31 });
    let mut bias = head(&[16, 2]);
    bias.layers[0].bias.push(0.0);
    check(bias, 0, HeadProblem::Bias { expected: 2, found: 3 });
    let mut nan = head(&[16, 2]);
    nan.layers[0].weights[7] = f32::NAN;
    check(nan, 0, HeadProblem::NotFinite);
}

#[test]
fn tensors_that_are_no_features_are_refused() {
    let check = |name: &str, tensor: &str, expected: FeatureProblem| match fixture::graph(name)
        .pooled_features(tensor, Pool::Mean)
    {
        Err(GraphError::FeatureShape { problem, .. }) => assert_eq!(problem, expected, "{tensor}"),
        other => panic!("{tensor}: {other:?}"),
    };
    let named = |prefix: &str, rank: usize| {
        let tensors = fixture::graph("operators_17").tensors().into_iter();
        let mut fitting = tensors.filter(|t| t.name.starts_with(prefix));
        let found = fitting.find(|t| t.shape.as_ref().is_some_and(|s| s.len() == rank));
        found.expect("such a tensor").name
    };
    check("operators_17", &named("Reshape", 3), FeatureProblem::Rank);
    check("operators_17", &named("Gather", 4), FeatureProblem::Layout);
    check("operators_17", &named("Cast", 4), FeatureProblem::Element);
}

#[test]
fn probabilities_need_logits_and_a_temperature() {
    let tiny = fixture::graph("tiny");
    assert!(matches!(tiny.with_probabilities(1.0), Err(GraphError::UnknownTensor { .. })));
    for value in [0.0, -1.0, f32::INFINITY] {
        let graph = grafted("tiny", "flat", &[16, 2]);
        assert_eq!(graph.with_probabilities(value), Err(GraphError::Temperature { value }));
    }
    let twice = grafted("tiny", "flat", &[16, 2]).with_probabilities(1.0);
    let twice = twice.expect("there are logits").with_probabilities(1.0);
    assert!(matches!(twice, Err(GraphError::DuplicateTensor { .. })));
}
