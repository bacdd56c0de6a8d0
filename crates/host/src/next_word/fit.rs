//! The network learns: steps of the differentiator's graph in ONNX Runtime.

use std::time::{Duration, Instant};

use graft_learn::{Decay, Schedule, SplitMix64};
use graft_onnx::{
    Dim, Graph, LOGITS, Loss, NextWord, Optimiser, StateRole, Statistics, StepOptions, Trainable,
    TrainingStep,
};

use super::corpus::{Corpus, Position, Rows};
use super::error::NextWordError;
use super::judge::Verdict;
use super::tied::Moving;
use super::{Embedding, INPUT, NextWordRecipe};
use crate::engine::{Batch, Engine, Network, NetworkError, Step};
use crate::finetune::EpochFacts;
use crate::progress::{Event, OnEvent, Stage};
use crate::provider::Provider;

/// Keeps draws of one seed apart.
const ORDER: u64 = u64::from_be_bytes(*b"order   ");
const DROPPED: u64 = 77;
const WEIGHTS: u64 = u64::from_be_bytes(*b"weights ");

/// Share of the words before that are not there when one is learned from, drawn anew
/// each time, so that no single one is relied on (Bowman et al. 2016, "Generating
/// sentences from a continuous space"). docs/results.md has what other shares gave.
const WORD_DROPOUT: f64 = 0.3;

/// Places of one step, and of few places fewer, so that there are steps enough.
const BATCH: usize = 256;
const SMALL_BATCH: usize = 64;
const FEW: usize = 30_000;

/// Places of one epoch at most, drawn anew for each.
const MOST_OF_AN_EPOCH: usize = 200_000;

/// Places of the stop part that are looked at after each epoch.
const MOST_OF_THE_STOP_PART: usize = 8_000;

/// Epochs without a better one before the end.
const PATIENCE: usize = 2;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.98;

/// Rows that are answered at once.
const ROWS: usize = 64;

/// What runs networks.
#[derive(Clone, Copy)]
pub(super) struct Machine<'a> {
    pub(super) engine: &'a Engine,
    pub(super) provider: &'a Provider,
    pub(super) threads: usize,
}

/// What is learned from.
#[derive(Clone, Copy)]
pub(super) struct Lesson<'a> {
    pub(super) corpus: &'a Corpus,
    /// Of all words, as they are before learning.
    pub(super) vectors: &'a Rows,
    /// Of the words before, as they travel if they stay.
    pub(super) rows: &'a Rows,
    /// The words that can come, by class.
    pub(super) outputs: &'a [u32],
    /// `[words]`: the logarithms of their frequencies.
    pub(super) bias: &'a [f32],
    /// Places whose word can be answered.
    pub(super) learn: &'a [Position],
    pub(super) stop: &'a [Position],
}

/// What came of it.
pub(super) struct Fitted {
    pub(super) network: Graph,
    /// Of all words, if those of the words before moved.
    pub(super) moved: Option<Rows>,
    pub(super) epochs: Vec<EpochFacts>,
    pub(super) best_epoch: usize,
}

