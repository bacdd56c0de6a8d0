//! What a graph must hold before anything else looks at it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::error::{GraphError, TensorProblem};
use crate::inference::settle;
use crate::nodes::{attribute, describe, each_read, inner_graphs, is_default_domain};
use crate::proto::tensor_proto::DataLocation;
use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use crate::tensor::ElementType;

/// Refuses what this crate does not work on, and puts the nodes in an order in
/// which they can run (the file's own order, if it is one).
pub(crate) fn check(model: &mut ModelProto) -> Result<(), GraphError> {
    if !model.training_info.is_empty() {
        return Err(GraphError::Training { what: "it has a training section".into() });
    }
    let stated =
        model.opset_import.iter().any(|o| is_default_domain(o.domain()) && o.version() > 0);
    let graph = model.graph.as_mut().ok_or(GraphError::NoGraph)?;
    if graph.node.is_empty() && graph.input.is_empty() && graph.output.is_empty() {
        return Err(GraphError::NoGraph);
    }
    if !stated {
        return Err(GraphError::NoOpset);
    }
    settle(graph);
    check_contents(graph)?;
    check_names(graph)?;
    sort(graph)
}

/// Tensors and nodes one by one, those of inner graphs too.
fn check_contents(graph: &GraphProto) -> Result<(), GraphError> {
    for tensor in &graph.initializer {
        check_tensor(tensor, tensor.name())?;
    }
    for sparse in &graph.sparse_initializer {
        for tensor in sparse.values.iter().chain(&sparse.indices) {
            check_tensor(tensor, tensor.name())?;
        }
    }
    for node in &graph.node {
        check_inference(node)?;
        for attribute in &node.attribute {
            let sparse =
                attribute.sparse_tensor.as_deref().into_iter().chain(&attribute.sparse_tensors);
            let dense = attribute.t.as_deref().into_iter().chain(&attribute.tensors);
            for tensor in dense.chain(sparse.flat_map(|s| s.values.iter().chain(&s.indices))) {
                check_tensor(tensor, node.output.first().map_or("", String::as_str))?;
            }
        }
        for inner in inner_graphs(node) {
            check_contents(inner)?;
        }
    }
    Ok(())
}

fn check_inference(node: &NodeProto) -> Result<(), GraphError> {
    let training_domain = matches!(node.domain(), "ai.onnx.training" | "ai.onnx.preview.training");
    let training_mode = node.op_type() == "BatchNormalization"
        && attribute(node, "training_mode").is_some_and(|a| a.i() != 0);
    if training_domain || training_mode {
        return Err(GraphError::Training { what: format!("node {}", describe(node)) });
    }
    Ok(())
}

fn check_tensor(tensor: &TensorProto, name: &str) -> Result<(), GraphError> {
    if tensor.data_location() == DataLocation::External || !tensor.external_data.is_empty() {
        let location = tensor.external_data.iter().find(|e| e.key() == "location");
        return Err(GraphError::ExternalData {
            tensor: name.to_owned(),
            location: location.map_or(String::new(), |e| e.value().to_owned()),
        });
    }
    let broken = |problem| GraphError::BadTensor { tensor: name.to_owned(), problem };
    let count = element_count(tensor).ok_or_else(|| broken(TensorProblem::Shape))?;
    let element = ElementType::from_code(tensor.data_type());
    let (expected, found) = match (&tensor.raw_data, element) {
        (Some(raw), Some(element)) => match element.bytes().map(|size| count.checked_mul(size)) {
            Some(Some(bytes)) => (bytes, raw.len()),
            Some(None) => return Err(broken(TensorProblem::Shape)),
            None => return Ok(()),
        },
        (None, Some(ElementType::F32)) => (count, tensor.float_data.len()),
        (None, Some(ElementType::F64)) => (count, tensor.double_data.len()),
        (None, Some(ElementType::I64)) => (count, tensor.int64_data.len()),
        (None, Some(ElementType::U32 | ElementType::U64)) => (count, tensor.uint64_data.len()),
        (None, Some(ElementType::String)) => (count, tensor.string_data.len()),
        // Sub-byte types are packed in ways that only their users need to know.
        (None, Some(ElementType::Other(_)) | None) | (Some(_), None) => return Ok(()),
        (None, Some(_)) => (count, tensor.int32_data.len()),
    };
    let found = found as u64;
    if expected == found { Ok(()) } else { Err(broken(TensorProblem::Length { expected, found })) }
}

/// Number of values that the shape of a constant asks for.
pub(crate) fn element_count(tensor: &TensorProto) -> Option<u64> {
    tensor.dims.iter().try_fold(1u64, |count, &dim| count.checked_mul(u64::try_from(dim).ok()?))
}

/// Every tensor is made once, and everything that is read is made.
fn check_names(graph: &GraphProto) -> Result<(), GraphError> {
    let duplicate = |name: &str| GraphError::DuplicateTensor { tensor: name.to_owned() };
    let mut made = HashSet::new();
    let sparse = graph.sparse_initializer.iter().filter_map(|s| Some(s.values.as_ref()?.name()));
    for name in graph.initializer.iter().map(|i| i.name()).chain(sparse) {
        if !made.insert(name) {
            return Err(duplicate(name));
        }
    }
    let mut inputs = HashSet::new();
    for input in &graph.input {
        if input.name().is_empty() {
            return Err(GraphError::Unnamed);
        }
        if !inputs.insert(input.name()) {
            return Err(duplicate(input.name()));
        }
    }
    // Up to version 3 of the format every initializer is listed as an input too,
    // and later it may be.
    if inputs.iter().all(|name| made.contains(name)) || graph.output.is_empty() {
        return Err(GraphError::NothingToDo);
    }
    made.extend(inputs);
    for name in graph.node.iter().flat_map(|n| &n.output).filter(|o| !o.is_empty()) {
        if !made.insert(name) {
            return Err(duplicate(name));
        }
    }
    for node in &graph.node {
        let mut unknown = None;
        each_read(node, &mut |name| {
            if !made.contains(name) {
                unknown = Some(name);
            }
        });
        if let Some(tensor) = unknown {
            return Err(GraphError::UnknownInput {
                node: describe(node),
                tensor: tensor.to_owned(),
            });
        }
    }
    for output in &graph.output {
        if output.name().is_empty() {
            return Err(GraphError::Unnamed);
        }
        if !made.contains(output.name()) {
            return Err(GraphError::UnknownOutput { tensor: output.name().to_owned() });
        }
    }
    Ok(())
}

/// A stable topological sort (Kahn 1962, the lowest index first): a sorted graph
/// keeps its order and thus its bytes.
fn sort(graph: &mut GraphProto) -> Result<(), GraphError> {
    let mut producers = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        producers.extend(node.output.iter().filter(|o| !o.is_empty()).map(|o| (o.as_str(), i)));
    }
    let mut readers = vec![Vec::new(); graph.node.len()];
    let mut missing = vec![0usize; graph.node.len()];
    for (i, node) in graph.node.iter().enumerate() {
        each_read(node, &mut |name| {
            if let Some(&producer) = producers.get(name) {
                readers[producer].push(i);
                missing[i] += 1;
            }
        });
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..missing.len()).filter(|&i| missing[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &reader in &readers[i] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if order.len() < graph.node.len() {
        let stuck = missing.iter().position(|&m| m > 0).expect("a node that was not reached");
        return Err(GraphError::Cycle { node: describe(&graph.node[stuck]) });
    }
    if !order.is_sorted() {
        let mut nodes: Vec<_> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
        graph.node = order.into_iter().filter_map(|i| nodes[i].take()).collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
