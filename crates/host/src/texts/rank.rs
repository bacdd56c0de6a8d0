//! Which source of features suits a task about texts: the scores of `rank`, of the
//! same texts for every source.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use graft_input::words::{TextPreparer, WordTable};
use graft_learn::{Dense, Head};
use graft_onnx::{FEATURES, Graph, LOGITS};
use graft_runtime::bench::{Latency, answer_latency};
use graft_spec::{Input, Labels, MAX_DIMENSIONS, Pooling};
use ndarray::{Array1, Array2};
use serde::Serialize;

use super::Texts;
use super::common_direction::Common;
use super::encoded::{Encoded, encoded};
use super::pooled::{Pooled, unknown_share};
use super::sentences::runnable;
use super::train::{INPUT, TextRecipe, precision_word};
use super::words::{Words, WordsError};
use crate::catalogue::{self, CatalogueError, Content, Entry, ModelFile};
use crate::digest::Digest;
use crate::encoder::{Encoder, EncoderError, StatedEncoder, is_encoder};
use crate::engine::{Engine, EngineError};
use crate::features::{FeatureOptions, FeaturesError};
use crate::graft::join;
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent};
use crate::rank::order::{Standing, agreement, mark_front, sort};
use crate::rank::{
    Agreement, Machine, Metric, RankError, ScoreError, Scores, Seen, SourceError, TIME, Unusable,
    check_classes, scores,
};
use crate::subset::{divide, not_held_out, subset};
use crate::train::RunError;
use crate::vectors::{StatedVectors, VectorsError, VectorsFile};

/// What may give features of texts, not yet read.
#[derive(Debug)]
pub enum TextSource {
    /// A file of word vectors, or one of the catalogue.
    Vectors { name: String, file: VectorsFile },
    /// A sentence encoder, and what it runs in.
    Encoder { name: String, encoder: Box<Encoder>, running: Rc<Running> },
    /// Vectors of chance for the words of the texts: what pretraining is held against.
    Random { dimensions: u32 },
    /// It can't be opened.
    Broken { name: String, error: SourceError },
}

/// What sentence encoders run in.
pub struct Running {
    /// ONNX Runtime.
    pub engine: Engine,
    /// Threads, and where rows are kept.
    pub options: FeatureOptions,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("options", &self.options).finish_non_exhaustive()
    }
}

/// How sources are opened.
pub struct Opening<'a> {
    /// Of the catalogue.
    pub folder: &'a Path,
    /// What is stated of word vectors.
    pub vectors: StatedVectors,
    /// What is stated of sentence encoders.
    pub encoder: StatedEncoder,
    /// Asked for when the first sentence encoder is met: nothing else needs ONNX
    /// Runtime.
    pub running: &'a dyn Fn() -> Result<Rc<Running>, EngineError>,
}

/// A name that nothing is called, or nothing to run a source in.
#[derive(Debug, thiserror::Error)]
pub enum TextSourceError {
    /// Vectors of chance of no size.
    #[error(
        "{name:?} is no source: random vectors have 1 to {MAX_DIMENSIONS} numbers, as in random:50"
    )]
    Random { name: String },
    /// Of the catalogue.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
    /// What a sentence encoder runs in.
    #[error("{0}")]
    Running(#[from] EngineError),
}

/// Vectors of chance, by the name that people type.
const RANDOM: &str = "random";

