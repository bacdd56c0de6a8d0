//! The vectors of the task's own words follow the task, and the head with them.

use std::time::Instant;

use graft_input::words::TablePrecision;
use graft_learn::{Dense, Head, Trained};
use graft_onnx::{Graph, VECTORS};
use graft_spec::{Labels, Pooling};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::pooled::Pooled;
use super::report::check_pooling;
use super::train::{INPUT, TextRecipe, take_common_out};
use super::words::Words;
use crate::engine::Engine;
use crate::examples::Example;
use crate::features::{FeatureOptions, Features};
use crate::finetune::{self, Below, Checkpoints, FineTuneError, FineTuning, Task};
use crate::graft::join;
use crate::progress::OnEvent;
use crate::provider::Provider;
use crate::sides::Sides;
use crate::train::{Evaluation, Outcome, Recipe, RunError, Tuning, first_head, judged, of_tuning};
/// What is tuned, and what it is held against.
pub(super) struct Tune<'a> {
    pub(super) engine: &'a Engine,
    pub(super) provider: &'a Provider,
    pub(super) threads: usize,
    pub(super) words: &'a Words,
    /// Usable ones.
    pub(super) texts: &'a [&'a str],
    pub(super) usable: &'a [&'a Example],
    pub(super) features: &'a Features,
    pub(super) sides: &'a Sides,
    pub(super) labels: &'a Labels,
    pub(super) recipe: &'a Recipe,
    pub(super) text_recipe: &'a TextRecipe,
    /// The head on the vectors as they are.
    pub(super) probe: &'a Trained,
}

/// Tuned vectors, with a head for them.
pub(super) struct TunedWords {
    pub(super) table: Vec<u8>,
    pub(super) outcome: Outcome,
    /// Held-out accuracy with rows that are not rounded; `None` if these are not.
    pub(super) f32_accuracy: Option<f64>,
}

/// What can be known to fail before any text is read.
pub(super) fn check(recipe: &FineTuning, pooling: Pooling) -> Result<(), FineTuneError> {
    check_pooling(pooling)?;
    finetune::check_for_texts(recipe)
}

/// Solves a head on what is learned from alone, and tunes it and the vectors of the
/// words there from that on. Tuned vectors are rounded as the table asks, and
/// calibrated and judged as they travel.
pub(super) fn tune(
    tune: &Tune<'_>,
    linear_probe: Evaluation,
    (fine_tuning, checkpoints): (&FineTuning, &Checkpoints),
    on: OnEvent<'_>,
) -> Result<TunedWords, RunError> {
    let start = Instant::now();
    let Tune { words, texts, usable, features, sides, labels, recipe, text_recipe, .. } = *tune;
    let parts = finetune::split(usable, &sides.train, labels, fine_tuning).map_err(of_tuning)?;
    let classes = labels.names().len();
    let Pooled { rows, .. } = words.pooled(&words.table(TablePrecision::F32)?, texts, on)?;
    let mut exact = features.with_rows(rows);
    let common = take_common_out(&mut exact, sides, text_recipe.pooling);
    let head = first_head(&exact.rows, usable, &parts.train, classes, recipe, tune.probe)?;
    let head = match common {
        Some(common) => common.fold_into(head),
        None => head,
    };

    let (bags, places) = words.bags(&words.counts(texts), &parts.train);
    let joined = join(bags.graph(), &head)?;
    let options = FeatureOptions {
        provider: tune.provider.clone(),
        threads: tune.threads,
        batch: None,
        cache: None,
        spill: None,
    };
    let task = Task {
        engine: tune.engine,
        below: Below::Texts(&bags),
        joined: &joined,
        examples: usable,
        contents: &features.photos,
        parts: &parts,
        test: &sides.test,
        classes,
        recipe: fine_tuning,
        options: &options,
        statistics: graft_onnx::Statistics::Frozen,
        checkpoints,
    };
    let tuned = finetune::tune(&task, on).map_err(of_tuning)?;
    let weights = |name: &str| {
        let found = tuned.weights.iter().find(|(weight, _)| weight == name);
        found.map(|(_, values)| values.as_slice()).expect("invariant: it was among what moved")
    };
    let head = dense(weights("head.0.weight"), weights("head.0.bias"));
    let tuned_words = words.with_vectors(&places, weights(VECTORS));

    let mut judge = |precision: TablePrecision| -> Result<_, RunError> {
        let table = tuned_words.table(precision)?;
        let Pooled { rows, .. } = tuned_words.pooled(&table, texts, on)?;
        let logits = |part: &[usize]| head.logits(rows.select(Axis(0), part).view());
        let (to_calibrate, to_judge) = (logits(&parts.calibrate), logits(&sides.test));
        let logits: (ArrayView2<'_, f32>, ArrayView2<'_, f32>) =
            (to_calibrate.view(), to_judge.view());
        let judged = judged(logits, usable, sides, &parts, labels, recipe.answered)?;
        Ok((table, judged))
    };
    let (table, (calibration, evaluation)) = judge(text_recipe.precision)?;
    let f32_accuracy = match text_recipe.precision {
        TablePrecision::F32 => None,
        _ => Some(judge(TablePrecision::F32)?.1.1.accuracy),
    };
    let joined = join(&Graph::rows(INPUT, words.spec.feature_length()), &head)?;
    let tuning =
        Tuning { facts: tuned.facts, linear_probe, seconds: start.elapsed().as_secs_f64() };
    let outcome = Outcome { joined, calibration, evaluation, tuning: Some(tuning) };
    Ok(TunedWords { table, outcome, f32_accuracy })
}

/// `weights` are `[classes, features]`.
fn dense(weights: &[f32], bias: &[f32]) -> Head {
    let shape = (bias.len(), weights.len() / bias.len());
    let weights = Array2::from_shape_vec(shape, weights.to_vec())
        .expect("invariant: a row of weights for each number of the bias");
    Head { layers: vec![Dense { weights, bias: Array1::from(bias.to_vec()) }] }
}

#[cfg(test)]
mod tests;
