use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cost::millis;
use crate::engine::NodeTime;

/// The most nodes of [`Profile::slowest`].
const SLOWEST: usize = 10;

/// Where a frame's time goes inside the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Runs that the means below are of. A clock stands around each node, so they
    /// take somewhat longer than the others.
    pub runs: u32,
    /// All nodes of one run, milliseconds.
    pub run_ms: f64,
    /// By the engine's own names, the most expensive first. Their shares sum to 1.
    pub operators: Vec<OperatorTime>,
    /// The most expensive nodes, at most ten.
    pub slowest: Vec<SlowNode>,
}

/// All nodes of one operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorTime {
    /// As the engine calls it.
    pub operator: String,
    /// How many nodes.
    pub nodes: usize,
    /// Of one run, milliseconds.
    pub ms: f64,
    /// Of a run's time.
    pub share: f64,
}

/// One node of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowNode {
    /// In the engine's plan.
    pub node: String,
    /// As the engine calls it.
    pub operator: String,
    /// The shape of its output, if the engine knows it.
    pub output: Option<String>,
    /// Of one run, milliseconds.
    pub ms: f64,
    /// Of a run's time.
    pub share: f64,
}

impl Profile {
    pub(super) fn of(nodes: Vec<NodeTime>, runs: u32) -> Profile {
        let total: Duration = nodes.iter().map(|node| node.took).sum();
        let mean = |took: Duration| millis(took) / f64::from(runs.max(1));
        let share = |took: Duration| match total {
            // No clock is that coarse but one that stands still.
            Duration::ZERO => 0.0,
            total => took.as_secs_f64() / total.as_secs_f64(),
        };

        let mut by_operator = BTreeMap::<&str, (usize, Duration)>::new();
        for node in &nodes {
            let (count, took) = by_operator.entry(&node.operator).or_default();
            *count += 1;
            *took += node.took;
        }
        let mut operators: Vec<_> = by_operator.into_iter().collect();
        operators.sort_by_key(|&(_, (_, took))| std::cmp::Reverse(took));
        let operators = operators
            .into_iter()
            .map(|(operator, (nodes, took))| OperatorTime {
                operator: operator.to_owned(),
                nodes,
                ms: mean(took),
                share: share(took),
            })
            .collect();

        let mut slowest = nodes;
        slowest.sort_by_key(|node| std::cmp::Reverse(node.took));
        slowest.truncate(SLOWEST);
        let slowest = slowest
            .into_iter()
            .map(|node| SlowNode {
                node: node.name,
                operator: node.operator,
                output: node.output.map(|shape| shape.to_string()),
                ms: mean(node.took),
                share: share(node.took),
            })
            .collect();
        Profile { runs, run_ms: mean(total), operators, slowest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Shape;

    #[test]
    fn operators_are_summed_and_the_dearest_stand_first() {
        let node = |name: &str, operator: &str, ms| NodeTime {
            name: name.to_owned(),
            operator: operator.to_owned(),
            output: Some(Shape::of(&[1, 4])),
            took: Duration::from_millis(ms),
        };
        let nodes = vec![node("a", "Add", 8), node("b", "Conv", 96), node("c", "Add", 24)];
        let profile = Profile::of(nodes, 8);
        assert_eq!(profile.run_ms, 16.0);
        let operators: Vec<_> = profile
            .operators
            .iter()
            .map(|o| (o.operator.as_str(), o.nodes, o.ms, o.share))
            .collect();
        assert_eq!(operators, [("Conv", 1, 12.0, 0.75), ("Add", 2, 4.0, 0.25)]);
        let slowest: Vec<_> = profile.slowest.iter().map(|n| (n.node.as_str(), n.ms)).collect();
        assert_eq!(slowest, [("b", 12.0), ("c", 3.0), ("a", 1.0)]);
        assert_eq!(profile.slowest[0].output.as_deref(), Some("[1, 4]"));
    }
}
