//! What a cut keeps, against `onnx.utils`, and what it refuses.

mod fixture;

use graft_onnx::{Batch, Dim, Graph, GraphError, Pool, Tap};

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

#[test]
fn cut_points_are_where_layers_end() {
    let points = fixture::graph("mobilenet_v2").cut_points();
    // Counted in torchvision's source: 1 stem; 2 layers of the first block; 3 of
    // each of the 6 blocks that have no way around; 10 sums; the last convolution
    // as map and as row.
    assert_eq!(points.len(), 1 + 2 + 3 * 6 + 10 + 2);
    let last = points.last().expect("points");
    assert_eq!((last.tensor.as_str(), last.depth), ("/Flatten_output_0", 52));
    let map = &points[points.len() - 2];
    assert!(map.then_averaged && map.channels == 1280);
    // Each is what cutting there leaves, and none is cheaper than the one before.
    for pair in points.windows(2) {
        assert!(pair[0].parameters <= pair[1].parameters);
        assert!(pair[0].multiply_adds.exact() <= pair[1].multiply_adds.exact());
    }
    // VGG19: 16 convolutions, 5 pools, 2 dense layers. SqueezeNet: a stem, 3 pools, a
    // squeeze and an expand of each of 8 fires. ResNet-50: stem, pool, 16 blocks, mean.
    for (name, points) in [("light_vgg19", 23), ("light_squeezenet", 20), ("light_resnet50", 19)] {
        assert_eq!(fixture::graph(name).cut_points().len(), points, "{name}");
    }
}

#[test]
fn a_branch_is_no_place_to_cut() {
    let graph = fixture::graph("mobilenet_v2");
    assert_eq!(graph.check_separates("/features/features.3/Add_output_0"), Ok(()));
    let branch = "/features/features.3/conv/conv.2/Conv_output_0";
    let Err(GraphError::DoesNotSeparate { nearest, .. }) = graph.check_separates(branch) else {
        panic!("the sum has another operand");
    };
    assert_eq!(
        nearest,
        ["/features/features.2/conv/conv.2/Conv_output_0", "/features/features.3/Add_output_0"]
    );
}

#[test]
fn taps_are_the_features_of_each_cut() {
    let graph = fixture::graph("tiny");
    let tap = |tensor: &str, pool| Tap { tensor: tensor.to_owned(), pool };
    let taps = [
        tap("stem_relu", Pool::Mean),
        tap("stem_relu", Pool::Grid),
        tap("pointwise", Pool::Grid),
        tap("flat", Pool::Grid),
    ];
    let (tapped, lengths) = graph.clone().tapped(&taps).expect("taps");
    assert_eq!(lengths, [8, 32, 64, 16]);
    let outputs = tapped.outputs();
    assert_eq!((outputs.len(), outputs[0].name.as_str()), (1, "features"));
    assert_eq!(outputs[0].shape.as_ref().and_then(|s| s.last()), Some(&Dim::Fixed(120)));
    assert_eq!(tapped.shape_of("features"), outputs[0].shape);
    let again = Graph::parse(&tapped.to_bytes()).expect("a tapped graph is a graph");
    assert_eq!(again, tapped);
    assert_eq!(graph.clone().tapped(&[]), Err(GraphError::NothingToDo));
    assert!(matches!(
        graph.tapped(&[tap("stem_rely", Pool::Mean)]),
        Err(GraphError::UnknownTensor { .. })
    ));
}
