//! Fine-tuning: the weights of the backbone itself follow the task.
//!
//! The linear head is solved first and everything is tuned from there with small
//! rates, which keeps what the source knew (Kumar et al. 2022, "Fine-tuning can
//! distort pretrained features"). A step is one ordinary ONNX graph; what is below
//! the cut runs as ever, once where photos are not augmented beyond turns.
//!
//! ```text
//! recipe ─► start: where ─► parts: which examples ─► below: rows at the cut ─┐
//!                                                        epochs: steps ◄─────┘
//!                    checkpoint, best weights ◄── forward: what they are worth
//! ```

mod augment;
mod bags;
mod below;
mod checkpoint;
mod epochs;
mod forward;
mod frozen;
mod memory;
mod parts;
mod plan;
mod rates;
mod recipe;
mod start;
mod supply;
mod watch;

use std::path::PathBuf;

use graft_onnx::{Graph, GraphError, StateRole, Statistics, StepState, TrainingStep};
use graft_spec::Labels;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

pub use self::augment::Augmentation;
pub(crate) use self::bags::{Bag, Bags};
pub(crate) use self::below::{Below, check_for_texts};
pub use self::checkpoint::{CheckpointError, Checkpoints, Other};
pub use self::memory::Memory;
pub use self::parts::PartsError;
pub use self::recipe::{FineTuning, Optimiser, Rates, RecipeError};
pub use self::start::{From, FromError, PlaceError};
pub use self::supply::SupplyError;

use self::below::Rows;
use self::checkpoint::{Belongs, Shelf};
use self::forward::Forward;
use self::frozen::Frozen;
pub(crate) use self::parts::Parts;
use self::plan::Plan;
use self::supply::Supply;
pub(crate) use self::watch::{Watch, watch};
use crate::backbone::Backbone;
use crate::digest::Digest;
use crate::engine::{Engine, NetworkError, Step};
use crate::examples::Example;
use crate::features::FeatureOptions;
use crate::progress::{Event, OnEvent};

/// One epoch. Field names are those of docs/json.md.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochFacts {
    /// Counted from 1; 0 is the network before.
    pub epoch: usize,
    /// Mean over the steps; none for the network before.
    pub loss: Option<f64>,
    /// Log-loss of the stop part at its best temperature, if there is that part.
    pub stop_loss: Option<f64>,
    /// Share of the stop part answered right.
    pub stop_accuracy: Option<f64>,
    /// Learning rate of the backbone in the last step.
    pub rate: f64,
    /// Wall time, the stop part included.
    pub seconds: f64,
}

/// What a fine-tuning did.
#[derive(Clone, Debug)]
pub struct TuningFacts {
    /// Where it began; `None`: at the photos, or at the vectors of words.
    pub tensor: Option<String>,
    /// Weights that moved, and the numbers in them.
    pub weights: usize,
    /// Numbers in them.
    pub parameters: usize,
    /// Examples that were learned from, stopped by and calibrated by.
    pub parts: [usize; 3],
    /// Epochs, from that before the first.
    pub epochs: Vec<EpochFacts>,
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
    /// Epochs that an earlier run had done.
    pub resumed_from: usize,
    /// What it took of memory, by reckoning.
    pub memory: Memory,
}

/// A fine-tuning that failed.
#[derive(Debug, thiserror::Error)]
pub enum FineTuneError {
    /// The recipe.
    #[error("{0}")]
    Recipe(#[from] RecipeError),
    /// The split.
    #[error("{0}")]
    Parts(#[from] PartsError),
    /// Where it begins.
    #[error("{0}")]
    Place(#[from] PlaceError),
    /// The graph can't be differentiated, or not from there.
    #[error("the network cannot be tuned from {from}")]
    Graph { from: String, source: Box<GraphError> },
    /// The backbone takes a fixed number of photos.
    #[error(
        "the backbone was exported for batches of {exported}; a step of {asked} cannot be made of it"
    )]
    Batch { exported: u64, asked: usize },
    /// Not enough memory.
    #[error("fine-tuning takes about {} MB, as a step's tensors are {} MB; {} MB can be had", memory.needed_bytes() >> 20, memory.step_bytes >> 20, memory.available_bytes.unwrap_or(0) >> 20)]
    Memory { memory: Memory },
    /// No gradient of the largest.
    #[error(
        "vectors cannot be tuned where texts are pooled by the largest of each number: it has no gradient here"
    )]
    Pooling,
    /// Rows at the cut.
    #[error("{0}")]
    Supply(#[from] SupplyError),
    /// ONNX Runtime.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// Checkpoints.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// NaN or infinity.
    #[error("training diverged in epoch {epoch}, step {step}: the {what} is {value} at a learning rate of {rate:.1e}; {}", match checkpoint {
        Some(path) => format!("the last good state is in {}", path.display()),
        None => "no epoch was finished before".to_owned(),
    })]
    Diverged {
        epoch: usize,
        step: usize,
        what: &'static str,
        value: f64,
        rate: f64,
        checkpoint: Option<PathBuf>,
    },
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// What is tuned, and on what.
pub(crate) struct Task<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) below: Below<'a>,
    /// With its solved head.
    pub(crate) joined: &'a Graph,
    pub(crate) examples: &'a [&'a Example],
    /// The content of each.
    pub(crate) contents: &'a [Digest],
    pub(crate) parts: &'a Parts,
    /// Held out.
    pub(crate) test: &'a [usize],
    pub(crate) classes: usize,
    pub(crate) recipe: &'a FineTuning,
    pub(crate) options: &'a FeatureOptions,
    /// What batch normalisation that still is a node does.
    pub(crate) statistics: Statistics,
    pub(crate) checkpoints: &'a Checkpoints,
}

