//! Single nodes of old operator sets. Whole networks are in tests/tests/any_onnx.

use prost::Message;

use super::*;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto, ValueInfoProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

fn input(name: &str, shape: &[u64]) -> ValueInfoProto {
    let shape = shape.iter().map(|&length| Dim::Fixed(length)).collect();
    TensorInfo { name: name.into(), element: Some(ElementType::F32), shape: Some(shape) }
        .to_value_info()
}

/// One node on `x` `[1, 2, 4, 4]`, and on `second` if that has a shape.
fn graph(opset: i64, op: &str, attributes: Vec<AttributeProto>, second: Option<&[u64]>) -> Graph {
    let mut inputs = vec![input("x", &[1, 2, 4, 4])];
    inputs.extend(second.map(|shape| input("second", shape)));
    let node = NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|input| input.name().to_owned()).collect(),
        output: vec!["y".into()],
        attribute: attributes,
        ..NodeProto::default()
    };
    let output = ValueInfoProto { name: Some("y".into()), ..ValueInfoProto::default() };
    let model = ModelProto {
        ir_version: Some(3),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        graph: Some(GraphProto {
            node: vec![node],
            input: inputs,
            output: vec![output],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    Graph::parse(&model.encode_to_vec()).expect("a right model")
}

fn upgraded(graph: Graph) -> Graph {
    let upgraded = graph.upgraded().expect("a known form");
    assert_eq!(upgraded.opset(), 7);
    assert_eq!(Graph::parse(&upgraded.to_bytes()).as_ref(), Ok(&upgraded));
    upgraded
}

fn text(name: &str, value: &'static str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::String as i32),
        s: Some(value.into()),
        ..AttributeProto::default()
    }
}

/// The attributes of the last node: names and numbers.
fn attributes(graph: &Graph) -> Vec<(&str, Vec<f64>)> {
    let node = graph.graph().node.last().expect("a node");
    let numbers = |a: &AttributeProto| -> Vec<f64> {
        let ints = a.i.iter().chain(&a.ints).map(|&value| value as f64);
        ints.chain(a.f.iter().chain(&a.floats).map(|&value| value.into())).collect()
    };
    node.attribute.iter().map(|a| (a.name(), numbers(a))).collect()
}

#[test]
fn attributes_are_those_of_set_7() {
    let check = |opset, op, old: Vec<AttributeProto>, expected: &[(&str, &[f64])]| {
        let graph = upgraded(graph(opset, op, old, None));
        let expected: Vec<_> = expected.iter().map(|&(n, values)| (n, values.to_vec())).collect();
        assert_eq!(attributes(&graph), expected, "{op} of {opset}");
    };
    check(5, "Relu", vec![ints("consumed_inputs", &[0])], &[]);
    check(3, "Concat", vec![], &[("axis", &[1.0])]);
    check(3, "Concat", vec![int("axis", 2)], &[("axis", &[2.0])]);
    check(5, "Cast", vec![text("to", "INT64")], &[("to", &[7.0])]);
    check(5, "Cast", vec![text("to", "double")], &[("to", &[11.0])]);
    check(6, "Cast", vec![int("to", 7)], &[("to", &[7.0])]);
    check(1, "Pad", vec![ints("paddings", &[0, 1])], &[("pads", &[0.0, 1.0])]);
    let scales = vec![
        crate::pool::node_float("height_scale", 2.0),
        crate::pool::node_float("width_scale", 3.0),
    ];
    check(6, "Upsample", scales, &[("scales", &[1.0, 1.0, 2.0, 3.0])]);
    check(6, "Softmax", vec![int("axis", 1)], &[("axis", &[1.0])]);
}

#[test]
fn second_operands_are_aligned_where_they_were() {
    let check = |op, axis: Option<i64>, second: &[u64], expected: &[u64]| {
        let mut old = vec![int("broadcast", 1)];
        old.extend(axis.map(|axis| int("axis", axis)));
        let graph = upgraded(graph(6, op, if op == "PRelu" { vec![] } else { old }, Some(second)));
        assert_eq!(attributes(&graph), []);
        let read = graph.graph().node.last().expect("a node").input[1].clone();
        let dims: Vec<Dim> = expected.iter().map(|&length| Dim::Fixed(length)).collect();
        let found = graph.facts(BatchAs::Declared).dims(&read);
        assert_eq!(found, Some(dims), "{op} {axis:?} {second:?}");
    };
    check("Mul", Some(1), &[2], &[2, 1, 1]);
    check("Mul", Some(-3), &[2], &[2, 1, 1]);
    check("Add", Some(1), &[2, 4], &[2, 4, 1]);
    check("Add", Some(2), &[4, 4], &[4, 4]);
    check("Sub", Some(0), &[1], &[1, 1, 1, 1]);
    check("Div", None, &[4], &[4]);
    check("PRelu", None, &[2], &[2, 1, 1]);
    check("PRelu", None, &[2, 1, 1], &[2, 1, 1]);
}

#[test]
fn what_is_not_known_is_named() {
    let refused = |graph: Graph, words: &str| {
        let error = graph.upgraded().expect_err("an unknown form");
        assert!(matches!(error, GraphError::OldForm { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(graph(6, "LSTM", vec![], None), "LSTM \"y\" has a form of operator set 6");
    refused(graph(5, "Tile", vec![], Some(&[1])), "Tile");
    refused(graph(5, "Cast", vec![text("to", "COMPLEX")], None), "Cast");
    refused(graph(4, "Reshape", vec![], None), "Reshape");
    let beyond = vec![int("broadcast", 1), int("axis", 3)];
    refused(graph(6, "Add", beyond, Some(&[4, 4])), "Add");
}

#[test]
fn newer_networks_stay_as_they_are() {
    let graph = graph(7, "LSTM", vec![], None);
    assert_eq!(graph.clone().upgraded(), Ok(graph));
}
