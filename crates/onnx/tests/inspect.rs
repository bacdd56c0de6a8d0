//! What a graph tells of itself, against ONNX's own inference and ONNX Runtime.

mod fixture;

use std::collections::HashMap;

use graft_onnx::{Batch, Classifier, Dim, ElementType, GraphError, Pool, TensorInfo};
use serde_json::Value;

fn dims(value: &Value) -> Vec<Dim> {
    let dim = |value: &Value| match value.as_u64() {
        Some(length) => Dim::Fixed(length),
        None => Dim::Symbol(value.as_str().expect("a number or a symbol").to_owned()),
    };
    value.as_array().expect("a shape").iter().map(dim).collect()
}

fn by_name(tensors: Vec<TensorInfo>) -> HashMap<String, TensorInfo> {
    tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect()
}

#[test]
fn a_graph_that_was_not_changed_keeps_its_bytes() {
    for name in fixture::ALL {
        let bytes = fixture::bytes(name);
        assert!(fixture::graph(name).to_bytes() == bytes, "{name} changed");
    }
}

#[test]
fn shapes_of_whole_networks_are_those_of_onnx() {
    let expected = fixture::expected();
    for (name, graph) in expected["graphs"].as_object().expect("graphs") {
        let tensors = by_name(fixture::graph(name).tensors());
        for (tensor, shape) in graph["shapes"].as_object().expect("shapes") {
            assert_eq!(tensors[tensor].shape.as_ref(), Some(&dims(shape)), "{name}: {tensor}");
            assert_eq!(tensors[tensor].element, Some(ElementType::F32), "{name}: {tensor}");
        }
    }
}

