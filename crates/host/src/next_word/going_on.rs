//! A text goes on by some words, each answered by the device engine.

use graft_bundle::Bundle;
use graft_learn::SplitMix64;
use graft_runtime::Model;
use graft_spec::Decision;

use super::NextWordError;
use super::evaluate::spec_of;
use crate::answer::AnswerError;

/// Which word is taken.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// The most probable one.
    Likeliest,
    /// One by chance, each as often as it is probable.
    Drawn { seed: u64 },
}

/// A bundle that lets texts go on.
pub struct GoingOn {
    model: Model,
    labels: Vec<String>,
}

impl GoingOn {
    /// Opens a bundle in the device engine and replays its references.
    pub fn open(bundle: &Bundle<'_>) -> Result<GoingOn, NextWordError> {
        spec_of(bundle)?;
        let mut model = Model::open(bundle).map_err(AnswerError::from)?;
        model.verify().map_err(AnswerError::from)?;
        Ok(GoingOn { model, labels: bundle.labels().names().to_vec() })
    }

    /// The text with so many words more; with none if no word of it is known.
    pub fn text(
        &mut self,
        text: &str,
        words: usize,
        choice: Choice,
    ) -> Result<String, NextWordError> {
        let mut random = match choice {
            Choice::Likeliest => None,
            Choice::Drawn { seed } => Some(SplitMix64::new(seed)),
        };
        let mut text = text.to_owned();
        for _ in 0..words {
            let answer = self.model.predict_text(&text).map_err(AnswerError::from)?;
            let Decision::Label(likeliest) = answer.decision else { break };
            let word = match &mut random {
                None => likeliest,
                Some(random) => drawn(answer.probabilities, random.unit()).unwrap_or(likeliest),
            };
            let word = &self.labels[word];
            if !text.ends_with(char::is_whitespace) && !is_ending(word) {
                text.push(' ');
            }
            text.push_str(word);
        }
        Ok(text)
    }
}

/// The first at which the probabilities so far are more than `share`.
fn drawn(probabilities: &[f32], share: f64) -> Option<usize> {
    let mut sum = 0.0;
    probabilities.iter().position(|&probability| {
        sum += f64::from(probability);
        sum > share
    })
}

/// What the tokeniser takes off the word before, as in "don't" and "cat's".
fn is_ending(word: &str) -> bool {
    word.starts_with('\'') || word.eq_ignore_ascii_case("n't")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_drawn_as_often_as_it_is_probable() {
        let probabilities = [0.25, 0.0, 0.5, 0.25];
        assert_eq!(drawn(&probabilities, 0.0), Some(0));
        assert_eq!(drawn(&probabilities, 0.25), Some(2));
        assert_eq!(drawn(&probabilities, 0.8), Some(3));
        assert_eq!(drawn(&probabilities, 1.0), None);
        assert!(is_ending("n't") && is_ending("'ll") && !is_ending("not"));
    }
}
