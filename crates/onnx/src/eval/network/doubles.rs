use crate::eval::Value;
use crate::graph::Graph;
use crate::nodes::attribute;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::type_proto;
use crate::proto::{AttributeProto, NodeProto, TensorProto, ValueInfoProto};
use crate::tensor::ElementType;

/// The same graph with 64-bit floats wherever it has 32-bit ones, so that nothing
/// in it is rounded to 32 bits. Graphs inside nodes stay as they are.
pub(crate) fn in_f64(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let proto = graph.graph_mut();
    for tensor in &mut proto.initializer {
        *tensor = widened(tensor);
    }
    let declared = proto.input.iter_mut().chain(&mut proto.output).chain(&mut proto.value_info);
    declared.for_each(widen_declaration);
    for node in &mut proto.node {
        match node.op_type() {
            "Constant" => widen_constant(node),
            "ConstantOfShape" => widen_fill(node),
            "Cast" => widen_cast(node),
            _ => {}
        }
    }
    graph
}

fn widened(tensor: &TensorProto) -> TensorProto {
    let Some(floats) = crate::eval::floats(tensor) else { return tensor.clone() };
    let dims = tensor.dims.iter().map(|&length| length as usize).collect();
    doubles(dims, &floats).to_tensor(tensor.name())
}

fn doubles(dims: Vec<usize>, floats: &[f32]) -> Value {
    let values = floats.iter().map(|&value| f64::from(value)).collect();
    Value::real_of(ElementType::F64, dims, values)
}

fn widen_declaration(info: &mut ValueInfoProto) {
    let declared = info.r#type.as_mut().and_then(|declared| declared.value.as_mut());
    if let Some(type_proto::Value::TensorType(tensor)) = declared
        && tensor.elem_type() == ElementType::F32.code()
    {
        tensor.elem_type = Some(ElementType::F64.code());
    }
}

fn widen_constant(node: &mut NodeProto) {
    let value = if let Some(tensor) = attribute(node, "value").and_then(|a| a.t.as_deref()) {
        widened(tensor)
    } else if let Some(number) = attribute(node, "value_float") {
        doubles(Vec::new(), &[number.f()]).to_tensor("")
    } else if let Some(numbers) = attribute(node, "value_floats") {
        doubles(vec![numbers.floats.len()], &numbers.floats).to_tensor("")
    } else {
        return;
    };
    node.attribute = vec![value_of(value)];
}

/// Without a value it would fill with 32-bit zeros.
fn widen_fill(node: &mut NodeProto) {
    let value = match attribute(node, "value").and_then(|a| a.t.as_deref()) {
        Some(tensor) => widened(tensor),
        None => doubles(vec![1], &[0.0]).to_tensor(""),
    };
    node.attribute = vec![value_of(value)];
}

fn widen_cast(node: &mut NodeProto) {
    let narrow = i64::from(ElementType::F32.code());
    let to = node.attribute.iter_mut().filter(|a| a.name() == "to" && a.i() == narrow);
    to.for_each(|a| a.i = Some(i64::from(ElementType::F64.code())));
}

fn value_of(tensor: TensorProto) -> AttributeProto {
    AttributeProto {
        name: Some("value".into()),
        r#type: Some(AttributeType::Tensor as i32),
        t: Some(tensor.into()),
        ..AttributeProto::default()
    }
}
