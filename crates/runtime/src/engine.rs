use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{Factoid, Framework, InferenceFact, InferenceModel};

use crate::error::{EngineError, OpenError, Shape};
use crate::operators;

/// One model in the engine, ready to run one example at a time.
pub(crate) struct Engine {
    plan: Arc<TypedSimplePlan>,
    state: TypedSimpleState,
    /// Written in place before each run; the engine gets a second handle on it
    /// and drops that when it is done.
    input: Arc<Tensor>,
}

/// What to open: an ONNX model and the tensors of it that matter.
pub(crate) struct Wanted<'a> {
    pub(crate) model: &'a [u8],
    pub(crate) input: Option<&'a str>,
    pub(crate) input_shape: [usize; 4],
    pub(crate) outputs: Outputs<'a>,
}

/// Which tensors to compute.
pub(crate) enum Outputs<'a> {
    /// Those that the model itself calls outputs.
    Own,
    /// These, each of shape `[1, length]`, in this order.
    Named([(&'a str, usize); 2]),
}

impl Engine {
    pub(crate) fn open(wanted: &Wanted<'_>) -> Result<Engine, OpenError> {
        // Twice: our own errors inside the engine's.
        let plan = guarded(|| Ok(plan(wanted)))??;
        let (state, input) = guarded(|| {
            let input = Tensor::zero::<f32>(&wanted.input_shape)?;
            Ok((TypedSimpleState::new(&plan)?, Arc::new(input)))
        })?;
        Ok(Engine { plan, state, input })
    }

    /// Lets the next example be written.
    pub(crate) fn fill(&mut self, write: impl FnOnce(&mut [f32])) -> Result<(), EngineError> {
        // Nobody else holds it after a run that came back, so this copies
        // nothing; after one that did not, it makes a fresh tensor.
        let tensor = Arc::make_mut(&mut self.input);
        let mut view = tensor.try_as_plain_ram_mut().map_err(refused)?;
        write(view.as_slice_mut().map_err(refused)?);
        Ok(())
    }

    /// Runs the example that was filled in and copies the outputs.
    pub(crate) fn run(&mut self, outputs: [&mut [f32]; 2]) -> Result<(), EngineError> {
        let Engine { plan, state, input } = self;
        let done = guarded(|| {
            let values = state.run(tvec!(TValue::from_const(Arc::clone(input))))?;
            for (value, to) in values.iter().zip(outputs) {
                to.copy_from_slice(value.try_as_plain_ram()?.as_slice::<f32>()?);
            }
            Ok(())
        });
        if done.is_err() {
            // What a run left half done must not meet the next frame.
            *state = guarded(|| TypedSimpleState::new(plan))?;
        }
        done
    }
}

/// Parses, checks and optimises a model for one example at a time.
fn plan(wanted: &Wanted<'_>) -> Result<Arc<TypedSimplePlan>, OpenError> {
    let onnx = onnx()
        // Sizes of the tensors in between may bear the batch's symbol, which
        // is about to be 1; the engine finds them all by itself.
        .with_ignore_value_info(true);
    let proto = onnx.proto_model_for_read(&mut &*wanted.model).map_err(refused)?;
    if let Some(graph) = &proto.graph {
        operators::check(graph)?;
    }
    let mut model = onnx.model_for_proto_model(&proto).map_err(refused)?;
    drop(proto);

    check_input(&model, wanted)?;
    // Before anything is optimised: with an open batch a depthwise convolution
    // becomes a matrix product, five times as slow.
    model.set_input_fact(0, f32::fact(wanted.input_shape).into()).map_err(refused)?;
    if let Outputs::Named(tensors) = &wanted.outputs {
        let find = |name: &str| {
            model
                .find_outlet_label(name)
                .ok_or_else(|| OpenError::NoTensor { tensor: name.to_owned() })
        };
        let outlets = [find(tensors[0].0)?, find(tensors[1].0)?];
        model.select_output_outlets(&outlets).map_err(refused)?;
    }
    let model = model.into_optimized().map_err(refused)?;
    if let Outputs::Named(tensors) = &wanted.outputs {
        for (index, &(name, length)) in tensors.iter().enumerate() {
            check_output(model.output_fact(index).map_err(refused)?, name, length)?;
        }
    }
    Ok(TypedSimplePlan::new(model).map_err(refused)?)
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
        let agrees = sizes.len() == wanted.input_shape.len()
            && sizes.iter().zip(wanted.input_shape).all(|(s, w)| s.is_none_or(|s| s == w));
        if !agrees {
            let found = Shape(sizes.clone());
            return Err(OpenError::InputShape { expected: Shape::of(&wanted.input_shape), found });
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

fn check_output(fact: &TypedFact, name: &str, length: usize) -> Result<(), OpenError> {
    let right = fact.datum_type == f32::datum_type()
        && fact.shape.as_concrete().is_some_and(|shape| shape == [1, length]);
    if right {
        Ok(())
    } else {
        Err(OpenError::Output {
            tensor: name.to_owned(),
            expected: Shape::of(&[1, length]),
            found: format!("{fact:?}"),
        })
    }
}

/// Calls into the engine, whose some hundreds of `unwrap` a broken model can
/// reach.
fn guarded<T>(call: impl FnOnce() -> TractResult<T>) -> Result<T, EngineError> {
    // Whoever sees an error drops what the call was working on.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(refused),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(EngineError::Panicked(text.unwrap_or("without a word").to_owned()))
        }
    }
}

fn refused(error: TractError) -> EngineError {
    EngineError::Refused(format!("{error:#}"))
}
