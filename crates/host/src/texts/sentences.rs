//! Labelled texts and a sentence encoder in, a bundle and a report out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ndarray::Axis;
use serde::Serialize;

use super::Texts;
use super::encoded::{Encoded, encoded};
use super::pooled::unknown_share;
use super::train::{among, note, note_lone, refuse, unknown_texts};
use crate::encoder::Encoder;
use crate::engine::Engine;
use crate::examples::Example;
use crate::features::{FeatureOptions, Features, FeaturesError};
use crate::graft::{Subject, join};
use crate::progress::OnEvent;
use crate::sides::sides;
use crate::train::{
    Learned, Outcome, Recipe, Run, RunError, Source, check_classes, conclude, learn, note_leaks,
};
use graft_onnx::FEATURES;
use graft_spec::{Input, Labels, TokensLength};

/// What of the texts the encoder read. Field names are those of docs/json.md.
#[derive(Debug, Serialize)]
pub struct SentenceFacts {
    /// Tokens of a text that are read, those at its ends among them.
    pub max_tokens: u32,
    /// Tokens that the encoder knows.
    pub vocabulary: u32,
    /// What the tokenizer takes in the bundle.
    pub tokenizer_bytes: usize,
    /// Tokens of half of the texts or fewer.
    pub median_tokens: u32,
    /// Share of the tokens of the texts learned from that stand for unknown words.
    pub unknown_train: f64,
    /// The same of the texts held out.
    pub unknown_test: f64,
    /// Texts of which no token is known: skipped, as the answer is unknown whatever is
    /// learned.
    pub nothing_known: usize,
    /// Texts that are longer than what is read.
    pub cut: usize,
}

/// What is learned, and from what.
#[derive(Clone, Copy, Debug)]
pub struct SentenceTask<'a> {
    /// What makes rows.
    pub encoder: &'a Encoder,
    /// Labelled texts.
    pub texts: &'a Texts,
    /// Those of the data set, checked.
    pub labels: &'a Labels,
}

/// The encoder as the device engine runs it: on texts of any length, or else on texts
/// that are all filled up to one.
pub(super) fn runnable(encoder: &Encoder, on: OnEvent<'_>) -> Result<Encoder, RunError> {
    let model = encoder.graph().to_bytes();
    let check =
        |encoder: &Encoder| graft_runtime::check_onnx(&model, &Input::Tokens(encoder.spec.clone()));
    let Err(of_any) = check(encoder) else { return Ok(encoder.clone()) };
    let padded = encoder.clone().with_length(TokensLength::MaxTokens);
    if check(&padded).is_err() {
        let at = FEATURES.to_owned();
        return Err(RunError::Device { at, nearest: None, source: of_any });
    }
    let text = format!(
        "the device engine runs {} on texts of one length alone: each is filled up to {} tokens, which costs as much as the longest",
        encoder.origin.name, encoder.spec.max_tokens
    );
    note(&text, on)?;
    Ok(padded)
}

/// Trains a head on texts and grafts it onto a sentence encoder.
pub fn train_sentences(
    engine: &Engine,
    task: &SentenceTask<'_>,
    recipe: &Recipe,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<(Run, SentenceFacts), RunError> {
    let SentenceTask { encoder, texts, labels } = *task;
    let all: Vec<&Example> = texts.dataset.examples.iter().collect();
    let total = all.len() + texts.skipped.len();
    refuse(&texts.skipped, total, recipe.strict)?;
    let planned = sides(&all, recipe.test_share, recipe.folds, recipe.seed)?;
    check_classes(labels, &all, &planned, texts.skipped.len())?;
    note_lone(labels, &all, on)?;
    // Before hours of features: what the board can't run is of no use.
    let encoder = &runnable(encoder, on)?;
    let subject = Subject::Sentence { spec: &encoder.spec, tokenizer: encoder.tokenizer() };

    let places: Vec<&Path> = all.iter().map(|example| example.path.as_path()).collect();
    let made = encoded(engine, encoder, &places, &texts.texts, options, on);
    let Encoded { rows, counts, digests, cost } = made.map_err(|error| match error {
        FeaturesError::Cancelled => RunError::Cancelled,
        other => RunError::Features(other),
    })?;
    let known: Vec<usize> = (0..counts.len()).filter(|&i| counts[i].known > 0).collect();
    if known.is_empty() {
        let vectors = encoder.origin.name.clone();
        return Err(RunError::NothingKnown { total: texts.texts.len(), vectors });
    }
    let skipped = [texts.skipped.as_slice(), &unknown_texts(&all, &counts, on)?].concat();
    refuse(&skipped, total, recipe.strict)?;
    let usable: Vec<&Example> = known.iter().map(|&i| all[i]).collect();
    let sides = among(&planned, &known);
    check_classes(labels, &usable, &sides, skipped.len())?;
    let features = Features {
        rows: rows.select(Axis(0), &known).into(),
        photos: known.iter().map(|&i| digests[i]).collect(),
        usable: known,
        skipped,
        batch: 1,
        cost,
    };
    let duplicates = note_leaks(&features, &usable, &sides, on)?;
    let mut lengths: Vec<u32> = counts.iter().map(|count| count.tokens).collect();
    lengths.sort_unstable();
    let facts = SentenceFacts {
        max_tokens: encoder.spec.max_tokens,
        vocabulary: encoder.spec.vocabulary,
        tokenizer_bytes: encoder.tokenizer().len(),
        median_tokens: lengths[(lengths.len() - 1) / 2],
        unknown_train: unknown_share(&counts, &planned.train),
        unknown_test: unknown_share(&counts, &planned.test),
        nothing_known: counts.len() - usable.len(),
        cut: counts.iter().filter(|count| count.cut_bytes > 0).count(),
    };
    if facts.cut > 0 {
        let text = format!(
            "{} of {} texts are longer than {} tokens; the rest of them is not read",
            facts.cut,
            counts.len(),
            facts.max_tokens
        );
        note(&text, on)?;
    }

    let start = Instant::now();
    let (trained, calibration, evaluation) = learn(&features, &usable, &sides, labels, recipe, on)?;
    let head_seconds = start.elapsed().as_secs_f64();
    let joined = join(encoder.graph(), &trained.head)?;
    let source =
        Source { origin: &encoder.origin, at: FEATURES, feature_length: encoder.length, subject };
    let words = [("max_tokens".to_owned(), facts.max_tokens.to_string())];
    let learned = Learned {
        features,
        usable: &usable,
        sides,
        labels,
        duplicates,
        trained,
        head_seconds,
        words: BTreeMap::from(words),
    };
    let outcome = Outcome { joined, calibration, evaluation, tuning: None };
    let run = conclude(engine, &options.provider, &source, recipe, learned, outcome, on)?;
    Ok((run, facts))
}
