//! Reverse-mode differentiation: what was written forward, and how to go back.

use std::collections::{HashMap, HashSet};

use super::emit::{Emitter, Tensor};
use crate::eval::Value;
use crate::nodes::attribute;
use crate::proto::NodeProto;

/// Given the gradients of a node's outputs, those of its inputs by number.
pub(super) type Backward = Box<dyn FnOnce(&mut Emitter, &[Option<Tensor>]) -> Vec<(usize, Tensor)>>;

/// What a rule makes of a node.
pub(super) struct Lowered {
    pub(super) outputs: Vec<Tensor>,
    pub(super) backward: Backward,
    /// New values of the node's running statistics, by number of input.
    pub(super) statistics: Vec<(usize, Tensor)>,
}

impl Lowered {
    pub(super) fn new(
        output: Tensor,
        backward: impl FnOnce(&mut Emitter, &Tensor) -> Vec<(usize, Tensor)> + 'static,
    ) -> Lowered {
        Lowered {
            outputs: vec![output],
            backward: Box::new(move |e, gradients| match gradients.first() {
                Some(Some(gradient)) => backward(e, gradient),
                _ => Vec::new(),
            }),
            statistics: Vec::new(),
        }
    }

    /// One output that depends on the first input alone.
    pub(super) fn of_first(
        output: Tensor,
        backward: impl FnOnce(&mut Emitter, &Tensor) -> Tensor + 'static,
    ) -> Lowered {
        Lowered::new(output, move |e, gradient| vec![(0, backward(e, gradient))])
    }
}

/// Why a node can't be differentiated.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) String);

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Refusal {
        Refusal(reason.into())
    }
}

/// An input of a node.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) tensor: Tensor,
    /// Whether a gradient is asked for.
    pub(super) wants: bool,
    /// What it is, if it is a small constant.
    pub(super) value: Option<Value>,
}

/// A node with what it reads, and the shapes of what it makes.
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeProto,
    /// The operator set that the node was written in.
    pub(super) opset: i64,
    pub(super) inputs: Vec<Option<Operand>>,
    pub(super) outputs: Vec<Vec<usize>>,
}

impl Call<'_> {
    pub(super) fn input(&self, i: usize) -> Result<&Operand, Refusal> {
        self.optional(i).ok_or_else(|| Refusal::new(format!("its input {i} is missing")))
    }

    pub(super) fn optional(&self, i: usize) -> Option<&Operand> {
        self.inputs.get(i)?.as_ref()
    }

    pub(super) fn tensor(&self, i: usize) -> Result<Tensor, Refusal> {
        Ok(self.input(i)?.tensor.clone())
    }

    pub(super) fn wants(&self, i: usize) -> bool {
        self.optional(i).is_some_and(|operand| operand.wants)
    }

    pub(super) fn output(&self) -> Result<Vec<usize>, Refusal> {
        self.outputs.first().cloned().ok_or_else(|| Refusal::new("it has no output"))
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        attribute(self.node, name).map(|a| a.i())
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        attribute(self.node, name).map(|a| f64::from(a.f()))
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        attribute(self.node, name).map(|a| a.ints.as_slice()).filter(|values| !values.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(attribute(self.node, name)?.s.as_deref()?).ok()
    }

    /// Integers that were an attribute up to some version of the operator and
    /// are a constant input since.
    pub(super) fn numbers(&self, name: &str, input: usize) -> Result<Option<Vec<i64>>, Refusal> {
        match self.optional(input) {
            None => Ok(self.ints(name).map(<[i64]>::to_vec)),
            Some(operand) => match operand.value.as_ref().and_then(Value::whole) {
                Some(numbers) => Ok(Some(numbers.to_vec())),
                None => Err(Refusal::new(format!("its {name} are not constant"))),
            },
        }
    }

    /// The same of one float.
    pub(super) fn number(&self, name: &str, input: usize) -> Result<Option<f64>, Refusal> {
        match self.optional(input) {
            None => Ok(self.float(name)),
            Some(operand) => match operand.value.as_ref().and_then(Value::reals) {
                Some([number]) => Ok(Some(*number)),
                _ => Err(Refusal::new(format!("its {name} is not one constant number"))),
            },
        }
    }
}

/// An axis as ONNX counts it, from the end if negative.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let rank = rank as i64;
    let from_start = if axis < 0 { axis.saturating_add(rank) } else { axis };
    if (0..rank).contains(&from_start) {
        Ok(from_start as usize)
    } else {
        Err(Refusal::new(format!("it has no axis {axis}")))
    }
}

struct Entry {
    scope: String,
    inputs: Vec<Option<(String, bool)>>,
    outputs: Vec<String>,
    backward: Backward,
}

/// Nodes in the order in which they were written forward.
#[derive(Default)]
pub(super) struct Tape {
    entries: Vec<Entry>,
}

impl Tape {
    pub(super) fn push(&mut self, scope: &str, call: &Call<'_>, lowered: Lowered) -> Vec<Tensor> {
        let of = |operand: &Operand| (operand.tensor.name.clone(), operand.wants);
        self.entries.push(Entry {
            scope: scope.to_owned(),
            inputs: call.inputs.iter().map(|input| input.as_ref().map(of)).collect(),
            outputs: lowered.outputs.iter().map(|output| output.name.clone()).collect(),
            backward: lowered.backward,
        });
        lowered.outputs
    }

    /// Writes the way back from a tensor and its gradient; the gradients of the
    /// tensors that `keep` names.
    pub(super) fn backward(
        self,
        e: &mut Emitter,
        from: &Tensor,
        gradient: Tensor,
        keep: &HashSet<String>,
    ) -> HashMap<String, Tensor> {
        let mut gradients: HashMap<String, Tensor> = HashMap::new();
        gradients.insert(from.name.clone(), gradient);
        for entry in self.entries.into_iter().rev() {
            let of_outputs: Vec<Option<Tensor>> = entry
                .outputs
                .iter()
                .map(|output| match keep.contains(output) {
                    true => gradients.get(output).cloned(),
                    false => gradients.remove(output),
                })
                .collect();
            if of_outputs.iter().all(Option::is_none) {
                continue;
            }
            e.scope = format!("grad/{}", entry.scope);
            for (i, gradient) in (entry.backward)(e, &of_outputs) {
                let Some(Some((name, true))) = entry.inputs.get(i) else { continue };
                let sum = match gradients.remove(name) {
                    None => gradient,
                    Some(sum) => e.add(&sum, &gradient),
                };
                gradients.insert(name.clone(), sum);
            }
        }
        gradients.retain(|name, _| keep.contains(name));
        gradients
    }
}
