//! The develop-model approach: a source model of one's own, trained from nothing on
//! a task with plenty of examples, to be reused on one with few.
//!
//! A source that does not beat a naive model has learnt nothing that is worth
//! reusing: the verdict is part of what [`develop`] gives.

use std::time::Instant;

pub use graft_onnx::Architecture;
use graft_onnx::{Design, Graph};
use graft_spec::{Colour, Fit, ImageSpec, Labels, Layout, Name};

use crate::backbone::{Backbone, BackboneError, Origin, Pool, Pretrained};
use crate::digest::Digest;
use crate::engine::Engine;
use crate::examples::{Dataset, Example};
use crate::features::FeatureOptions;
use crate::finetune::{self, Checkpoints, FineTuning, TuningFacts};
use crate::progress::{Event, OnEvent};
use crate::sides::sides;
use crate::train::{
    Evaluation, HeadRecipe, LinearRecipe, Recipe, RunError, check_classes, judged, learn,
    note_leaks, of_tuning, usable_features,
};
use crate::untrained::{STATISTICS, untrained};

/// How to develop a source.
#[derive(Clone, Debug)]
pub struct Development {
    /// Kind and width of the network.
    pub architecture: Architecture,
    /// Factor of the channels of every layer.
    pub width: f32,
    /// Width and height of its input, in pixels.
    pub size: [u32; 2],
    /// Channels of its input.
    pub colour: Colour,
    /// How it is trained.
    pub tuning: FineTuning,
    /// Share that is held out, if the data set doesn't say.
    pub test_share: f64,
    /// Folds by which the strength of the naive linear model is chosen.
    pub folds: usize,
    /// An unusable photo is an error.
    pub strict: bool,
}

/// A source model, and what it is worth.
#[derive(Debug)]
pub struct Source {
    /// The network for inference: batch normalisation is in its weights.
    pub network: Graph,
    /// How a photo becomes its input.
    pub input: ImageSpec,
    /// Held-out results.
    pub evaluation: Evaluation,
    /// Those of a linear model of the pixels, which a source must beat.
    pub pixels: Evaluation,
    /// How training went.
    pub tuning: TuningFacts,
    /// Examples learned from (stop and calibrate parts too) and held out.
    pub examples: [usize; 2],
    /// Files that could not be used.
    pub skipped: Vec<crate::photos::Skipped>,
    /// Wall time of training.
    pub seconds: f64,
}

impl Source {
    /// Whether the source is worth reusing: the lower end of its accuracy's 95 %
    /// interval is above what the naive models reach, which are the most frequent
    /// class and a linear model of the pixels.
    pub fn is_worth_reusing(&self) -> bool {
        self.evaluation.accuracy_interval[0] > self.naive_accuracy()
    }

    /// The better of the naive models.
    pub fn naive_accuracy(&self) -> f64 {
        self.pixels.accuracy.max(self.evaluation.baseline_accuracy)
    }
}