/// Trains until the stop part gets no better, or to the end of the recipe.
pub(super) fn fit(
    machine: Machine<'_>,
    lesson: &Lesson<'_>,
    recipe: &NextWordRecipe,
    on: OnEvent<'_>,
) -> Result<Fitted, NextWordError> {
    let Lesson { corpus, vectors, rows, outputs, learn, .. } = *lesson;
    let dimensions = rows.dimensions;
    let embedding: Vec<f32> = outputs.iter().flat_map(|&id| vectors.of(id)).copied().collect();
    let design = NextWord {
        input: INPUT,
        inputs: recipe.context * dimensions,
        dimensions,
        hidden: recipe.hidden,
        embedding: &embedding,
        bias: lesson.bias,
    };
    let mut random = SplitMix64::of(&[recipe.seed, WEIGHTS]);
    // Twelve uniform numbers have variance 1, and their sum is the same everywhere.
    let mut graph =
        design.network(&mut || ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0) as f32);
    let batch = if learn.len() < FEW { SMALL_BATCH } else { BATCH };
    let moving = (recipe.embedding == Embedding::Tied)
        .then(|| Moving::of(corpus, outputs, learn, recipe.context));
    let tied = moving.as_ref().map(|moving| design.tied(&graph, &moving.table(vectors)));
    let learning = tied.as_ref().unwrap_or(&graph);
    let step = training_step(learning, batch, recipe.embedding, recipe.weight_decay)?;
    let an_epoch = learn.len().min(MOST_OF_AN_EPOCH);
    let steps_an_epoch = an_epoch.div_ceil(batch);
    let total = steps_an_epoch * recipe.epochs;
    let schedule = Schedule::new(total, 0.05, Decay::Cosine);
    let mut session = Step::open(machine.engine, machine.provider, machine.threads, &step, None)?;

    let begin = Event::Begin { stage: Stage::Tune, total: Some(total as u64) };
    if on(begin).is_break() {
        return Err(NextWordError::Cancelled);
    }
    // A word before is its row, or the number of its row.
    let width = if moving.is_some() { 1 } else { dimensions };
    let (input, classes) = (recipe.context * width, lesson.bias.len());
    let mut one = Batch {
        examples: vec![0.0; batch * input],
        targets: vec![0.0; batch * classes],
        row_weights: vec![0.0; batch],
        schedule: [0.0; 3],
    };
    let before = stop_loss(machine, lesson, rows, &graph)?;
    let facts = |epoch, loss, stop: (f64, f64), rate, seconds| EpochFacts {
        epoch,
        loss,
        stop_loss: Some(stop.0),
        stop_accuracy: Some(stop.1),
        rate,
        seconds,
    };
    let mut epochs = vec![facts(0, None, before, 0.0, 0.0)];
    let (mut best, mut best_epoch, mut taken) = (before.0, 0, 0);
    let mut kept = (graph.clone(), moving.as_ref().map(|_| vectors.clone()));
    let mut order: Vec<usize> = (0..learn.len()).collect();
    for epoch in 1..=recipe.epochs {
        let start = Instant::now();
        SplitMix64::of(&[recipe.seed, ORDER, epoch as u64]).shuffle(&mut order);
        let mut sum = 0.0;
        for members in order[..an_epoch].chunks(batch) {
            let set = |targets: &mut [f32], value: f32| {
                for (row, &member) in members.iter().enumerate() {
                    if let Some(class) = learn[member].class {
                        targets[row * classes + class as usize] = value;
                    }
                }
            };
            for (&member, row) in members.iter().zip(one.examples.chunks_exact_mut(input)) {
                match &moving {
                    Some(moving) => moving.numbers(corpus, &learn[member], row),
                    None => corpus.context(&learn[member], rows, row),
                }
                let mut random =
                    SplitMix64::of(&[recipe.seed, DROPPED, epoch as u64, member as u64]);
                for word in row.chunks_exact_mut(width) {
                    if random.unit() < WORD_DROPOUT {
                        word.fill(0.0);
                    }
                }
            }
            one.row_weights.fill(0.0);
            one.row_weights[..members.len()].fill(1.0 / members.len() as f32);
            let rate = recipe.rate * schedule.share(taken);
            one.schedule = self::schedule(rate, taken);
            set(&mut one.targets, 1.0);
            let moved = session.run(&one)?;
            set(&mut one.targets, 0.0);
            taken += 1;
            if !(moved.loss.is_finite() && moved.gradient_norm.is_finite()) {
                return Err(NextWordError::Diverged { epoch, step: taken, rate });
            }
            sum += f64::from(moved.loss) * members.len() as f64;
            if on(Event::Advance { done: taken as u64 }).is_break() {
                return Err(NextWordError::Cancelled);
            }
        }
        let state = session.state()?;
        let (next, table) = with_state(&design, graph, &step, &state)?;
        graph = next;
        let moved = moving.as_ref().zip(table).map(|(moving, table)| moving.moved(vectors, table));
        let stop = stop_loss(machine, lesson, moved.as_ref().unwrap_or(rows), &graph)?;
        if stop.0 < best {
            (best, best_epoch, kept) = (stop.0, epoch, (graph.clone(), moved));
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = recipe.rate * schedule.share(taken - 1);
        epochs.push(facts(epoch, Some(sum / an_epoch as f64), stop, rate, seconds));
        let remaining = Duration::from_secs_f64(seconds * (recipe.epochs - epoch) as f64);
        let told = Event::Epoch {
            facts: epochs.last().expect("one was pushed"),
            of: recipe.epochs,
            remaining: Some(remaining),
        };
        if on(told).is_break() {
            return Err(NextWordError::Cancelled);
        }
        if epoch >= best_epoch + PATIENCE {
            break;
        }
    }
    let _ = on(Event::End);
    let (network, moved) = kept;
    Ok(Fitted { network, moved, epochs, best_epoch })
}

