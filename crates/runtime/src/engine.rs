mod bytes;
mod nnef;
mod onnx;
mod optimise;
#[cfg(feature = "bench")]
mod profile;
#[cfg(feature = "bench")]
mod stock;
mod weights;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use graft_spec::ModelFormat;
use tract_onnx::prelude::*;

pub(crate) use self::bytes::Bytes;
pub(crate) use self::nnef::INPUT as NNEF_INPUT;
#[cfg(feature = "bench")]
pub(crate) use self::profile::NodeTime;
#[cfg(feature = "bench")]
pub(crate) use self::stock::Stock;
use self::weights::Mapping;
pub(crate) use self::weights::{WeightsFile, path_in as weights_path, write as write_weights};
use crate::error::{EngineError, OpenError, Shape, WeightsError};
use crate::large_blocks::Outside;

/// One model in the engine, ready to run one example at a time.
pub(crate) struct Engine {
    plan: Arc<TypedSimplePlan>,
    state: TypedSimpleState,
    /// Written in place before each run; the engine gets a second handle on it
    /// and drops that when it is done.
    input: Arc<Tensor>,
    /// Weights that are in a file, if there are any.
    mapping: Option<Arc<Mapping>>,
}

/// What to open: a model and the tensors of it that matter.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) format: ModelFormat,
    pub(crate) model: Bytes<'a>,
    pub(crate) input: Option<&'a str>,
    /// Of one example, batch 1 first; an axis without a size is as long as the example.
    pub(crate) input_shape: &'a Shape,
    pub(crate) outputs: Outputs<'a>,
}

/// Which tensors to compute.
#[derive(Clone, Copy)]
pub(crate) enum Outputs<'a> {
    /// Those that the model itself calls outputs.
    Own,
    /// These, each of shape `[1, length]`, in this order.
    Named([(&'a str, usize); 2]),
}

impl Engine {
    pub(crate) fn open(wanted: &Wanted<'_>) -> Result<Engine, OpenError> {
        Engine::of_plan(wanted, None, || plan(wanted))
    }

    /// The same with large weights in a file of their own, which [`write_weights`] made
    /// of this model on this processor.
    pub(crate) fn open_mapped(
        wanted: &Wanted<'_>,
        weights: WeightsFile,
    ) -> Result<Engine, WeightsError> {
        let mapping = Some(weights.mapping());
        let plan = || Ok(runnable(wanted, weights.model(wanted)?)?);
        Engine::of_plan(wanted, mapping, plan)
    }

    fn of_plan<E: From<EngineError>>(
        wanted: &Wanted<'_>,
        mapping: Option<Arc<Mapping>>,
        plan: impl FnOnce() -> Result<Arc<TypedSimplePlan>, E>,
    ) -> Result<Engine, E> {
        let _opening = Outside::begin();
        // Twice: our own errors inside the engine's.
        let plan = guarded(|| Ok(plan()))??;
        let (state, input) = guarded(|| {
            let sizes: TVec<usize> =
                wanted.input_shape.0.iter().map(|size| size.unwrap_or(1)).collect();
            let input = Tensor::zero::<f32>(&sizes)?;
            Ok((TypedSimpleState::new(&plan)?, Arc::new(input)))
        })?;
        Ok(Engine { plan, state, input, mapping })
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

    /// Lets the next example be of another shape; its values are lost.
    pub(crate) fn reshape(&mut self, shape: &[usize]) -> Result<(), EngineError> {
        if self.input.shape() != shape {
            self.input = guarded(|| Ok(Arc::new(Tensor::zero::<f32>(shape)?)))?;
        }
        Ok(())
    }

    /// Runs the example that was filled in and copies the outputs.
    pub(crate) fn run(&mut self, outputs: [&mut [f32]; 2]) -> Result<(), EngineError> {
        let Engine { plan, state, input, mapping } = self;
        let done = guarded(|| {
            let values = state.run(tvec!(TValue::from_const(Arc::clone(input))))?;
            for (value, to) in values.iter().zip(outputs) {
                to.copy_from_slice(value.try_as_plain_ram()?.as_slice::<f32>()?);
            }
            Ok(())
        });
        if let Some(mapping) = mapping {
            mapping.rest();
        }
        if done.is_err() {
            // What a run left half done must not meet the next frame.
            *state = guarded(|| TypedSimpleState::new(plan))?;
        }
        done
    }
}

/// Reads, checks and optimises a model for one example at a time.
fn plan(wanted: &Wanted<'_>) -> Result<Arc<TypedSimplePlan>, OpenError> {
    let model = match wanted.format {
        ModelFormat::Onnx => onnx::read(wanted)?,
        ModelFormat::Nnef => nnef::read(wanted, &|_| Ok(None))?,
    };
    runnable(wanted, optimise::optimise(model, optimise::in_memory()).map_err(refused)?)
}

/// Checks what a model computes, and orders its nodes.
fn runnable(wanted: &Wanted<'_>, model: TypedModel) -> Result<Arc<TypedSimplePlan>, OpenError> {
    if let Outputs::Named(tensors) = &wanted.outputs {
        for (index, &(name, length)) in tensors.iter().enumerate() {
            check_output(model.output_fact(index).map_err(refused)?, name, length)?;
        }
    }
    Ok(TypedSimplePlan::new(model).map_err(refused)?)
}

/// The ONNX model as NNEF, for one example at a time; it has been opened.
pub(crate) fn to_nnef(wanted: &Wanted<'_>) -> Result<Vec<u8>, OpenError> {
    let opens = |nnef: &[u8]| {
        let input = Some(NNEF_INPUT);
        Engine::open(&Wanted {
            format: ModelFormat::Nnef,
            model: Bytes::Memory(nnef),
            input,
            ..*wanted
        })
    };
    let make = |simplify: fn(TypedModel) -> TractResult<TypedModel>| {
        let model = onnx::read(wanted)?;
        nnef::write(wanted, simplify(model).map_err(refused)?)
    };
    // What is simple already takes less work to open. But the engine trips over
    // some of its own simplifications (a strided 1×1 convolution is one) when it
    // meets them again.
    let simple = guarded(|| Ok(make(TypedModel::into_decluttered)))?;
    if let Ok(nnef) = simple
        && opens(&nnef).is_ok()
    {
        return Ok(nnef);
    }
    let nnef = guarded(|| Ok(make(Ok)))??;
    opens(&nnef)?;
    Ok(nnef)
}

/// What the engine is told of the input: an open axis is a symbol, so that the plan is
/// one of any length.
fn input_fact(symbols: &SymbolScope, Shape(sizes): &Shape) -> TypedFact {
    let size = |(axis, size): (usize, &Option<usize>)| match size {
        Some(size) => size.to_dim(),
        None => symbols.sym(&format!("L{axis}")).into(),
    };
    let dims: TVec<TDim> = sizes.iter().enumerate().map(size).collect();
    f32::fact(dims)
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
