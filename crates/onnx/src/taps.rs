//! Features of many depths from one run.

use crate::error::{FeatureProblem, GraphError};
use crate::graph::Graph;
use crate::infer::BatchAs;
use crate::names::{fresh, taken};
use crate::pool::{FEATURES, Plan, Pool, Pooling, int};
use crate::proto::NodeProto;
use crate::tensor::{Dim, ElementType, TensorInfo};

/// A tensor whose features are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Its name.
    pub tensor: String,
    /// How its features are made.
    pub pool: Pool,
}

impl Graph {
    /// The part of the graph that makes some tensors, their features one after
    /// another in one row: the only output is [`FEATURES`], 32-bit floats
    /// `[N, sum of the lengths]`. The lengths are in the order of the taps.
    ///
    /// Pooling happens in the graph, so a run costs little more than one without
    /// taps, and no map leaves the engine.
    ///
    /// # Errors
    ///
    /// [`GraphError::NothingToDo`] without taps; those of
    /// [`Graph::pooled_features`] for each.
    pub fn tapped(mut self, taps: &[Tap]) -> Result<(Graph, Vec<u64>), GraphError> {
        let Some(first) = taps.first() else { return Err(GraphError::NothingToDo) };
        for tap in taps {
            self.output_info(&tap.tensor)?;
        }
        let tensors: Vec<&str> = taps.iter().map(|tap| tap.tensor.as_str()).collect();
        self.keep_only(&tensors);
        let first = self.output_info(&first.tensor)?;
        self.graph_mut().output = vec![first];
        let plans: Vec<Plan> = {
            let facts = self.facts(BatchAs::Declared);
            let plan = |tap: &Tap| self.pooling_with(&facts, &tap.tensor, tap.pool);
            taps.iter().map(plan).collect::<Result<_, _>>()?
        };
        let lengths: Vec<u64> = plans.iter().map(|plan| plan.length).collect();
        let total = lengths.iter().try_fold(0u64, |sum, &length| sum.checked_add(length));
        let total = total.ok_or_else(|| GraphError::FeatureShape {
            tensor: taps[0].tensor.clone(),
            shape: self.shape_of(&taps[0].tensor),
            problem: FeatureProblem::Length,
        })?;
        let batch = plans[0].batch.clone();

        let mut names = taken(self.graph());
        let renamed = self.free_features_name(&mut names)?;
        self.graph_mut().value_info.clear();
        let mut rows = Vec::with_capacity(taps.len());
        for (tap, plan) in taps.iter().zip(&plans) {
            let from = match &renamed {
                Some(other) if tap.tensor == FEATURES => other.clone(),
                _ => tap.tensor.clone(),
            };
            if matches!(plan.pooling, Pooling::Nothing) {
                rows.push(from);
            } else {
                let row = fresh(&mut names, "features.row");
                self.pool_into(&plan.pooling, from, &row, &mut names);
                rows.push(row);
            }
        }
        self.graph_mut().node.push(NodeProto {
            input: rows,
            output: vec![FEATURES.to_owned()],
            name: Some(FEATURES.to_owned()),
            op_type: Some("Concat".to_owned()),
            attribute: vec![int("axis", 1)],
            ..NodeProto::default()
        });
        let info = TensorInfo {
            name: FEATURES.to_owned(),
            element: Some(ElementType::F32),
            shape: Some(vec![batch, Dim::Fixed(total)]),
        };
        self.graph_mut().output = vec![info.to_value_info()];
        Ok((self, lengths))
    }
}
