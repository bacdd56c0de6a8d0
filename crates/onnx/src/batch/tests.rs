//! Small graphs of batch 2, of which it is known whether they mix examples.

use prost::Message;

use crate::proto::attribute_proto::AttributeType;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    ValueInfoProto,
};
use crate::tensor::{Dim, ElementType, TensorInfo};
use crate::{Batch, Graph};

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

fn ints(mut node: NodeProto, name: &str, values: &[i64]) -> NodeProto {
    let of = AttributeProto { name: Some(name.into()), ..AttributeProto::default() };
    node.attribute.push(match values {
        [one] if name != "axes" => {
            AttributeProto { r#type: Some(AttributeType::Int as i32), i: Some(*one), ..of }
        }
        _ => {
            AttributeProto { r#type: Some(AttributeType::Ints as i32), ints: values.to_vec(), ..of }
        }
    });
    node
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

fn zeros(name: &str, dims: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(1),
        float_data: vec![0.0; dims.iter().product::<i64>() as usize],
        ..TensorProto::default()
    }
}

fn info(name: &str, element: ElementType, shape: &[u64]) -> ValueInfoProto {
    let shape = shape.iter().map(|&length| Dim::Fixed(length)).collect();
    TensorInfo { name: name.into(), element: Some(element), shape: Some(shape) }.to_value_info()
}

/// From `x` `[2, 6, 1, 4]` to `y`, as version 3 of the format has it.
fn graph(opset: i64, nodes: &[NodeProto], weights: &[TensorProto]) -> Graph {
    let mut input = vec![info("x", ElementType::F32, &[2, 6, 1, 4])];
    for weight in weights {
        let element = ElementType::from_code(weight.data_type()).unwrap();
        let shape: Vec<u64> = weight.dims.iter().map(|&d| d as u64).collect();
        input.push(info(weight.name(), element, &shape));
    }
    let model = ModelProto {
        ir_version: Some(3),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        graph: Some(GraphProto {
            node: nodes.to_vec(),
            input,
            initializer: weights.to_vec(),
            output: vec![info("y", ElementType::F32, &[2, 24])],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    Graph::parse(&model.encode_to_vec()).expect("a right model")
}

fn target(graph: &Graph, node: usize) -> Vec<i64> {
    let name = &graph.graph().node[node].input[1];
    let tensor = graph.graph().initializer.iter().find(|tensor| tensor.name() == name).unwrap();
    let raw = tensor.raw_data.as_deref().expect("one of ours");
    raw.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
}

#[test]
fn targets_that_begin_with_the_batch_copy_it() {
    let check = |stated: &[i64], expected: &[i64], zero_is_a_length: bool| {
        let mut reshape = node("Reshape", &["x", "target"], "y");
        if zero_is_a_length {
            reshape = ints(reshape, "allowzero", &[1]);
        }
        let fixed = graph(14, &[reshape], &[integers("target", stated)]);
        let free = fixed.with_dynamic_batch();
        assert_eq!(free.batch(), Batch::Dynamic, "{stated:?}");
        assert_eq!(target(&free, 0), expected);
        let batch = Dim::Symbol("batch".into());
        assert_eq!(free.outputs()[0].shape, Some(vec![batch, Dim::Fixed(24)]));
        // The target is a weight, and in this version of the format an input too.
        assert_eq!(free.inputs().len(), 1);
        assert_eq!(Graph::parse(&free.to_bytes()).expect("what we wrote"), free);
    };
    check(&[2, -1], &[0, -1], false);
    check(&[2, 24], &[0, 24], false);
    check(&[2, 24], &[-1, 24], true);
    // Before opset 5 the target was an attribute.
    let old = graph(4, &[ints(node("Reshape", &["x"], "y"), "shape", &[2, 24])], &[]);
    let free = old.with_dynamic_batch();
    assert_eq!(free.batch(), Batch::Dynamic);
    assert_eq!(free.graph().node[0].attribute[0].ints, [0, 24]);
}

/// The second reshape makes its rows of channels: 2 is no batch there.
#[test]
fn a_target_that_several_read_stays_for_the_others() {
    let nodes = [
        node("Reshape", &["x", "target"], "y"),
        node("Transpose", &["w"], "t"),
        node("Reshape", &["t", "target"], "v"),
        node("Add", &["y", "v"], "z"),
    ];
    let weights = [integers("target", &[2, 24]), zeros("w", &[24, 2])];
    let mut fixed = graph(13, &nodes, &weights);
    let free = fixed.clone().with_dynamic_batch();
    assert_eq!((free.batch(), target(&free, 0)), (Batch::Dynamic, vec![0, 24]));
    assert_eq!(free.graph().node[2].input[1], "target");
    // Added to the rows of a batch, a constant of two rows fixes their number.
    fixed.graph_mut().output[0].name = Some("z".into());
    assert_eq!(fixed.clone().with_dynamic_batch(), fixed);
}

#[test]
fn computed_shapes_follow_the_batch() {
    let nodes = [
        node("Shape", &["x"], "shape"),
        ints(node("Gather", &["shape", "first"], "batch"), "axis", &[0]),
        ints(node("Concat", &["batch", "rest"], "target"), "axis", &[0]),
        node("Reshape", &["x", "target"], "y"),
    ];
    let weights = [integers("first", &[0]), integers("rest", &[24])];
    let free = graph(13, &nodes, &weights).with_dynamic_batch();
    assert_eq!(free.batch(), Batch::Dynamic);
    assert_eq!(free.graph().node.len(), 4);
}

#[test]
fn what_mixes_examples_stays_as_it_is() {
    let flat = node("Flatten", &["x"], "rows");
    let weights = [
        zeros("two", &[2, 24]),
        zeros("square", &[24, 24]),
        integers("zero", &[0]),
        integers("one", &[1]),
        integers("two_and_rest", &[2, -1]),
        integers("channels_first", &[6, 8]),
    ];
    let transposed = ints(node("Transpose", &["rows"], "columns"), "perm", &[1, 0]);
    let cases: [(&str, Vec<NodeProto>); 10] = [
        ("softmax over the batch", vec![ints(node("Softmax", &["rows"], "y"), "axis", &[0])]),
        ("the same from the end", vec![ints(node("Softmax", &["rows"], "y"), "axis", &[-2])]),
        (
            "attention across the batch",
            vec![
                transposed.clone(),
                node("MatMul", &["rows", "columns"], "scores"),
                node("MatMul", &["scores", "rows"], "y"),
            ],
        ),
        (
            "the mean of the batch taken away",
            vec![
                ints(node("ReduceMean", &["rows"], "mean"), "axes", &[0]),
                node("Sub", &["rows", "mean"], "y"),
            ],
        ),
        (
            "the mean of all",
            vec![node("ReduceMean", &["rows"], "mean"), node("Sub", &["rows", "mean"], "y")],
        ),
        ("two rows added", vec![node("Add", &["rows", "two"], "y")]),
        (
            "divided by the size of the batch",
            vec![
                node("Size", &["x"], "size"),
                ints(node("Cast", &["size"], "float"), "to", &[1]),
                node("Div", &["rows", "float"], "y"),
            ],
        ),
        (
            "the first example alone",
            vec![
                node("Slice", &["rows", "zero", "one"], "row"),
                node("Add", &["rows", "row"], "y"),
            ],
        ),
        (
            "rows of several examples",
            vec![
                node("Reshape", &["x", "channels_first"], "mixed"),
                node("Relu", &["mixed"], "active"),
                node("Reshape", &["active", "two_and_rest"], "y"),
            ],
        ),
        ("a node that nobody knows", vec![node("Whiten", &["rows"], "y")]),
    ];
    for (what, nodes) in cases {
        let nodes: Vec<NodeProto> = std::iter::once(flat.clone()).chain(nodes).collect();
        let fixed = graph(13, &nodes, &weights);
        assert_eq!(fixed.clone().with_dynamic_batch(), fixed, "{what}");
    }
    // The same rows, but none of the mixing: what stays is not stuck for another reason.
    let nodes = [
        flat,
        ints(node("Softmax", &["rows"], "likely"), "axis", &[1]),
        node("MatMul", &["likely", "square"], "y"),
    ];
    assert_eq!(graph(13, &nodes, &weights).with_dynamic_batch().batch(), Batch::Dynamic);
}
