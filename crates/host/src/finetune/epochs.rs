//! The loop: epochs of steps, what they are worth, and when to stop.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use graft_learn::{Schedule, SoftTargets, SplitMix64, log_loss_at_best_temperature};
use graft_onnx::{Graph, TrainingStep};
use ndarray::{Array2, ArrayView1};

use super::below::Rows;
use super::checkpoint::{Best, Saved, Shelf};
use super::forward::Forward;
use super::recipe::Optimiser;
use super::supply::{Pick, SupplyError};
use super::{EpochFacts, FineTuneError, Task, with_weights};
use crate::engine::{Batch, Step};
use crate::progress::{Event, OnEvent, Stage};
use crate::provider::Provider;

/// Everything that the epochs of one run share.
pub(super) struct Run<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) part: &'a Graph,
    pub(super) step: &'a TrainingStep,
    pub(super) rows: &'a Rows<'a>,
    pub(super) forward: &'a Forward<'a>,
}

/// What a watched run gave, and what it took.
pub(crate) struct Watched {
    /// `[held out, classes]` before the first epoch and after each.
    pub(crate) logits: Vec<Array2<f32>>,
    /// Rows and steps of the last epoch; rows may be at hand since the first.
    pub(crate) epoch: Duration,
    /// Looking at the held-out part after it.
    pub(crate) answers: Duration,
}

/// What the stop part says of some weights.
struct Worth {
    loss: f64,
    accuracy: f64,
}

/// Keeps the order of examples apart from other draws of the same seed.
const ORDER: u64 = 0x6f72_6465;

