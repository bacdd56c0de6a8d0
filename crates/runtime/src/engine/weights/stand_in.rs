//! Tensors in the place of weights: of their size, and no memory.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{AxisOp, IntoShape, ensure};
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::konst::Const;

use crate::engine::optimise::zero;

/// What one begins with, before its number. As values these are not the same, so the
/// engine does not take it for a tensor of one value.
const MARK: &[u8; 12] = b"graft weight";

/// Values of the mark and the number.
const MARKED: usize = 4;

/// More marks, over all of it.
const SPREAD: usize = 16;

/// One that was made. A tensor is that one if all its marks are where they were, whatever
/// its shape is now. If the engine has moved its axes, cut it or computed with it, they
/// are not, and what it is then is not known.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    pub(super) label: String,
    pub(super) shape: Vec<usize>,
}

/// All zeros, but for the marks.
pub(super) fn make(made: &mut Vec<StandIn>, label: &str, shape: Vec<usize>) -> TractResult<Tensor> {
    // SAFETY: every byte is written below.
    let mut tensor = unsafe { Tensor::uninitialized::<f32>(&shape)? };
    let bytes = tensor.as_bytes_mut();
    ensure!(bytes.len() >= 4 * MARKED, "too small to be large");
    zero(bytes);
    bytes[..MARK.len()].copy_from_slice(MARK);
    let number = u32::try_from(made.len())?;
    bytes[MARK.len()..4 * MARKED].copy_from_slice(&number.to_le_bytes());
    for (at, value) in places(&shape) {
        bytes[4 * at..4 * at + 4].copy_from_slice(&value);
    }
    made.push(StandIn { label: label.to_owned(), shape });
    Ok(tensor)
}

/// The number of a stand-in; nothing of any other tensor.
pub(super) fn index(made: &[StandIn], tensor: &Tensor) -> Option<usize> {
    let bytes = tensor.as_plain_ram_storage()?.as_bytes();
    let number = bytes.strip_prefix(MARK)?.first_chunk::<4>()?;
    let index = usize::try_from(u32::from_le_bytes(*number)).ok()?;
    let shape = &made.get(index)?.shape;
    let is_it = shape.iter().product::<usize>() * size_of::<f32>() == bytes.len()
        && places(shape).all(|(at, value)| bytes[4 * at..4 * at + 4] == value);
    is_it.then_some(index)
}

/// Which of them one layer reads and nothing else: a copy could be run as if it were
/// weights, and what becomes of one that something else reads cannot be said.
pub(super) fn are_of_one_layer(made: &[StandIn], model: &TypedModel) -> Vec<bool> {
    let mut constants = vec![Vec::new(); made.len()];
    for node in model.nodes() {
        let konst = node.op_as::<Const>();
        if let Some(index) = konst.and_then(|konst| index(made, konst.val())) {
            constants[index].push(node.id);
        }
    }
    let of_one_layer = |constants: Vec<usize>| match constants[..] {
        [constant] => is_of_one_layer(model, constant),
        _ => false,
    };
    constants.into_iter().map(of_one_layer).collect()
}

/// Whether a node's output is given in other shapes to one layer.
fn is_of_one_layer(model: &TypedModel, mut node: usize) -> bool {
    loop {
        let is_output = model.outputs.iter().any(|outlet| outlet.node == node);
        let [output] = &model.node(node).outputs[..] else { return false };
        let [reader] = output.successors[..] else { return false };
        let reader = model.node(reader.node);
        if is_output {
            return false;
        }
        if reader.op_is::<Conv>() || reader.op_is::<EinSum>() {
            return true;
        }
        if !reader.op_is::<AxisOp>() && !reader.op_is::<IntoShape>() {
            return false;
        }
        node = reader.id;
    }
}

/// Where the other marks are, and what is there: the second value along each axis, the
/// last one, and some between.
fn places(shape: &[usize]) -> impl Iterator<Item = (usize, [u8; 4])> {
    let length: usize = shape.iter().product();
    let mut stride = length;
    let strides = shape.iter().map(move |size| {
        stride /= size;
        stride
    });
    let along: Vec<usize> = strides.filter(|&stride| stride < length).collect();
    let between = (1..SPREAD).map(move |part| part * (length / SPREAD));
    let places = along.into_iter().chain(between).chain([length - 1]);
    // Values around 2 and above, none of them the same.
    places.filter(|&at| at >= MARKED).map(|at| (at, (0x4000_0000 ^ at as u32).to_le_bytes()))
}
