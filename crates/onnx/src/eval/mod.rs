//! One node on constant inputs: what exporters leave to be computed when a model
//! is loaded. Integers are exact; floats are computed in 64 bits and rounded to
//! their own type after each node, as an engine would.
//!
//! Operators that are not here, and forms of them that are not, give `None`: the
//! node then stays in the graph, and an engine computes it.
//!
//! Whole networks are run by `network`, for proofs in tests.

mod arithmetic;
mod layout;
#[cfg(test)]
pub(crate) mod network;
mod value;

pub(crate) use value::{Value, floats};

use crate::nodes::attribute;
use crate::proto::NodeProto;
use crate::tensor::ElementType;
use value::Data;

/// A node with the values of its inputs, and how large its result may be.
pub(crate) struct Evaluation<'a> {
    pub(crate) node: &'a NodeProto,
    pub(crate) opset: i64,
    /// `None` for an input that is left out.
    pub(crate) inputs: Vec<Option<&'a Value>>,
    /// Most elements of the result.
    pub(crate) limit: usize,
}

impl<'a> Evaluation<'a> {
    /// The node's first output.
    pub(crate) fn run(&self) -> Option<Value> {
        let value = match self.node.op_type() {
            "Constant" => self.constant(),
            "ConstantOfShape" => self.constant_of_shape(),
            "Identity" => Some(self.input(0)?.clone()),
            "Cast" => self.cast(),
            "Reshape" => layout::reshape(self),
            "Flatten" => layout::flatten(self),
            "Squeeze" => layout::squeeze(self),
            "Unsqueeze" => layout::unsqueeze(self),
            "Transpose" => layout::transpose(self),
            "Concat" => layout::concat(self),
            "Slice" => layout::slice(self),
            "Gather" => layout::gather(self),
            "Expand" => layout::expand(self),
            "Shape" => layout::shape(self),
            "Range" => arithmetic::range(self),
            "Where" => arithmetic::select(self),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" | "Equal" => {
                arithmetic::binary(self)
            }
            "Neg" | "Abs" | "Sqrt" | "Exp" | "Floor" | "Ceil" | "Reciprocal" => {
                arithmetic::unary(self)
            }
            "ReduceSum" | "ReduceMean" | "ReduceProd" => arithmetic::reduce(self),
            _ => None,
        }?;
        (value.len() <= self.limit).then(|| value.rounded())
    }

    fn input(&self, i: usize) -> Option<&'a Value> {
        self.inputs.get(i).copied().flatten()
    }

    fn int(&self, name: &str) -> Option<i64> {
        attribute(self.node, name).map(|a| a.i())
    }

    /// Integers that were an attribute up to some version of the operator and
    /// are an input since; `Some(None)` if they are given in neither way.
    fn ints(&self, name: &str, input: usize) -> Option<Option<Vec<i64>>> {
        match self.input(input) {
            Some(value) => Some(Some(value.whole()?.to_vec())),
            None => Some(attribute(self.node, name).map(|a| a.ints.clone())),
        }
    }

    fn constant(&self) -> Option<Value> {
        let stated = |name| attribute(self.node, name);
        if let Some(tensor) = stated("value").and_then(|a| a.t.as_deref()) {
            Value::of(tensor, self.limit)
        } else if let Some(number) = stated("value_int") {
            Some(Value::whole_of(ElementType::I64, Vec::new(), vec![number.i()]))
        } else if let Some(numbers) = stated("value_ints") {
            let numbers = numbers.ints.clone();
            Some(Value::whole_of(ElementType::I64, vec![numbers.len()], numbers))
        } else if let Some(number) = stated("value_float") {
            Some(Value::real_of(ElementType::F32, Vec::new(), vec![f64::from(number.f())]))
        } else {
            let numbers: Vec<f64> =
                stated("value_floats")?.floats.iter().map(|&v| f64::from(v)).collect();
            Some(Value::real_of(ElementType::F32, vec![numbers.len()], numbers))
        }
    }

    fn constant_of_shape(&self) -> Option<Value> {
        let dims = layout::lengths(self.input(0)?.whole()?)?;
        let count = layout::count(&dims).filter(|&count| count <= self.limit)?;
        match attribute(self.node, "value").and_then(|a| a.t.as_deref()) {
            None => Some(Value::real_of(ElementType::F32, dims, vec![0.0; count])),
            Some(tensor) => {
                let one = Value::of(tensor, 1)?;
                (one.len() == 1).then(|| one.picked(dims, vec![0; count]))
            }
        }
    }

    fn cast(&self) -> Option<Value> {
        let to = ElementType::from_code(i32::try_from(self.int("to")?).ok()?)?;
        converted(self.input(0)?, to)
    }
}

fn converted(Value { dims, data, .. }: &Value, to: ElementType) -> Option<Value> {
    let data = match (data, to) {
        (Data::Real(values), ElementType::F32 | ElementType::F64) => Data::Real(values.clone()),
        (Data::Whole(values), ElementType::F32 | ElementType::F64) => {
            Data::Real(values.iter().map(|&v| v as f64).collect())
        }
        // Outside the range engines differ.
        (Data::Real(values), ElementType::I32 | ElementType::I64)
            if values.iter().all(|v| v.abs() < f64::from(i32::MAX)) =>
        {
            Data::Whole(values.iter().map(|&v| v as i64).collect())
        }
        (Data::Whole(values), ElementType::I64) => Data::Whole(values.clone()),
        (Data::Whole(values), ElementType::I32)
            if values.iter().all(|&v| i32::try_from(v).is_ok()) =>
        {
            Data::Whole(values.clone())
        }
        (Data::Whole(values), ElementType::Bool) => {
            Data::Whole(values.iter().map(|&v| i64::from(v != 0)).collect())
        }
        _ => return None,
    };
    Some(Value { element: to, dims: dims.clone(), data })
}