impl TextSource {
    /// What a person calls it: a file of word vectors, a sentence encoder's folder or
    /// network, a name of the catalogue, or `random:N`.
    ///
    /// # Errors
    ///
    /// Only what nothing is called, for a typing error should not cost minutes; and that
    /// there is nothing to run a sentence encoder in.
    pub fn named(name: &str, opening: &Opening<'_>) -> Result<TextSource, TextSourceError> {
        if TextSource::is_random(name) {
            let dimensions = name.strip_prefix(RANDOM).and_then(|rest| rest.strip_prefix(':'));
            let dimensions = dimensions.and_then(|number| number.parse().ok());
            return match dimensions {
                Some(dimensions) if (1..=MAX_DIMENSIONS).contains(&dimensions) => {
                    Ok(TextSource::Random { dimensions })
                }
                _ => Err(TextSourceError::Random { name: name.to_owned() }),
            };
        }
        if is_encoder(Path::new(name)) {
            let encoder = Encoder::of_path(Path::new(name), opening.encoder);
            return TextSource::of_encoder(name.to_owned(), encoder, opening);
        }
        match VectorsFile::named(opening.folder, name, opening.vectors) {
            Ok(file) => Ok(TextSource::Vectors { name: name.to_owned(), file }),
            Err(VectorsError::Catalogue(error @ CatalogueError::Unknown { .. })) => {
                Err(error.into())
            }
            // It is there, and no word vectors.
            Err(VectorsError::Network { .. }) => {
                let entry = catalogue::find(opening.folder, name)?;
                TextSource::of_entry(&entry, opening)
            }
            Err(error) => Ok(TextSource::Broken { name: name.to_owned(), error: error.into() }),
        }
    }

    fn of_entry(entry: &Entry, opening: &Opening<'_>) -> Result<TextSource, TextSourceError> {
        let name = entry.spec.name.to_string();
        match &entry.spec.content {
            Content::Encoder { .. } => {
                TextSource::of_encoder(name, Encoder::of_entry(entry, opening.encoder), opening)
            }
            Content::Words { .. } | Content::Network { .. } => {
                Ok(match VectorsFile::of_entry(entry, opening.vectors) {
                    Ok(file) => TextSource::Vectors { name, file },
                    Err(error) => TextSource::Broken { name, error: error.into() },
                })
            }
        }
    }

    fn of_encoder(
        name: String,
        encoder: Result<Encoder, EncoderError>,
        opening: &Opening<'_>,
    ) -> Result<TextSource, TextSourceError> {
        Ok(match encoder {
            Ok(encoder) => {
                let running = (opening.running)()?;
                TextSource::Encoder { name, encoder: Box::new(encoder), running }
            }
            Err(error) => TextSource::Broken { name, error: error.into() },
        })
    }

    /// Whether the name is that of vectors of chance, of whatever size.
    pub fn is_random(name: &str) -> bool {
        name.strip_prefix(RANDOM).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    /// All word vectors and sentence encoders of the catalogue whose files are here.
    ///
    /// # Errors
    ///
    /// A catalogue that can't be read; nothing to run a sentence encoder in.
    pub fn here(opening: &Opening<'_>) -> Result<Vec<TextSource>, TextSourceError> {
        let models = catalogue::list(opening.folder)?.models.into_iter();
        let here = models.filter(|entry| {
            !matches!(entry.spec.content, Content::Network { .. })
                && !matches!(entry.file, ModelFile::Fetchable(_))
        });
        here.map(|entry| TextSource::of_entry(&entry, opening)).collect()
    }

    /// What to call it in a table.
    pub fn name(&self) -> String {
        match self {
            TextSource::Vectors { name, .. }
            | TextSource::Encoder { name, .. }
            | TextSource::Broken { name, .. } => name.clone(),
            TextSource::Random { dimensions } => format!("{RANDOM}:{dimensions}"),
        }
    }
}

/// How to rank sources for texts.
#[derive(Clone, Copy, Debug)]
pub struct TextRankRecipe {
    /// Texts to look at, about.
    pub examples: usize,
    /// Folds of cross-validation.
    pub folds: usize,
    /// Of the choice of texts, the folds, and vectors of chance.
    pub seed: u64,
    /// What comes first.
    pub by: Metric,
    /// How texts become rows.
    pub texts: TextRecipe,
    /// An unusable text is an error.
    pub strict: bool,
}

/// Sources, best first. Field names are those of docs/json.md.
#[derive(Debug, Serialize)]
pub struct TextRanking {
    /// What they are sorted by.
    pub by: Metric,
    /// The sources that could be used.
    pub sources: Vec<RankedText>,
    /// The others.
    pub unusable: Vec<Unusable>,
    /// How well each score foretells the probe.
    pub agreement: Vec<Agreement>,
    /// Whose the latencies are.
    pub latency_of: Machine,
    /// Texts that were looked at.
    pub examples: usize,
    /// Of so many, those that the data set holds out not counted.
    pub of_examples: usize,
    /// Classes of the task.
    pub classes: usize,
    /// Accuracy of always giving the most frequent answer.
    pub baseline_accuracy: f64,
    /// How the rows of a text's words become one.
    pub pooling: Pooling,
    /// How the tables are written.
    pub precision: &'static str,
    /// Texts that can't be used, by any source.
    pub skipped_files: Vec<Skipped>,
}

/// A source and what it is worth.
#[derive(Debug, Serialize)]
pub struct RankedText {
    /// In the catalogue, the file's, or `random:N`.
    pub name: String,
    /// SPDX expression or a sentence; nothing of vectors of chance.
    pub licence: Option<String>,
    /// Of the file.
    pub sha256: Option<Digest>,
    /// Numbers of a word.
    pub dimensions: u32,
    /// Features of a text.
    pub feature_length: usize,
    /// How well it suits.
    #[serde(flatten)]
    pub scores: Scores,
    /// Share of the texts' words that it lacks.
    pub unknown: f64,
    /// Texts of which it knows no word; their features are zero.
    pub nothing_known: usize,
    /// Words in the file; nothing of vectors of chance.
    pub source_words: Option<u64>,
    /// Words that would travel.
    pub table_words: usize,
    /// What they would take in a bundle.
    pub table_bytes: usize,
    /// From a text to its answer in the device engine.
    pub latency: Latency,
    /// No other is more accurate and faster.
    pub pareto: bool,
    /// Reading it and making features.
    pub features_seconds: f64,
    /// Computing its scores.
    pub scores_seconds: f64,
}

impl Standing for RankedText {
    fn name(&self) -> &str {
        &self.name
    }

