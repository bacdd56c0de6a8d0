//! A bundle that says what comes next, on texts that it has not seen.

use std::collections::HashMap;

use graft_bundle::Bundle;
use graft_input::words::{WordTable, tokens};
use graft_spec::{Answer, MAX_TEXT_BYTES, WordsSpec};
use serde::Serialize;

use super::corpus::{Corpus, Rows, blocks, starts};
use super::data::{RunningText, RunningTexts};
use super::error::NextWordError;
use super::judge::{Scores, Tally, Verdict};
use crate::answer::{AnswerWith, Answerer, Questions};
use crate::progress::{Event, OnEvent, Stage};

/// What came of it. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    #[serde(flatten)]
    pub scores: Scores,
    /// Words that were asked for.
    pub asked: u64,
    /// Share of them that the bundle cannot answer.
    pub outside: f64,
    /// Share of all words and marks that the bundle's table lacks.
    pub unknown: f64,
    /// Texts.
    pub texts: usize,
}

/// Asks a bundle for each word of some texts behind what is before it.
///
/// # Errors
///
/// [`NextWordError::NotNextWord`]; what opening and running it gives.
pub fn evaluate(
    bundle: &Bundle<'_>,
    with: AnswerWith<'_>,
    running: &RunningTexts,
    on: OnEvent<'_>,
) -> Result<Judged, NextWordError> {
    let spec = spec_of(bundle)?;
    let table = WordTable::parse(bundle.words().expect("a bundle about texts has a word table"))?;
    let blocks = blocks(&running.texts.iter().collect::<Vec<_>>());
    let find = |word: &str| table.lookup(word).map(|index| index as usize);
    let corpus = Corpus::of(&blocks, spec.tokens, table.len() as usize, find);
    let labels: HashMap<&str, u32> =
        (0..).zip(bundle.labels().names()).map(|(class, name)| (name.as_str(), class)).collect();
    let class = |id: u32| labels.get(table.word(id)).copied();
    let positions = corpus.positions(|_| true, class);
    if positions.iter().all(|position| position.class.is_none()) {
        return Err(NextWordError::NothingAsked { part: "judged" });
    }
    let rows = rows(&table);

    let questions = Questions::Texts { places: Vec::new(), texts: Vec::new() };
    let mut answerer = Answerer::open(bundle, with, &questions)?;
    answerer.verify()?;
    let Answer::Class(calibration) = &bundle.manifest().answer;
    let begin = Event::Begin { stage: Stage::Predict, total: Some(positions.len() as u64) };
    if on(begin).is_break() {
        return Err(NextWordError::Cancelled);
    }
    let mut tallies = vec![Tally::default(); blocks.len()];
    let mut tensor = vec![0.0; spec.feature_length()];
    for (done, position) in (1..).zip(&positions) {
        corpus.context(position, &rows, &mut tensor);
        let logits = answerer.logits(&tensor)?;
        let verdict = Verdict::of_logits(logits, calibration.temperature, position.class);
        tallies[corpus.block(position)].add(&verdict);
        if on(Event::Advance { done }).is_break() {
            return Err(NextWordError::Cancelled);
        }
    }
    let _ = on(Event::End);
    tallies.retain(|tally| tally.asked > 0);
    let asked = positions.len();
    let outside = positions.iter().filter(|position| position.class.is_none()).count();
    let (all, unknown) = corpus.unknown(|_| true);
    Ok(Judged {
        scores: Scores::of(&tallies, 0),
        asked: asked as u64,
        outside: outside as f64 / asked as f64,
        unknown: unknown as f64 / all as f64,
        texts: running.texts.len(),
    })
}

pub(super) fn spec_of<'b>(bundle: &'b Bundle<'_>) -> Result<&'b WordsSpec, NextWordError> {
    let words = bundle.manifest().input.words().filter(|spec| spec.last_words().is_some());
    words.ok_or_else(|| NextWordError::NotNextWord { name: bundle.manifest().name.to_string() })
}

/// All rows of a table, as a device reads them.
pub(super) fn rows<B: AsRef<[u8]>>(table: &WordTable<B>) -> Rows {
    let dimensions = table.dimensions() as usize;
    let mut values = vec![0.0; table.len() as usize * dimensions];
    (0..).zip(values.chunks_exact_mut(dimensions)).for_each(|(id, row)| table.row(id, row));
    Rows { dimensions, values }
}

/// Texts as far as somebody had written them when a word was about to come: at most so
/// many, spread over all of them; each ends where a token begins, and has one before.
pub fn contexts(running: &RunningTexts, most: usize) -> Vec<RunningText> {
    let all: usize =
        running.texts.iter().map(|text| tokens(&text.text).count().saturating_sub(1)).sum();
    let every = all.div_ceil(most.max(1)).max(1);
    let mut number = 0;
    let mut contexts = Vec::new();
    for text in &running.texts {
        for at in starts(&text.text).skip(1) {
            if number % every == 0 {
                // No bundle looks further back.
                let from = at.saturating_sub(MAX_TEXT_BYTES as usize);
                let from = text.text.ceil_char_boundary(from);
                contexts.push(RunningText {
                    text: text.text[from..at].to_owned(),
                    place: format!("{} byte {at}", text.place.display()).into(),
                    split: text.split,
                    group: text.group.clone(),
                });
            }
            number += 1;
        }
    }
    contexts
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use graft_input::words::{TablePrecision, TextPreparer, write_table};
    use graft_spec::{Pooling, Tokeniser};

    use super::*;

    /// What a place in the texts has before it is what a device makes of the text up to
    /// there.
    #[test]
    fn contexts_are_prepared_as_on_the_device() {
        let words = ["the", "cat", "'s", "n't", "do", ",", ".", "mat", "state", "of", "é", "-"];
        let values: Vec<[f32; 3]> =
            (0..12).map(|i| [i as f32 + 0.5, -0.25 * i as f32, 1.0 / (i + 1) as f32]).collect();
        let table = write_table(
            words.iter().zip(&values).map(|(word, row)| (*word, 1.0, row.as_slice())),
            3,
            TablePrecision::I8,
        )
        .unwrap();
        let table = WordTable::parse(table.as_slice()).unwrap();
        let text = "The cat's mat -- don't, do; xyzzy \u{a0} É state-of-the-cat. DON’T 1,000.5 the";
        let running = RunningTexts {
            texts: vec![RunningText {
                place: PathBuf::new(),
                text: text.repeat(9),
                split: None,
                group: None,
            }],
            skipped: Vec::new(),
        };
        let tokens = Tokeniser::Words { lowercase: true };
        let spec = WordsSpec { tokens, pooling: Pooling::Last(4), dimensions: 3, max_bytes: 100 };
        let mut preparer = TextPreparer::new(&spec, table).unwrap();
        let rows = rows(&table);
        let find = |word: &str| table.lookup(word).map(|index| index as usize);
        let contexts = contexts(&running, 1000);
        assert_eq!(contexts.len(), 9 * 15);
        for context in &contexts {
            let mut expected = [f32::NAN; 12];
            preparer.fill(&context.text, &mut expected);
            // A place behind the text, with a word that is asked for.
            let with_next = format!("{} cat", context.text);
            let corpus = Corpus::of(&[vec![&with_next]], tokens, 12, find);
            let positions = corpus.positions(|_| true, |_| Some(0));
            let mut found = [f32::NAN; 12];
            corpus.context(positions.last().unwrap(), &rows, &mut found);
            assert_eq!(found, expected, "{:?}", context.text);
        }
    }
}
