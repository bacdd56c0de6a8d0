//! How much of a backbone to reuse: one pass over the photos, a linear probe at
//! every cut, and what each cut costs on the device.
//!
//! Early layers are general and cheap, late ones are made for the source's task
//! (Yosinski et al. 2014): for a task far from the source's the best features may
//! be in the middle, and they are cheaper too.

mod choose;
mod probes;

use std::path::Path;
use std::time::{Duration, Instant};

use graft_learn::{LinearRecipe, Probe, SplitError};
use graft_onnx::CutPoint;
use graft_runtime::bench::network_latency;
use serde::Serialize;

pub use self::choose::{Limits, Rule};

use crate::backbone::{BackboneError, Pool, Pretrained, Tap};
use crate::causes::with_causes;
use crate::engine::Engine;
use crate::examples::{Dataset, Example};
use crate::features::{FeatureCost, FeatureOptions, FeaturesError, features};
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent, Stage};
use crate::sides::{SidesError, sides};
use crate::subset::{divide, subset};

/// How to look for a cut.
#[derive(Clone, Debug)]
pub struct CutsRecipe {
    /// How features are made of maps: each of these at each cut.
    pub pools: Vec<Pool>,
    /// Of the probes.
    pub probe: LinearRecipe,
    /// Folds of cross-validation.
    pub folds: usize,
    /// Share that is held out, if the data set doesn't say; it is not looked at.
    pub test_share: f64,
    /// Of split and folds.
    pub seed: u64,
    /// Photos to probe with, about; all that are to be learned from if `None`.
    pub examples: Option<usize>,
    /// Whether each cut is timed in the device engine; else the choice is by
    /// multiply-adds.
    pub time: bool,
    /// What may be chosen.
    pub limits: Limits,
    /// Which of those is.
    pub rule: Rule,
}

/// A cut, its price and what it is worth. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Cut {
    /// The tensor.
    pub tensor: String,
    /// How features are made of it.
    pub pool: PoolName,
    /// Layers with weights on the longest way to it.
    pub depth: u64,
    /// Its axes, in words.
    pub shape: String,
    /// Features.
    pub features: usize,
    /// Trained numbers up to it.
    pub parameters: u64,
    /// Bytes of these.
    pub parameter_bytes: u64,
    /// Of one photo, if all could be counted.
    pub multiply_adds: Option<u64>,
    /// In the device engine on this machine and one core.
    pub latency_ms: Option<f64>,
    /// Why the device engine doesn't run it, if so.
    pub device_problem: Option<String>,
    /// What a linear head makes of it.
    #[serde(flatten)]
    pub probe: Probe,
}

/// [`Pool`] as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolName {
    /// [`Pool::Mean`].
    Mean,
    /// [`Pool::Grid`].
    Grid,
}

impl From<Pool> for PoolName {
    fn from(pool: Pool) -> PoolName {
        match pool {
            Pool::Mean => PoolName::Mean,
            Pool::Grid => PoolName::Grid,
        }
    }
}

