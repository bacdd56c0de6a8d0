//! Networks of operator sets 1 to 6, in the forms of set 7: the oldest that ONNX
//! Runtime promises to run. The Model Zoo has many.
//!
//! What changed on the way, by the changelog of ONNX's operators: `consumed_inputs`
//! went with 6, as did the names of types in `Cast`; the target of `Reshape` became an
//! input with 5; `is_test` went with 7, and so did the old way to stretch a second
//! operand, from an axis on that was stated.

use std::collections::HashSet;

use crate::error::GraphError;
use crate::graph::Graph;
use crate::infer::BatchAs;
use crate::names::{fresh, taken};
use crate::nodes::{describe, inner_graphs, is_default_domain};
use crate::pool::{float_list, int, ints, node as new_node};
use crate::proto::{AttributeProto, NodeProto};

const OLDEST: i64 = 7;

impl Graph {
    /// The same network at operator set 7, if its own is older. Its tensors keep their
    /// names.
    ///
    /// Nodes in training mode are written as at inference, as [`Graph::parse`] does
    /// with newer ones.
    ///
    /// # Errors
    ///
    /// [`GraphError::OldForm`] for a node whose older form is not known here, or that
    /// can't be written anew because the rank of its operands is not known.
    pub fn upgraded(mut self) -> Result<Graph, GraphError> {
        let opset = self.opset();
        if opset >= OLDEST {
            return Ok(self);
        }
        let facts = self.facts(BatchAs::Declared);
        let rank = |name: Option<&String>| facts.shape(name?).map(<[_]>::len);
        let ranks: Vec<_> = self
            .graph()
            .node
            .iter()
            .map(|node| [rank(node.input.first()), rank(node.input.get(1))])
            .collect();
        let mut names = taken(self.graph());
        let nodes = std::mem::take(&mut self.graph_mut().node);
        let mut upgraded = Vec::with_capacity(nodes.len());
        for (mut node, ranks) in nodes.into_iter().zip(ranks) {
            if is_default_domain(node.domain()) {
                let refused =
                    |node: &NodeProto| GraphError::OldForm { node: describe(node), opset };
                if inner_graphs(&node).next().is_some() {
                    return Err(refused(&node));
                }
                let change = change(&mut node, opset, ranks).ok_or_else(|| refused(&node))?;
                match change {
                    Change::None => {}
                    Change::Target(target) => {
                        let name = fresh(&mut names, &format!("{}.target", first_output(&node)));
                        self.add_integers(&name, &target);
                        node.input.push(name);
                    }
                    Change::Stretch { axes } => {
                        upgraded.push(stretch(&mut node, &axes, &mut names));
                    }
                }
            }
            upgraded.push(node);
        }
        self.graph_mut().node = upgraded;
        let sets = self.model.opset_import.iter_mut().filter(|o| is_default_domain(o.domain()));
        sets.for_each(|set| set.version = Some(OLDEST));
        // A tensor that only training made may be read: then it is missed here.
        Graph::of_model(self.model)
    }
}

/// What a node needs beside other attributes.
enum Change {
    None,
    /// The target of a `Reshape`, as another input.
    Target(Vec<i64>),
    /// Axes of length 1 in the second operand.
    Stretch {
        axes: Vec<i64>,
    },
}

/// Brings the attributes up to date. `None`: not known how.
fn change(node: &mut NodeProto, opset: i64, ranks: [Option<usize>; 2]) -> Option<Change> {
    if opset < 6 {
        take(node, "consumed_inputs");
    }
    match node.op_type() {
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "And" | "Or" | "Xor" | "Greater" | "Less"
        | "Equal" => {
            let stretches = take(node, "broadcast").is_some_and(|a| a.i() == 1);
            match take(node, "axis").filter(|_| stretches) {
                // Aligned at the end, as today.
                None => Some(Change::None),
                Some(axis) => {
                    let [rank, second] = [ranks[0]?, ranks[1]?];
                    let axis = match axis.i() {
                        axis if axis < 0 => rank.checked_sub(axis.unsigned_abs() as usize)?,
                        axis => usize::try_from(axis).ok()?,
                    };
                    new_axes(second, rank.checked_sub(axis + second)?)
                }
            }
        }
        // A slope a channel.
        "PRelu" => match ranks {
            [Some(rank), Some(1)] => new_axes(1, rank.saturating_sub(2)),
            [Some(_), Some(_)] => Some(Change::None),
            _ => None,
        },
        "Gemm" => {
            take(node, "broadcast");
            Some(Change::None)
        }
        "BatchNormalization" => {
            take(node, "is_test");
            node.output.truncate(1);
            Some(Change::None)
        }
        "Dropout" => {
            take(node, "is_test");
            Some(Change::None)
        }
        "Reshape" if opset < 5 => Some(Change::Target(take(node, "shape")?.ints)),
        "Concat" if opset < 4 => {
            if node.attribute.iter().all(|a| a.name() != "axis") {
                node.attribute.push(int("axis", 1));
            }
            Some(Change::None)
        }
        "Cast" if opset < 6 => {
            let to = take(node, "to")?;
            node.attribute.push(int("to", type_code(to.s.as_deref()?)?));
            Some(Change::None)
        }
        "Pad" if opset < 2 => {
            let pads = take(node, "paddings")?;
            node.attribute.push(ints("pads", &pads.ints));
            Some(Change::None)
        }
        "Upsample" => {
            let [height, width] = ["height_scale", "width_scale"].map(|name| take(node, name));
            node.attribute.push(float_list("scales", &[1.0, 1.0, height?.f(), width?.f()]));
            Some(Change::None)
        }
        "Split" if opset < 2 && node.input.len() > 1 => None,
        "Tile" | "LpPool" | "GlobalLpPool" if opset < 6 => None,
        "RNN" | "LSTM" | "GRU" => None,
        _ => Some(Change::None),
    }
}

/// `count` of them behind an operand of that rank.
fn new_axes(rank: usize, count: usize) -> Option<Change> {
    let axes = (rank..rank + count).map(|axis| axis as i64).collect::<Vec<_>>();
    Some(if axes.is_empty() { Change::None } else { Change::Stretch { axes } })
}

/// The node that gives the second operand its new axes.
fn stretch(node: &mut NodeProto, axes: &[i64], names: &mut HashSet<String>) -> NodeProto {
    let to = fresh(names, &format!("{}.stretched", first_output(node)));
    let from = std::mem::replace(&mut node.input[1], to.clone());
    new_node("Unsqueeze", [from], to, vec![ints("axes", axes)])
}

fn take(node: &mut NodeProto, name: &str) -> Option<AttributeProto> {
    let at = node.attribute.iter().position(|a| a.name() == name)?;
    Some(node.attribute.remove(at))
}

fn first_output(node: &NodeProto) -> &str {
    node.output.first().map_or("", String::as_str)
}

/// Types were written out, as `TensorProto.DataType` names them.
fn type_code(name: &[u8]) -> Option<i64> {
    let names: [&[u8]; 13] = [
        b"FLOAT", b"UINT8", b"INT8", b"UINT16", b"INT16", b"INT32", b"INT64", b"STRING", b"BOOL",
        b"FLOAT16", b"DOUBLE", b"UINT32", b"UINT64",
    ];
    let at = names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    i64::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests;