impl Run<'_> {
    /// Trains to the end of the recipe, or until the stop part says so.
    pub(super) fn epochs(
        &self,
        mut session: Step,
        shelf: &Shelf<'_>,
        saved: Option<Saved>,
        on: OnEvent<'_>,
    ) -> Result<Saved, FineTuneError> {
        let recipe = self.task.recipe;
        let steps_an_epoch = self.task.parts.train.len().div_ceil(self.task.batch());
        let total = steps_an_epoch * recipe.epochs;
        let schedule = Schedule::new(total, recipe.rates.warm_up, recipe.rates.decay);
        if on(Event::Begin { stage: Stage::Tune, total: Some(total as u64) }).is_break() {
            return Err(FineTuneError::Cancelled);
        }
        let mut saved = match saved {
            Some(saved) => saved,
            None => self.before(on)?,
        };
        while saved.epochs < recipe.epochs && !self.is_over(&saved) {
            let start = Instant::now();
            let epoch = saved.epochs + 1;
            let loss = self.epoch(&mut session, epoch, &mut saved, &schedule, Some(shelf), on)?;
            saved.epochs = epoch;
            saved.state = session.state()?;
            let weights = self.weights(&saved.state);
            let worth = self.worth(&weights, &saved, shelf, on)?;
            // Without a stop part the last is the best.
            let stop_loss = worth.as_ref().map_or(f64::INFINITY, |worth| worth.loss);
            if worth.is_none() || stop_loss < saved.best.loss {
                saved.best = Best { epoch, loss: stop_loss, weights };
            }
            let facts = EpochFacts {
                epoch,
                loss: Some(loss),
                stop_loss: worth.as_ref().map(|worth| worth.loss),
                stop_accuracy: worth.as_ref().map(|worth| worth.accuracy),
                rate: recipe.rates.backbone * schedule.share(saved.steps - 1),
                seconds: start.elapsed().as_secs_f64(),
            };
            saved.history.push(facts);
            shelf.save(&saved)?;
            self.tell(&saved, on)?;
        }
        let _ = on(Event::End);
        Ok(saved)
    }

    /// The network as it was grafted: its weights are kept if no epoch's are better.
    fn before(&self, on: OnEvent<'_>) -> Result<Saved, FineTuneError> {
        let start = Instant::now();
        let state: Vec<Vec<f32>> = self.step.state.iter().map(|one| one.initial.clone()).collect();
        let weights = self.weights(&state);
        let best = Best { epoch: 0, loss: f64::INFINITY, weights };
        let mut saved = Saved { epochs: 0, steps: 0, history: Vec::new(), best, state };
        if !self.task.parts.stop.is_empty() {
            let logits = self.stop_logits(&saved.best.weights, 0, on)?;
            let Ok(worth) = self.judge(&logits) else {
                return Err(self.diverged(
                    &saved,
                    "answer before the first step",
                    f64::NAN,
                    0.0,
                    None,
                ));
            };
            saved.best.loss = worth.loss;
            saved.history.push(EpochFacts {
                epoch: 0,
                loss: None,
                stop_loss: Some(worth.loss),
                stop_accuracy: Some(worth.accuracy),
                rate: 0.0,
                seconds: start.elapsed().as_secs_f64(),
            });
            self.tell(&saved, on)?;
        }
        Ok(saved)
    }

    fn is_over(&self, saved: &Saved) -> bool {
        let patience = self.task.recipe.patience;
        let stops = patience > 0 && !self.task.parts.stop.is_empty();
        stops && saved.epochs >= saved.best.epoch + patience
    }

    /// One pass over what is learned from; the mean loss.
    fn epoch(
        &self,
        session: &mut Step,
        epoch: usize,
        saved: &mut Saved,
        schedule: &Schedule,
        shelf: Option<&Shelf<'_>>,
        on: OnEvent<'_>,
    ) -> Result<f64, FineTuneError> {
        let recipe = self.task.recipe;
        let train = &self.task.parts.train;
        let label = |i: usize| self.task.examples[i].label;
        let labels: Vec<usize> = train.iter().map(|&i| label(i)).collect();
        let classes = self.task.classes;
        let targets =
            SoftTargets::new(&labels, classes, recipe.class_weights, recipe.label_smoothing);
        let mut order = train.clone();
        SplitMix64::of(&[recipe.seed, ORDER, epoch as u64]).shuffle(&mut order);

        let mut batch = Batch {
            examples: Vec::new(),
            targets: vec![0.0; self.task.batch() * classes],
            row_weights: vec![0.0; self.task.batch()],
            schedule: [0.0; 3],
        };
        let (mut sum, mut weight) = (0.0, 0.0);
        let batches: Vec<&[usize]> = order.chunks(self.task.batch()).collect();
        self.each_batch(epoch, &batches, |members, rows| {
            let labels: Vec<usize> = members.iter().map(|&i| label(i)).collect();
            let counts = targets.fill(&labels, &mut batch.targets, &mut batch.row_weights);
            let rate = recipe.rates.backbone * schedule.share(saved.steps);
            batch.schedule = self.schedule(saved.steps, rate);
            batch.examples = rows;
            let moved = session.run(&batch)?;
            for (what, value) in [("loss", moved.loss), ("gradient's norm", moved.gradient_norm)] {
                if !value.is_finite() {
                    let good = shelf.filter(|_| saved.epochs > 0).map(Shelf::path);
                    return Err(self.diverged(saved, what, value.into(), rate, good));
                }
            }
            sum += f64::from(moved.loss) * counts;
            weight += counts;
            saved.steps += 1;
            match on(Event::Advance { done: saved.steps as u64 }).is_break() {
                true => Err(FineTuneError::Cancelled),
                false => Ok(()),
            }
        })?;
        Ok(sum / weight)
    }

    /// Makes the rows of each batch and hands them on. On a processor rows and
    /// steps take turns, each with all cores; where steps run elsewhere, rows are
    /// made beside them, one batch ahead.
    fn each_batch(
        &self,
        epoch: usize,
        batches: &[&[usize]],
        mut step: impl FnMut(&[usize], Vec<f32>) -> Result<(), FineTuneError>,
    ) -> Result<(), FineTuneError> {
        match self.task.options.provider {
            Provider::Cpu => {
                batches.iter().try_for_each(|members| step(members, self.rows(epoch, members)?))
            }
            Provider::Cuda { .. } | Provider::TensorRt { .. } => std::thread::scope(|scope| {
                let (sender, receiver) = mpsc::sync_channel(1);
                scope.spawn(move || {
                    for members in batches {
                        // Nobody listens any more once a step failed.
                        if sender.send(self.rows(epoch, members)).is_err() {
                            return;
                        }
                    }
                });
                batches.iter().zip(receiver).try_for_each(|(members, rows)| step(members, rows?))
            }),
        }
    }

    /// The rows of a batch, filled up with zeros.
    fn rows(&self, epoch: usize, members: &[usize]) -> Result<Vec<f32>, SupplyError> {
        let recipe = self.task.recipe;
        let draw = |example| recipe.augment.draw(recipe.seed, epoch, example);
        let picks: Vec<Pick> =
            members.iter().map(|&example| Pick { example, draw: Some(draw(example)) }).collect();
        let length = self.rows.row_length();
        let mut rows = vec![0.0; self.task.batch() * length];
        self.rows.fill(&picks, &mut rows[..members.len() * length])?;
        Ok(rows)
    }

    /// The rate, and what makes up for moments that start at 0.
    fn schedule(&self, step: usize, rate: f64) -> [f32; 3] {
        let correction = |beta: f32| 1.0 / (1.0 - f64::from(beta).powf((step + 1) as f64));
        match self.task.recipe.optimiser {
            Optimiser::Sgd { .. } => [rate as f32, 1.0, 1.0],
            Optimiser::AdamW { beta1, beta2, .. } => {
                [rate as f32, correction(beta1) as f32, correction(beta2) as f32]
            }
        }
    }

    fn weights(&self, state: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let both = self.step.state.iter().zip(state);
        both.filter(|(one, _)| super::of_network(one)).map(|(_, v)| v.clone()).collect()
    }

    fn worth(
        &self,
        weights: &[Vec<f32>],
        saved: &Saved,
        shelf: &Shelf<'_>,
        on: OnEvent<'_>,
    ) -> Result<Option<Worth>, FineTuneError> {
        if self.task.parts.stop.is_empty() {
            return Ok(None);
        }
        let logits = self.stop_logits(weights, saved.steps as u64, on)?;
        self.judge(&logits).map(Some).map_err(|()| FineTuneError::Diverged {
            epoch: saved.epochs,
            step: saved.steps,
            what: "answer to an example of the stop part",
            value: f64::NAN,
            rate: self.task.recipe.rates.backbone,
            checkpoint: (saved.epochs > 1).then(|| shelf.path()),
        })
    }

    fn stop_logits(
        &self,
        weights: &[Vec<f32>],
        done: u64,
        on: OnEvent<'_>,
    ) -> Result<Array2<f32>, FineTuneError> {
        let from = || self.task.recipe.from.to_string();
        let graph = with_weights(self.part.clone(), self.step, weights)
            .map_err(|e| FineTuneError::Graph { from: from(), source: Box::new(e) })?;
        self.forward.logits(&graph, self.rows, &self.task.parts.stop, done, on)
    }

    /// Fails where the logits are no numbers.
    fn judge(&self, logits: &Array2<f32>) -> Result<Worth, ()> {
        let labels: Vec<usize> =
            self.task.parts.stop.iter().map(|&i| self.task.examples[i].label).collect();
        let loss = log_loss_at_best_temperature(logits.view(), &labels).map_err(|_| ())?;
        let right = logits.outer_iter().zip(&labels).filter(|(row, label)| best(row) == **label);
        Ok(Worth { loss, accuracy: right.count() as f64 / labels.len() as f64 })
    }

    /// Trains to the end of the recipe, whatever comes of it, and gives the logits
    /// of the held-out part before the first epoch and after each. As these choose
    /// nothing, no epoch and no end, they may be looked at.
    pub(super) fn watched(
        &self,
        mut session: Step,
        on: OnEvent<'_>,
    ) -> Result<Watched, FineTuneError> {
        let recipe = self.task.recipe;
        let total = self.task.parts.train.len().div_ceil(self.task.batch()) * recipe.epochs;
        let schedule = Schedule::new(total, recipe.rates.warm_up, recipe.rates.decay);
        if on(Event::Begin { stage: Stage::Tune, total: Some(total as u64) }).is_break() {
            return Err(FineTuneError::Cancelled);
        }
        let best = Best { epoch: 0, loss: f64::INFINITY, weights: Vec::new() };
        let mut saved = Saved { epochs: 0, steps: 0, history: Vec::new(), best, state: Vec::new() };
        let logits = vec![self.answers(&session, &saved, on)?];
        let mut watched = Watched { logits, epoch: Duration::ZERO, answers: Duration::ZERO };
        while saved.epochs < recipe.epochs {
            let start = Instant::now();
            self.epoch(&mut session, saved.epochs + 1, &mut saved, &schedule, None, on)?;
            watched.epoch = start.elapsed();
            saved.epochs += 1;
            let start = Instant::now();
            watched.logits.push(self.answers(&session, &saved, on)?);
            watched.answers = start.elapsed();
        }
        let _ = on(Event::End);
        Ok(watched)
    }

    fn answers(
        &self,
        session: &Step,
        saved: &Saved,
        on: OnEvent<'_>,
    ) -> Result<Array2<f32>, FineTuneError> {
        let weights = self.weights(&session.state()?);
        let graph = with_weights(self.part.clone(), self.step, &weights).map_err(|source| {
            let from = self.task.recipe.from.to_string();
            FineTuneError::Graph { from, source: Box::new(source) }
        })?;
        let logits =
            self.forward.logits(&graph, self.rows, self.task.test, saved.steps as u64, on)?;
        match logits.iter().find(|value| !value.is_finite()) {
            None => Ok(logits),
            Some(&value) => {
                let rate = self.task.recipe.rates.backbone;
                Err(self.diverged(saved, "answer to a held-out example", value.into(), rate, None))
            }
        }
    }

    fn diverged(
        &self,
        saved: &Saved,
        what: &'static str,
        value: f64,
        rate: f64,
        checkpoint: Option<std::path::PathBuf>,
    ) -> FineTuneError {
        let (epoch, step) = (saved.epochs + 1, saved.steps + 1);
        FineTuneError::Diverged { epoch, step, what, value, rate, checkpoint }
    }

    fn tell(&self, saved: &Saved, on: OnEvent<'_>) -> Result<(), FineTuneError> {
        let Some(facts) = saved.history.last() else { return Ok(()) };
        let of = self.task.recipe.epochs;
        let left = (of - saved.epochs) as f64 * if saved.epochs > 0 { facts.seconds } else { 0.0 };
        // How long an epoch takes is not known before the first.
        let remaining = (saved.epochs > 0).then(|| Duration::from_secs_f64(left));
        match on(Event::Epoch { facts, of, remaining }).is_break() {
            true => Err(FineTuneError::Cancelled),
            false => Ok(()),
        }
    }
}

/// The largest, the first of equals.
fn best(row: &ArrayView1<'_, f32>) -> usize {
    (0..row.len()).reduce(|a, b| if row[b] > row[a] { b } else { a }).unwrap_or(0)
}
