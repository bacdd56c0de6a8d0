//! The words that travel, their weights, and what is made of texts with them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use graft_input::words::{TableError, TablePrecision, TextPreparer, WordTable, look_up};
use graft_spec::{Pooling, WordsSpec};

use super::pooled::{Pooled, pooled};
use super::train::{INPUT, TextRecipe};
use super::vocabulary::Vocabulary;
use crate::finetune::{Bag, Bags};
use crate::progress::OnEvent;
use crate::train::RunError;
use crate::vectors::{VectorsError, VectorsFile};

/// No text is looked at beyond: a page of a book is some 2,000 bytes.
pub(super) const MAX_BYTES: u32 = 1 << 16;

/// The words that travel, and what is done with them.
pub(crate) struct Words {
    pub(super) vocabulary: Vocabulary,
    pub(super) weights: Vec<f32>,
    pub(super) spec: WordsSpec,
    /// Reading the vectors.
    pub(super) seconds: f64,
}

/// Texts that can't be made rows of.
#[derive(Debug)]
pub(crate) enum WordsError {
    Vectors(VectorsError),
    Table(TableError),
    Cancelled,
}

impl From<VectorsError> for WordsError {
    fn from(error: VectorsError) -> WordsError {
        match error {
            VectorsError::Cancelled => WordsError::Cancelled,
            other => WordsError::Vectors(other),
        }
    }
}

impl From<TableError> for WordsError {
    fn from(error: TableError) -> WordsError {
        WordsError::Table(error)
    }
}

impl From<WordsError> for RunError {
    fn from(error: WordsError) -> RunError {
        match error {
            WordsError::Vectors(error) => RunError::Vectors(error),
            WordsError::Table(error) => RunError::Table(error),
            WordsError::Cancelled => RunError::Cancelled,
        }
    }
}

impl Words {
    /// Those of `learned_from` that the file has, and others. There may be none.
    pub(super) fn of(
        vectors: &VectorsFile,
        learned_from: &[&str],
        recipe: &TextRecipe,
        on: OnEvent<'_>,
    ) -> Result<Words, WordsError> {
        let start = Instant::now();
        let vocabulary = Vocabulary::of(vectors, learned_from, recipe.other_words, on)?;
        Ok(Words::with(vocabulary, learned_from, recipe.pooling, start))
    }

    /// Those of `learned_from`, with vectors of chance.
    pub(super) fn random(
        dimensions: u32,
        learned_from: &[&str],
        pooling: Pooling,
        seed: u64,
    ) -> Words {
        let start = Instant::now();
        let vocabulary = Vocabulary::random(dimensions as usize, learned_from, seed);
        Words::with(vocabulary, learned_from, pooling, start)
    }

    fn with(
        vocabulary: Vocabulary,
        learned_from: &[&str],
        pooling: Pooling,
        start: Instant,
    ) -> Words {
        let weights = match pooling {
            Pooling::Weighted => vocabulary.weights(learned_from),
            Pooling::Mean | Pooling::MaxMean | Pooling::Last(_) => {
                vec![1.0; vocabulary.vectors.len()]
            }
        };
        let spec = WordsSpec {
            tokens: vocabulary.tokens,
            pooling,
            dimensions: vocabulary.vectors.dimensions() as u32,
            max_bytes: MAX_BYTES,
        };
        Words { vocabulary, weights, spec, seconds: start.elapsed().as_secs_f64() }
    }

    /// How much each word of a text counts in the mean of its rows, by its place in the
    /// vocabulary.
    pub(crate) fn counts<T: AsRef<str>>(&self, texts: &[T]) -> Vec<BTreeMap<usize, f32>> {
        texts.iter().map(|text| self.counts_of(text.as_ref())).collect()
    }

    /// Each text, by its counts, as rows for what tunes vectors: those of words that
    /// `learned_from` has move. Their places in the vocabulary come with it, in the order
    /// of the columns.
    pub(crate) fn bags(
        &self,
        counts: &[BTreeMap<usize, f32>],
        learned_from: &[usize],
    ) -> (Bags, Vec<usize>) {
        let moving: BTreeSet<usize> =
            learned_from.iter().flat_map(|&text| counts[text].keys().copied()).collect();
        let places: Vec<usize> = moving.into_iter().collect();
        let columns: HashMap<usize, u32> = places.iter().copied().zip(0..).collect();
        let vectors = &self.vocabulary.vectors;
        let dimensions = vectors.dimensions();
        let bag = |counts: &BTreeMap<usize, f32>| {
            let mut bag = Bag { counts: Vec::new(), rest: vec![0.0; dimensions] };
            for (word, &count) in counts {
                match columns.get(word) {
                    Some(&column) => bag.counts.push((column, count)),
                    None => {
                        let numbers = bag.rest.iter_mut().zip(vectors.vector(*word));
                        numbers.for_each(|(rest, number)| *rest += count * number);
                    }
                }
            }
            bag
        };
        let bags = counts.iter().map(bag).collect();
        let rows: Vec<f32> =
            places.iter().flat_map(|&place| vectors.vector(place).iter().copied()).collect();
        (Bags::new(INPUT, &rows, dimensions, bags), places)
    }

    fn counts_of(&self, text: &str) -> BTreeMap<usize, f32> {
        let kept = text.floor_char_boundary(self.spec.max_bytes as usize);
        let (mut known, mut counts, mut lowered) = (0u32, BTreeMap::new(), String::new());
        let find = |word: &str| self.vocabulary.vectors.index(word);
        look_up(&text[..kept], self.spec.tokens, &mut lowered, find, |_, found| {
            if let Some(word) = found {
                known += 1;
                *counts.entry(word).or_insert(0.0) += self.weights[word];
            }
        });
        counts.values_mut().for_each(|count| *count /= known as f32);
        counts
    }

    /// The same words, some of them with other vectors: see [`Vocabulary::with_vectors`].
    pub(super) fn with_vectors(&self, places: &[usize], vectors: &[f32]) -> Words {
        Words {
            vocabulary: self.vocabulary.with_vectors(places, vectors),
            weights: self.weights.clone(),
            spec: self.spec.clone(),
            seconds: self.seconds,
        }
    }

    /// As a bundle carries them.
    pub(super) fn table(&self, precision: TablePrecision) -> Result<Vec<u8>, TableError> {
        self.vocabulary.table(&self.weights, precision)
    }

    /// Rows of texts, by a table of these words.
    pub(super) fn pooled<T: AsRef<str>>(
        &self,
        table: &[u8],
        texts: &[T],
        on: OnEvent<'_>,
    ) -> Result<Pooled, WordsError> {
        let mut preparer = TextPreparer::new(&self.spec, WordTable::parse(table)?)?;
        pooled(&mut preparer, texts, on)
    }
}
