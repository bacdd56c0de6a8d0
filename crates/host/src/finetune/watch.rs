//! A training that is looked at from outside, epoch by epoch, and not kept: no stop
//! part, no checkpoint, no bundle.

use std::path::PathBuf;

use graft_onnx::{Graph, Statistics};

use super::epochs::{Run, Watched};
use super::forward::Forward;
use super::frozen::Frozen;
use super::plan::Plan;
use super::supply::Supply;
use super::{Checkpoints, FineTuneError, FineTuning, Parts, Task, kept_rows};
use crate::backbone::Backbone;
use crate::digest::Digest;
use crate::engine::{Engine, Step};
use crate::examples::Example;
use crate::features::FeatureOptions;
use crate::progress::OnEvent;

/// What is trained, and who looks on.
pub(crate) struct Watch<'a> {
    pub(crate) engine: &'a Engine,
    /// How photos are prepared, and what is below the cut.
    pub(crate) backbone: &'a Backbone,
    /// The whole network, which gives logits.
    pub(crate) network: &'a Graph,
    pub(crate) examples: &'a [&'a Example],
    /// The content of each.
    pub(crate) photos: &'a [Digest],
    pub(crate) train: &'a [usize],
    pub(crate) test: &'a [usize],
    pub(crate) classes: usize,
    pub(crate) recipe: &'a FineTuning,
    /// Those of batches, for a network that has none of its own yet.
    pub(crate) statistics: Statistics,
    pub(crate) options: &'a FeatureOptions,
}

/// Trains to the end of the recipe. Its shares of stop and calibrate photos mean
/// nothing here: all are learned from.
pub(crate) fn watch(watch: &Watch<'_>, on: OnEvent<'_>) -> Result<Watched, FineTuneError> {
    let Watch { engine, backbone, recipe, options, .. } = *watch;
    let parts = Parts { train: watch.train.to_vec(), stop: Vec::new(), calibrate: Vec::new() };
    // Nothing is written there: `Run::watched` has no checkpoints.
    let nowhere = Checkpoints { folder: PathBuf::new(), resume: false };
    let task = Task {
        engine,
        backbone,
        joined: watch.network,
        examples: watch.examples,
        photos: watch.photos,
        parts: &parts,
        test: watch.test,
        classes: watch.classes,
        recipe,
        options,
        statistics: watch.statistics,
        checkpoints: &nowhere,
    };
    let Plan { place, part, step, .. } = task.plan()?;
    let graph_error =
        |source| FineTuneError::Graph { from: recipe.from.to_string(), source: Box::new(source) };
    let frozen = Frozen::new(engine, &options.provider, backbone, &place, options.threads)
        .map_err(|source| graph_error(*source))?;
    let mut supply = Supply::new(&frozen, watch.examples, watch.photos, options.threads);
    if let Some(config) = &options.cache {
        let wanted = kept_rows(&task, frozen.row_length, config.limit_bytes);
        supply.keep(engine, &backbone.input, &options.provider, config, &wanted, on)?;
    }
    let forward = Forward {
        engine,
        provider: &options.provider,
        threads: options.threads,
        shape: &place.shape,
        classes: watch.classes,
    };
    let session = Step::open(engine, &options.provider, options.threads, &step, None)?;
    let run = Run { task: &task, part: &part, step: &step, supply: &supply, forward: &forward };
    run.watched(session, on)
}
