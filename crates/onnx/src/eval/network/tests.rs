//! The run of a graph, small networks among them: what each operator computes is held
//! by `node_data`.

use std::collections::HashMap;

use prost::Message;

use super::pytorch::{NETWORKS, Stored};
use super::{in_f64, run_graph};
use crate::eval::Value;
use crate::graph::Graph;
use crate::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use crate::tensor::{ElementType, TensorInfo};

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// From an `x` of 32-bit floats to `y`, with the weight `w`, 1/10.
fn graph(nodes: Vec<NodeProto>) -> Graph {
    let x = TensorInfo { name: "x".into(), element: Some(ElementType::F32), shape: None };
    let proto = GraphProto {
        node: nodes,
        input: vec![x.to_value_info()],
        output: vec![ValueInfoProto { name: Some("y".into()), ..ValueInfoProto::default() }],
        initializer: vec![TensorProto {
            name: Some("w".into()),
            data_type: Some(1),
            float_data: vec![0.1],
            ..TensorProto::default()
        }],
        ..GraphProto::default()
    };
    let model = ModelProto {
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(proto),
        ..ModelProto::default()
    };
    Graph::of_model(model).expect("a right model")
}

fn run(graph: &Graph, x: Value) -> Result<Value, String> {
    run_graph(graph, &HashMap::from([("x".to_owned(), x)]))
        .map(|mut outputs| outputs.remove("y").expect("the declared output"))
}

#[test]
fn what_is_rounded_in_32_bits_is_not_in_64() {
    let graph = graph(vec![node("Mul", &["x", "w"], "a"), node("Mul", &["a", "a"], "y")]);
    let tenth = f64::from(0.1f32);
    let narrow = run(&graph, Value::real_of(ElementType::F32, vec![1], vec![3.0])).unwrap();
    assert_eq!(narrow.dims(), [1]);
    assert_eq!(narrow.reals(), Some(&[f64::from((3.0f32 * 0.1) * (3.0 * 0.1))][..]));
    let wide = run(&in_f64(&graph), Value::real_of(ElementType::F64, vec![1], vec![3.0])).unwrap();
    assert_eq!(wide.reals(), Some(&[(3.0 * tenth) * (3.0 * tenth)][..]));
    assert_ne!(wide.reals(), narrow.reals());
}

#[test]
fn what_cannot_run_is_named() {
    let f32s = |count| Value::real_of(ElementType::F32, vec![count], vec![1.0; count]);
    let strange = graph(vec![node("Neg", &["x"], "a"), node("Strange", &["a"], "y")]);
    let error = run(&strange, f32s(2)).unwrap_err();
    assert_eq!(error, "Strange \"y\": not computed at opset 17 of (f32[2]) with ()");
    let unlike = graph(vec![node("Add", &["x", "w"], "y")]);
    let wide = Value::real_of(ElementType::F64, vec![1], vec![1.0]);
    assert_eq!(run(&unlike, wide).unwrap_err(), "input \"x\" is given as f64, declared otherwise");
    assert_eq!(run_graph(&unlike, &HashMap::new()).unwrap_err(), "input \"x\" is not given");
}

#[test]
fn networks_give_what_pytorch_says() {
    for network in NETWORKS {
        let stored = Stored::read(network);
        // As it is: what was exported in training mode stays so.
        let graph = Graph { model: ModelProto::decode(&stored.model[..]).unwrap() };
        let inputs = HashMap::from([("x".to_owned(), stored.examples())]);
        let logits = run_graph(&in_f64(&graph), &inputs).unwrap().remove("logits");
        let (found, expected) = (logits.unwrap(), stored.array(&stored.facts["logits"]));
        assert_eq!(found.dims(), expected.dims(), "{network}");
        let pairs = found.reals().unwrap().iter().zip(expected.reals().unwrap());
        for (found, expected) in pairs {
            // Stored in 32 bits, computed in 64.
            assert!((found - expected).abs() < 2e-7, "{network}: {found}, not {expected}");
        }
    }
}
