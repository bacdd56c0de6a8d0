//! Labelled texts and word vectors in, a bundle and a report out.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

use graft_input::words::{Counts, TablePrecision};
use graft_onnx::Graph;
use graft_spec::{Labels, Pooling};
use ndarray::Axis;
use serde::Serialize;

use super::Texts;
use super::common_direction::Common;
use super::pooled::{Pooled, unknown_share};
use super::tune::{self, Tune};
use super::words::{MAX_BYTES, Words};
use crate::answer::NOTHING_KNOWN;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::examples::Example;
use crate::features::{FeatureCost, Features};
use crate::finetune;
use crate::graft::{Subject, join};
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::provider::Provider;
use crate::sides::{Sides, sides};
use crate::train::{
    Learned, Outcome, Recipe, Run, RunError, Source, check_classes, conclude, learn, note_leaks,
};
use crate::vectors::VectorsFile;

/// How texts become rows, beside [`Recipe`].
#[derive(Clone, Copy, Debug)]
pub struct TextRecipe {
    /// How the rows of a text's words become one.
    pub pooling: Pooling,
    /// How the table that travels is written.
    pub precision: TablePrecision,
    /// Words that travel beside those of the texts learned from: the first in the
    /// file, which are the most frequent ones.
    pub other_words: usize,
}

/// What of the texts was known. Field names are those of docs/json.md.
#[derive(Debug, Serialize)]
pub struct TextFacts {
    /// Words in the file of vectors.
    pub source_words: u64,
    /// Words that travel.
    pub table_words: usize,
    /// Of them words of the texts learned from.
    pub task_words: usize,
    /// What they take in the bundle.
    pub table_bytes: usize,
    /// How they are written.
    pub precision: &'static str,
    /// How the rows of a text become one.
    pub pooling: Pooling,
    /// Capitals mean nothing.
    pub lowercase: bool,
    /// Share of the words of the texts learned from that the table lacks.
    pub unknown_train: f64,
    /// The same of the texts held out.
    pub unknown_test: f64,
    /// The most frequent ones that it lacks.
    pub unknown_words: Vec<String>,
    /// Texts of which no word is known: skipped, as the answer is unknown whatever is
    /// learned.
    pub nothing_known: usize,
    /// Texts that are longer than what is looked at.
    pub cut: usize,
    /// Held-out accuracy with rows that are not rounded; `None` if these are not.
    pub f32_accuracy: Option<f64>,
    /// Reading vectors.
    pub vectors_seconds: f64,
}

/// From here on a person should know that the vectors are of another world.
const MANY_UNKNOWN: f64 = 0.2;

const UNKNOWN_SHOWN: usize = 20;

/// What the network's input is called.
pub(super) const INPUT: &str = "texts";

/// What is learned, and from what.
#[derive(Clone, Copy, Debug)]
pub struct TextTask<'a> {
    /// The words' vectors.
    pub vectors: &'a VectorsFile,
    /// Labelled texts.
    pub texts: &'a Texts,
    /// Those of the data set, checked.
    pub labels: &'a Labels,
}