/// A source that could not be developed.
#[derive(Debug, thiserror::Error)]
pub enum DevelopError {
    /// The network.
    #[error("{0}")]
    Backbone(#[from] BackboneError),
    /// Data, the naive model, training.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Pixels that the naive linear model sees, at most.
const MOST_PIXELS: usize = 1024;

/// Trains a network from nothing. `labels` are the data set's, checked.
pub fn develop(
    engine: &Engine,
    dataset: &Dataset,
    labels: &Labels,
    development: &Development,
    options: &FeatureOptions,
    checkpoints: &Checkpoints,
    on: OnEvent<'_>,
) -> Result<Source, DevelopError> {
    let recipe = &development.tuning;
    let all: Vec<&Example> = dataset.examples.iter().collect();
    let planned = sides(&all, development.test_share, development.folds, recipe.seed)
        .map_err(RunError::Sides)?;
    check_classes(labels, &all, &planned, 0)?;
    let parts =
        finetune::split(&all, &planned.train, labels, recipe).map_err(RunError::FineTune)?;
    let input = input(development);
    let design = network(development, labels.names().len());
    let backbone = whole(design.clone(), "developed", &input)?;
    finetune::check(&finetune::Outline {
        backbone: &backbone,
        joined: &design,
        recipe,
        statistics: STATISTICS,
        examples: parts.train.len(),
        checkpoints: Some(checkpoints),
    })
    .map_err(RunError::FineTune)?;

    // One pass reads every photo, and gives the naive model what it learns from.
    let [width, height] = development.size.map(|side| side as usize);
    let pixels = Graph::pixels(input.colour.channels(), [height, width], MOST_PIXELS);
    let pixels = whole(pixels, "pixels", &input)?;
    let features = usable_features(engine, &pixels, dataset, development.strict, options, on)?;
    let usable: Vec<&Example> = features.usable.iter().map(|&i| &dataset.examples[i]).collect();
    let sides = sides(&usable, development.test_share, development.folds, recipe.seed)
        .map_err(RunError::Sides)?;
    check_classes(labels, &usable, &sides, features.skipped.len())?;
    note_leaks(&features, &usable, &sides, on)?;
    let (_, _, naive) = learn(&features, &usable, &sides, labels, &naive_recipe(development), on)?;

    let start = Instant::now();
    let parts = finetune::split(&usable, &sides.train, labels, recipe).map_err(of_tuning)?;
    let classes = labels.names().len();
    let task = finetune::Task {
        engine,
        below: finetune::Below::Photos(&backbone),
        joined: &design,
        examples: &usable,
        contents: &features.photos,
        parts: &parts,
        test: &sides.test,
        classes,
        recipe,
        options,
        statistics: STATISTICS,
        checkpoints,
    };
    let tuned = finetune::tune(&task, on).map_err(of_tuning)?;
    let logits = (tuned.calibrate_logits.view(), tuned.test_logits.view());
    let (_, evaluation) = judged(logits, &usable, &sides, &parts, labels, None)?;
    if on(Event::End).is_break() {
        return Err(RunError::Cancelled.into());
    }
    Ok(Source {
        network: tuned.network.simplified(),
        input,
        evaluation,
        pixels: naive,
        tuning: tuned.facts,
        examples: [sides.train.len(), sides.test.len()],
        skipped: features.skipped,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Pixels from -1 to 1.
fn input(development: &Development) -> ImageSpec {
    let half = vec![0.5; development.colour.channels()];
    ImageSpec {
        width: development.size[0],
        height: development.size[1],
        fit: Fit::Stretch,
        resize: None,
        layout: Layout::Nchw,
        colour: development.colour,
        scale: 255.0,
        mean: half.clone(),
        std: half,
        background: [0; 3],
    }
}

fn network(development: &Development, classes: usize) -> Graph {
    let design = Design {
        architecture: development.architecture,
        channels: development.colour.channels(),
        sides: [development.size[1] as usize, development.size[0] as usize],
        classes,
        width: development.width,
    };
    untrained(&design, development.tuning.seed)
}

fn whole(graph: Graph, name: &str, input: &ImageSpec) -> Result<Backbone, BackboneError> {
    let origin = Origin {
        name: name.to_owned(),
        origin: "made here".to_owned(),
        licence: String::new(),
        sha256: Digest::of(&graph.to_bytes()),
    };
    Pretrained::of_graph(graph, origin, input.clone()).cut(None, Pool::Mean)
}

fn naive_recipe(development: &Development) -> Recipe {
    let class_weights = development.tuning.class_weights;
    Recipe {
        name: Name::new("pixels").expect("invariant: a plain word"),
        head: HeadRecipe::Linear(LinearRecipe { class_weights, ..LinearRecipe::default() }),
        folds: development.folds,
        test_share: development.test_share,
        answered: None,
        seed: development.tuning.seed,
        data_licence: None,
        strict: development.strict,
        fine_tuning: None,
    }
}
