//! The same plan, with a clock around every node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;

use super::{Engine, guarded};
use crate::error::{EngineError, Shape};

/// What one node of the plan took.
pub(crate) struct NodeTime {
    pub(crate) name: String,
    pub(crate) operator: String,
    /// Of its first output, where the engine knows it.
    pub(crate) output: Option<Shape>,
    /// Over all runs.
    pub(crate) took: Duration,
}

impl Engine {
    /// Runs the example that was filled in so many times. Constants and the input
    /// are no nodes here: nothing is computed for them.
    pub(crate) fn profile(&mut self, runs: u32) -> Result<Vec<NodeTime>, EngineError> {
        let Engine { plan, state, input, mapping: _ } = self;
        let mut took = vec![Duration::ZERO; plan.model().nodes().len()];
        let done = guarded(|| {
            for _ in 0..runs {
                let inputs = tvec!(TValue::from_const(Arc::clone(input)));
                state.run_plan_with_eval(inputs, |context, op_state, node, inputs| {
                    let started = Instant::now();
                    let outputs = eval(context, op_state, node, inputs);
                    took[node.id] += started.elapsed();
                    outputs
                })?;
            }
            Ok(())
        });
        if done.is_err() {
            *state = guarded(|| TypedSimpleState::new(plan))?;
        }
        done?;
        let computing = plan.order_without_consts().iter().map(|&id| plan.model().node(id));
        Ok(computing
            .filter(|node| !node.inputs.is_empty())
            .map(|node| NodeTime {
                name: node.name.clone(),
                operator: node.op.name().into_owned(),
                output: node
                    .outputs
                    .first()
                    .and_then(|o| o.fact.shape.as_concrete())
                    .map(Shape::of),
                took: took[node.id],
            })
            .collect())
    }
}
