//! Writes nodes of operator set 18, keeping the shape of every tensor.

use std::collections::{HashMap, HashSet};

use crate::eval::Value;
use crate::pool::{int, ints};
use crate::proto::{AttributeProto, NodeProto, TensorProto, attribute_proto};
use crate::tensor::ElementType;

/// The operator set of what is written: the first in which `ScatterElements`
/// adds on every provider, and whose reductions all take their axes as inputs.
pub(super) const OPSET: i64 = 18;

/// A tensor of the graph that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

impl Tensor {
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }

    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Geometry of a convolution or pool over `[N, C, …]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// At the start of each axis.
    pub(super) before: Vec<usize>,
    /// At the end of each axis.
    pub(super) after: Vec<usize>,
}

impl Window {
    pub(super) fn axes(&self) -> usize {
        self.kernel.len()
    }

    pub(super) fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    pub(super) fn is_pointwise(&self) -> bool {
        let all = |values: &[usize], value| values.iter().all(|&v| v == value);
        all(&self.kernel, 1) && all(&self.before, 0) && all(&self.after, 0)
    }

    pub(super) fn is_unit_stride(&self) -> bool {
        self.strides.iter().all(|&stride| stride == 1)
    }

    pub(super) fn attributes(&self) -> Vec<AttributeProto> {
        let whole = |values: &[usize]| values.iter().map(|&v| v as i64).collect::<Vec<_>>();
        vec![
            ints("kernel_shape", &whole(&self.kernel)),
            ints("strides", &whole(&self.strides)),
            ints("dilations", &whole(&self.dilations)),
            ints("pads", &[whole(&self.before), whole(&self.after)].concat()),
        ]
    }
}

/// The graph that is being written.
pub(super) struct Emitter {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: Vec<TensorProto>,
    /// Bytes of every tensor that a node makes.
    pub(super) bytes: HashMap<String, u64>,
    /// 32-bit floats; 64-bit ones in proofs.
    pub(super) element: ElementType,
    /// What the names of new tensors begin with.
    pub(super) scope: String,
    names: HashSet<String>,
    known: HashMap<Known, Tensor>,
    counter: usize,
}

/// Constants that are written once.
#[derive(PartialEq, Eq, Hash)]
enum Known {
    Numbers(Vec<i64>),
    Filled(Vec<usize>, u64),
}

impl Emitter {
    pub(super) fn new(element: ElementType, names: HashSet<String>) -> Emitter {
        Emitter {
            nodes: Vec::new(),
            constants: Vec::new(),
            bytes: HashMap::new(),
            element,
            scope: String::new(),
            names,
            known: HashMap::new(),
            counter: 0,
        }
    }

    /// Takes a name that the graph had already.
    pub(super) fn named(name: &str, shape: &[usize]) -> Tensor {
        Tensor { name: name.to_owned(), shape: shape.to_vec() }
    }

    pub(super) fn fresh(&mut self, hint: &str) -> String {
        loop {
            self.counter += 1;
            let name = format!("{}/{hint}.{}", self.scope, self.counter);
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }

    /// A node of one output.
    pub(super) fn op(
        &mut self,
        op: &str,
        inputs: &[&Tensor],
        attributes: Vec<AttributeProto>,
        shape: Vec<usize>,
    ) -> Tensor {
        let name = self.fresh(op);
        self.op_named(op, inputs, attributes, Tensor { name, shape })
    }

    /// The same with an output of a name of choice; an input of no name is left out.
    pub(super) fn op_named(
        &mut self,
        op: &str,
        inputs: &[&Tensor],
        attributes: Vec<AttributeProto>,
        output: Tensor,
    ) -> Tensor {
        let width = self.element.bytes().unwrap_or(4);
        self.bytes.insert(output.name.clone(), output.count() as u64 * width);
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| input.name.clone()).collect(),
            output: vec![output.name.clone()],
            name: Some(output.name.clone()),
            op_type: Some(op.to_owned()),
            attribute: attributes,
            ..NodeProto::default()
        });
        output
    }

    /// Drops constants that no node reads: bounds and shapes are written anew.
    pub(super) fn drop_unread(&mut self) {
        let read: HashSet<&String> = self.nodes.iter().flat_map(|node| &node.input).collect();
        self.constants
            .retain(|tensor| tensor.name.as_ref().is_some_and(|name| read.contains(name)));
    }

    /// A node as it is.
    pub(super) fn push(&mut self, node: NodeProto, outputs: &[Tensor]) {
        let bytes = outputs.iter().map(|output| (output.name.clone(), output.count() as u64 * 8));
        self.bytes.extend(bytes);
        self.nodes.push(node);
    }

    /// A further output of the node that was written last.
    pub(super) fn second_output(&mut self, hint: &str, shape: Vec<usize>) -> Tensor {
        let output = Tensor { name: self.fresh(hint), shape };
        // Indices are 64-bit.
        self.bytes.insert(output.name.clone(), output.count() as u64 * 8);
        if let Some(node) = self.nodes.last_mut() {
            node.output.push(output.name.clone());
        }
        output
    }

    pub(super) fn numbers(&mut self, values: &[i64]) -> Tensor {
        let key = Known::Numbers(values.to_vec());
        if let Some(tensor) = self.known.get(&key) {
            return tensor.clone();
        }
        let tensor = Tensor { name: self.fresh("numbers"), shape: vec![values.len()] };
        let value = Value::whole_of(ElementType::I64, vec![values.len()], values.to_vec());
        self.constants.push(value.to_tensor(&tensor.name));
        self.known.insert(key, tensor.clone());
        tensor
    }

    pub(super) fn sizes(&mut self, values: &[usize]) -> Tensor {
        let values: Vec<i64> = values.iter().map(|&v| v as i64).collect();
        self.numbers(&values)
    }

    /// One value everywhere; stored in full, so for small shapes.
    pub(super) fn filled(&mut self, shape: &[usize], value: f64) -> Tensor {
        let key = Known::Filled(shape.to_vec(), value.to_bits());
        if let Some(tensor) = self.known.get(&key) {
            return tensor.clone();
        }
        let tensor = self.constant("filled", shape, vec![value; shape.iter().product()]);
        self.known.insert(key, tensor.clone());
        tensor
    }

    pub(super) fn scalar(&mut self, value: f64) -> Tensor {
        self.filled(&[], value)
    }

    pub(super) fn constant(&mut self, hint: &str, shape: &[usize], values: Vec<f64>) -> Tensor {
        let tensor = Tensor { name: self.fresh(hint), shape: shape.to_vec() };
        let value = Value::real_of(self.element, shape.to_vec(), values);
        self.constants.push(value.to_tensor(&tensor.name));
        tensor
    }

    /// Zeros that are made when they are needed.
    pub(super) fn zeros(&mut self, shape: &[usize]) -> Tensor {
        let dims = self.sizes(shape);
        let zero = Value::real_of(self.element, vec![1], vec![0.0]).to_tensor("");
        let value = AttributeProto {
            name: Some("value".to_owned()),
            r#type: Some(attribute_proto::AttributeType::Tensor as i32),
            t: Some(Box::new(zero)),
            ..AttributeProto::default()
        };
        self.op("ConstantOfShape", &[&dims], vec![value], shape.to_vec())
    }

    // Value by value.

    pub(super) fn unary(&mut self, op: &str, a: &Tensor) -> Tensor {
        self.op(op, &[a], Vec::new(), a.shape.clone())
    }

    /// An operator of two operands that are stretched to each other.
    pub(super) fn binary(&mut self, op: &str, a: &Tensor, b: &Tensor) -> Tensor {
        let shape = stretched(&a.shape, &b.shape);
        self.op(op, &[a, b], Vec::new(), shape)
    }

    pub(super) fn add(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        self.binary("Add", a, b)
    }

    pub(super) fn sub(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        self.binary("Sub", a, b)
    }

    pub(super) fn mul(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        self.binary("Mul", a, b)
    }

    pub(super) fn div(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        self.binary("Div", a, b)
    }

    pub(super) fn scaled(&mut self, a: &Tensor, by: f64) -> Tensor {
        if by == 1.0 {
            return a.clone();
        }
        let by = self.scalar(by);
        self.mul(a, &by)
    }

    pub(super) fn shifted(&mut self, a: &Tensor, by: f64) -> Tensor {
        let by = self.scalar(by);
        self.add(a, &by)
    }

    /// 1 where a comparison with a number holds, else 0.
    pub(super) fn mask(&mut self, comparison: &str, a: &Tensor, with: f64) -> Tensor {
        let with = self.scalar(with);
        self.mask_of(comparison, a, &with)
    }

    pub(super) fn mask_of(&mut self, comparison: &str, a: &Tensor, b: &Tensor) -> Tensor {
        let truth = self.truth(comparison, a, b);
        self.cast(&truth)
    }

    /// A byte a value.
    pub(super) fn truth(&mut self, op: &str, a: &Tensor, b: &Tensor) -> Tensor {
        let truth = self.binary(op, a, b);
        self.bytes.insert(truth.name.clone(), truth.count() as u64);
        truth
    }

    /// Floats of truth values.
    pub(super) fn cast(&mut self, truth: &Tensor) -> Tensor {
        let to = int("to", i64::from(self.element.code()));
        self.op("Cast", &[truth], vec![to], truth.shape.clone())
    }

    // Shapes.

    pub(super) fn reshape(&mut self, a: &Tensor, shape: &[usize]) -> Tensor {
        if a.shape == shape {
            return a.clone();
        }
        let to = self.sizes(shape);
        self.op("Reshape", &[a, &to], Vec::new(), shape.to_vec())
    }

    pub(super) fn transpose(&mut self, a: &Tensor, order: &[usize]) -> Tensor {
        if order.iter().copied().eq(0..order.len()) {
            return a.clone();
        }
        let shape = order.iter().map(|&from| a.shape[from]).collect();
        // Moving axes of length 1 moves nothing.
        let moved = |axes: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
            axes.filter(|&axis| a.shape[axis] != 1).collect()
        };
        if moved(&mut order.iter().copied()) == moved(&mut (0..order.len())) {
            let shape: Vec<usize> = shape;
            return self.reshape(a, &shape);
        }
        let order: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
        self.op("Transpose", &[a], vec![ints("perm", &order)], shape)
    }

    /// From `start` on, `length` values of an axis, each `step` behind the last.
    pub(super) fn slice(&mut self, a: &Tensor, cuts: &[Cut]) -> Tensor {
        let whole = |cut: &Cut| cut.start == 0 && cut.step == 1 && a.shape[cut.axis] == cut.length;
        let cuts: Vec<&Cut> = cuts.iter().filter(|cut| !whole(cut)).collect();
        if cuts.is_empty() {
            return a.clone();
        }
        let mut shape = a.shape.clone();
        cuts.iter().for_each(|cut| shape[cut.axis] = cut.length);
        let mut list = |of: fn(&Cut) -> usize| {
            let values: Vec<usize> = cuts.iter().map(|cut| of(cut)).collect();
            self.sizes(&values)
        };
        let starts = list(|cut| cut.start);
        let ends = list(|cut| cut.start + (cut.length - 1) * cut.step + 1);
        let axes = list(|cut| cut.axis);
        let steps = list(|cut| cut.step);
        self.op("Slice", &[a, &starts, &ends, &axes, &steps], Vec::new(), shape)
    }

    /// Zeros around each axis.
    pub(super) fn pad(&mut self, a: &Tensor, before: &[usize], after: &[usize]) -> Tensor {
        if before.iter().chain(after).all(|&width| width == 0) {
            return a.clone();
        }
        let shape = (0..a.rank()).map(|i| a.shape[i] + before[i] + after[i]).collect();
        let widths = self.sizes(&[before, after].concat());
        self.op("Pad", &[a, &widths], Vec::new(), shape)
    }

    pub(super) fn concat(&mut self, parts: &[Tensor], axis: usize) -> Tensor {
        if let [only] = parts {
            return only.clone();
        }
        let mut shape = parts[0].shape.clone();
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        let inputs: Vec<&Tensor> = parts.iter().collect();
        self.op("Concat", &inputs, vec![int("axis", axis as i64)], shape)
    }

    pub(super) fn expand(&mut self, a: &Tensor, shape: &[usize]) -> Tensor {
        if a.shape == shape {
            return a.clone();
        }
        let to = self.sizes(shape);
        self.op("Expand", &[a, &to], Vec::new(), shape.to_vec())
    }

    // Sums and products.

    /// A reduction that keeps the axes, at length 1.
    pub(super) fn reduce(&mut self, op: &str, a: &Tensor, axes: &[usize]) -> Tensor {
        if axes.is_empty() {
            return a.clone();
        }
        let mut shape = a.shape.clone();
        axes.iter().for_each(|&axis| shape[axis] = 1);
        let axes = self.sizes(axes);
        self.op(op, &[a, &axes], vec![int("keepdims", 1)], shape)
    }

    /// The sum of all values, without axes.
    pub(super) fn total(&mut self, op: &str, a: &Tensor) -> Tensor {
        self.op(op, &[a], vec![int("keepdims", 0)], Vec::new())
    }

    /// What a gradient is for an operand that was stretched to its shape.
    pub(super) fn summed_to(&mut self, gradient: &Tensor, shape: &[usize]) -> Tensor {
        if gradient.shape == shape {
            return gradient.clone();
        }
        let new = gradient.rank() - shape.len();
        let axes: Vec<usize> = (0..gradient.rank())
            .filter(|&i| i < new || (shape[i - new] == 1 && gradient.shape[i] != 1))
            .collect();
        let sums = self.reduce("ReduceSum", gradient, &axes);
        self.reshape(&sums, shape)
    }

    /// `op(a) · op(b)` of matrices.
    pub(super) fn gemm(&mut self, a: &Tensor, turn_a: bool, b: &Tensor, turn_b: bool) -> Tensor {
        let rows = a.shape[usize::from(turn_a)];
        let columns = b.shape[usize::from(!turn_b)];
        let attributes = vec![int("transA", i64::from(turn_a)), int("transB", i64::from(turn_b))];
        self.op("Gemm", &[a, b], attributes, vec![rows, columns])
    }

    /// Products of the matrices in the last two axes, the other axes stretched.
    pub(super) fn matmul(&mut self, a: &Tensor, b: &Tensor) -> Tensor {
        let (batch_a, batch_b) = (&a.shape[..a.rank() - 2], &b.shape[..b.rank() - 2]);
        let mut shape = stretched(batch_a, batch_b);
        shape.extend([a.shape[a.rank() - 2], b.shape[b.rank() - 1]]);
        self.op("MatMul", &[a, b], Vec::new(), shape)
    }
}

/// What a slice keeps of an axis.
pub(super) struct Cut {
    pub(super) axis: usize,
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) step: usize,
}

/// The shape of two tensors that fit each other, value by value.
pub(super) fn stretched(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let length = |dims: &[usize], i: usize| match (i + dims.len()).checked_sub(rank) {
        Some(at) => dims[at],
        None => 1,
    };
    (0..rank)
        .map(|i| match (length(a, i), length(b, i)) {
            (1, b) => b,
            (a, _) => a,
        })
        .collect()
}