impl From<PoolName> for Pool {
    fn from(pool: PoolName) -> Pool {
        match pool {
            PoolName::Mean => Pool::Mean,
            PoolName::Grid => Pool::Grid,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Cuts {
    /// In the order of the graph.
    pub cuts: Vec<Cut>,
    /// The index of the cut where nobody says otherwise.
    pub usual: Option<usize>,
    /// The index of the most accurate one, whatever it costs.
    pub best: usize,
    /// The index of the chosen one.
    pub chosen: usize,
    /// Photos that were probed with.
    pub examples: usize,
    /// Photos that could not be used.
    pub skipped: Vec<Skipped>,
    /// Of the one pass.
    pub cost: FeatureCost,
    /// Of the probes, from the first to the last.
    pub probe_seconds: f64,
    /// Of measuring latencies.
    pub latency_seconds: f64,
}

/// A sweep that failed.
#[derive(Debug, thiserror::Error)]
pub enum CutsError {
    /// The graph narrows nowhere.
    #[error(
        "{name} has no place to cut: it narrows nowhere to one tensor of which features can be made"
    )]
    Nowhere { name: String },
    /// The taps.
    #[error("{0}")]
    Backbone(#[from] BackboneError),
    /// Features.
    #[error("{0}")]
    Features(#[from] FeaturesError),
    /// No usable photo.
    #[error("none of {total} photos can be used, first {}: {}", first.path.display(), first.reason)]
    NoPhotos { total: usize, first: Skipped },
    /// Splitting.
    #[error("{0}")]
    Sides(#[from] SidesError),
    /// Dividing what is to be learned from.
    #[error("the examples cannot be divided")]
    Split(#[source] SplitError),
    /// A probe.
    #[error("the features at {tensor:?} cannot be probed")]
    Probe { tensor: String, source: ProbeError },
    /// The device engine runs none of them.
    #[error(
        "the device engine runs this backbone up to no cut; the first is {tensor:?}: {problem}"
    )]
    Device { tensor: String, problem: String },
    /// No cut is cheap enough.
    #[error("no cut is within {limit}; the cheapest is {tensor:?} with {least}")]
    Limits { limit: String, tensor: String, least: String },
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

pub use self::probes::ProbeError;

/// Probes every cut on the photos that are to be learned from.
pub fn cuts(
    engine: &Engine,
    pretrained: &Pretrained,
    dataset: &Dataset,
    recipe: &CutsRecipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Cuts, CutsError> {
    let all: Vec<&Example> = dataset.examples.iter().collect();
    let planned = sides(&all, recipe.test_share, recipe.folds, recipe.seed)?;
    let places = places(pretrained, &recipe.pools)?;
    let taps: Vec<Tap> = places.iter().map(|(_, tap)| tap.clone()).collect();
    let (backbone, columns) = pretrained.tapped(&taps)?;

    // What is held out stays unseen: a depth that was chosen by it would look
    // better on it than it is.
    let mut learned_from: Vec<&Example> = planned.train.iter().map(|&i| all[i]).collect();
    if let Some(wanted) = recipe.examples {
        learned_from = subset(learned_from, wanted, recipe.seed).map_err(CutsError::Split)?;
    }
    let paths: Vec<&Path> = learned_from.iter().map(|e| e.path.as_path()).collect();
    let features = features(engine, &backbone, &paths, options, on).map_err(|e| match e {
        FeaturesError::Cancelled => CutsError::Cancelled,
        other => CutsError::Features(other),
    })?;
    if let (true, Some(first)) = (features.usable.is_empty(), features.skipped.first()) {
        return Err(CutsError::NoPhotos { total: paths.len(), first: first.clone() });
    }
    let usable: Vec<&Example> = features.usable.iter().map(|&i| learned_from[i]).collect();
    let labels: Vec<usize> = usable.iter().map(|e| e.label).collect();
    let division = divide(&usable, recipe.folds, recipe.seed).map_err(CutsError::Split)?;

    let start = Instant::now();
    let classes = dataset.labels.len();
    let task =
        probes::Task { rows: features.rows.view(), labels: &labels, classes, division: &division };
    let probes =
        probes::run(&task, &columns, &recipe.probe, options.threads, on).map_err(|stopped| {
            match stopped {
                probes::Stopped::Cancelled => CutsError::Cancelled,
                probes::Stopped::Failed { at, error } => {
                    CutsError::Probe { tensor: taps[at].tensor.clone(), source: error }
                }
            }
        })?;
    let probe_seconds = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut found = Vec::with_capacity(places.len());
    let _ = on(Event::Begin { stage: Stage::Latency, total: Some(places.len() as u64) });
    for (((point, tap), columns), probe) in places.iter().zip(&columns).zip(probes) {
        let (latency_ms, device_problem) = device(pretrained, tap, recipe.time)?;
        found.push(Cut {
            tensor: tap.tensor.clone(),
            pool: tap.pool.into(),
            depth: point.depth,
            shape: crate::stated::shape_text(Some(&point.shape)),
            features: columns.len(),
            parameters: point.parameters,
            parameter_bytes: point.parameter_bytes,
            multiply_adds: point.multiply_adds.exact(),
            latency_ms,
            device_problem,
            probe,
        });
        if on(Event::Advance { done: found.len() as u64 }).is_break() {
            return Err(CutsError::Cancelled);
        }
    }
    let _ = on(Event::End);
    let usual_tensor = pretrained.features_tensor().ok();
    let usual = found.iter().position(|cut| Some(&cut.tensor) == usual_tensor.as_ref());
    let choice = choose::choose(&found, &recipe.limits, recipe.rule)?;
    Ok(Cuts {
        usual,
        best: choice.best,
        chosen: choice.chosen,
        cuts: found,
        examples: labels.len(),
        skipped: features.skipped,
        cost: features.cost,
        probe_seconds,
        latency_seconds: start.elapsed().as_secs_f64(),
    })
}

/// What one pass for [`cuts`] taps.
pub fn taps(pretrained: &Pretrained, pools: &[Pool]) -> Result<Vec<Tap>, CutsError> {
    Ok(places(pretrained, pools)?.into_iter().map(|(_, tap)| tap).collect())
}

/// Every cut in every way of pooling, those that would be the same once.
fn places(pretrained: &Pretrained, pools: &[Pool]) -> Result<Vec<(CutPoint, Tap)>, CutsError> {
    let mut places = Vec::new();
    for point in pretrained.graph().cut_points() {
        for &pool in pools {
            let is_map = point.shape.len() == 4;
            let twice = match pool {
                Pool::Mean => point.then_averaged,
                Pool::Grid => !is_map && pools.contains(&Pool::Mean),
            };
            if !twice {
                places.push((point.clone(), Tap { tensor: point.tensor.clone(), pool }));
            }
        }
    }
    if places.is_empty() {
        return Err(CutsError::Nowhere { name: pretrained.origin.name.clone() });
    }
    Ok(places)
}

/// How long each cut is timed.
const TIME: Duration = Duration::from_millis(300);

fn device(
    pretrained: &Pretrained,
    tap: &Tap,
    time: bool,
) -> Result<(Option<f64>, Option<String>), CutsError> {
    let backbone = pretrained.cut(Some(&tap.tensor), tap.pool)?;
    let (model, shape) = (backbone.graph().to_bytes(), backbone.input.shape(1));
    let outcome = match time {
        true => network_latency(&model, shape, backbone.feature_length, TIME).map(Some),
        false => graft_runtime::check_onnx(&model, shape).map(|()| None),
    };
    Ok(match outcome {
        Ok(latency) => (latency.map(|latency| latency.p50_ms), None),
        Err(error) => (None, Some(with_causes(&error))),
    })
}
