//! The three ways to a network, as they really go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use graft_learn::{Examples, Head, LinearRecipe, Progress, TrainError, temperature, train_linear};
use graft_onnx::{Batch, Graph, Statistics};
use graft_spec::{Calibration, Labels};

use super::plan::Plan;
use super::trials::{Learnt, Lesson, Method};
use super::{ReportError, ReportRecipe};
use crate::backbone::Backbone;
use crate::engine::Engine;
use crate::examples::Example;
use crate::features::{FeatureOptions, Features, SpillError};
use crate::finetune::{Bags, Below, FineTuning, From, Watch, watch};
use crate::graft::join;
use crate::progress::{Event, OnEvent, Stage};
use crate::subset::divide;
use crate::texts::{Beginning, TextLessons};
use crate::train::TUNED_STATISTICS;

/// What is learned about, and what from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Photos(&'a Backbone),
    Texts(&'a TextLessons<'a>),
}

/// What all lessons share.
pub(super) struct Learners<'a> {
    pub(super) engine: &'a Engine,
    pub(super) source: Source<'a>,
    pub(super) examples: &'a [&'a Example],
    pub(super) features: &'a Features,
    pub(super) labels: &'a Labels,
    pub(super) recipe: &'a ReportRecipe,
    pub(super) options: &'a FeatureOptions,
    /// By seed and number of photos: fine-tuning begins where the frozen backbone
    /// ended.
    heads: HashMap<(u64, usize), Solved>,
}

#[derive(Clone)]
struct Solved {
    head: Head,
    calibration: Calibration,
}

/// What a network is trained with.
struct Network {
    graph: Graph,
    ground: Ground,
    recipe: FineTuning,
    statistics: Statistics,
}

/// How examples become rows for a network.
enum Ground {
    /// Photos are prepared for it, and run through what is below its cut.
    Photos(Box<Backbone>),
    Texts(Box<Bags>),
}

/// What a method takes, by a few photos.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    opening: Duration,
    a_step_of_a_photo: f64,
    an_answer: f64,
}

/// Held-out photos that a pace is taken by: so many that opening sessions, which is
/// done once an epoch, does not count for much.
const PACE_ANSWERS: usize = 64;

