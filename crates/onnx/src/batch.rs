//! A fixed batch made free.
//!
//! Exporters that trace one example write its batch of 1 into the input's shape
//! and into the targets of reshapes. The network itself works on each example
//! alone; where that can be seen in the graph, the number need not be fixed.

mod alone;

use std::collections::HashSet;

pub(crate) use alone::each_example;

use crate::graph::{Batch, Graph};
use crate::index::Index;
use crate::infer::{BatchAs, Facts, Scalar};
use crate::names::{fresh, taken};
use crate::nodes::{attribute, is_default_domain};
use crate::proto::NodeProto;
use crate::tensor::{Dim, TensorInfo};

impl Graph {
    /// The same network for any number of examples at once, with the same answer
    /// for each; or the graph as it is, if it takes any number already, or if it
    /// can't be seen that every output treats each example alone.
    ///
    /// The first axis of the inputs becomes a symbol, and so does what follows
    /// from it. Targets of `Reshape` that begin with the old number copy the first
    /// axis instead.
    #[must_use]
    pub fn with_dynamic_batch(self) -> Graph {
        match self.batch() {
            Batch::Fixed(batch @ 1..) => freed(&self, batch).unwrap_or(self),
            Batch::Fixed(0) | Batch::Dynamic => self,
        }
    }
}

fn freed(fixed: &Graph, batch: u64) -> Option<Graph> {
    let inputs = fixed.inputs();
    let first = |info: &TensorInfo| info.shape.as_ref().and_then(|shape| shape.first().cloned());
    let fits =
        |input: &TensorInfo| input.element.is_some() && first(input) == Some(Dim::Fixed(batch));
    if !inputs.iter().all(fits) {
        return None;
    }
    let symbol = Dim::Symbol(unused_symbol(&inputs));
    let targets = targets(fixed, i64::try_from(batch).ok()?);

    let mut graph = fixed.clone();
    graph.graph_mut().value_info.clear();
    for mut info in inputs {
        let declared = graph.graph_mut().input.iter_mut().find(|i| i.name() == info.name);
        let declared = declared.expect("an input of the graph");
        info.shape.iter_mut().for_each(|shape| shape[0] = symbol.clone());
        *declared = info.to_value_info();
    }
    let mut names = taken(graph.graph());
    for (node, target) in targets {
        graph.retarget(node, target, &mut names);
    }
    let outputs = graph.outputs();
    for (info, output) in outputs.iter().zip(&mut graph.graph_mut().output) {
        // Inference would believe the old number where it knows nothing itself.
        *output = TensorInfo { shape: None, ..info.clone() }.to_value_info();
    }

    let facts = graph.facts(BatchAs::Declared);
    each_example(graph.graph(), &facts, graph.opset()).then_some(())?;
    let declared = outputs.into_iter().map(|info| output(info, &facts, &symbol));
    let declared: Vec<_> = declared.map(|info| info.to_value_info()).collect();
    graph.graph_mut().output = declared;
    Some(graph)
}

/// What was declared beside the batch stays.
fn output(mut info: TensorInfo, facts: &Facts<'_>, symbol: &Dim) -> TensorInfo {
    let inferred = facts.dims(&info.name);
    match (info.shape.as_deref_mut(), inferred) {
        (Some([first, rest @ ..]), Some(dims)) if dims.len() == rest.len() + 1 => {
            if dims.first() == Some(symbol) {
                *first = symbol.clone();
            }
        }
        (_, inferred) => info.shape = inferred,
    }
    info
}

fn unused_symbol(inputs: &[TensorInfo]) -> String {
    let dims = inputs.iter().flat_map(|input| input.shape.iter().flatten());
    let used = dims.filter_map(|dim| match dim {
        Dim::Symbol(name) => Some(name.clone()),
        _ => None,
    });
    fresh(&mut used.collect(), "batch")
}

/// The `Reshape` nodes whose first axis is the batch on both sides, with targets
/// that copy it.
fn targets(graph: &Graph, batch: i64) -> Vec<(usize, Vec<i64>)> {
    let facts = graph.facts(BatchAs::Declared);
    let index = Index::new(graph.graph());
    let nodes = graph.graph().node.iter().enumerate();
    nodes
        .filter(|(_, node)| node.op_type() == "Reshape" && is_default_domain(node.domain()))
        .filter_map(|(i, node)| {
            let data = node.input.first().filter(|data| !index.is_constant(data))?;
            let first = facts.dims(data)?.first().cloned();
            let mut target = target(node, &facts, graph.opset())?;
            if first != u64::try_from(batch).ok().map(Dim::Fixed) || target.first() != Some(&batch)
            {
                return None;
            }
            let zero_copies = attribute(node, "allowzero").is_none_or(|a| a.i() == 0);
            // Where zero is a length, the batch can only be what is left.
            if !zero_copies && target.contains(&-1) {
                return None;
            }
            target[0] = if zero_copies { 0 } else { -1 };
            Some((i, target))
        })
        .collect()
}

fn target(node: &NodeProto, facts: &Facts<'_>, opset: i64) -> Option<Vec<i64>> {
    if opset < 5 {
        return attribute(node, "shape").map(|a| a.ints.clone());
    }
    let values = facts.get(node.input.get(1)?)?.values.as_deref()?;
    let whole = values.iter().map(|value| match value {
        Scalar::Int(value) => Some(*value),
        _ => None,
    });
    whole.collect()
}

impl Graph {
    /// A new constant: the old one may have other readers.
    fn retarget(&mut self, node: usize, target: Vec<i64>, names: &mut HashSet<String>) {
        if self.opset() < 5 {
            let node = &mut self.graph_mut().node[node];
            let shape = node.attribute.iter_mut().find(|a| a.name() == "shape");
            shape.expect("the target was read from it").ints = target;
            return;
        }
        let output = self.graph().node[node].output.first().map_or("", String::as_str);
        let name = fresh(names, &format!("{output}.target"));
        self.add_integers(&name, &target);
        self.graph_mut().node[node].input[1] = name;
    }
}

#[cfg(test)]
mod tests;
