//! Everybody is asked for the same words: the network, the same of random vectors, and
//! what only counts.

use std::ops::ControlFlow;

use graft_learn::{BigramCounts, SplitMix64, calibrate, expected_calibration_error};
use graft_onnx::Graph;
use ndarray::Array2;

use super::NextWordRecipe;
use super::corpus::{Corpus, Position, Rows};
use super::error::NextWordError;
use super::fit::{Fitted, Lesson, Machine, answers, fit, spread};
use super::judge::{Tally, Verdict};
use crate::progress::{Event, OnEvent, Stage};

/// Keeps draws of one seed apart.
const VECTORS: u64 = u64::from_be_bytes(*b"vectors ");

/// Logits that are in memory at once when a temperature is looked for.
const CALIBRATING: usize = 1 << 22;

/// What makes the stop part the most probable.
pub(super) fn temperature(
    machine: Machine<'_>,
    lesson: &Lesson<'_>,
    rows: &Rows,
    network: &Graph,
) -> Result<f32, NextWordError> {
    let classes = lesson.bias.len();
    let some = spread(lesson.stop, CALIBRATING / classes);
    let mut logits = Array2::zeros((some.len(), classes));
    let mut go_on = |_| ControlFlow::Continue(());
    answers(machine, lesson.corpus, rows, network, &some, &mut go_on, |place, row| {
        logits.row_mut(place).iter_mut().zip(row).for_each(|(to, &logit)| *to = logit);
    })?;
    let labels: Vec<usize> =
        some.iter().filter_map(|position| position.class).map(|class| class as usize).collect();
    Ok(calibrate(logits.view(), &labels, None)?.temperature)
}

/// What asks everybody for the same words.
pub(super) struct Judge<'a> {
    pub(super) machine: Machine<'a>,
    pub(super) corpus: &'a Corpus,
    pub(super) positions: &'a [Position],
    pub(super) blocks: usize,
}

impl Judge<'_> {
    pub(super) fn network(
        &self,
        rows: &Rows,
        network: &Graph,
        temperature: f32,
        on: OnEvent<'_>,
    ) -> Result<(Vec<Tally>, f64), NextWordError> {
        let Judge { machine, corpus, positions, .. } = *self;
        let begin = Event::Begin { stage: Stage::Predict, total: Some(positions.len() as u64) };
        if on(begin).is_break() {
            return Err(NextWordError::Cancelled);
        }
        let mut sure = Vec::with_capacity(positions.len());
        let mut verdicts = Vec::with_capacity(positions.len());
        let mut go_on = |done| on(Event::Advance { done });
        answers(machine, corpus, rows, network, positions, &mut go_on, |place, logits| {
            let verdict = Verdict::of_logits(logits, temperature, positions[place].class);
            sure.push((verdict.confidence, verdict.rank == Some(0)));
            verdicts.push(verdict);
        })?;
        let _ = on(Event::End);
        Ok((self.tallies(verdicts), expected_calibration_error(&sure)))
    }

    pub(super) fn unigram(&self, counts: &BigramCounts) -> Vec<Tally> {
        let total = counts.counts().iter().sum::<u64>() as f64;
        let verdict = |position: &Position| {
            // Classes are in the order of frequencies.
            let class = position.class.map(|class| class as usize);
            let share = |class: usize| counts.counts()[class] as f64 / total;
            Verdict {
                loss: class.map(|class| -share(class).ln()),
                rank: class,
                confidence: share(0) as f32,
            }
        };
        self.tallies(self.positions.iter().map(verdict))
    }

    pub(super) fn bigram(&self, counts: &BigramCounts, discount: f64) -> Vec<Tally> {
        let bigram = counts.bigram(discount);
        let verdict = |position: &Position| {
            let before = self.corpus.pair(position).0;
            let top = bigram.top(before, 3);
            let rank = |class: u32| top.iter().position(|&word| word == class).unwrap_or(3);
            Verdict {
                loss: position.class.map(|class| -bigram.probability(before, class).ln()),
                rank: position.class.map(rank),
                confidence: bigram.probability(before, top[0]) as f32,
            }
        };
        self.tallies(self.positions.iter().map(verdict))
    }

    /// The same network, learned in the same way, where every word has a vector of
    /// chance, as long as the real ones are in the mean, and the same on both sides.
    pub(super) fn random(
        &self,
        lesson: &Lesson<'_>,
        recipe: &NextWordRecipe,
        on: OnEvent<'_>,
    ) -> Result<Vec<Tally>, NextWordError> {
        let Rows { dimensions, values } = lesson.rows;
        let squares: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        let deviation = (squares / values.len() as f64).sqrt();
        let mut random = SplitMix64::of(&[recipe.seed, VECTORS]);
        let mut normal = || ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0) * deviation;
        let values = values.iter().map(|_| normal() as f32).collect();
        let rows = Rows { dimensions: *dimensions, values };
        let lesson = Lesson { vectors: &rows, rows: &rows, ..*lesson };
        let Fitted { network, moved, .. } = fit(self.machine, &lesson, recipe, on)?;
        let rows = moved.as_ref().unwrap_or(&rows);
        let temperature = temperature(self.machine, &lesson, rows, &network)?;
        Ok(self.network(rows, &network, temperature, on)?.0)
    }

    /// Of blocks in which a word is asked for.
    fn tallies(&self, verdicts: impl IntoIterator<Item = Verdict>) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.blocks];
        for (position, verdict) in self.positions.iter().zip(verdicts) {
            tallies[self.corpus.block(position)].add(&verdict);
        }
        tallies.retain(|tally| tally.asked > 0);
        tallies
    }
}