#[test]
fn shapes_of_single_operators_are_those_of_onnx_runtime() {
    let expected = fixture::expected();
    let mut wrong = Vec::new();
    for (name, tensors) in expected["operators"].as_object().expect("operators") {
        let free = fixture::graph(name);
        let pinned = [Dim::Fixed(2), Dim::Unknown, Dim::Unknown, Dim::Unknown];
        let pinned = free.clone().with_input_shape("x", &pinned).expect("a batch of 2");
        let (free, pinned) = (by_name(free.tensors()), by_name(pinned.tensors()));
        for (tensor, ran) in tensors.as_object().expect("tensors") {
            let (element, shape) = (ran[0].as_str().expect("a type"), dims(&ran[1]));
            let (ours, with_symbol) = (&pinned[tensor], &free[tensor]);
            if ours.shape.as_ref() != Some(&shape) {
                wrong.push(format!("{name}: {tensor} is {shape:?}, not {:?}", ours.shape));
            }
            if ours.element.map(|e| e.to_string()).as_deref() != Some(element) {
                wrong.push(format!("{name}: {tensor} is {element}, not {:?}", ours.element));
            }
            // With the batch left free, what is said must hold for a batch of 2.
            let said = with_symbol.shape.as_ref().expect("the rank");
            let holds = said.iter().zip(&shape).all(|(said, ran)| match said {
                Dim::Fixed(_) => said == ran,
                Dim::Symbol(symbol) => symbol == "batch" && *ran == Dim::Fixed(2),
                Dim::Unknown => true,
            });
            if said.len() != shape.len() || !holds {
                wrong.push(format!("{name}: {tensor} is {shape:?}, not {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn computed_shapes_keep_the_batch_symbol() {
    let tensors = fixture::graph("operators_17").tensors();
    let reshapes = tensors.iter().filter(|t| t.name.starts_with("Reshape."));
    let lengths: Vec<String> = reshapes
        .map(|t| t.shape.iter().flatten().map(Dim::to_string).collect::<Vec<_>>().join("×"))
        .collect();
    assert_eq!(
        lengths,
        [
            "batch×2346",
            "batch×2346",
            "batch×6×391",
            "batch×3×2×17×23",
            "batch×6×23×17",
            "6×?",
            "batch×2346",
            "batch×2346",
            "batch×6×391",
            "batch×2×3×17×23",
            "batch×2346",
            "batch×2346",
        ]
    );
}

#[test]
fn counts_are_those_of_onnx() {
    let expected = fixture::expected();
    for (name, graph) in expected["graphs"].as_object().expect("graphs") {
        let summary = fixture::graph(name).summary();
        assert_eq!(summary.parameters, graph["parameters"].as_u64().unwrap(), "{name}");
        assert_eq!(summary.parameter_bytes, 4 * summary.parameters, "{name}");
        assert_eq!(summary.nodes as u64, graph["nodes"].as_u64().unwrap(), "{name}");
        let multiply_adds = &summary.multiply_adds;
        assert_eq!(multiply_adds.counted, graph["multiply_adds"].as_u64().unwrap(), "{name}");
        assert!(multiply_adds.uncounted.is_empty(), "{name}: {:?}", multiply_adds.uncounted);
    }
}

/// Sandler et al. 2018 give 300 M for MobileNetV2, He et al. 2015 give 3.8 G for
/// the convolutions of ResNet-50 with strides in the 1×1 layers (4.1 G with
/// strides in the 3×3 layers, as here) and 19.6 G for VGG-19.
#[test]
fn multiply_adds_are_those_of_the_papers() {
    let check = |name: &str, millions: u64| {
        let counted = fixture::graph(name).summary().multiply_adds.counted;
        assert_eq!(counted / 1_000_000, millions, "{name}");
    };
    check("mobilenet_v2", 300);
    check("light_vgg19", 19_632);
    check("light_resnet50", 4_089);
}

#[test]
fn summary_says_who_wrote_the_file_and_with_what() {
    let graph = fixture::graph("mobilenet_v2");
    let summary = graph.summary();
    assert_eq!(
        (summary.producer_name.as_str(), summary.producer_version.as_str()),
        ("pytorch", "2.15.0")
    );
    assert_eq!((summary.ir_version, summary.opset, graph.opset()), (8, 17, 17));
    let operators: Vec<(&str, usize)> =
        summary.operators.iter().map(|o| (o.name.as_str(), o.count)).collect();
    assert_eq!(
        operators,
        [
            ("Add", 10),
            ("Clip", 35),
            ("Constant", 70),
            ("Conv", 52),
            ("Flatten", 1),
            ("Gemm", 1),
            ("GlobalAveragePool", 1),
        ]
    );
}

#[test]
fn weights_that_are_listed_as_inputs_are_none() {
    let graph = fixture::graph("light_resnet50");
    let inputs = graph.inputs();
    assert_eq!(inputs.len(), 1);
    assert_eq!(inputs[0].name, "gpu_0/data_0");
    assert_eq!(inputs[0].shape, Some([1, 3, 224, 224].map(Dim::Fixed).into()));
    assert_eq!(graph.batch(), Batch::Fixed(1));
    assert_eq!(fixture::graph("tiny").batch(), Batch::Dynamic);
}

#[test]
fn classifiers_are_found() {
    let check = |name: &str, features: &str, logits: &str, lengths: (u64, u64)| {
        let classifier = fixture::graph(name).classifier();
        let expected = Classifier {
            features: features.to_owned(),
            logits: logits.to_owned(),
            feature_length: lengths.0,
            classes: lengths.1,
        };
        assert_eq!(classifier, Ok(expected), "{name}");
    };
    check("tiny", "flat", "scores", (16, 4));
    check("mobilenet_v2", "/Flatten_output_0", "logits", (1280, 1000));
    check("efficientnet_lite0", "t257", "t260", (1280, 1000));
    check("channels_last", "features", "logits", (5, 3));
    check("opset_6", "flat", "logits", (5, 3));
    check("light_bvlc_alexnet", "r21", "r24", (4096, 1000));
    check("light_inception_v1", "r141", "r143", (1024, 1000));
    check("light_vgg19", "r43", "r46", (4096, 1000));
    check("light_zfnet512", "r19", "r20", (1024, 1000));
}

#[test]
fn convolution_classifiers_say_where_to_cut() {
    for (name, cut) in [("light_squeezenet", "r60"), ("light_densenet121", "r908")] {
        match fixture::graph(name).classifier() {
            Err(GraphError::ConvolutionClassifier { cut_at, .. }) => assert_eq!(cut_at, cut),
            other => panic!("{name}: {other:?}"),
        }
    }
    let features =
        fixture::graph("light_squeezenet").pooled_features("r60", Pool::Mean).expect("a pool");
    assert_eq!(features.outputs()[0].shape, Some(vec![Dim::Fixed(1), Dim::Fixed(512)]));
}

#[test]
fn an_input_can_be_pinned_but_not_contradicted() {
    let tiny = fixture::graph("tiny");
    let free = [Dim::Unknown, Dim::Unknown, Dim::Unknown, Dim::Unknown];
    assert_eq!(tiny.clone().with_input_shape("images", &free), Ok(tiny.clone()));
    let wrong = [Dim::Unknown, Dim::Fixed(4), Dim::Unknown, Dim::Unknown];
    assert!(matches!(
        tiny.clone().with_input_shape("images", &wrong),
        Err(GraphError::InputShape { .. })
    ));
    match tiny.with_input_shape("image", &free) {
        Err(GraphError::UnknownTensor { nearest, .. }) => assert_eq!(nearest, ["images"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn metadata_is_replaced_and_written() {
    let mut graph = fixture::graph("tiny");
    graph.set_metadata("labels", "[]");
    graph.set_metadata("labels", r#"["a","b"]"#);
    let read = graft_onnx::Graph::parse(&graph.to_bytes()).expect("our own bytes");
    assert_eq!(read.metadata("labels"), Some(r#"["a","b"]"#));
    assert_eq!(read.metadata("other"), None);
}
