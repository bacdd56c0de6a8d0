use prost::Message;

use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TrainingInfoProto, ValueInfoProto,
};
use crate::{Graph, GraphError, TensorProblem};

fn value(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.into()), ..ValueInfoProto::default() }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: outputs.iter().map(|&o| o.into()).collect(),
        ..NodeProto::default()
    }
}

fn weight(name: &str) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![2],
        data_type: Some(1),
        float_data: vec![1.0, 2.0],
        ..TensorProto::default()
    }
}

/// x → Relu → y → Add w → z
fn model() -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(17) }],
        graph: Some(GraphProto {
            node: vec![node("Relu", &["x"], &["y"]), node("Add", &["y", "w"], &["z"])],
            initializer: vec![weight("w")],
            input: vec![value("x")],
            output: vec![value("z")],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

fn check(change: impl FnOnce(&mut ModelProto), expected: GraphError) {
    let mut model = model();
    change(&mut model);
    assert_eq!(Graph::parse(&model.encode_to_vec()), Err(expected));
}

fn check_graph(change: impl FnOnce(&mut GraphProto), expected: GraphError) {
    check(|model| change(model.graph.as_mut().unwrap()), expected);
}

#[test]
fn the_model_of_these_tests_is_right() {
    assert!(Graph::parse(&model().encode_to_vec()).is_ok());
}

#[test]
fn what_is_no_model_is_refused() {
    assert!(matches!(Graph::parse(b"PK\x03\x04 zip"), Err(GraphError::Malformed { .. })));
    assert_eq!(Graph::parse(b""), Err(GraphError::NoGraph));
    check(|m| m.graph = None, GraphError::NoGraph);
    check(|m| m.opset_import.clear(), GraphError::NoOpset);
    check(|m| m.opset_import[0].domain = Some("ai.onnx.ml".into()), GraphError::NoOpset);
    check_graph(|g| g.input[0] = value("w"), GraphError::NothingToDo);
    check_graph(|g| g.output.clear(), GraphError::NothingToDo);
    check_graph(|g| g.output.push(value("")), GraphError::Unnamed);
}

#[test]
fn training_graphs_are_refused() {
    check(
        |m| m.training_info.push(TrainingInfoProto::default()),
        GraphError::Training { what: "it has a training section".into() },
    );
    let what = || GraphError::Training { what: r#"node Adam "y""#.into() };
    check_graph(
        |g| {
            g.node[0].op_type = Some("Adam".into());
            g.node[0].domain = Some("ai.onnx.preview.training".into());
        },
        what(),
    );
    let mode = AttributeProto {
        name: Some("training_mode".into()),
        i: Some(1),
        ..AttributeProto::default()
    };
    check_graph(
        |g| {
            g.node[0].op_type = Some("BatchNormalization".into());
            g.node[0].attribute.push(mode);
            // The running mean, which only a training step has a use for.
            g.node[0].output.push("mean".into());
            g.output.push(value("mean"));
        },
        GraphError::Training { what: r#"node BatchNormalization "y""#.into() },
    );
}

#[test]
fn weights_elsewhere_are_refused_by_name_and_place() {
    let location =
        StringStringEntryProto { key: Some("location".into()), value: Some("weights.bin".into()) };
    check_graph(
        |g| g.initializer[0].external_data.push(location),
        GraphError::ExternalData { tensor: "w".into(), location: "weights.bin".into() },
    );
}

#[test]
fn constants_that_do_not_fit_their_shape_are_refused() {
    let broken = |problem| GraphError::BadTensor { tensor: "w".into(), problem };
    let length = |expected, found| broken(TensorProblem::Length { expected, found });
    check_graph(|g| g.initializer[0].dims = vec![3], length(3, 2));
    check_graph(|g| g.initializer[0].raw_data = Some(vec![0; 7].into()), length(8, 7));
    check_graph(|g| g.initializer[0].dims = vec![-2], broken(TensorProblem::Shape));
    check_graph(|g| g.initializer[0].dims = vec![i64::MAX; 3], broken(TensorProblem::Shape));
    let mut inner = node("Constant", &[], &["c"]);
    inner.attribute.push(AttributeProto {
        name: Some("value".into()),
        t: Some(Box::new(TensorProto { dims: vec![9], ..weight("") })),
        ..AttributeProto::default()
    });
    check_graph(
        |g| g.node.push(inner),
        GraphError::BadTensor {
            tensor: "c".into(),
            problem: TensorProblem::Length { expected: 9, found: 2 },
        },
    );
}

#[test]
fn every_tensor_is_made_once() {
    let duplicate = |name: &str| GraphError::DuplicateTensor { tensor: name.into() };
    check_graph(|g| g.node.push(node("Relu", &["x"], &["y"])), duplicate("y"));
    check_graph(|g| g.node.push(node("Relu", &["x"], &["w"])), duplicate("w"));
    check_graph(|g| g.node.push(node("Relu", &["y"], &["x"])), duplicate("x"));
    check_graph(|g| g.initializer.push(weight("w")), duplicate("w"));
    check_graph(|g| g.input.push(value("x")), duplicate("x"));
    check_graph(
        |g| g.node[0].input[0] = "v".into(),
        GraphError::UnknownInput { node: r#"Relu "y""#.into(), tensor: "v".into() },
    );
    check_graph(|g| g.output.push(value("v")), GraphError::UnknownOutput { tensor: "v".into() });
}

#[test]
fn cycles_are_refused_and_disorder_is_sorted() {
    check_graph(
        |g| g.node[0].input[0] = "z".into(),
        GraphError::Cycle { node: r#"Relu "y""#.into() },
    );
    let mut shuffled = model();
    shuffled.graph.as_mut().unwrap().node.reverse();
    let sorted = Graph::parse(&shuffled.encode_to_vec()).unwrap();
    assert_eq!(sorted, Graph::parse(&model().encode_to_vec()).unwrap());
}

/// The branches of an `If` read `y` and `w` from the graph around them.
fn with_branches() -> ModelProto {
    let mut model = model();
    let graph = model.graph.as_mut().unwrap();
    let mut choice = node("If", &["condition"], &["z"]);
    for (name, op) in [("then_branch", "Add"), ("else_branch", "Mul")] {
        choice.attribute.push(AttributeProto {
            name: Some(name.into()),
            g: Some(Box::new(GraphProto {
                node: vec![node(op, &["y", "w"], &[name])],
                output: vec![value(name)],
                ..GraphProto::default()
            })),
            ..AttributeProto::default()
        });
    }
    graph.input.push(value("condition"));
    graph.node[1] = choice;
    graph.node.push(node("Relu", &["z"], &["last"]));
    model
}

#[test]
fn what_inner_graphs_read_counts_as_read() {
    let mut model = with_branches();
    model.graph.as_mut().unwrap().node.reverse();
    let sorted = Graph::parse(&model.encode_to_vec()).unwrap();
    let order: Vec<&str> = sorted.graph().node.iter().map(|n| n.op_type()).collect();
    assert_eq!(order, ["Relu", "If", "Relu"]);
    let cut = sorted.cut_at("z").unwrap();
    assert_eq!(cut.graph().node.len(), 2);
    assert_eq!(cut.graph().initializer.len(), 1);

    let graph = model.graph.as_mut().unwrap();
    graph.initializer.clear();
    assert_eq!(
        Graph::parse(&model.encode_to_vec()),
        Err(GraphError::UnknownInput { node: r#"If "z""#.into(), tensor: "w".into() })
    );
}