/// Trains a head on texts and grafts it onto a table of words; `threads` are those of
/// tuning the vectors.
pub fn train_texts(
    engine: &Engine,
    (provider, threads): (&Provider, usize),
    task: &TextTask<'_>,
    recipe: &Recipe,
    text_recipe: &TextRecipe,
    on: OnEvent<'_>,
) -> Result<(Run, TextFacts), RunError> {
    let TextTask { vectors, texts, labels } = *task;
    if let Some((fine_tuning, _)) = &recipe.fine_tuning {
        tune::check(fine_tuning, text_recipe.pooling).map_err(RunError::FineTune)?;
    }
    let all: Vec<&Example> = texts.dataset.examples.iter().collect();
    refuse(&texts.skipped, all.len() + texts.skipped.len(), recipe.strict)?;
    let planned = sides(&all, recipe.test_share, recipe.folds, recipe.seed)?;
    check_classes(labels, &all, &planned, texts.skipped.len())?;
    if let Some((fine_tuning, _)) = &recipe.fine_tuning {
        finetune::split(&all, &planned.train, labels, fine_tuning).map_err(RunError::FineTune)?;
    }
    note_lone(labels, &all, on)?;

    // The words of held-out texts must not travel: texts that come later have none
    // of theirs in the table either.
    let learned_from: Vec<&str> = planned.train.iter().map(|&i| texts.texts[i].as_str()).collect();
    let words = Words::of(vectors, &learned_from, text_recipe, on)?;
    if words.vocabulary.vectors.is_empty() {
        return Err(nothing_known(task));
    }
    let start = Instant::now();
    let table = words.table(text_recipe.precision)?;
    let Pooled { rows, counts } = words.pooled(&table, &texts.texts, on)?;
    let known: Vec<usize> = (0..counts.len()).filter(|&i| counts[i].known > 0).collect();
    if known.is_empty() {
        return Err(nothing_known(task));
    }
    let skipped = [texts.skipped.as_slice(), &unknown_texts(&all, &counts, on)?].concat();
    refuse(&skipped, all.len() + texts.skipped.len(), recipe.strict)?;
    let usable: Vec<&Example> = known.iter().map(|&i| all[i]).collect();
    let sides = among(&planned, &known);
    check_classes(labels, &usable, &sides, skipped.len())?;
    let wall = start.elapsed();
    let mut features = Features {
        rows: rows.select(Axis(0), &known).into(),
        photos: known.iter().map(|&i| Digest::of(texts.texts[i].as_bytes())).collect(),
        usable: known,
        skipped,
        batch: 1,
        cost: FeatureCost { wall, preparation: wall, computed: usable.len(), ..Default::default() },
    };
    let duplicates = note_leaks(&features, &usable, &sides, on)?;
    let mut facts = TextFacts {
        source_words: words.vocabulary.of_file,
        table_words: words.vocabulary.vectors.len(),
        task_words: words.vocabulary.of_task,
        table_bytes: table.len(),
        precision: precision_word(text_recipe.precision),
        pooling: text_recipe.pooling,
        lowercase: words.vocabulary.lowercase(),
        unknown_train: unknown_share(&counts, &planned.train),
        unknown_test: unknown_share(&counts, &planned.test),
        unknown_words: words.vocabulary.unknown(&learned_from, UNKNOWN_SHOWN),
        nothing_known: counts.len() - usable.len(),
        cut: counts.iter().filter(|c| c.cut_bytes > 0).count(),
        f32_accuracy: None,
        vectors_seconds: words.seconds,
    };
    note_unknown(&facts, &vectors.origin.name, on)?;

    let start = Instant::now();
    let common = take_common_out(&mut features, &sides, text_recipe.pooling);
    let (mut trained, calibration, evaluation) =
        learn(&features, &usable, &sides, labels, recipe, on)?;
    if let Some(common) = common {
        trained.head = common.fold_into(trained.head);
    }
    let (table, outcome, head_seconds) = match &recipe.fine_tuning {
        None => {
            if text_recipe.precision != TablePrecision::F32 {
                let table = words.table(TablePrecision::F32)?;
                let rows = words.pooled(&table, &texts.texts, on)?.rows;
                let rows = rows.select(Axis(0), &features.usable);
                let mut exact = features.with_rows(rows);
                take_common_out(&mut exact, &sides, text_recipe.pooling);
                let (_, _, evaluation) = learn(&exact, &usable, &sides, labels, recipe, on)?;
                facts.f32_accuracy = Some(evaluation.accuracy);
            }
            let joined = join(&Graph::rows(INPUT, words.spec.feature_length()), &trained.head)?;
            let outcome = Outcome { joined, calibration, evaluation, tuning: None };
            (table, outcome, start.elapsed().as_secs_f64())
        }
        Some((fine_tuning, checkpoints)) => {
            let head_seconds = start.elapsed().as_secs_f64();
            let usable_texts: Vec<&str> =
                features.usable.iter().map(|&i| texts.texts[i].as_str()).collect();
            let tune = Tune {
                engine,
                provider,
                threads,
                words: &words,
                texts: &usable_texts,
                usable: &usable,
                features: &features,
                sides: &sides,
                labels,
                recipe,
                text_recipe,
                probe: &trained,
            };
            let tuned = tune::tune(&tune, evaluation, (fine_tuning, checkpoints), on)?;
            facts.f32_accuracy = tuned.f32_accuracy;
            (tuned.table, tuned.outcome, head_seconds)
        }
    };

    let Words { spec, .. } = &words;
    let feature_length = spec.feature_length();
    let source = Source {
        origin: &vectors.origin,
        at: INPUT,
        feature_length,
        subject: Subject::Text { spec, table: &table },
    };
    let learned = Learned {
        features,
        usable: &usable,
        sides,
        labels,
        duplicates,
        trained,
        head_seconds,
        words: recipe_words(text_recipe),
    };
    let run = conclude(engine, provider, &source, recipe, learned, outcome, on)?;
    Ok((run, facts))
}

