use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{
    AxisOp, IntoShape, TractErrorContext as _, TypedModelPatch, TypedOp, ensure,
};
use tract_onnx::tract_core::ops::dummy::Dummy;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::matmul::pack::OptMatMulPack;
use tract_onnx::tract_core::optim::{OptimizerSession, TypedPass};

use super::{Packer, is_large};

/// [`fold_weights`] before each of the engine's passes.
#[derive(Clone, Debug)]
pub(super) struct FoldWeights(pub(super) Arc<dyn Packer>);

impl TypedPass for FoldWeights {
    fn reset(&mut self) -> TractResult<()> {
        Ok(())
    }

    fn next(
        &mut self,
        _: &mut OptimizerSession<'_>,
        _: &TypedModel,
    ) -> TractResult<Option<TypedModelPatch>> {
        Ok(None)
    }

    fn run_direct(&mut self, model: &mut TypedModel) -> TractResult<bool> {
        fold_weights(model, &*self.0)
    }
}

/// Reshapes and packs weights that nothing else reads, each in its own place; says
/// whether there were any.
pub(super) fn fold_weights(model: &mut TypedModel, packer: &dyn Packer) -> TractResult<bool> {
    let mut folded = false;
    for id in model.eval_order()? {
        if let Some(from) = sole_weight(model, id) {
            fold(model, from, id, packer)?;
            folded = true;
        }
    }
    Ok(folded)
}

/// The weight that this node alone reads, to make another of it.
fn sole_weight(model: &TypedModel, id: usize) -> Option<usize> {
    let node = model.node(id);
    let changes =
        node.op_is::<AxisOp>() || node.op_is::<IntoShape>() || node.op_is::<OptMatMulPack>();
    let [OutletId { node: from, slot: 0 }] = node.inputs[..] else { return None };
    let konst = model.node(from).op_as::<Const>()?;
    let folds = changes
        && konst.exotic_fact().is_none()
        && is_large(konst.val())
        && model.node(from).outputs[0].successors.len() == 1
        && !model.outputs.iter().any(|outlet| outlet.node == from)
        && node.outputs[0].fact.shape.is_concrete();
    folds.then_some(from)
}

/// Makes a constant of the node `to`, and nothing of the constant `from`.
fn fold(model: &mut TypedModel, from: usize, to: usize, packer: &dyn Packer) -> TractResult<()> {
    let source = &mut model.nodes[from];
    let weights = source.op_as::<Const>().map(|konst| Arc::clone(konst.val()));
    let weights = weights.context("a constant is no constant any more")?;
    // Its other holders. The engine removes the node, which nothing reads.
    source.op = Box::new(Dummy::new());
    source.outputs.clear();

    let node = &mut model.nodes[to];
    let op = std::mem::replace(&mut node.op, Box::new(Dummy::new()));
    node.inputs.clear();
    let fact = &node.outputs[0].fact;
    let made = match op.downcast_ref::<OptMatMulPack>() {
        Some(op) => packer.pack(op, weights, fact)?,
        None => alone(op.as_ref(), weights)?,
    };
    let konst = Const::new_with_opt_exotic_fact(made, fact.exotic_fact.clone())?;
    node.outputs[0].fact = konst.output_facts(&[])?.remove(0);
    node.op = Box::new(konst);
    Ok(())
}

/// What the operator makes of a tensor that it may change.
pub(super) fn alone(op: &dyn TypedOp, tensor: Arc<Tensor>) -> TractResult<Arc<Tensor>> {
    let made = op.eval_out_of_plan(tvec!(tensor.into_tvalue()))?;
    let mut made = made.with_context(|| format!("{} of a constant is none", op.name()))?;
    ensure!(made.len() == 1, "{} of a constant is several", op.name());
    Ok(made.remove(0).into_arc_tensor())
}
