//! Shapes that a graph computes and that shape inference knows.

use std::collections::HashSet;

use crate::eval::Value;
use crate::infer::{BatchAs, Extent, Facts, Scalar};
use crate::names::{fresh, taken};
use crate::nodes::{attribute, inner_graphs, is_default_domain};
use crate::proto::{GraphProto, NodeProto};
use crate::tensor::ElementType;

/// Integer tensors whose values are all known become weights. A `Reshape` to a
/// computed shape of which all but one length are known gets a constant one.
pub(super) fn fold(graph: &mut GraphProto, opset: i64) {
    // What a file says of tensors in its middle may be wrong; what follows from
    // its inputs and weights is not.
    let declared = std::mem::take(&mut graph.value_info);
    let outputs: HashSet<&str> = graph.output.iter().map(|o| o.name()).collect();
    let weights: HashSet<&str> = graph.initializer.iter().map(|i| i.name()).collect();
    let facts = Facts::infer(graph, opset, BatchAs::Declared);
    let mut constants = Vec::new();
    let mut targets = Vec::new();
    let mut names = None;
    for (i, node) in graph.node.iter().enumerate() {
        if !is_default_domain(node.domain()) || inner_graphs(node).next().is_some() {
            continue;
        }
        if let [output] = &node.output[..]
            && !output.is_empty()
            && !outputs.contains(output.as_str())
            && let Some(value) = known(&facts, output)
        {
            constants.push((i, value.to_tensor(output)));
        } else if node.op_type() == "Reshape"
            && let Some(shape) = node.input.get(1)
            && !weights.contains(shape.as_str())
            && known(&facts, shape).is_none()
            && let Some(target) = target(&facts, node)
        {
            let names = names.get_or_insert_with(|| taken(graph));
            let output = node.output.first().map_or("", String::as_str);
            let name = fresh(names, &format!("{output}.shape"));
            let target = Value::whole_of(ElementType::I64, vec![target.len()], target);
            targets.push((i, target.to_tensor(&name)));
        }
    }
    for (i, tensor) in targets {
        graph.node[i].input[1] = tensor.name().to_owned();
        graph.initializer.push(tensor);
    }
    let gone: HashSet<usize> = constants.iter().map(|(i, _)| *i).collect();
    let mut at = 0..;
    graph.node.retain(|_| !gone.contains(&at.next().expect("as many as nodes")));
    graph.initializer.extend(constants.into_iter().map(|(_, tensor)| tensor));
    graph.value_info = declared;
}

/// The values of an integer tensor, if all are known.
fn known(facts: &Facts<'_>, tensor: &str) -> Option<Value> {
    let fact = facts.get(tensor)?;
    let element = fact.element.filter(|e| matches!(e, ElementType::I64 | ElementType::I32))?;
    let values: Vec<i64> = fact
        .values
        .as_deref()?
        .iter()
        .map(|value| match value {
            Scalar::Int(value) => Some(*value),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let dims = match fact.shape.as_deref()? {
        [] if values.len() == 1 => Vec::new(),
        [Extent::Fixed(length)] if *length == values.len() as u64 => vec![values.len()],
        _ => return None,
    };
    Some(Value::whole_of(element, dims, values))
}

/// A constant in place of the computed shape of a `Reshape`.
fn target(facts: &Facts<'_>, node: &NodeProto) -> Option<Vec<i64>> {
    let values = facts.get(node.input.get(1)?)?.values.as_deref()?;
    let data = facts.shape(node.input.first()?);
    let mut target = Vec::with_capacity(values.len());
    let mut free = None;
    for (i, value) in values.iter().enumerate() {
        match value {
            Scalar::Int(length) => target.push(*length),
            other if free.is_none() => {
                free = Some((i, *other));
                target.push(-1);
            }
            _ => return None,
        }
    }
    let (i, value) = free?;
    let zero_copies = attribute(node, "allowzero").is_none_or(|a| a.i() == 0);
    let copied = data.and_then(|shape| shape.get(i)).is_some_and(|extent| match (extent, value) {
        (Extent::Symbol(a), Scalar::Symbol(b)) => *a == b,
        _ => false,
    });
    if copied && zero_copies {
        target[i] = 0;
        return Some(target);
    }
    // The rest is what is left, where nothing else is.
    let others = target.iter().enumerate().filter(|(at, _)| *at != i);
    others.map(|(_, length)| *length).all(|length| length > 0).then_some(target)
}
