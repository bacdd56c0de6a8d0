//! The engine without graft, as its own documentation uses it: what a bundle is
//! measured against. Nothing else may use it: it knows no references.

use std::fs::File;
use std::path::Path;

use tract_onnx::prelude::*;

use super::guarded;
use crate::error::EngineError;

pub(crate) struct Stock {
    state: TypedSimpleState,
    shape: Vec<usize>,
    /// The names of the outputs, in their order.
    outputs: Vec<Option<String>>,
}

impl Stock {
    /// `shape` is that of one example, batch 1 first.
    pub(crate) fn open(onnx_file: &Path, shape: &[usize]) -> Result<Stock, EngineError> {
        guarded(|| {
            let mut model = onnx().model_for_read(&mut File::open(onnx_file)?)?;
            // Where tensors have their names: optimising drops some.
            let outputs = model.output_outlets()?.iter();
            let outputs = outputs.map(|&outlet| model.outlet_label(outlet).map(str::to_owned));
            let outputs = outputs.collect();
            model.set_input_fact(0, f32::fact(shape).into())?;
            let plan = model.into_optimized()?.into_runnable()?;
            Ok(Stock { state: plan.spawn()?, shape: shape.to_vec(), outputs })
        })
    }

    /// A tensor that can be run, from its values.
    pub(crate) fn tensor(&self, values: &[f32]) -> Result<StockTensor, EngineError> {
        guarded(|| Ok(StockTensor(Tensor::from_shape(&self.shape, values)?)))
    }

    /// Runs one example; its outputs are dropped.
    pub(crate) fn run(&mut self, tensor: StockTensor) -> Result<(), EngineError> {
        guarded(|| self.state.run(tvec!(tensor.0.into())).map(drop))
    }

    /// Runs one example and copies an output; `None` if no output has this name.
    pub(crate) fn output(
        &mut self,
        tensor: StockTensor,
        name: &str,
    ) -> Result<Option<Vec<f32>>, EngineError> {
        let named = |output: &Option<String>| output.as_deref() == Some(name);
        let Some(index) = self.outputs.iter().position(named) else { return Ok(None) };
        guarded(|| {
            let outputs = self.state.run(tvec!(tensor.0.into()))?;
            Ok(Some(outputs[index].try_as_plain_ram()?.as_slice::<f32>()?.to_vec()))
        })
    }
}

/// An example for [`Stock::run`], made before the clock starts.
pub(crate) struct StockTensor(Tensor);
