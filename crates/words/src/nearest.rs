use std::cmp::Ordering;

use crate::vectors::norm;
use crate::{QueryError, WordVectors};

/// A word, and how alike it is to what was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Of the word.
    pub index: usize,
    /// The cosine of the angle, from -1 to 1.
    pub similarity: f64,
}

/// A part of a question: a word or a vector, to be added or taken away.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// What.
    pub of: TermOf<'a>,
    /// How.
    pub sign: Sign,
}

/// What a [`Term`] is of.
#[derive(Clone, Copy, Debug)]
pub enum TermOf<'a> {
    /// A word that is known. It is not among the answers.
    Word(&'a str),
    /// Any vector of the words' length.
    Vector(&'a [f32]),
}

/// Whether a [`Term`] is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It is.
    Plus,
    /// It is taken away.
    Minus,
}

impl<'a> Term<'a> {
    /// A word that is added.
    pub fn plus(word: &'a str) -> Term<'a> {
        Term { of: TermOf::Word(word), sign: Sign::Plus }
    }

    /// A word that is taken away.
    pub fn minus(word: &'a str) -> Term<'a> {
        Term { of: TermOf::Word(word), sign: Sign::Minus }
    }

    /// A vector that is added.
    pub fn vector(vector: &'a [f32]) -> Term<'a> {
        Term { of: TermOf::Vector(vector), sign: Sign::Plus }
    }
}

impl WordVectors {
    /// The `count` words whose direction is nearest to that of the terms: the mean
    /// of their unit vectors, each with its sign (3CosAdd of Levy and Goldberg,
    /// 2014, which is what word2vec's tools and gensim's `most_similar` do). The
    /// words that were asked with are left out, as is a word whose vector is zero;
    /// what is equally near comes in the order of the file.
    pub fn nearest(&self, terms: &[Term<'_>], count: usize) -> Result<Vec<Neighbour>, QueryError> {
        let mut direction = vec![0.0; self.dimensions()];
        let mut asked = Vec::new();
        for term in terms {
            let vector = match term.of {
                TermOf::Word(word) => {
                    let index = self
                        .index(word)
                        .ok_or_else(|| QueryError::UnknownWord { word: word.to_owned() })?;
                    asked.push(index);
                    self.vector(index)
                }
                TermOf::Vector(vector) => vector,
            };
            if vector.len() != direction.len() {
                return Err(QueryError::Dimensions {
                    found: vector.len(),
                    expected: direction.len(),
                });
            }
            let length = norm(vector);
            if length == 0.0 {
                continue;
            }
            let scale = if term.sign == Sign::Plus { 1.0 / length } else { -1.0 / length };
            for (sum, &number) in direction.iter_mut().zip(vector) {
                *sum += scale * f64::from(number);
            }
        }
        let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        // What rounding leaves of a word taken from itself has no direction.
        if length.is_nan() || length <= 1e-12 {
            return Err(QueryError::Zero);
        }
        let mut found: Vec<Neighbour> = (0..self.len())
            .filter(|index| self.norms()[*index] > 0.0 && !asked.contains(index))
            .map(|index| {
                let dot: f64 = direction
                    .iter()
                    .zip(self.vector(index))
                    .map(|(d, &number)| d * f64::from(number))
                    .sum();
                Neighbour { index, similarity: dot / (length * self.norms()[index]) }
            })
            .collect();
        let nearer = |a: &Neighbour, b: &Neighbour| -> Ordering {
            b.similarity.total_cmp(&a.similarity).then(a.index.cmp(&b.index))
        };
        if count < found.len() {
            found.select_nth_unstable_by(count, nearer);
            found.truncate(count);
        }
        found.sort_unstable_by(nearer);
        Ok(found)
    }

    /// What is to `c` as `b` is to `a`: nearest to b − a + c.
    pub fn analogy(
        &self,
        a: &str,
        b: &str,
        c: &str,
        count: usize,
    ) -> Result<Vec<Neighbour>, QueryError> {
        self.nearest(&[Term::plus(b), Term::minus(a), Term::plus(c)], count)
    }
}