impl Task<'_> {
    /// Examples of a step.
    fn batch(&self) -> usize {
        plan::batch(&self.below, self.recipe, self.parts.train.len())
    }

    fn plan(&self) -> Result<Plan, FineTuneError> {
        let Task { below, joined, recipe, statistics, .. } = *self;
        Plan::new(&below, joined, recipe, statistics, self.batch())
    }
}

/// What came of it.
pub(crate) struct Tuned {
    /// The whole network with the weights that were kept.
    pub(crate) network: Graph,
    /// Those weights, by name.
    pub(crate) weights: Vec<(String, Vec<f32>)>,
    /// Of the calibrate part.
    pub(crate) calibrate_logits: Array2<f32>,
    /// Of the held-out part.
    pub(crate) test_logits: Array2<f32>,
    pub(crate) facts: TuningFacts,
}

/// Splits the training side for a recipe.
pub(crate) fn split(
    examples: &[&Example],
    side: &[usize],
    labels: &Labels,
    recipe: &FineTuning,
) -> Result<Parts, FineTuneError> {
    Ok(parts::parts(examples, side, labels, recipe)?)
}

/// A task whose photos were not read yet.
pub(crate) struct Outline<'a> {
    pub(crate) backbone: &'a Backbone,
    /// The backbone with a head of any weights.
    pub(crate) joined: &'a Graph,
    pub(crate) recipe: &'a FineTuning,
    pub(crate) statistics: Statistics,
    /// How many will be learned from.
    pub(crate) examples: usize,
    pub(crate) checkpoints: Option<&'a Checkpoints>,
}

/// What can be known to fail before any photo is read: the recipe, a checkpoint in
/// the way, a network that cannot be tuned from there, a step for which there is no
/// memory.
pub(crate) fn check(outline: &Outline<'_>) -> Result<(), FineTuneError> {
    let &Outline { backbone, joined, recipe, statistics, examples, checkpoints } = outline;
    recipe.check()?;
    if let Some(checkpoints) = checkpoints {
        checkpoints.check(&recipe.to_toml())?;
    }
    if let graft_onnx::Batch::Fixed(exported) = backbone.batch
        && exported != recipe.batch as u64
    {
        return Err(FineTuneError::Batch { exported, asked: recipe.batch });
    }
    let below = Below::Photos(backbone);
    let batch = plan::batch(&below, recipe, examples);
    Plan::new(&below, joined, recipe, statistics, batch).map(drop)
}

/// Tunes the network of a task.
pub(crate) fn tune(task: &Task<'_>, on: OnEvent<'_>) -> Result<Tuned, FineTuneError> {
    let Task { engine, below, recipe, options, parts, .. } = *task;
    let Plan { place, part, step, memory } = task.plan()?;
    let graph_error =
        |source| FineTuneError::Graph { from: recipe.from.to_string(), source: Box::new(source) };
    note(
        on,
        &format!(
            "a step of {} {} trains {} weights from {} on and takes about {} MB",
            task.batch(),
            below.what(),
            step.state.iter().filter(|one| one.role == StateRole::Weight).count(),
            match (&place.tensor, below) {
                (Some(tensor), _) => tensor,
                (None, Below::Photos(_)) => "the photos",
                (None, Below::Texts(_)) => "the vectors",
            },
            memory.needed_bytes() >> 20,
        ),
    )?;

    let frozen;
    let rows = match below {
        Below::Photos(backbone) => {
            frozen = Frozen::new(engine, &options.provider, backbone, &place, options.threads)
                .map_err(|source| graph_error(*source))?;
            Rows::Photos(Box::new(supply(task, backbone, &frozen, on)?))
        }
        Below::Texts(bags) => Rows::Texts(bags),
    };

    let recipe_text = recipe.to_toml();
    let lengths = |chosen: fn(&StepState) -> bool| -> Vec<usize> {
        step.state.iter().filter(|one| chosen(one)).map(|one| one.initial.len()).collect()
    };
    let (shelf, saved) = Shelf::open(
        task.checkpoints,
        belongs(task, &place),
        &recipe_text,
        (&lengths(of_network), &lengths(|_| true)),
    )?;
    let resumed_from = saved.as_ref().map_or(0, |saved| saved.epochs);
    let forward = Forward {
        engine,
        provider: &options.provider,
        threads: options.threads,
        shape: &place.shape,
        classes: task.classes,
    };
    let state = saved.as_ref().map(|saved| saved.state.as_slice());
    let session = Step::open(engine, &options.provider, options.threads, &step, state)?;
    let run = epochs::Run { task, part: &part, step: &step, rows: &rows, forward: &forward };
    let saved = run.epochs(session, &shelf, saved, on)?;

    let best = with_weights(part.clone(), &step, &saved.best.weights).map_err(graph_error)?;
    let steps = saved.steps as u64;
    let calibrate_logits = forward.logits(&best, &rows, &parts.calibrate, steps, on)?;
    let test_logits = forward.logits(&best, &rows, task.test, steps, on)?;
    let network =
        with_weights(task.joined.clone(), &step, &saved.best.weights).map_err(graph_error)?;
    let facts = TuningFacts {
        tensor: place.tensor,
        weights: saved.best.weights.len(),
        parameters: saved.best.weights.iter().map(Vec::len).sum(),
        parts: [parts.train.len(), parts.stop.len(), parts.calibrate.len()],
        epochs: saved.history,
        best_epoch: saved.best.epoch,
        resumed_from,
        memory,
    };
    let names = step.state.iter().filter(|one| of_network(one)).map(|one| one.weight.clone());
    let weights = names.zip(saved.best.weights).collect();
    Ok(Tuned { network, weights, calibrate_logits, test_logits, facts })
}

