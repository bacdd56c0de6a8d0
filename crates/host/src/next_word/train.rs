//! Texts and word vectors in, a bundle and a report out.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::time::Instant;

use graft_input::words::{TablePrecision, WordTable};
use graft_learn::BigramCounts;
use graft_onnx::Summary;
use graft_spec::{
    BackboneOrigin, Calibration, DataOrigin, EngineOrigin, Labels, Pooling, Provenance,
    TestSummary, WordsSpec,
};
use serde::Serialize;

use super::corpus::{Corpus, Position, Rows, is_word};
use super::data::RunningTexts;
use super::error::{LEAST_OUTPUTS, NextWordError};
use super::evaluate::rows;
use super::fit::{Fitted, Lesson, Machine, fit};
use super::judge::{Rival, RivalName, Scores};
use super::parts::{Role, data_digest, parts};
use super::rivals::{Judge, temperature};
use super::{Embedding, INPUT, MAX_BYTES, NextWordRecipe};
use crate::backbone::Origin;
use crate::engine::{Engine, cpu_features};
use crate::examples::Split;
use crate::finetune::EpochFacts;
use crate::graft::{Description, Grafted, Subject, bundle};
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::provider::Provider;
use crate::texts::vocabulary::Vocabulary;
use crate::vectors::VectorsFile;

/// From here on a person should know that the vectors are of another world.
const MANY_UNKNOWN: f64 = 0.2;

/// A finished run.
#[derive(Debug)]
pub struct NextWordRun {
    /// The bundle, opened and verified in the device engine.
    pub grafted: Grafted,
    /// Of the vectors.
    pub origin: Origin,
    /// Temperature; everything is answered.
    pub calibration: Calibration,
    /// Of the network.
    pub summary: Summary,
    pub facts: NextWordFacts,
}

/// What happened. Field names are those of docs/json.md.
#[derive(Debug, Serialize)]
pub struct NextWordFacts {
    /// Held-out results of the bundle's network.
    #[serde(flatten)]
    pub scores: Scores,
    /// Other ways, asked for the same words.
    pub rivals: Vec<Rival>,
    /// Expected calibration error on the held-out part.
    pub ece: f64,
    /// Usable texts.
    pub texts: usize,
    /// Places with a word to learn, of the stop part, and held out.
    pub learned_from: usize,
    pub stopped_by: usize,
    pub asked: usize,
    /// Share of the held-out words that are none of those to choose from.
    pub outside: f64,
    /// Held-out blocks, which intervals are of.
    pub blocks: usize,
    /// Words to choose from.
    pub words: usize,
    /// Words before that are looked at.
    pub context: usize,
    pub hidden: usize,
    /// Words in the file of vectors.
    pub source_words: u64,
    /// Words that travel, and what they take in the bundle.
    pub table_words: usize,
    pub table_bytes: usize,
    pub precision: &'static str,
    pub lowercase: bool,
    /// Share of the words and marks learned from that the table lacks, and of those
    /// held out.
    pub unknown_train: f64,
    pub unknown_test: f64,
    /// The bigrams' discount.
    pub discount: f64,
    pub epochs: Vec<EpochFacts>,
    pub best_epoch: usize,
    /// Texts that could not be used.
    pub skipped: usize,
    pub skipped_files: Vec<Skipped>,
    pub vectors_seconds: f64,
    pub learning_seconds: f64,
    pub random_seconds: Option<f64>,
    pub judging_seconds: f64,
    pub bundle_seconds: f64,
}

