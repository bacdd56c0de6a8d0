//! Texts become rows, by the code that runs on the device.

use graft_input::words::{Counts, TextPreparer};
use ndarray::Array2;

use super::words::WordsError;
use crate::progress::{Event, OnEvent, Stage};

/// A row a text, and what was in it.
pub(super) struct Pooled {
    pub(super) rows: Array2<f32>,
    pub(super) counts: Vec<Counts>,
}

pub(super) fn pooled<T: AsRef<str>>(
    preparer: &mut TextPreparer<&[u8]>,
    texts: &[T],
    on: OnEvent<'_>,
) -> Result<Pooled, WordsError> {
    let begin = Event::Begin { stage: Stage::Texts, total: Some(texts.len() as u64) };
    if on(begin).is_break() {
        return Err(WordsError::Cancelled);
    }
    let mut rows = Array2::zeros((texts.len(), preparer.spec().feature_length()));
    let mut counts = Vec::with_capacity(texts.len());
    for (done, (mut row, text)) in (1..).zip(rows.outer_iter_mut().zip(texts)) {
        let row = row.as_slice_mut().expect("rows are contiguous");
        counts.push(preparer.fill(text.as_ref(), row));
        if on(Event::Advance { done }).is_break() {
            return Err(WordsError::Cancelled);
        }
    }
    let _ = on(Event::End);
    Ok(Pooled { rows, counts })
}

/// Share of the words of some texts that were not known.
pub(super) fn unknown_share(counts: &[Counts], of: &[usize]) -> f64 {
    let sum =
        |each: fn(&Counts) -> u32| -> u64 { of.iter().map(|&i| u64::from(each(&counts[i]))).sum() };
    let (tokens, known) = (sum(|c| c.tokens), sum(|c| c.known));
    if tokens == 0 { 0.0 } else { (tokens - known) as f64 / tokens as f64 }
}
