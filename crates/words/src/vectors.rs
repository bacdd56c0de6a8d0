use std::ops::ControlFlow;

use indexmap::IndexSet;

/// Words and their vectors in memory, in the order in which they were kept.
#[derive(Clone, Debug, Default)]
pub struct WordVectors {
    words: IndexSet<Box<str>>,
    dimensions: usize,
    numbers: Vec<f32>,
    norms: Vec<f64>,
    duplicates: u64,
}

impl WordVectors {
    /// Keeps a word, for [`crate::read`] to call. Of a word that comes again the
    /// first vector counts.
    ///
    /// # Panics
    ///
    /// If the vector is empty or has another length than the one before it: a file
    /// gives none such.
    pub fn keep(&mut self, word: &str, vector: &[f32]) -> ControlFlow<()> {
        if self.words.is_empty() {
            self.dimensions = vector.len();
        }
        assert!(!vector.is_empty() && vector.len() == self.dimensions, "vectors of one length");
        if self.words.contains(word) {
            self.duplicates += 1;
        } else {
            self.words.insert(word.into());
            self.numbers.extend_from_slice(vector);
            self.norms.push(norm(vector));
        }
        ControlFlow::Continue(())
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Numbers a word; 0 while there is none.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Words that came again and were left out.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Where a word is.
    pub fn index(&self, word: &str) -> Option<usize> {
        self.words.get_index_of(word)
    }

    /// The word at an index.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn word(&self, index: usize) -> &str {
        &self.words[index]
    }

    /// The vector at an index.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn vector(&self, index: usize) -> &[f32] {
        &self.numbers[index * self.dimensions..][..self.dimensions]
    }

    /// The Euclidean lengths of all vectors.
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// Words and vectors, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[f32])> {
        self.words.iter().enumerate().map(|(index, word)| (&**word, self.vector(index)))
    }
}

pub(crate) fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|&number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt()
}