/// Learns which word comes next and grafts it onto a table of words.
pub fn train_next_word(
    engine: &Engine,
    provider: &Provider,
    threads: usize,
    vectors: &VectorsFile,
    running: &RunningTexts,
    recipe: &NextWordRecipe,
    on: OnEvent<'_>,
) -> Result<NextWordRun, NextWordError> {
    let machine = Machine { engine, provider, threads };
    if recipe.strict && !running.skipped.is_empty() {
        let total = running.texts.len() + running.skipped.len();
        return Err(NextWordError::Strict { skipped: running.skipped.clone(), total });
    }
    let (blocks, parts) = parts(running, recipe)?;
    note_torn(running, on)?;
    let (learning, stopping, testing) =
        (parts.of(Role::Learn), parts.of(Role::Stop), parts.of(Role::Test));

    let start = Instant::now();
    let learned_from: Vec<&str> = (0..blocks.len())
        .filter(|&b| learning(b))
        .flat_map(|b| blocks[b].iter().copied())
        .collect();
    let vocabulary = Vocabulary::of(vectors, &learned_from, recipe.other_words, on)?;
    let vectors_seconds = start.elapsed().as_secs_f64();
    let known = vocabulary.vectors.len();
    let name = || vectors.origin.name.clone();
    if known == 0 {
        return Err(NextWordError::NothingKnown { found: 0, vectors: name() });
    }
    let find = |word: &str| vocabulary.vectors.index(word);
    let corpus = Corpus::of(&blocks, vocabulary.tokens, known, find);
    let unknown = |part: &dyn Fn(usize) -> bool| {
        let (all, unknown) = corpus.unknown(part);
        unknown as f64 / all.max(1) as f64
    };
    let (unknown_train, unknown_test) = (unknown(&learning), unknown(&testing));
    note_unknown(unknown_train.max(unknown_test), &vectors.origin.name, on)?;

    let outputs = Outputs::of(&corpus, &learning, &vocabulary, recipe, &name)?;
    let class = |id: u32| outputs.class[id as usize];
    let all_learned = corpus.positions(&learning, class);
    let learn: Vec<Position> = answerable(&all_learned);
    let stop = answerable(&corpus.positions(&stopping, class));
    let test = corpus.positions(&testing, class);
    for (part, positions) in [("stop", &stop), ("held-out", &answerable(&test))] {
        if positions.is_empty() {
            return Err(NextWordError::NothingAsked { part });
        }
    }
    let (table, rows) = travelling(&vocabulary, recipe.precision)?;
    let values = (0..known).flat_map(|id| vocabulary.vectors.vector(id)).copied();
    let vectors_before = Rows { dimensions: rows.dimensions, values: values.collect() };

    let start = Instant::now();
    let lesson = Lesson {
        corpus: &corpus,
        vectors: &vectors_before,
        rows: &rows,
        outputs: &outputs.ids,
        bias: &outputs.log_frequencies,
        learn: &learn,
        stop: &stop,
    };
    let Fitted { network, moved, epochs, best_epoch } = fit(machine, &lesson, recipe, on)?;
    let moved = moved.map(|moved| {
        let places: Vec<usize> = (0..known).collect();
        travelling(&vocabulary.with_vectors(&places, &moved.values), recipe.precision)
    });
    let moved = moved.transpose()?;
    let (table, rows) = moved.as_ref().map_or((&table, &rows), |(table, rows)| (table, rows));
    let temperature = temperature(machine, &lesson, rows, &network)?;
    let learning_seconds = start.elapsed().as_secs_f64();

    let judge = Judge { machine, corpus: &corpus, positions: &test, blocks: blocks.len() };
    let start = Instant::now();
    let (ours, ece) = judge.network(rows, &network, temperature, on)?;
    let pairs = |positions: &[Position]| -> Vec<(u32, u32)> {
        let pair = |p: &Position| p.class.map(|class| (corpus.pair(p).0, class));
        positions.iter().filter_map(pair).collect()
    };
    let counts = BigramCounts::of(pairs(&learn), outputs.ids.len());
    let discount = counts.best_discount(&pairs(&stop));
    let judging_seconds = start.elapsed().as_secs_f64();
    let mut rivals = vec![
        (RivalName::Unigram, judge.unigram(&counts)),
        (RivalName::Bigram, judge.bigram(&counts, discount)),
    ];
    let start = Instant::now();
    if recipe.against_random {
        note("the same from random vectors", on)?;
        rivals.push((RivalName::RandomVectors, judge.random(&lesson, recipe, on)?));
    }
    let random_seconds = recipe.against_random.then(|| start.elapsed().as_secs_f64());
    let scores = Scores::of(&ours, recipe.seed);
    let rivals: Vec<Rival> =
        rivals.into_iter().map(|(name, its)| Rival::of(name, &its, &ours, recipe.seed)).collect();

    let start = Instant::now();
    let labels = outputs.ids.iter().map(|&id| vocabulary.vectors.word(id as usize).to_owned());
    let labels = Labels::new(labels.collect())?;
    let spec = WordsSpec {
        tokens: vocabulary.tokens,
        pooling: Pooling::Last(recipe.context as u32),
        dimensions: rows.dimensions as u32,
        max_bytes: MAX_BYTES,
    };
    let calibration = Calibration { temperature, unknown_below: None };
    let provenance = Provenance {
        graft: env!("CARGO_PKG_VERSION").to_owned(),
        backbone: BackboneOrigin {
            name: vectors.origin.name.clone(),
            origin: vectors.origin.origin.clone(),
            licence: vectors.origin.licence.clone(),
            sha256: vectors.origin.sha256.to_string(),
            features_tensor: INPUT.to_owned(),
        },
        data: DataOrigin {
            examples: running.texts.len(),
            trained: learn.len(),
            tested: test.len(),
            sha256: data_digest(&blocks, &parts).to_string(),
            licence: recipe.data_licence.clone(),
        },
        recipe: recipe_words(recipe, outputs.ids.len(), best_epoch),
        engine: EngineOrigin {
            provider: provider.name().to_owned(),
            onnx_runtime: engine.version().to_owned(),
            cpu: cpu_features(),
        },
        test: TestSummary {
            accuracy: scores.top1,
            accuracy_interval: scores.top1_interval,
            ece,
            answered: 1.0,
        },
    };
    let description = Description { name: recipe.name.clone(), labels, calibration, provenance };
    let subject = Subject::Text { spec: &spec, table };
    let grafted = bundle(engine, provider, subject, rows.dimensions, &network, description)?;
    if let Some(reason) = &grafted.without_nnef {
        note(
            &format!("the bundle holds the model as ONNX alone, which opens slower: {reason}"),
            on,
        )?;
    }
    let outside = test.iter().filter(|position| position.class.is_none()).count();
    let facts = NextWordFacts {
        scores,
        rivals,
        ece,
        texts: running.texts.len(),
        learned_from: learn.len(),
        stopped_by: stop.len(),
        asked: test.len(),
        outside: outside as f64 / test.len() as f64,
        blocks: ours.len(),
        words: outputs.ids.len(),
        context: recipe.context,
        hidden: recipe.hidden,
        source_words: vocabulary.of_file,
        table_words: known,
        table_bytes: table.len(),
        precision: precision_word(recipe.precision),
        lowercase: vocabulary.lowercase(),
        unknown_train,
        unknown_test,
        discount,
        epochs,
        best_epoch,
        skipped: running.skipped.len(),
        skipped_files: running.skipped.clone(),
        vectors_seconds,
        learning_seconds,
        random_seconds,
        judging_seconds,
        bundle_seconds: start.elapsed().as_secs_f64(),
    };
    let summary = network.summary();
    Ok(NextWordRun { grafted, origin: vectors.origin.clone(), calibration, summary, facts })
}

