//! Which words travel: those of the texts that are learned from, and the most
//! frequent others, so that the table is small and new texts find words in it.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use graft_input::words::{MAX_WORD_BYTES, TableError, TablePrecision, look_up, write_table};
use graft_learn::SplitMix64;
use graft_spec::Tokeniser;
use graft_words::WordVectors;

use crate::digest::Digest;
use crate::progress::OnEvent;
use crate::untrained::normal;
use crate::vectors::{VectorsError, VectorsFile};

/// Vectors of the words that travel.
pub(crate) struct Vocabulary {
    pub(crate) vectors: WordVectors,
    pub(crate) tokens: Tokeniser,
    /// Of them words of the texts.
    pub(crate) of_task: usize,
    /// In the file.
    pub(crate) of_file: u64,
}

/// After so many words it is known whether a file has capitals: files begin with
/// the most frequent ones.
const LOOKED_AT: usize = 10_000;

/// Smooth inverse frequency's constant, the paper's.
const SMOOTH: f64 = 1e-3;

/// Keeps vectors of chance apart from other draws of the same seed.
const VECTORS: u64 = u64::from_be_bytes(*b"vectors ");

impl Vocabulary {
    /// Streams the file and keeps the words of `texts` and the first `others`.
    pub(crate) fn of(
        file: &VectorsFile,
        texts: &[&str],
        others: usize,
        on: OnEvent<'_>,
    ) -> Result<Vocabulary, VectorsError> {
        let tokens = Tokeniser::Words { lowercase: !has_capitals(file, on)? };
        let asked = asked(texts, tokens);
        let (mut vectors, mut of_task, mut of_others) = (WordVectors::default(), 0, 0);
        let summary = file.each(on, |word, vector| {
            if word.len() > MAX_WORD_BYTES {
                return ControlFlow::Continue(());
            }
            let kept = vectors.len();
            if asked.contains(word) {
                let _ = vectors.keep(word, vector);
                of_task += vectors.len() - kept;
            } else if of_others < others {
                let _ = vectors.keep(word, vector);
                of_others += vectors.len() - kept;
            }
            ControlFlow::Continue(())
        })?;
        Ok(Vocabulary { vectors, tokens, of_task, of_file: summary.words })
    }

    /// Every word of the texts with numbers of chance, of mean 0 and variance 1: what a
    /// word gets follows from the seed and the word alone.
    pub(super) fn random(dimensions: usize, texts: &[&str], seed: u64) -> Vocabulary {
        let tokens = Tokeniser::Words { lowercase: true };
        let (mut vectors, mut lowered) = (WordVectors::default(), String::new());
        let mut vector = vec![0.0; dimensions];
        for text in texts {
            let keep = |word: &str, _| {
                if word.len() <= MAX_WORD_BYTES && vectors.index(word).is_none() {
                    let digest = Digest::of(word.as_bytes()).0;
                    let of_word =
                        u64::from_le_bytes(digest.first_chunk().copied().unwrap_or([0; 8]));
                    let mut random = SplitMix64::of(&[seed, VECTORS, of_word]);
                    vector.fill_with(|| normal(&mut random));
                    let _ = vectors.keep(word, &vector);
                }
            };
            // Found whole, whatever it is: no word is taken apart.
            look_up(text, tokens, &mut lowered, |_| Some(()), keep);
        }
        let of_task = vectors.len();
        Vocabulary { vectors, tokens, of_task, of_file: of_task as u64 }
    }

    /// Smooth inverse frequency of each word, a / (a + p): p is its share of the
    /// texts' words, and 0 where it is in none.
    pub(crate) fn weights(&self, texts: &[&str]) -> Vec<f32> {
        let mut counts = vec![0u64; self.vectors.len()];
        let (mut total, mut lowered) = (0u64, String::new());
        for text in texts {
            look_up(
                text,
                self.tokens,
                &mut lowered,
                |word| self.vectors.index(word),
                |_, found| {
                    total += 1;
                    if let Some(index) = found {
                        counts[index] += 1;
                    }
                },
            );
        }
        let weight = |&count: &u64| (SMOOTH / (SMOOTH + count as f64 / total.max(1) as f64)) as f32;
        counts.iter().map(weight).collect()
    }

    /// The same words with other vectors for some of them: those at `places`, in the
    /// rows of `vectors`.
    pub(crate) fn with_vectors(&self, places: &[usize], vectors: &[f32]) -> Vocabulary {
        let dimensions = self.vectors.dimensions();
        let rows: HashMap<usize, &[f32]> =
            places.iter().copied().zip(vectors.chunks_exact(dimensions)).collect();
        let mut others = WordVectors::default();
        for (place, (word, vector)) in self.vectors.iter().enumerate() {
            let _ = others.keep(word, rows.get(&place).copied().unwrap_or(vector));
        }
        Vocabulary { vectors: others, ..*self }
    }

    /// Words of texts that it lacks, the most frequent first, `most` at most.
    pub(crate) fn unknown(&self, texts: &[&str], most: usize) -> Vec<String> {
        let (mut unknown, mut lowered) = (HashMap::<String, u64>::new(), String::new());
        for text in texts {
            let find = |word: &str| self.vectors.index(word);
            look_up(text, self.tokens, &mut lowered, find, |word, found| {
                if found.is_none() {
                    match unknown.get_mut(word) {
                        Some(count) => *count += 1,
                        None => drop(unknown.insert(word.to_owned(), 1)),
                    }
                }
            });
        }
        let mut words: Vec<(String, u64)> = unknown.into_iter().collect();
        words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.into_iter().take(most).map(|(word, _)| word).collect()
    }

    /// Capitals mean nothing.
    pub(crate) fn lowercase(&self) -> bool {
        let Tokeniser::Words { lowercase } = self.tokens;
        lowercase
    }

    /// The words, with these weights, as a bundle carries them.
    pub(crate) fn table(
        &self,
        weights: &[f32],
        precision: TablePrecision,
    ) -> Result<Vec<u8>, TableError> {
        let rows = self.vectors.iter().zip(weights);
        let rows = rows.map(|((word, vector), &weight)| (word, weight, vector));
        write_table(rows, self.vectors.dimensions() as u32, precision)
    }
}

fn has_capitals(file: &VectorsFile, on: OnEvent<'_>) -> Result<bool, VectorsError> {
    let (mut seen, mut found) = (0, false);
    file.each(on, |word, _| {
        seen += 1;
        found |= word.chars().any(char::is_uppercase);
        if found || seen == LOOKED_AT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// Every word that looking the texts up may ask for, whatever is found: asking
/// without ever finding asks for the most.
fn asked(texts: &[&str], tokens: Tokeniser) -> HashSet<String> {
    let (mut asked, mut lowered) = (HashSet::new(), String::new());
    for text in texts {
        let find = |word: &str| {
            if !asked.contains(word) {
                asked.insert(word.to_owned());
            }
            None::<()>
        };
        look_up(text, tokens, &mut lowered, find, |_, _| ());
    }
    asked
}
