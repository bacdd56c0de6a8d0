//! Writes a graph forward, node by node, so that the way back is known.

use std::collections::{HashMap, HashSet};

use super::emit::{Emitter, Tensor};
use super::rules;
use super::step::Statistics;
use super::tape::{Call, Operand, Refusal, Tape};
use crate::error::GraphError;
use crate::eval::Value;
use crate::graph::Graph;
use crate::infer::BatchAs;
use crate::names::taken;
use crate::nodes::describe;
use crate::proto::TensorProto;
use crate::tensor::ElementType;

/// Constants of more values are weights: no rule looks at what they are.
const SMALL: usize = 1 << 12;

/// Values of all tensors of one step together; more than any memory holds.
const MOST: usize = 1 << 42;

/// A graph written forward.
pub(super) struct Forward {
    pub(super) e: Emitter,
    pub(super) tape: Tape,
    /// What the graph's tensors are called now.
    pub(super) tensors: HashMap<String, Tensor>,
    /// New values of running statistics, by name.
    pub(super) statistics: Vec<(String, Tensor)>,
}

/// Of a graph whose shapes are all fixed. Constants become constants of the new
/// graph, but for those of `state`, which the caller makes inputs.
pub(super) fn forward(
    graph: &Graph,
    trainable: &HashSet<&str>,
    state: &HashSet<&str>,
    statistics: Statistics,
) -> Result<Forward, GraphError> {
    let facts = graph.facts(BatchAs::Declared);
    let opset = graph.opset();
    let weights: HashMap<&str, &TensorProto> =
        graph.graph().initializer.iter().map(|tensor| (tensor.name(), tensor)).collect();
    let double = |tensor: &&&TensorProto| tensor.data_type() == ElementType::F64.code();
    let mut trained = trainable.iter().filter_map(|name| weights.get(name));
    let element = match trained.find(double) {
        Some(_) => ElementType::F64,
        None => ElementType::F32,
    };
    let mut e = Emitter::new(element, taken(graph.graph()));
    let mut tape = Tape::default();
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    let mut wanted: HashSet<String> = trainable.iter().map(|&name| name.to_owned()).collect();
    let mut running = Vec::new();
    let mut total = 0usize;
    let mut shape_of = |name: &str| -> Option<Vec<usize>> {
        let shape = facts.fixed(name)?;
        let shape: Vec<usize> =
            shape.into_iter().map(usize::try_from).collect::<Result<_, _>>().ok()?;
        let count = shape.iter().try_fold(1usize, |count, &d| count.checked_mul(d))?;
        total = total.checked_add(count).filter(|&total| total <= MOST)?;
        (count > 0).then_some(shape)
    };
    for input in graph.inputs() {
        let shape = shape_of(&input.name)
            .ok_or_else(|| GraphError::UnknownShape { tensor: input.name.clone() })?;
        tensors.insert(input.name.clone(), Emitter::named(&input.name, &shape));
    }
    for node in &graph.graph().node {
        let refuse = |refusal: Refusal| GraphError::NotDifferentiable {
            node: describe(node),
            reason: refusal.0,
            lowest: lowest(graph, node),
        };
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            if name.is_empty() {
                inputs.push(None);
                continue;
            }
            let mut value = None;
            if let Some(&weight) = weights.get(name.as_str()) {
                value = Value::of(weight, SMALL);
                if !tensors.contains_key(name) {
                    let shape = shape_of(name).unwrap_or_default();
                    tensors.insert(name.clone(), Emitter::named(name, &shape));
                    if !state.contains(name.as_str()) {
                        e.constants.push(weight.clone());
                    }
                }
            }
            let tensor = tensors
                .get(name)
                .cloned()
                .ok_or_else(|| GraphError::UnknownShape { tensor: name.clone() })?;
            inputs.push(Some(Operand { tensor, wants: wanted.contains(name), value }));
        }
        let mut outputs = Vec::new();
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            let shape =
                shape_of(name).ok_or_else(|| GraphError::UnknownShape { tensor: name.clone() })?;
            outputs.push(shape);
        }
        let scope = match node.name() {
            "" => node.output.first().map_or("", String::as_str),
            name => name,
        };
        e.scope = scope.to_owned();
        let wants = inputs.iter().flatten().any(|operand| operand.wants);
        // Names of operands are those of the new graph on the tape.
        let call = Call { node, opset, inputs, outputs };
        if !wants && !rules::is_known(node) {
            let copied = copy(&call, &mut e).map_err(refuse)?;
            let names = node.output.iter().filter(|name| !name.is_empty());
            tensors.extend(names.cloned().zip(copied));
            continue;
        }
        let mut lowered = rules::lower(&call, &mut e, statistics).map_err(refuse)?;
        for (i, next) in std::mem::take(&mut lowered.statistics) {
            running.push((node.input[i].clone(), next));
        }
        let made = if wants { tape.push(scope, &call, lowered) } else { lowered.outputs };
        let names = node.output.iter().filter(|name| !name.is_empty());
        for (name, tensor) in names.zip(made) {
            if wants {
                wanted.insert(name.clone());
            }
            tensors.insert(name.clone(), tensor);
        }
    }
    Ok(Forward { e, tape, tensors, statistics: running })
}

/// A node that no gradient flows through, as it is. Operators that changed their
/// form since are refused.
fn copy(call: &Call<'_>, e: &mut Emitter) -> Result<Vec<Tensor>, Refusal> {
    if call.opset < 13 {
        return Err(Refusal::new("it has no gradient rule"));
    }
    let mut node = call.node.clone();
    let names = call.inputs.iter().map(|input| input.as_ref().map(|i| i.tensor.name.clone()));
    node.input = names.map(Option::unwrap_or_default).collect();
    let mut made = Vec::new();
    for (name, shape) in node.output.iter_mut().filter(|name| !name.is_empty()).zip(&call.outputs) {
        *name = e.fresh(call.node.op_type());
        made.push(Tensor { name: name.clone(), shape: shape.clone() });
    }
    e.push(node, &made);
    Ok(made)
}

/// The lowest tensor above a node from which on all operators have rules.
fn lowest(graph: &Graph, refused: &crate::proto::NodeProto) -> Option<String> {
    let nodes = &graph.graph().node;
    let last =
        nodes.iter().rposition(|node| std::ptr::eq(node, refused) || !rules::is_known(node))?;
    let made_above: HashSet<&str> =
        nodes[last..].iter().flat_map(|node| &node.output).map(String::as_str).collect();
    let cuts = graph.cut_points();
    cuts.into_iter().map(|cut| cut.tensor).find(|tensor| made_above.contains(tensor.as_str()))
}