/// The words as they travel, and their rows, in the order of the vocabulary.
fn travelling(
    vocabulary: &Vocabulary,
    precision: TablePrecision,
) -> Result<(Vec<u8>, Rows), NextWordError> {
    let known = vocabulary.vectors.len();
    let table = vocabulary.table(&vec![1.0; known], precision)?;
    let parsed = WordTable::parse(table.as_slice())?;
    let written = rows(&parsed);
    let place = |id: usize| parsed.lookup(vocabulary.vectors.word(id)).expect("it was written");
    let values = (0..known).flat_map(|id| written.of(place(id)).iter().copied()).collect();
    Ok((table, Rows { dimensions: written.dimensions, values }))
}

fn note(text: &str, on: OnEvent<'_>) -> Result<(), NextWordError> {
    match on(Event::Note(text)) {
        ControlFlow::Break(()) => Err(NextWordError::Cancelled),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn note_torn(running: &RunningTexts, on: OnEvent<'_>) -> Result<(), NextWordError> {
    let of = |side: Split| -> HashSet<&str> {
        let texts = running.texts.iter().filter(|text| text.split == Some(side));
        texts.filter_map(|text| text.group.as_deref()).collect()
    };
    match of(Split::Train).intersection(&of(Split::Test)).count() {
        0 => Ok(()),
        torn => note(&format!("the split that is stated has {torn} groups on both sides"), on),
    }
}

fn note_unknown(share: f64, vectors: &str, on: OnEvent<'_>) -> Result<(), NextWordError> {
    if share <= MANY_UNKNOWN {
        return Ok(());
    }
    note(
        &format!(
            "{vectors} lacks {:.0} % of the words: vectors of other texts may suit better",
            100.0 * share
        ),
        on,
    )
}

fn answerable(positions: &[Position]) -> Vec<Position> {
    positions.iter().copied().filter(|position| position.class.is_some()).collect()
}

/// The words to choose from.
struct Outputs {
    /// By class, the most frequent first.
    ids: Vec<u32>,
    /// By number of a word that has a vector.
    class: Vec<Option<u32>>,
    log_frequencies: Vec<f32>,
}

impl Outputs {
    fn of(
        corpus: &Corpus,
        learning: &impl Fn(usize) -> bool,
        vocabulary: &Vocabulary,
        recipe: &NextWordRecipe,
        name: &dyn Fn() -> String,
    ) -> Result<Outputs, NextWordError> {
        let known = vocabulary.vectors.len();
        let mut counts = vec![0u64; known];
        // A place has a class where the word has a vector.
        for position in corpus.positions(learning, Some) {
            if let Some(id) = position.class {
                counts[id as usize] += 1;
            }
        }
        let mut ids: Vec<u32> = (0..known as u32)
            .filter(|&id| counts[id as usize] > 0 && is_word(vocabulary.vectors.word(id as usize)))
            .collect();
        // Of equals the first in the file, which is the more frequent one elsewhere.
        ids.sort_by_key(|&id| std::cmp::Reverse(counts[id as usize]));
        let found = ids.len();
        if found < LEAST_OUTPUTS {
            return Err(NextWordError::NothingKnown { found, vectors: name() });
        }
        if let Some(asked) = recipe.words.filter(|&asked| asked > found) {
            return Err(NextWordError::TooFewWords { asked, found, vectors: name() });
        }
        ids.truncate(recipe.words.unwrap_or(NextWordRecipe::USUAL_WORDS));
        let mut class = vec![None; known];
        (0..).zip(&ids).for_each(|(number, &id)| class[id as usize] = Some(number));
        let total: u64 = ids.iter().map(|&id| counts[id as usize]).sum();
        let log = |&id: &u32| (counts[id as usize] as f64 / total as f64).ln() as f32;
        let log_frequencies = ids.iter().map(log).collect();
        Ok(Outputs { ids, class, log_frequencies })
    }
}

fn precision_word(precision: TablePrecision) -> &'static str {
    match precision {
        TablePrecision::F32 => "f32",
        TablePrecision::F16 => "f16",
        TablePrecision::I8 => "i8",
    }
}

fn recipe_words(
    recipe: &NextWordRecipe,
    words: usize,
    best_epoch: usize,
) -> BTreeMap<String, String> {
    let embedding = match recipe.embedding {
        Embedding::Frozen => "frozen",
        Embedding::Tuned => "tuned",
        Embedding::Tied => "tied",
    };
    [
        ("task", "next-word".to_owned()),
        ("context", recipe.context.to_string()),
        ("words", words.to_string()),
        ("hidden", recipe.hidden.to_string()),
        ("output_vectors", embedding.to_owned()),
        ("epochs", recipe.epochs.to_string()),
        ("chosen_epoch", best_epoch.to_string()),
        ("rate", recipe.rate.to_string()),
        ("weight_decay", recipe.weight_decay.to_string()),
        ("table_precision", precision_word(recipe.precision).to_owned()),
        ("other_words", recipe.other_words.to_string()),
        ("test_share", recipe.test_share.to_string()),
        ("seed", recipe.seed.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