/// Of a network, or of a tied one.
fn training_step(
    graph: &Graph,
    batch: usize,
    embedding: Embedding,
    weight_decay: f32,
) -> Result<TrainingStep, NextWordError> {
    let names = graph.weights().into_iter().map(|weight| weight.name);
    let names = names.filter(|name| embedding != Embedding::Frozen || name != NextWord::EMBEDDING);
    let table = (embedding == Embedding::Tied).then(|| NextWord::TABLE.to_owned());
    let trainable = names.chain(table).map(|name| Trainable { name, rate: 1.0 });
    let options = StepOptions {
        batch,
        loss: Loss::CrossEntropy,
        optimiser: Optimiser::AdamW { beta1: BETA1, beta2: BETA2, epsilon: 1e-8, weight_decay },
        clip_norm: Some(1.0),
        trainable: trainable.collect(),
        statistics: Statistics::Frozen,
    };
    Ok(graph.training_step(&options).map_err(Box::new)?)
}

/// The rate of a step, from 0, and what makes up for moments that begin at 0.
fn schedule(rate: f64, step: usize) -> [f32; 3] {
    let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powf((step + 1) as f64))) as f32;
    [rate as f32, correction(BETA1), correction(BETA2)]
}

/// The network with the weights that the steps have left, and the table if it is tied.
fn with_state<'s>(
    design: &NextWord<'_>,
    graph: Graph,
    step: &TrainingStep,
    state: &'s [Vec<f32>],
) -> Result<(Graph, Option<&'s [f32]>), NextWordError> {
    let weights = step.state.iter().zip(state).filter(|(one, _)| one.role == StateRole::Weight);
    let weights = weights.map(|(one, values)| (one.weight.as_str(), values.as_slice()));
    let (tables, others): (Vec<_>, Vec<_>) =
        weights.partition(|(weight, _)| *weight == NextWord::TABLE);
    let table = tables.first().map(|&(_, table)| table);
    let embedding = table.map(|table| (NextWord::EMBEDDING, &table[..design.embedding.len()]));
    let graph = graph.with_weights(others.into_iter().chain(embedding)).map_err(Box::new)?;
    Ok((graph, table))
}

/// The mean log-loss of some of the stop part, and the share that is answered right.
fn stop_loss(
    machine: Machine<'_>,
    lesson: &Lesson<'_>,
    rows: &Rows,
    graph: &Graph,
) -> Result<(f64, f64), NextWordError> {
    let some = spread(lesson.stop, MOST_OF_THE_STOP_PART);
    let (mut loss, mut right) = (0.0, 0usize);
    let mut go_on = |_| std::ops::ControlFlow::Continue(());
    answers(machine, lesson.corpus, rows, graph, &some, &mut go_on, |place, logits| {
        let verdict = Verdict::of_logits(logits, 1.0, some[place].class);
        loss += verdict.loss.unwrap_or_default();
        right += usize::from(verdict.rank == Some(0));
    })?;
    Ok((loss / some.len() as f64, right as f64 / some.len() as f64))
}

/// At most so many, evenly spread.
pub(super) fn spread(positions: &[Position], most: usize) -> Vec<Position> {
    let of = positions.len();
    (0..of.min(most)).map(|at| positions[at * of / of.min(most)]).collect()
}

/// The logits of each place, in their order.
pub(super) fn answers(
    machine: Machine<'_>,
    corpus: &Corpus,
    rows: &Rows,
    graph: &Graph,
    positions: &[Position],
    go_on: &mut dyn FnMut(u64) -> std::ops::ControlFlow<()>,
    mut each: impl FnMut(usize, &[f32]),
) -> Result<(), NextWordError> {
    let input = graph.inputs()[0].shape.clone();
    let Some([_, Dim::Fixed(length)]) = input.as_deref() else {
        unreachable!("the network's rows have a length")
    };
    let length = *length as usize;
    let mut network =
        Network::open(machine.engine, &graph.to_bytes(), machine.provider, machine.threads)?;
    let mut examples = vec![0.0; ROWS * length];
    let mut done = 0;
    for members in positions.chunks(ROWS) {
        for (position, row) in members.iter().zip(examples.chunks_exact_mut(length)) {
            corpus.context(position, rows, row);
        }
        let tensor = &examples[..members.len() * length];
        let mut found = 0;
        network.run(&[members.len(), length], tensor, LOGITS, |logits| {
            found = logits.len();
            let classes = logits.len() / members.len();
            for (at, row) in logits.chunks_exact(classes.max(1)).enumerate() {
                each(done + at, row);
            }
        })?;
        if found == 0 {
            let name = LOGITS.to_owned();
            return Err(NetworkError::Output { name, found, expected: members.len() }.into());
        }
        done += members.len();
        if go_on(done as u64).is_break() {
            return Err(NextWordError::Cancelled);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