fn nothing_known(task: &TextTask<'_>) -> RunError {
    let vectors = task.vectors.origin.name.clone();
    RunError::NothingKnown { total: task.texts.texts.len(), vectors }
}

pub(super) fn refuse(skipped: &[Skipped], total: usize, strict: bool) -> Result<(), RunError> {
    if strict && !skipped.is_empty() {
        return Err(RunError::Strict { skipped: skipped.to_vec(), total });
    }
    Ok(())
}

/// Those of which no word is known.
pub(super) fn unknown_texts(
    all: &[&Example],
    counts: &[Counts],
    on: OnEvent<'_>,
) -> Result<Vec<Skipped>, RunError> {
    let mut skipped = Vec::new();
    for (example, _) in all.iter().zip(counts).filter(|(_, counts)| counts.known == 0) {
        if on(Event::Skipped { path: &example.path, reason: NOTHING_KNOWN }).is_break() {
            return Err(RunError::Cancelled);
        }
        skipped.push(Skipped { path: example.path.clone(), reason: NOTHING_KNOWN.to_owned() });
    }
    Ok(skipped)
}

/// The same sides of those that are left, `known`.
pub(super) fn among(planned: &Sides, known: &[usize]) -> Sides {
    let places: HashMap<usize, usize> = known.iter().enumerate().map(|(at, &i)| (i, at)).collect();
    let left = |side: &[usize]| side.iter().filter_map(|i| places.get(i).copied()).collect();
    let folds = planned.train.iter().zip(&planned.folds);
    Sides {
        train: left(&planned.train),
        test: left(&planned.test),
        folds: folds.filter_map(|(i, &fold)| places.contains_key(i).then_some(fold)).collect(),
        torn_groups: planned.torn_groups.clone(),
    }
}

/// Takes out what weighted rows of all texts learned from have in common.
pub(super) fn take_common_out(
    features: &mut Features,
    sides: &Sides,
    pooling: Pooling,
) -> Option<Common> {
    let weighted = pooling == Pooling::Weighted;
    if !weighted {
        return None;
    }
    let mut rows = features.rows.view().to_owned();
    let common = Common::of(&rows.select(Axis(0), &sides.train));
    common.remove(&mut rows);
    features.rows = rows.into();
    Some(common)
}

pub(super) fn note(text: &str, on: OnEvent<'_>) -> Result<(), RunError> {
    match on(Event::Note(text)) {
        ControlFlow::Break(()) => Err(RunError::Cancelled),
        ControlFlow::Continue(()) => Ok(()),
    }
}

pub(super) fn note_lone(
    labels: &Labels,
    all: &[&Example],
    on: OnEvent<'_>,
) -> Result<(), RunError> {
    let mut counts = vec![0usize; labels.names().len()];
    all.iter().for_each(|example| counts[example.label] += 1);
    for (label, _) in labels.names().iter().zip(counts).filter(|(_, count)| *count == 1) {
        let text = format!("class {label:?} has one example: it is learned, and nothing judges it");
        note(&text, on)?;
    }
    Ok(())
}

fn note_unknown(facts: &TextFacts, name: &str, on: OnEvent<'_>) -> Result<(), RunError> {
    if facts.unknown_train.max(facts.unknown_test) > MANY_UNKNOWN {
        let first: Vec<&str> = facts.unknown_words.iter().take(8).map(String::as_str).collect();
        let text = format!(
            "{name} lacks {:.0} % of the words learned from and {:.0} % of those held out, most often {}: vectors of other texts may suit better",
            100.0 * facts.unknown_train,
            100.0 * facts.unknown_test,
            first.join(" ")
        );
        note(&text, on)?;
    }
    if facts.cut > 0 {
        let text = format!(
            "{} texts are longer than {MAX_BYTES} bytes; the rest of them is not looked at",
            facts.cut
        );
        note(&text, on)?;
    }
    Ok(())
}

pub(super) fn precision_word(precision: TablePrecision) -> &'static str {
    match precision {
        TablePrecision::F32 => "f32",
        TablePrecision::F16 => "f16",
        TablePrecision::I8 => "i8",
    }
}

fn recipe_words(recipe: &TextRecipe) -> BTreeMap<String, String> {
    let pooling = match recipe.pooling {
        Pooling::Mean => "mean".to_owned(),
        Pooling::Weighted => "weighted".to_owned(),
        Pooling::MaxMean => "max_mean".to_owned(),
        Pooling::Last(words) => format!("last {words}"),
    };
    [
        ("pooling", pooling),
        ("table_precision", precision_word(recipe.precision).to_owned()),
        ("other_words", recipe.other_words.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
