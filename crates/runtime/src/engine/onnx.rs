use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{Factoid, Framework, InferenceFact, InferenceModel};

use super::{Outputs, Wanted, input_fact, refused};
use crate::error::{OpenError, Shape};
use crate::operators;

/// Reads and checks a model, for one example at a time.
pub(super) fn read(wanted: &Wanted<'_>) -> Result<TypedModel, OpenError> {
    let onnx = onnx()
        // Sizes of the tensors in between may bear the batch's symbol, which
        // is about to be 1; the engine finds them all by itself.
        .with_ignore_value_info(true);
    let proto = onnx.proto_model_for_read(&mut wanted.model.reader()?).map_err(refused)?;
    if let Some(graph) = &proto.graph {
        operators::check(graph)?;
    }
    let mut model = onnx.model_for_proto_model(&proto).map_err(refused)?;
    drop(proto);

    check_input(&model, wanted)?;
    // Before anything is optimised: with an open batch a depthwise convolution
    // becomes a matrix product, five times as slow.
    let fact = input_fact(&model.symbols, wanted.input_shape);
    model.set_input_fact(0, fact.into()).map_err(refused)?;
    if let Outputs::Named(tensors) = &wanted.outputs {
        let find = |name: &str| {
            model
                .find_outlet_label(name)
                .ok_or_else(|| OpenError::NoTensor { tensor: name.to_owned() })
        };
        let outlets = [find(tensors[0].0)?, find(tensors[1].0)?];
        model.select_output_outlets(&outlets).map_err(refused)?;
    }
    Ok(model.into_typed().map_err(refused)?)
}

/// Checks that the model has the one input that is wanted, of that shape.
fn check_input(model: &InferenceModel, wanted: &Wanted<'_>) -> Result<(), OpenError> {
    let found: Vec<&str> =
        model.inputs.iter().map(|outlet| model.node(outlet.node).name.as_str()).collect();
    let right = match (found.as_slice(), wanted.input) {
        ([found], Some(expected)) => *found == expected,
        ([_], None) => true,
        _ => false,
    };
    if !right {
        return Err(OpenError::Inputs {
            expected: wanted.input.map_or("exactly one".to_owned(), |name| format!("[{name:?}]")),
            found: found.into_iter().map(str::to_owned).collect(),
        });
    }
    let stated = stated_shape(model.input_fact(0).map_err(refused)?);
    if let Some(Shape(sizes)) = &stated {
        let Shape(expected) = wanted.input_shape;
        let agree = |(stated, wanted): (&Option<usize>, &Option<usize>)| {
            stated.is_none_or(|stated| Some(stated) == *wanted)
        };
        if sizes.len() != expected.len() || !sizes.iter().zip(expected).all(agree) {
            let found = Shape(sizes.clone());
            return Err(OpenError::InputShape { expected: wanted.input_shape.clone(), found });
        }
    }
    Ok(())
}

/// The shape that a model states for its input, if it states any.
fn stated_shape(fact: &InferenceFact) -> Option<Shape> {
    let size = |size: i64| usize::try_from(size).ok();
    let sizes = fact.shape.dims().map(|dim| dim.concretize()?.to_i64().ok().and_then(size));
    (!fact.shape.is_open()).then(|| Shape(sizes.collect()))
}
