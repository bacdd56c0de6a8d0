//! The engine's own optimisation, with the weights in memory once.
//!
//! The engine folds constants as it folds any graph: it makes the new tensor beside
//! the old one, and a weight is reshaped twice and then packed. For a network whose
//! first dense layer has three quarters of its weights that is nearly its size again.
//! Here large weights are taken out of the graph, changed where they are, and put
//! back, before the engine's passes meet them: what they find is what they would
//! have made.

mod fold;
mod pack;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::einsum::einsum_matmul::merge_consecutive_same_role_axes;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::matmul::pack::OptMatMulPack;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_core::optim::Optimizer;

use self::fold::{FoldWeights, fold_weights};
pub(super) use self::pack::{Matrix, in_blocks, in_memory, zero};

/// What is a weight here. Smaller ones cost less than the care that is taken.
pub(super) const LARGE_BYTES: usize = 64 << 10;

/// Packs weights that one node alone reads, in memory or elsewhere.
pub(super) trait Packer: Debug + Send + Sync {
    /// What `op` makes of `weights`, by the fact of its output.
    fn pack(
        &self,
        op: &OptMatMulPack,
        weights: Arc<Tensor>,
        fact: &TypedFact,
    ) -> TractResult<Arc<Tensor>>;
}

/// The same plan as `TypedModel::into_optimized`.
pub(super) fn optimise(mut model: TypedModel, packer: Arc<dyn Packer>) -> TractResult<TypedModel> {
    folding(Optimizer::declutter(), &packer).optimize(&mut model)?;
    fold_weights(&mut model, &*packer)?;

    // The first thing that code generation does to a graph without constants to
    // fold. It folds those that it makes by itself, so it must not see weights.
    let hidden = hide_weights(&mut model);
    merge_consecutive_same_role_axes(&mut model)?;
    show_weights(&mut model, hidden)?;

    model.optimize_with_session(&mut folding(Optimizer::codegen(), &packer).session())?;
    Ok(model)
}

/// With [`FoldWeights`] before each pass.
fn folding(mut optimizer: Optimizer, packer: &Arc<dyn Packer>) -> Optimizer {
    let fold = || Box::new(FoldWeights(Arc::clone(packer)));
    let passes = optimizer.passes.into_iter();
    optimizer.passes = passes.flat_map(|pass| [fold() as _, pass]).collect();
    optimizer
}

fn is_large(tensor: &Tensor) -> bool {
    tensor.is_plain_ram() && tensor.len() * tensor.datum_type().size_of() >= LARGE_BYTES
}

/// Puts sources in the place of weights. Their names are the keys.
fn hide_weights(model: &mut TypedModel) -> HashMap<String, Arc<Tensor>> {
    let mut hidden = HashMap::new();
    for node in model.nodes_mut() {
        let Some(konst) = node.op_as::<Const>() else { continue };
        if konst.exotic_fact().is_some() || !is_large(konst.val()) {
            continue;
        }
        hidden.insert(node.name.clone(), Arc::clone(konst.val()));
        let fact = &mut node.outputs[0].fact;
        fact.konst = None;
        node.op = Box::new(TypedSource::new(fact.clone()));
    }
    hidden
}

fn show_weights(
    model: &mut TypedModel,
    mut hidden: HashMap<String, Arc<Tensor>>,
) -> TractResult<()> {
    for node in model.nodes_mut() {
        if node.op_is::<TypedSource>()
            && let Some(weights) = hidden.remove(&node.name)
        {
            node.outputs[0].fact.konst = Some(Arc::clone(&weights));
            node.op = Box::new(Const::new(weights)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
