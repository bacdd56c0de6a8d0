//! Labelled texts and word vectors in, a bundle and a report out.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

use graft_input::words::{Counts, TablePrecision, TextPreparer, WordTable};
use graft_onnx::Graph;
use graft_spec::{Labels, Pooling, WordsSpec};
use ndarray::Axis;
use serde::Serialize;

use super::Texts;
use super::common::Common;
use super::pooled::{Pooled, pooled};
use super::vocabulary::Vocabulary;
use crate::answer::NOTHING_KNOWN;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::examples::Example;
use crate::features::{FeatureCost, Features};
use crate::graft::{Subject, join};
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::provider::Provider;
use crate::sides::{Sides, sides};
use crate::train::{
    Learned, Outcome, Recipe, Run, RunError, Source, check_classes, conclude, learn, note_leaks,
};
use crate::vectors::{VectorsError, VectorsFile};

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

/// No text is looked at beyond: a page of a book is some 2,000 bytes.
const MAX_BYTES: u32 = 1 << 16;

/// From here on a person should know that the vectors are of another world.
const MANY_UNKNOWN: f64 = 0.2;

const UNKNOWN_SHOWN: usize = 20;

/// What the network's input is called.
const INPUT: &str = "texts";

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

/// Trains a head on texts and grafts it onto a table of words.
pub fn train_texts(
    engine: &Engine,
    provider: &Provider,
    task: &TextTask<'_>,
    recipe: &Recipe,
    text_recipe: &TextRecipe,
    on: OnEvent<'_>,
) -> Result<(Run, TextFacts), RunError> {
    let TextTask { vectors, texts, labels } = *task;
    let all: Vec<&Example> = texts.dataset.examples.iter().collect();
    refuse(&texts.skipped, all.len() + texts.skipped.len(), recipe.strict)?;
    let planned = sides(&all, recipe.test_share, recipe.folds, recipe.seed)?;
    check_classes(labels, &all, &planned, texts.skipped.len())?;
    note_lone(labels, &all, on)?;

    // The words of held-out texts must not travel: texts that come later have none
    // of theirs in the table either.
    let learned_from: Vec<&str> = planned.train.iter().map(|&i| texts.texts[i].as_str()).collect();
    let words = Words::of(task, &learned_from, text_recipe, on)?;
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
        rows: rows.select(Axis(0), &known),
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
    if text_recipe.precision != TablePrecision::F32 {
        let table = words.table(TablePrecision::F32)?;
        let rows = words.pooled(&table, &texts.texts, on)?.rows;
        let rows = rows.select(Axis(0), &features.usable);
        let mut exact = Features { rows, ..features.clone() };
        take_common_out(&mut exact, &sides, text_recipe.pooling);
        let (_, _, evaluation) = learn(&exact, &usable, &sides, labels, recipe, on)?;
        facts.f32_accuracy = Some(evaluation.accuracy);
    }
    let head_seconds = start.elapsed().as_secs_f64();

    let Words { spec, .. } = &words;
    let feature_length = spec.feature_length();
    let joined = join(&Graph::rows(INPUT, feature_length), &trained.head)?;
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
    let outcome = Outcome { joined, calibration, evaluation, tuning: None };
    let run = conclude(engine, provider, &source, recipe, learned, outcome, on)?;
    Ok((run, facts))
}

/// The words that travel, and what is done with them.
struct Words {
    vocabulary: Vocabulary,
    weights: Vec<f32>,
    spec: WordsSpec,
    seconds: f64,
}

impl Words {
    fn of(
        task: &TextTask<'_>,
        learned_from: &[&str],
        recipe: &TextRecipe,
        on: OnEvent<'_>,
    ) -> Result<Words, RunError> {
        let start = Instant::now();
        let vocabulary = Vocabulary::of(task.vectors, learned_from, recipe.other_words, on)
            .map_err(of_vectors)?;
        if vocabulary.vectors.is_empty() {
            return Err(nothing_known(task));
        }
        let weights = match recipe.pooling {
            Pooling::Weighted => vocabulary.weights(learned_from),
            Pooling::Mean | Pooling::MaxMean => vec![1.0; vocabulary.vectors.len()],
        };
        let spec = WordsSpec {
            tokens: vocabulary.tokens,
            pooling: recipe.pooling,
            dimensions: vocabulary.vectors.dimensions() as u32,
            max_bytes: MAX_BYTES,
        };
        Ok(Words { vocabulary, weights, spec, seconds: start.elapsed().as_secs_f64() })
    }

    fn table(&self, precision: TablePrecision) -> Result<Vec<u8>, RunError> {
        Ok(self.vocabulary.table(&self.weights, precision)?)
    }

    fn pooled(&self, table: &[u8], texts: &[String], on: OnEvent<'_>) -> Result<Pooled, RunError> {
        let mut preparer = TextPreparer::new(&self.spec, WordTable::parse(table)?)?;
        pooled(&mut preparer, texts, on)
    }
}

fn of_vectors(error: VectorsError) -> RunError {
    match error {
        VectorsError::Cancelled => RunError::Cancelled,
        other => RunError::Vectors(other),
    }
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
fn take_common_out(features: &mut Features, sides: &Sides, pooling: Pooling) -> Option<Common> {
    let weighted = pooling == Pooling::Weighted;
    let common = weighted.then(|| Common::of(&features.rows.select(Axis(0), &sides.train)));
    if let Some(common) = &common {
        common.remove(&mut features.rows);
    }
    common
}

pub(super) fn unknown_share(counts: &[Counts], side: &[usize]) -> f64 {
    let sum =
        |of: fn(&Counts) -> u32| -> u64 { side.iter().map(|&i| u64::from(of(&counts[i]))).sum() };
    let (tokens, known) = (sum(|c| c.tokens), sum(|c| c.known));
    if tokens == 0 { 0.0 } else { (tokens - known) as f64 / tokens as f64 }
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

fn precision_word(precision: TablePrecision) -> &'static str {
    match precision {
        TablePrecision::F32 => "f32",
        TablePrecision::F16 => "f16",
        TablePrecision::I8 => "i8",
    }
}

fn recipe_words(recipe: &TextRecipe) -> BTreeMap<String, String> {
    let pooling = match recipe.pooling {
        Pooling::Mean => "mean",
        Pooling::Weighted => "weighted",
        Pooling::MaxMean => "max_mean",
    };
    [
        ("pooling", pooling.to_owned()),
        ("table_precision", precision_word(recipe.precision).to_owned()),
        ("other_words", recipe.other_words.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
