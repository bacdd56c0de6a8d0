//! A training that is looked at from outside, epoch by epoch, and not kept: no stop
//! part, no checkpoint, no bundle.

use std::path::PathBuf;

use graft_onnx::{Graph, Statistics};

use super::below::Rows;
use super::epochs::{Run, Watched};
use super::forward::Forward;
use super::frozen::Frozen;
use super::plan::Plan;
use super::{Below, Checkpoints, FineTuneError, FineTuning, Parts, Task, supply};
use crate::digest::Digest;
use crate::engine::{Engine, Step};
use crate::examples::Example;
use crate::features::FeatureOptions;
use crate::progress::OnEvent;

/// What is trained, and who looks on.
pub(crate) struct Watch<'a> {
    pub(crate) engine: &'a Engine,
    /// How examples become rows.
    pub(crate) below: Below<'a>,
    /// The whole network, which gives logits.
    pub(crate) network: &'a Graph,
    pub(crate) examples: &'a [&'a Example],
    /// The content of each.
    pub(crate) contents: &'a [Digest],
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
    let Watch { engine, below, recipe, options, .. } = *watch;
    let parts = Parts { train: watch.train.to_vec(), stop: Vec::new(), calibrate: Vec::new() };
    // Nothing is written there: `Run::watched` has no checkpoints.
    let nowhere = Checkpoints { folder: PathBuf::new(), resume: false };
    let task = Task {
        engine,
        below,
        joined: watch.network,
        examples: watch.examples,
        contents: watch.contents,
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
    let frozen;
    let rows = match below {
        Below::Photos(backbone) => {
            frozen = Frozen::new(engine, &options.provider, backbone, &place, options.threads)
                .map_err(|source| graph_error(*source))?;
            Rows::Photos(Box::new(supply(&task, backbone, &frozen, on)?))
        }
        Below::Texts(bags) => Rows::Texts(bags),
    };
    let forward = Forward {
        engine,
        provider: &options.provider,
        threads: options.threads,
        shape: &place.shape,
        classes: watch.classes,
    };
    let session = Step::open(engine, &options.provider, options.threads, &step, None)?;
    let run = Run { task: &task, part: &part, step: &step, rows: &rows, forward: &forward };
    run.watched(session, on)
}
