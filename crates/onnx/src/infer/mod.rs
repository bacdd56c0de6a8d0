//! Shapes and element types of every tensor, from those of the inputs.
//!
//! ONNX has its own inference, in C++; this one covers the operators of
//! concrete image networks, follows the batch as a symbol through `Shape`,
//! `Gather`, `Concat` and `Reshape`, and is total: what it doesn't know is
//! unknown, and hostile dimensions overflow into that, not into a panic.

mod call;
mod elementwise;
mod layout;
mod linear;
mod reduce;
mod values;
mod window;

pub(crate) use values::small_floats;

use std::collections::HashMap;

use call::Call;

use crate::nodes::is_default_domain;
use crate::proto::{GraphProto, TensorProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// More axes than any operator has use for.
const MAX_RANK: usize = 32;

/// The length of one axis. Two axes of one symbol are equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Fixed(u64),
    Symbol(u32),
    Unknown,
}

/// One value of a small integer tensor: shapes travel through graphs as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Int(i64),
    Symbol(u32),
    Unknown,
}

/// What is known of a tensor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fact<'a> {
    pub(crate) element: Option<ElementType>,
    pub(crate) shape: Option<Vec<Extent>>,
    /// Of integer tensors of at most one axis and [`values::MAX`] values.
    pub(crate) values: Option<Vec<Scalar>>,
    /// The constant itself, where there is one.
    pub(crate) constant: Option<&'a TensorProto>,
}

/// What a batch of any size counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchAs {
    Declared,
    One,
}

/// What is known of all tensors of a graph.
pub(crate) struct Facts<'a> {
    facts: HashMap<&'a str, Fact<'a>>,
    symbols: Symbols,
}

/// Names of symbols; those that came from axes without a name have none.
#[derive(Default)]
struct Symbols {
    names: Vec<Option<String>>,
    numbers: HashMap<String, u32>,
}

impl Symbols {
    fn extent(&mut self, dim: &Dim) -> Extent {
        match dim {
            Dim::Fixed(length) => Extent::Fixed(*length),
            Dim::Unknown => self.fresh(None),
            Dim::Symbol(name) => match self.numbers.get(name) {
                Some(&number) => Extent::Symbol(number),
                None => self.fresh(Some(name)),
            },
        }
    }

    fn fresh(&mut self, name: Option<&str>) -> Extent {
        let Ok(number) = u32::try_from(self.names.len()) else { return Extent::Unknown };
        self.names.push(name.map(str::to_owned));
        if let Some(name) = name {
            self.numbers.insert(name.to_owned(), number);
        }
        Extent::Symbol(number)
    }
}

impl<'a> Facts<'a> {
    /// Of a graph whose nodes are sorted.
    pub(crate) fn infer(graph: &'a GraphProto, opset: i64, batch: BatchAs) -> Facts<'a> {
        let mut symbols = Symbols::default();
        let mut facts = HashMap::new();
        for input in &graph.input {
            let declared = TensorInfo::declared(input);
            let mut shape: Option<Vec<Extent>> = declared
                .shape
                .filter(|dims| dims.len() <= MAX_RANK)
                .map(|dims| dims.iter().map(|dim| symbols.extent(dim)).collect());
            if let (BatchAs::One, Some([first @ Extent::Symbol(_), ..])) =
                (batch, shape.as_deref_mut())
            {
                *first = Extent::Fixed(1);
            }
            facts
                .insert(input.name(), Fact { element: declared.element, shape, ..Fact::default() });
        }
        for tensor in &graph.initializer {
            facts.insert(tensor.name(), values::constant(tensor));
        }
        let declared: HashMap<&str, TensorInfo> = graph
            .value_info
            .iter()
            .chain(&graph.output)
            .map(|info| (info.name(), TensorInfo::declared(info)))
            .collect();
        for node in &graph.node {
            let known = if is_default_domain(node.domain()) {
                call::outputs(&Call::new(node, opset, &facts))
            } else {
                Vec::new()
            };
            let mut known = known.into_iter();
            for output in &node.output {
                let mut fact = known.next().unwrap_or_default();
                fact.shape = fact.shape.filter(|shape| shape.len() <= MAX_RANK);
                if let Some(info) = declared.get(output.as_str()) {
                    fact.element = fact.element.or(info.element);
                    // Under BatchAs::One a declared batch would contradict ours.
                    if fact.shape.is_none() && batch == BatchAs::Declared {
                        fact.shape = info
                            .shape
                            .as_ref()
                            .filter(|dims| dims.len() <= MAX_RANK)
                            .map(|dims| dims.iter().map(|dim| symbols.extent(dim)).collect());
                    }
                }
                if !output.is_empty() {
                    facts.insert(output, fact);
                }
            }
        }
        Facts { facts, symbols }
    }

    pub(crate) fn get(&self, tensor: &str) -> Option<&Fact<'a>> {
        self.facts.get(tensor)
    }

    pub(crate) fn shape(&self, tensor: &str) -> Option<&[Extent]> {
        self.facts.get(tensor)?.shape.as_deref()
    }

    /// The shape if all of it is fixed.
    pub(crate) fn fixed(&self, tensor: &str) -> Option<Vec<u64>> {
        let lengths = self.shape(tensor)?.iter().map(|extent| match extent {
            Extent::Fixed(length) => Some(*length),
            _ => None,
        });
        lengths.collect()
    }

    pub(crate) fn dims(&self, tensor: &str) -> Option<Vec<Dim>> {
        Some(self.shape(tensor)?.iter().map(|&extent| self.dim(extent)).collect())
    }

    pub(crate) fn dim(&self, extent: Extent) -> Dim {
        match extent {
            Extent::Fixed(length) => Dim::Fixed(length),
            Extent::Unknown => Dim::Unknown,
            Extent::Symbol(number) => match &self.symbols.names[number as usize] {
                Some(name) => Dim::Symbol(name.clone()),
                None => Dim::Unknown,
            },
        }
    }

    pub(crate) fn info(&self, tensor: &str) -> TensorInfo {
        TensorInfo {
            name: tensor.to_owned(),
            element: self.get(tensor).and_then(|fact| fact.element),
            shape: self.dims(tensor),
        }
    }
}

/// Product of lengths, `None` if one is not fixed or they overflow.
fn product(extents: &[Extent]) -> Option<u64> {
    extents.iter().try_fold(1u64, |product, extent| match extent {
        Extent::Fixed(length) => product.checked_mul(*length),
        _ => None,
    })
}

/// An axis as ONNX counts it, from the end if negative.
fn axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    (0..rank).contains(&axis).then_some(axis as usize)
}