    fn scores(&self) -> &Scores {
        &self.scores
    }

    fn latency(&self) -> Option<Latency> {
        Some(self.latency)
    }

    fn put_on_front(&mut self, on_front: bool) {
        self.pareto = on_front;
    }
}

/// Scores each source on the same part of the data set. `labels` are the data set's,
/// checked.
///
/// # Errors
///
/// What no other source would cure. A source that can't be used is in the answer,
/// unless none is left.
pub fn rank_texts(
    sources: Vec<TextSource>,
    texts: &Texts,
    labels: &Labels,
    recipe: &TextRankRecipe,
    on: OnEvent<'_>,
) -> Result<TextRanking, RankError> {
    if sources.is_empty() {
        return Err(RankError::NoSource);
    }
    let skipped = &texts.skipped;
    let all = &texts.dataset.examples;
    let total = all.len() + skipped.len();
    match skipped.first() {
        Some(first) if all.is_empty() => {
            return Err(RankError::NoPhotos { total, first: first.clone() });
        }
        Some(_) if recipe.strict => {
            return Err(RankError::Strict { skipped: skipped.clone(), total });
        }
        _ => {}
    }
    let candidates = not_held_out(all);
    let of_examples = candidates.len();
    let chosen = subset(candidates, recipe.examples, recipe.seed).map_err(RankError::Split)?;
    check_classes(labels, &chosen)?;
    // A file each, or a line of the table.
    let places = all.iter().map(|example| example.path.as_path());
    let text_at: HashMap<&Path, &str> =
        places.zip(texts.texts.iter().map(String::as_str)).collect();
    let looked_at: Vec<&str> = chosen.iter().map(|e| text_at[e.path.as_path()]).collect();
    let division = divide(&chosen, recipe.folds, recipe.seed).map_err(RankError::Split)?;
    let label_of: Vec<usize> = chosen.iter().map(|e| e.label).collect();
    let classes = labels.names().len();

    let (mut ranked, mut unusable) = (Vec::new(), Vec::new());
    let of = sources.len();
    for (number, source) in (1..).zip(sources) {
        let name = source.name();
        if on(Event::Source { name: &name, number, of }).is_break() {
            return Err(RankError::Cancelled);
        }
        let made = made(source, &looked_at, classes, recipe, on);
        let scored = made.and_then(|made| {
            let start = Instant::now();
            let seen = Seen {
                features: made.rows.view(),
                logits: Err("sources for texts have no classes of their own".to_owned()),
                labels: &label_of,
                classes,
            };
            let scores = scores(&seen, &division, on).map_err(|error| match error {
                ScoreError::Cancelled => Failure::All(RankError::Cancelled),
                other => Failure::Source(SourceError::Scores(other)),
            })?;
            Ok(made.ranked(name.clone(), scores, start.elapsed().as_secs_f64()))
        });
        match scored {
            Ok(one) => ranked.push(one),
            Err(Failure::Source(error)) => {
                let note = format!("{name} is left out: {}", error.words());
                if on(Event::Note(&note)).is_break() {
                    return Err(RankError::Cancelled);
                }
                unusable.push(Unusable { name, error });
            }
            Err(Failure::All(error)) => return Err(error),
        }
    }
    if ranked.is_empty() {
        return Err(RankError::NoneUsable { unusable });
    }
    mark_front(&mut ranked);
    sort(&mut ranked, recipe.by);
    let counts = (0..classes).map(|label| label_of.iter().filter(|&&l| l == label).count());
    Ok(TextRanking {
        by: recipe.by,
        agreement: agreement(&ranked),
        sources: ranked,
        unusable,
        latency_of: Machine::here(),
        examples: chosen.len(),
        of_examples,
        classes,
        baseline_accuracy: counts.max().unwrap_or(0) as f64 / chosen.len() as f64,
        pooling: recipe.texts.pooling,
        precision: precision_word(recipe.texts.precision),
        skipped_files: skipped.clone(),
    })
}

/// Whose fault it is.
enum Failure {
    Source(SourceError),
    All(RankError),
}

impl From<WordsError> for Failure {
    fn from(error: WordsError) -> Failure {
        match error {
            WordsError::Cancelled => Failure::All(RankError::Cancelled),
            WordsError::Vectors(error) => Failure::Source(SourceError::Vectors(error)),
            WordsError::Table(error) => Failure::Source(SourceError::Table(error)),
        }
    }
}

/// Features of texts, and what their source would cost in a bundle and on a device.
struct Made {
    rows: Array2<f32>,
    licence: Option<String>,
    sha256: Option<Digest>,
    dimensions: u32,
    unknown: f64,
    nothing_known: usize,
    source_words: Option<u64>,
    table_words: usize,
    table_bytes: usize,
    latency: Latency,
    seconds: f64,
}

impl Made {
    fn ranked(self, name: String, scores: Scores, scores_seconds: f64) -> RankedText {
        RankedText {
            name,
            licence: self.licence,
            sha256: self.sha256,
            dimensions: self.dimensions,
            feature_length: self.rows.ncols(),
            scores,
            unknown: self.unknown,
            nothing_known: self.nothing_known,
            source_words: self.source_words,
            table_words: self.table_words,
            table_bytes: self.table_bytes,
            latency: self.latency,
            pareto: false,
            features_seconds: self.seconds,
            scores_seconds,
        }
    }
}

/// Features of the texts by a source: a row for each, whatever it knows of it, so that
/// all sources are judged by the same texts.
fn made(
    source: TextSource,
    texts: &[&str],
    classes: usize,
    recipe: &TextRankRecipe,
    on: OnEvent<'_>,
) -> Result<Made, Failure> {
    let start = Instant::now();
    let (words, origin) = match source {
        TextSource::Vectors { file, .. } => {
            (Words::of(&file, texts, &recipe.texts, on)?, Some(file.origin))
        }
        TextSource::Random { dimensions } => {
            (Words::random(dimensions, texts, recipe.texts.pooling, recipe.seed), None)
        }
        TextSource::Encoder { encoder, running, .. } => {
            return made_by_encoder(*encoder, &running, texts, classes, on);
        }
        TextSource::Broken { error, .. } => return Err(Failure::Source(error)),
    };
    if words.vocabulary.of_task == 0 {
        return Err(Failure::Source(SourceError::NothingKnown { texts: texts.len() }));
    }
    let table = words.table(recipe.texts.precision).map_err(WordsError::Table)?;
    let Pooled { mut rows, counts } = words.pooled(&table, texts, on)?;
    if recipe.texts.pooling == Pooling::Weighted {
        Common::of(&rows).remove(&mut rows);
    }
    let everywhere: Vec<usize> = (0..texts.len()).collect();
    let seconds = start.elapsed().as_secs_f64();
    let latency = latency(&words, &table, texts, classes)?;
    Ok(Made {
        rows,
        licence: origin.as_ref().map(|origin| origin.licence.clone()),
        sha256: origin.as_ref().map(|origin| origin.sha256),
        dimensions: words.spec.dimensions,
        unknown: unknown_share(&counts, &everywhere),
        nothing_known: counts.iter().filter(|c| c.known == 0).count(),
        source_words: origin.is_some().then_some(words.vocabulary.of_file),
        table_words: words.vocabulary.vectors.len(),
        table_bytes: table.len(),
        latency,
        seconds,
    })
}

/// The same by a sentence encoder.
fn made_by_encoder(
    encoder: Encoder,
    running: &Running,
    texts: &[&str],
    classes: usize,
    on: OnEvent<'_>,
) -> Result<Made, Failure> {
    let Running { engine, options } = running;
    let start = Instant::now();
    let encoder = runnable(&encoder, on).map_err(|error| match error {
        RunError::Device { at, source, .. } => Failure::Source(SourceError::Device { at, source }),
        _ => Failure::All(RankError::Cancelled),
    })?;
    let places: Vec<&Path> = texts.iter().map(|_| Path::new("a text")).collect();
    let made = encoded(engine, &encoder, &places, texts, options, on);
    let Encoded { rows, counts, .. } = made.map_err(|error| match error {
        FeaturesError::Cancelled => Failure::All(RankError::Cancelled),
        error @ FeaturesError::Cache(_) => Failure::All(RankError::Features(error)),
        other => Failure::Source(SourceError::Features(other)),
    })?;
    let everywhere: Vec<usize> = (0..texts.len()).collect();
    let seconds = start.elapsed().as_secs_f64();
    let network = join(encoder.graph(), &blank(encoder.length, classes))
        .map_err(|error| Failure::All(RankError::Head(error)))?
        .to_bytes();
    let preparer = encoder.preparer();
    let prepare = |number: usize, tensor: &mut Vec<f32>| {
        let counts = preparer.fill(texts[number % texts.len()], tensor);
        counts.expect("each was taken apart for its row");
    };
    let input = Input::Tokens(encoder.spec.clone());
    let outputs = [(FEATURES, encoder.length), (LOGITS, classes)];
    let latency = answer_latency(&network, &input, outputs, prepare, TIME)
        .map_err(|error| Failure::Source(SourceError::Answer(error)))?;
    Ok(Made {
        dimensions: encoder.length as u32,
        unknown: unknown_share(&counts, &everywhere),
        nothing_known: counts.iter().filter(|c| c.known == 0).count(),
        source_words: Some(u64::from(encoder.spec.vocabulary)),
        table_words: encoder.spec.vocabulary as usize,
        table_bytes: network.len() + encoder.tokenizer().len(),
        licence: Some(encoder.origin.licence),
        sha256: Some(encoder.origin.sha256),
        rows,
        latency,
        seconds,
    })
}

/// A head that says nothing; what one says does not change how long it takes.
fn blank(length: usize, classes: usize) -> Head {
    let layer = Dense { weights: Array2::zeros((classes, length)), bias: Array1::zeros(classes) };
    Head { layers: vec![layer] }
}

/// From a text to its answer, by the device's code.
fn latency(
    words: &Words,
    table: &[u8],
    texts: &[&str],
    classes: usize,
) -> Result<Latency, Failure> {
    let table = WordTable::parse(table).map_err(WordsError::Table)?;
    let mut preparer = TextPreparer::new(&words.spec, table).map_err(WordsError::Table)?;
    let length = words.spec.feature_length();
    let network = join(&Graph::rows(INPUT, length), &blank(length, classes))
        .map_err(|error| Failure::All(RankError::Head(error)))?;
    let outputs = [(FEATURES, length), (LOGITS, classes)];
    let prepare = |number: usize, tensor: &mut Vec<f32>| {
        let _ = preparer.fill(texts[number % texts.len()], tensor);
    };
    let input = Input::Words(words.spec.clone());
    answer_latency(&network.to_bytes(), &input, outputs, prepare, TIME)
        .map_err(|error| Failure::Source(SourceError::Answer(error)))
}
