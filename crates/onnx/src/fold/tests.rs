//! Small graphs whose simplified form is known by arithmetic.

use prost::Message;

use crate::Graph;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::type_proto::{Tensor, Value as TypeValue};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto,
    ValueInfoProto,
};
use crate::tensor::{Dim, ElementType, TensorInfo};

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: outputs.iter().map(|&o| o.into()).collect(),
        ..NodeProto::default()
    }
}

fn with(mut node: NodeProto, name: &str, value: i64) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    });
    node
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(1),
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(7),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn value(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.into()), ..ValueInfoProto::default() }
}

/// From `x` `[N, 1, 2, 2]` to `y`, simplified.
fn simplified(opset: i64, nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> Graph {
    let x = TensorInfo {
        name: "x".into(),
        element: Some(ElementType::F32),
        shape: Some(vec![Dim::Symbol("N".into()), Dim::Fixed(1), Dim::Fixed(2), Dim::Fixed(2)]),
    };
    let model = ModelProto {
        ir_version: Some(3),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        graph: Some(GraphProto {
            node: nodes,
            input: std::iter::once(x.to_value_info())
                .chain(weights.iter().map(|weight| value(weight.name())))
                .collect(),
            initializer: weights,
            output: vec![value("y")],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    let graph = Graph::parse(&model.encode_to_vec()).expect("a right model").simplified();
    Graph::parse(&graph.to_bytes()).expect("what we wrote");
    assert_eq!(graph.inputs().len(), graph.graph().input.len(), "weights are no inputs");
    graph
}

fn operators(graph: &Graph) -> Vec<&str> {
    graph.graph().node.iter().map(|node| node.op_type()).collect()
}

fn weight(graph: &Graph, name: &str) -> Vec<f32> {
    let found = graph.graph().initializer.iter().find(|tensor| tensor.name() == name);
    crate::eval::floats(found.unwrap_or_else(|| panic!("no weight {name}"))).expect("floats")
}

fn normalised(opset: i64, norm: NodeProto, more: Vec<NodeProto>) -> Graph {
    let mut epsilon = norm;
    epsilon.attribute.push(AttributeProto {
        name: Some("epsilon".into()),
        r#type: Some(AttributeType::Float as i32),
        f: Some(1.0),
        ..AttributeProto::default()
    });
    let mut nodes = vec![node("Conv", &["x", "w", "b"], &["c"]), epsilon];
    nodes.extend(more);
    simplified(
        opset,
        nodes,
        vec![
            floats("w", &[2, 1, 1, 1], &[2.0, 3.0]),
            floats("b", &[2], &[1.0, -1.0]),
            floats("scale", &[2], &[4.0, 1.0]),
            floats("shift", &[2], &[0.5, 0.0]),
            floats("mean", &[2], &[1.0, 2.0]),
            floats("variance", &[2], &[3.0, 0.0]),
        ],
    )
}

fn norm(outputs: &[&str]) -> NodeProto {
    node("BatchNormalization", &["c", "scale", "shift", "mean", "variance"], outputs)
}

/// s = 4/√(3+1) and 1/√(0+1): weights 2·2 and 3·1, biases (1−1)·2+½ and (−1−2)·1.
#[test]
fn batch_normalisation_goes_into_the_convolution_before_it() {
    let old = with(norm(&["y", "m", "v", "sm", "sv"]), "spatial", 1);
    let training = with(norm(&["y", "m", "v"]), "training_mode", 1);
    for (opset, norm) in [(7, old), (13, norm(&["y"])), (15, training)] {
        let graph = normalised(opset, norm, Vec::new());
        assert_eq!(operators(&graph), ["Conv"], "opset {opset}");
        let conv = &graph.graph().node[0];
        assert_eq!(conv.output, ["y"]);
        assert_eq!(weight(&graph, &conv.input[1]), [4.0, 3.0]);
        assert_eq!(weight(&graph, &conv.input[2]), [0.5, -3.0]);
    }
}

#[test]
fn batch_normalisation_that_does_not_fold_stays() {
    let a_scale_a_pixel = normalised(7, with(norm(&["y"]), "spatial", 0), Vec::new());
    assert_eq!(operators(&a_scale_a_pixel), ["Conv", "BatchNormalization"]);
    let sum = node("Add", &["n", "c"], &["y"]);
    let read_twice = normalised(13, norm(&["n"]), vec![sum]);
    assert_eq!(operators(&read_twice), ["Conv", "BatchNormalization", "Add"]);
    assert_eq!(weight(&read_twice, "w"), [2.0, 3.0]);
}

/// Caffe's Scale, as its own `Mul` and `Add`: 2 and 3 a channel, then 1 and −1. The
/// last shift is of each pixel and stays.
#[test]
fn scales_and_shifts_of_channels_go_the_same_way() {
    let rest = |from: &str| {
        vec![
            node("Mul", &[from, "twos"], &["m"]),
            node("Add", &["ones", "m"], &["a"]),
            node("Sub", &["a", "half"], &["s"]),
            node("Add", &["s", "pixels"], &["y"]),
        ]
    };
    let constants = || {
        vec![
            floats("twos", &[2, 1, 1], &[2.0, 3.0]),
            floats("ones", &[1, 2, 1, 1], &[1.0, -1.0]),
            floats("half", &[], &[0.5]),
            floats("pixels", &[1, 1, 2], &[7.0, 8.0]),
        ]
    };
    let mut nodes = vec![node("Conv", &["x", "w"], &["c"])];
    nodes.extend(rest("c"));
    let weights = [vec![floats("w", &[2, 1, 1, 1], &[5.0, 7.0])], constants()].concat();
    let graph = simplified(7, nodes.clone(), weights.clone());
    assert_eq!(operators(&graph), ["Conv", "Add"]);
    let conv = &graph.graph().node[0];
    assert_eq!(weight(&graph, &conv.input[1]), [10.0, 21.0]);
    assert_eq!(weight(&graph, &conv.input[2]), [0.5, -1.5]);
    // Before opset 7 nothing was stretched unless asked for.
    assert_eq!(operators(&simplified(6, nodes, weights)).len(), 5);

    // Into a batch normalisation that has no layer before it: (3·x − 1)·2 + 1 and so on.
    let mut nodes = vec![
        node("Concat", &["x", "x"], &["p"]),
        node("BatchNormalization", &["p", "scale", "shift", "mean", "variance"], &["n"]),
    ];
    nodes[0] = with(nodes[0].clone(), "axis", 1);
    nodes.extend(rest("n"));
    let weights = [
        vec![
            floats("scale", &[2], &[3.0, 4.0]),
            floats("shift", &[2], &[-1.0, 2.0]),
            floats("mean", &[2], &[9.0, 9.0]),
            floats("variance", &[2], &[1.0, 1.0]),
        ],
        constants(),
    ];
    let graph = simplified(13, nodes, weights.concat());
    assert_eq!(operators(&graph), ["Concat", "BatchNormalization", "Add"]);
    let norm = &graph.graph().node[1];
    assert_eq!(weight(&graph, &norm.input[1]), [6.0, 12.0]);
    assert_eq!(weight(&graph, &norm.input[2]), [-1.5, 4.5]);
    assert_eq!((norm.input[3].as_str(), weight(&graph, "mean")), ("mean", vec![9.0, 9.0]));
}

/// Two channels times 2 and 3, plus 1 and −1, seen by two outputs with the weights 1
/// and 10, 100 and 1000: the biases are 1 − 10 and 100 − 1000.
#[test]
fn batch_normalisation_in_front_goes_into_a_layer_that_pads_nothing() {
    let front = |layer: NodeProto, kernel: TensorProto, shift: [f32; 2]| {
        let nodes = vec![
            with(node("Concat", &["x", "x"], &["p"]), "axis", 1),
            node("BatchNormalization", &["p", "scale", "shift", "mean", "variance"], &["n"]),
            layer,
        ];
        let weights = vec![
            kernel,
            floats("scale", &[2], &[2.0, 3.0]),
            floats("shift", &[2], &shift),
            floats("mean", &[2], &[0.0, 0.0]),
            floats("variance", &[2], &[0.999_99, 0.999_99]),
        ];
        simplified(13, nodes, weights)
    };
    let conv = || node("Conv", &["n", "w"], &["y"]);
    let pads = |mut node: NodeProto| {
        node.attribute.push(AttributeProto {
            name: Some("pads".into()),
            r#type: Some(AttributeType::Ints as i32),
            ints: vec![1, 1, 1, 1],
            ..AttributeProto::default()
        });
        node
    };
    let near = |found: Vec<f32>, expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{found:?}");
        }
    };
    let kernel = || floats("w", &[2, 2, 1, 1], &[1.0, 10.0, 100.0, 1000.0]);
    let graph = front(conv(), kernel(), [1.0, -1.0]);
    assert_eq!(operators(&graph), ["Concat", "Conv"]);
    near(weight(&graph, "w"), &[2.0, 30.0, 200.0, 3000.0]);
    near(weight(&graph, &graph.graph().node[1].input[2]), &[-9.0, -900.0]);

    let padded = front(pads(conv()), kernel(), [1.0, -1.0]);
    assert_eq!(operators(&padded), ["Concat", "BatchNormalization", "Conv"]);
    let unshifted = front(pads(conv()), kernel(), [0.0, 0.0]);
    assert_eq!(operators(&unshifted), ["Concat", "Conv"]);

    // Two outputs of two numbers, stored by rows and by columns.
    let matrix = || floats("w", &[2, 2], &[1.0, 10.0, 100.0, 1000.0]);
    let flat = |dense: NodeProto| {
        let mut nodes = vec![
            with(node("Flatten", &["x"], &["f"]), "axis", 1),
            node("Slice", &["f", "zero", "two", "one"], &["p"]),
            node("BatchNormalization", &["p", "scale", "shift", "mean", "variance"], &["n"]),
        ];
        nodes.push(dense);
        let weights = vec![
            matrix(),
            floats("c", &[2], &[7.0, 7.0]),
            integers("zero", &[0]),
            integers("one", &[1]),
            integers("two", &[2]),
            floats("scale", &[2], &[2.0, 3.0]),
            floats("shift", &[2], &[1.0, -1.0]),
            floats("mean", &[2], &[0.0, 0.0]),
            floats("variance", &[2], &[0.999_99, 0.999_99]),
        ];
        simplified(13, nodes, weights)
    };
    let rows = flat(with(node("Gemm", &["n", "w", "c"], &["y"]), "transB", 1));
    assert_eq!(operators(&rows), ["Flatten", "Slice", "Gemm"]);
    near(weight(&rows, "w"), &[2.0, 30.0, 200.0, 3000.0]);
    near(weight(&rows, &rows.graph().node[2].input[2]), &[-2.0, -893.0]);
    let columns = flat(node("Gemm", &["n", "w"], &["y"]));
    near(weight(&columns, "w"), &[2.0, 20.0, 300.0, 3000.0]);
    near(weight(&columns, &columns.graph().node[2].input[2]), &[-99.0, -990.0]);

    // Two groups: each output sees one channel.
    let grouped = floats("w", &[2, 1, 1, 1], &[1.0, 10.0]);
    let graph = front(with(conv(), "group", 2), grouped, [1.0, -1.0]);
    near(weight(&graph, "w"), &[2.0, 30.0]);
    near(weight(&graph, &graph.graph().node[1].input[2]), &[1.0, -10.0]);
}

#[test]
fn what_gives_what_it_takes_goes() {
    let nodes = vec![
        node("Relu", &["x"], &["a"]),
        node("Identity", &["a"], &["b"]),
        node("Dropout", &["b"], &["c", "mask"]),
        node("Identity", &["c"], &["d"]),
        node("Neg", &["d"], &["y"]),
    ];
    let graph = simplified(7, nodes.clone(), Vec::new());
    assert_eq!(operators(&graph), ["Relu", "Neg"]);
    assert_eq!(graph.graph().node[1].input, ["a"]);

    // In training mode, by a constant, and with a ratio that is not used then.
    let mut training = nodes.clone();
    training[2].input.extend(["ratio".into(), "training".into()]);
    let mode = TensorProto {
        name: Some("training".into()),
        data_type: Some(ElementType::Bool.code()),
        int32_data: vec![1],
        ..TensorProto::default()
    };
    let graph = simplified(13, training, vec![floats("ratio", &[], &[0.5]), mode]);
    assert_eq!(operators(&graph), ["Relu", "Neg"]);
    assert!(graph.graph().initializer.is_empty());

    let mut masked = nodes;
    masked[4] = node("Add", &["d", "mask"], &["y"]);
    assert_eq!(operators(&simplified(7, masked, Vec::new())), ["Relu", "Dropout", "Add"]);
}

#[test]
fn an_identity_that_is_an_output_stays() {
    let nodes = vec![node("Relu", &["x"], &["a"]), node("Identity", &["a"], &["y"])];
    assert_eq!(operators(&simplified(13, nodes, Vec::new())), ["Relu", "Identity"]);
}

#[test]
fn what_follows_from_weights_is_a_weight() {
    let nodes = vec![
        node("Add", &["v", "w"], &["sum"]),
        node("Sqrt", &["sum"], &["root"]),
        with(node("Concat", &["root", "v"], &["all"]), "axis", 0),
        node("Mul", &["x", "all"], &["y"]),
    ];
    let weights = vec![floats("v", &[2], &[1.0, 2.0]), floats("w", &[2], &[3.0, 7.0])];
    let graph = simplified(13, nodes, weights);
    assert_eq!(operators(&graph), ["Mul"]);
    assert_eq!(weight(&graph, "all"), [2.0, 3.0, 1.0, 2.0]);
    assert_eq!(graph.graph().initializer.len(), 1);
}

/// A constant fill of 4 GB stays one; nothing is computed of a tensor with an
/// empty axis beside a huge one.
#[test]
fn nothing_grows_without_bound() {
    for (dims, reader) in
        [([1 << 15, 1 << 15], "Neg"), ([1 << 40, 0], "Neg"), ([0, 1 << 40], "Abs")]
    {
        let nodes = vec![
            node("ConstantOfShape", &["dims"], &["fill"]),
            with(node("Concat", &["fill", "fill"], &["both"]), "axis", 1),
            node(reader, &["both"], &["z"]),
            node("Transpose", &["z"], &["t"]),
            node("Expand", &["t", "dims"], &["e"]),
            node("MatMul", &["x", "e"], &["y"]),
        ];
        let graph = simplified(13, nodes, vec![integers("dims", &dims)]);
        assert!(graph.to_bytes().len() < 1 << 10, "{dims:?}");
    }
}

#[test]
fn a_computed_shape_becomes_a_constant() {
    let shape = |opset: i64| {
        let nodes = vec![
            node("Shape", &["x"], &["shape"]),
            with(node("Gather", &["shape", "first"], &["batch"]), "axis", 0),
            with(node("Concat", &["batch", "rest"], &["target"]), "axis", 0),
            node("Reshape", &["x", "target"], &["flat"]),
            node("Relu", &["flat"], &["y"]),
        ];
        simplified(opset, nodes, vec![integers("first", &[0]), integers("rest", &[4])])
    };
    for opset in [5, 13, 20] {
        let graph = shape(opset);
        assert_eq!(operators(&graph), ["Reshape", "Relu"]);
        // The first axis is copied from the input: 0.
        let target = &graph.graph().initializer[0];
        assert_eq!(
            target.raw_data.as_deref(),
            Some(&[0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0][..])
        );
    }
}

#[test]
fn types_of_inputs_are_kept() {
    let graph = simplified(13, vec![node("Relu", &["x"], &["y"])], Vec::new());
    let declared = graph.graph().input[0].r#type.clone();
    let Some(TypeProto { value: Some(TypeValue::TensorType(Tensor { elem_type, .. })), .. }) =
        declared
    else {
        panic!("{declared:?}")
    };
    assert_eq!(elem_type, Some(1));
}