impl<'a> Learners<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        source: Source<'a>,
        (examples, features): (&'a [&'a Example], &'a Features),
        labels: &'a Labels,
        recipe: &'a ReportRecipe,
        options: &'a FeatureOptions,
    ) -> Learners<'a> {
        let heads = HashMap::new();
        Learners { engine, source, examples, features, labels, recipe, options, heads }
    }

    pub(super) fn learn(
        &mut self,
        lesson: &Lesson<'_>,
        on: OnEvent<'_>,
    ) -> Result<Learnt, ReportError> {
        if lesson.method == Method::Frozen {
            let Solved { head, calibration } = self.head(lesson, on)?;
            let rows = self.features.rows.select(lesson.test).map_err(spilled)?;
            return Ok(Learnt { logits: vec![head.logits(rows.view())], calibration });
        }
        let network = self.network(lesson, on)?;
        let watched = watch(&self.watch(&network, lesson.train, lesson.test), on)?;
        // Nobody else's photos are left to calibrate by.
        Ok(Learnt { logits: watched.logits, calibration: Calibration::NONE })
    }

    /// How long the runs of a plan take, those with frozen backbones not counted.
    /// A few photos are trained on to know.
    pub(super) fn estimate(
        &mut self,
        plan: &Plan,
        methods: &[Method],
        on: OnEvent<'_>,
    ) -> Result<Duration, ReportError> {
        let mut seconds = 0.0;
        for &method in methods.iter().filter(|method| **method != Method::Frozen) {
            let pace = self.pace(plan, method, on)?;
            let epochs = match method {
                Method::Scratch => self.recipe.scratch.epochs,
                _ => self.recipe.fine_tuning.epochs,
            } as f64;
            for size in &plan.sizes {
                let steps = epochs * *size as f64 * pace.a_step_of_a_photo;
                let answers = (epochs + 1.0) * plan.test.len() as f64 * pace.an_answer;
                seconds += (pace.opening.as_secs_f64() + steps + answers) * plan.seeds.len() as f64;
            }
        }
        Ok(Duration::from_secs_f64(seconds))
    }

    fn pace(&mut self, plan: &Plan, method: Method, on: OnEvent<'_>) -> Result<Pace, ReportError> {
        let (seed, train) = (plan.seeds[0], plan.part(0, 0));
        let test = &plan.test[..PACE_ANSWERS.min(plan.test.len())];
        let mut network = self.network(&Lesson { method, seed, train, test }, on)?;
        network.recipe.epochs = 2;
        let start = Instant::now();
        let watched = watch(&self.watch(&network, train, test), on)?;
        Ok(Pace {
            opening: start.elapsed().saturating_sub(watched.epoch + watched.answers),
            a_step_of_a_photo: watched.epoch.as_secs_f64() / train.len() as f64,
            an_answer: watched.answers.as_secs_f64() / test.len() as f64,
        })
    }

    fn watch<'b>(
        &'b self,
        network: &'b Network,
        train: &'b [usize],
        test: &'b [usize],
    ) -> Watch<'b> {
        Watch {
            engine: self.engine,
            below: match &network.ground {
                Ground::Photos(backbone) => Below::Photos(backbone),
                Ground::Texts(bags) => Below::Texts(bags),
            },
            network: &network.graph,
            examples: self.examples,
            contents: &self.features.photos,
            train,
            test,
            classes: self.labels.names().len(),
            recipe: &network.recipe,
            statistics: network.statistics,
            options: self.options,
        }
    }

    fn network(&mut self, lesson: &Lesson<'_>, on: OnEvent<'_>) -> Result<Network, ReportError> {
        match self.source {
            Source::Photos(backbone) => self.network_for_photos(backbone, lesson, on),
            Source::Texts(lessons) => self.network_for_texts(lessons, lesson, on),
        }
    }

    fn network_for_texts(
        &mut self,
        lessons: &TextLessons<'_>,
        lesson: &Lesson<'_>,
        on: OnEvent<'_>,
    ) -> Result<Network, ReportError> {
        let Lesson { method, seed, train, .. } = *lesson;
        let (Beginning { network, bags }, recipe) = match method {
            Method::Scratch => {
                let of = &self.recipe.scratch;
                let recipe = of.recipe(seed, even_batch(train.len(), of.batch));
                let classes = self.labels.names().len();
                (lessons.untrained(train, classes, seed)?, recipe)
            }
            Method::Frozen | Method::FineTuned => {
                let Solved { head, .. } = self.head(lesson, on)?;
                let given = &self.recipe.fine_tuning;
                let batch = even_batch(train.len(), given.batch);
                (lessons.pretrained(train, &head)?, FineTuning { seed, batch, ..given.clone() })
            }
        };
        Ok(Network {
            graph: network,
            ground: Ground::Texts(Box::new(bags)),
            recipe: FineTuning { from: From::Vectors, ..recipe },
            statistics: Statistics::Frozen,
        })
    }

    fn network_for_photos(
        &mut self,
        backbone: &Backbone,
        lesson: &Lesson<'_>,
        on: OnEvent<'_>,
    ) -> Result<Network, ReportError> {
        let learned = lesson.train.len();
        if lesson.method == Method::Scratch {
            let of = &self.recipe.scratch;
            let recipe = of.recipe(lesson.seed, even_batch(learned, of.batch));
            let input = of.input(&backbone.input);
            return Ok(Network {
                graph: of.network(&input, self.labels.names().len(), lesson.seed),
                ground: Ground::Photos(Box::new(backbone.clone().with_input(input))),
                recipe,
                statistics: crate::untrained::STATISTICS,
            });
        }
        let Solved { head, .. } = self.head(lesson, on)?;
        let given = &self.recipe.fine_tuning;
        let batch = match backbone.batch {
            // Checked against the recipe before.
            Batch::Fixed(_) => given.batch,
            _ => even_batch(learned, given.batch),
        };
        Ok(Network {
            graph: join(backbone.graph(), &head)?,
            ground: Ground::Photos(Box::new(backbone.clone())),
            recipe: FineTuning { seed: lesson.seed, batch, ..given.clone() },
            statistics: TUNED_STATISTICS,
        })
    }

    fn head(&mut self, lesson: &Lesson<'_>, on: OnEvent<'_>) -> Result<Solved, ReportError> {
        let key = (lesson.seed, lesson.train.len());
        if let Some(solved) = self.heads.get(&key) {
            return Ok(solved.clone());
        }
        let chosen: Vec<&Example> = lesson.train.iter().map(|&i| self.examples[i]).collect();
        let labels: Vec<usize> = chosen.iter().map(|e| e.label).collect();
        let rows = self.features.rows.select(lesson.train).map_err(spilled)?;
        let examples = Examples::new(rows.view(), &labels, self.labels.names().len())
            .map_err(ReportError::Examples)?;
        let folds = divide(&chosen, self.recipe.folds, lesson.seed).map_err(ReportError::Split)?;
        let linear = LinearRecipe::default();
        let total = Some(linear.strengths.len() as u64);
        if on(Event::Begin { stage: Stage::Head, total }).is_break() {
            return Err(ReportError::Cancelled);
        }
        let mut tried = 0;
        let mut progress = |step: Progress| {
            if let Progress::Tried { done, .. } = step {
                tried = done as u64;
            }
            on(Event::Advance { done: tried })
        };
        let trained = train_linear(&examples, &linear, &folds.folds, &mut progress);
        let trained = trained.map_err(|error| match error {
            TrainError::Interrupted => ReportError::Cancelled,
            other => ReportError::Head(other),
        })?;
        let _ = on(Event::End);
        let temperature = temperature(trained.out_of_fold_logits.view(), &labels)
            .map_err(ReportError::Calibration)?;
        let calibration = Calibration { temperature, unknown_below: None };
        let solved = Solved { head: trained.head, calibration };
        self.heads.insert(key, solved.clone());
        Ok(solved)
    }
}

/// A batch of about `wanted` that leaves as few empty places in an epoch's last
/// one as can be: batch statistics would have them in.
fn even_batch(examples: usize, wanted: usize) -> usize {
    let fewest = examples.div_ceil(wanted);
    let empty = |batches: usize| batches * examples.div_ceil(batches) - examples;
    let batches = (fewest..=2 * fewest).min_by_key(|&batches| empty(batches)).unwrap_or(1);
    examples.div_ceil(batches).max(1)
}

fn spilled(error: SpillError) -> ReportError {
    ReportError::Features(error.into())
}

#[cfg(test)]
mod tests {
    use super::even_batch;

    #[test]
    fn batches_are_filled() {
        for (examples, wanted, batch) in
            [(64, 32, 32), (33, 32, 11), (20, 32, 20), (1968, 32, 24), (7, 4, 4), (1, 32, 1)]
        {
            assert_eq!(even_batch(examples, wanted), batch, "{examples} by {wanted}");
        }
    }
}
