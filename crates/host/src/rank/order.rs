//! In which order sources stand, which of them nobody beats, and how well the
//! cheap scores foretell the probe.

use std::cmp::Ordering;

use graft_learn::transfer::{Trade, kendall_tau, pareto_front};
use graft_runtime::bench::Latency;
use serde::Serialize;

use super::scores::Scores;

/// A source that is compared with others.
pub(crate) trait Standing {
    fn name(&self) -> &str;
    fn scores(&self) -> &Scores;
    fn latency(&self) -> Option<Latency>;
    fn put_on_front(&mut self, on_front: bool);
}

/// What sources can be sorted by. Names are those of docs/json.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Accuracy of a linear head, by cross-validation.
    Probe,
    /// Accuracy of the nearest neighbours.
    Neighbours,
    /// LogME.
    Logme,
    /// The regularised H-score.
    RegularisedHScore,
    /// The H-score.
    HScore,
    /// LEEP.
    Leep,
    /// NCE.
    Nce,
    /// Latency in the device engine, least first.
    Latency,
}

/// How a score orders the sources, beside the order by probe accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Which score.
    pub score: Metric,
    /// Kendall's τ-b; nothing if either tells no two sources apart.
    pub kendall_tau: Option<f64>,
    /// Sources that have the score.
    pub sources: usize,
}

impl Metric {
    /// The scores that are cheaper than a probe, or see less.
    pub const SCORES: [Metric; 6] = [
        Metric::Neighbours,
        Metric::Logme,
        Metric::RegularisedHScore,
        Metric::HScore,
        Metric::Leep,
        Metric::Nce,
    ];

    /// More is better.
    fn of(self, source: &impl Standing) -> Option<f64> {
        let scores = source.scores();
        match self {
            Metric::Probe => Some(scores.probe_accuracy),
            Metric::Neighbours => Some(scores.neighbour_accuracy),
            Metric::Logme => Some(scores.logme),
            Metric::RegularisedHScore => Some(scores.regularised_h_score),
            Metric::HScore => Some(scores.h_score),
            Metric::Leep => scores.leep,
            Metric::Nce => scores.nce,
            Metric::Latency => source.latency().map(|latency| -latency.p50_ms),
        }
    }
}

/// Best first, without the score last; of equals the faster, then by name.
pub(crate) fn sort(sources: &mut [impl Standing], by: Metric) {
    let descending = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    sources.sort_by(|a, b| {
        [by, Metric::Probe, Metric::Latency]
            .iter()
            .map(|metric| descending(metric.of(a), metric.of(b)))
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| a.name().cmp(b.name()))
    });
}

/// Marks the sources than which no other is more accurate and faster. One without
/// a latency can't be on the front.
pub(crate) fn mark_front<S: Standing>(sources: &mut [S]) {
    let timed = |source: &S| {
        let gain = source.scores().probe_accuracy;
        source.latency().map(|latency| Trade { gain, cost: latency.p50_ms })
    };
    let trades: Vec<Trade> = sources.iter().filter_map(timed).collect();
    let front = pareto_front(&trades);
    let with_latency = sources.iter_mut().filter(|source| source.latency().is_some());
    for (source, on_front) in with_latency.zip(front) {
        source.put_on_front(on_front);
    }
}

pub(crate) fn agreement<S: Standing>(sources: &[S]) -> Vec<Agreement> {
    let of = |score: Metric| {
        // Where the H-score says nothing it is the same for all but for rounding,
        // which must not make an order.
        let rounded = |value: f64| (value * 1e9).round();
        let pair = |s: &S| Some((rounded(score.of(s)?), Metric::Probe.of(s)?));
        let pairs: Vec<(f64, f64)> = sources.iter().filter_map(pair).collect();
        let (scores, probes): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Agreement { score, kendall_tau: kendall_tau(&scores, &probes), sources: scores.len() }
    };
    Metric::SCORES.into_iter().map(of).collect()
}