/// Rows of photos; those that are worth it are kept.
fn supply<'a>(
    task: &Task<'a>,
    backbone: &Backbone,
    frozen: &'a Frozen<'a>,
    on: OnEvent<'_>,
) -> Result<Supply<'a>, FineTuneError> {
    let options = task.options;
    let mut supply = Supply::new(frozen, task.examples, task.contents, options.threads);
    if let Some(config) = &options.cache {
        let wanted = kept_rows(task, frozen.row_length, config.limit_bytes);
        supply.keep(task.engine, &backbone.input, &options.provider, config, &wanted, on)?;
    }
    Ok(supply)
}

/// The rows that are worth keeping: those of photos as they are, and of learned
/// ones in every turn, if turns are all that happens to them and there is room.
fn kept_rows(
    task: &Task<'_>,
    row_length: usize,
    limit_bytes: u64,
) -> Vec<(usize, Vec<augment::Turn>)> {
    let Task { recipe, parts, test, .. } = task;
    let as_it_is = recipe.augment.turns()[..1].to_vec();
    let judged = parts.stop.iter().chain(&parts.calibrate).chain(*test);
    let mut wanted: Vec<_> = judged.map(|&example| (example, as_it_is.clone())).collect();
    let turns = recipe.augment.turns();
    let rows = wanted.len() + parts.train.len() * turns.len();
    let bytes = (rows as u64).saturating_mul(4 * row_length as u64);
    if !recipe.augment.changes_pixels() && bytes <= limit_bytes / 2 {
        wanted.extend(parts.train.iter().map(|&example| (example, turns.clone())));
    }
    wanted.sort_by_key(|(example, _)| *example);
    wanted
}

/// Whether the network itself holds it: a weight or a running statistic.
fn of_network(state: &StepState) -> bool {
    matches!(state.role, StateRole::Weight | StateRole::Statistic)
}

fn with_weights(
    graph: Graph,
    step: &TrainingStep,
    weights: &[Vec<f32>],
) -> Result<Graph, GraphError> {
    let names = step.state.iter().filter(|one| of_network(one));
    graph.with_weights(names.map(|one| one.weight.as_str()).zip(weights.iter().map(Vec::as_slice)))
}

fn belongs(task: &Task<'_>, place: &start::Place) -> Belongs {
    let mut lines = String::new();
    let Parts { train, stop, calibrate } = task.parts;
    for (part, members) in
        [("train", &train[..]), ("stop", stop), ("calibrate", calibrate), ("test", task.test)]
    {
        for &i in members {
            // In order: the random numbers of an example go by its place.
            lines += &format!("{part} {i} {} {}\n", task.examples[i].label, task.contents[i]);
        }
    }
    let tensor = place.tensor.as_deref().unwrap_or_default();
    let below = task.below.digest();
    Belongs {
        recipe: task.recipe.digest().to_string(),
        data: Digest::of(lines.as_bytes()).to_string(),
        network: Digest::of_parts([&below.0[..], tensor.as_bytes()]).to_string(),
    }
}

fn note(on: OnEvent<'_>, text: &str) -> Result<(), FineTuneError> {
    match on(Event::Note(text)) {
        std::ops::ControlFlow::Continue(()) => Ok(()),
        std::ops::ControlFlow::Break(()) => Err(FineTuneError::Cancelled),
    }
}
