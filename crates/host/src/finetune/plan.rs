//! What a fine-tuning will be, before anything is computed: where it begins, its
//! step, and whether there is memory for that.

use graft_onnx::{Batch, Graph, GraphError, Loss, Statistics, StepOptions, TrainingStep};

use super::memory::Memory;
use super::recipe::{FineTuning, Optimiser};
use super::start::Place;
use super::{Below, FineTuneError, rates};
use crate::backbone::Backbone;

/// A step that can be run here.
pub(super) struct Plan {
    pub(super) place: Place,
    /// What is above the place.
    pub(super) part: Graph,
    pub(super) step: TrainingStep,
    pub(super) memory: Memory,
}

impl Plan {
    /// Of what is tuned with its head, which may be of any weights.
    pub(super) fn new(
        below: &Below<'_>,
        joined: &Graph,
        recipe: &FineTuning,
        statistics: Statistics,
        batch: usize,
    ) -> Result<Plan, FineTuneError> {
        let place = below.place(&recipe.from)?;
        let graph_error = |source| {
            let from = recipe.from.to_string();
            FineTuneError::Graph { from, source: Box::new(source) }
        };
        let part = match &place.tensor {
            Some(tensor) => joined.clone().part_above(tensor).map_err(graph_error)?,
            None => joined.clone(),
        };
        let step = training_step(&part, below, recipe, statistics, batch).map_err(graph_error)?;
        let memory = Memory::of(&step);
        if !memory.fits() {
            return Err(FineTuneError::Memory { memory });
        }
        Ok(Plan { place, part, step, memory })
    }
}

/// Examples of a step: those of the recipe, or all if there are fewer. Places that
/// nobody could ever take would cost as much as others.
pub(super) fn batch(below: &Below<'_>, recipe: &FineTuning, examples: usize) -> usize {
    match below {
        // Held to the recipe's by `check`.
        Below::Photos(Backbone { batch: Batch::Fixed(_), .. }) => recipe.batch,
        Below::Photos(_) | Below::Texts(_) => recipe.batch.min(examples),
    }
}

fn training_step(
    part: &Graph,
    below: &Below<'_>,
    recipe: &FineTuning,
    statistics: Statistics,
    batch: usize,
) -> Result<TrainingStep, GraphError> {
    part.training_step(&StepOptions {
        batch,
        loss: Loss::CrossEntropy,
        optimiser: match recipe.optimiser {
            Optimiser::Sgd { momentum, weight_decay } => {
                graft_onnx::Optimiser::Sgd { momentum, weight_decay }
            }
            Optimiser::AdamW { beta1, beta2, epsilon, weight_decay } => {
                graft_onnx::Optimiser::AdamW { beta1, beta2, epsilon, weight_decay }
            }
        },
        clip_norm: (recipe.clip_norm > 0.0).then_some(recipe.clip_norm),
        trainable: rates::trainable(part, below.graph(), &recipe.rates),
        statistics,
    })
}
