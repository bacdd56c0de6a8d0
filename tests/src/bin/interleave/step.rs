//! A training step as a file, for `tests/bench/step_against_pytorch.py`: what is
//! below a tensor, the step above it, and the weights that the step begins with.

use std::path::Path;

use anyhow::Context as _;
use graft_onnx::{
    Graph, Loss, Optimiser, Statistics, StepInput, StepOptions, Trainable, TrainingStep,
};
use serde_json::json;

pub fn write(folder: &Path, model: &Path, tensor: &str, batch: usize) -> anyhow::Result<()> {
    let bytes = std::fs::read(model).with_context(|| model.display().to_string())?;
    let network = Graph::parse(&bytes)?.simplified();
    let below = network.clone().cut_at(tensor)?;
    let above = network.part_above(tensor)?;
    let trainable =
        above.weights().into_iter().map(|w| Trainable { name: w.name, rate: 1.0 }).collect();
    let options = StepOptions {
        batch,
        loss: Loss::CrossEntropy,
        optimiser: Optimiser::Sgd { momentum: 0.9, weight_decay: 1e-4 },
        clip_norm: None,
        trainable,
        statistics: Statistics::Frozen,
    };
    let step = above.training_step(&options)?;
    std::fs::write(folder.join("below.onnx"), below.to_bytes())?;
    std::fs::write(folder.join("step.onnx"), step.graph.to_bytes())?;
    let values = step.state.iter().flat_map(|state| &state.initial);
    let values: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(folder.join("state.f32"), values)?;
    std::fs::write(folder.join("step.json"), facts(&step, tensor).to_string())?;
    Ok(())
}

fn facts(step: &TrainingStep, tensor: &str) -> serde_json::Value {
    let input = |input: &StepInput| json!({ "name": input.name, "shape": input.shape });
    let state = step
        .state
        .iter()
        .map(|state| json!({ "input": state.input, "output": state.output, "shape": state.shape }));
    json!({
        "tensor": tensor,
        "examples": input(&step.examples),
        "targets": input(&step.targets),
        "row_weights": input(&step.row_weights),
        "schedule": input(&step.schedule),
        "loss": step.loss,
        "state": state.collect::<Vec<_>>(),
    })
}
