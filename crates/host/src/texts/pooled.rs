//! Texts become rows, by the code that runs on the device.

use graft_input::words::{Counts, TextPreparer};
use ndarray::Array2;

use crate::progress::{Event, OnEvent, Stage};
use crate::train::RunError;

/// A row a text, and what was in it.
pub(super) struct Pooled {
    pub(super) rows: Array2<f32>,
    pub(super) counts: Vec<Counts>,
}

pub(super) fn pooled(
    preparer: &mut TextPreparer<&[u8]>,
    texts: &[String],
    on: OnEvent<'_>,
) -> Result<Pooled, RunError> {
    let begin = Event::Begin { stage: Stage::Texts, total: Some(texts.len() as u64) };
    if on(begin).is_break() {
        return Err(RunError::Cancelled);
    }
    let mut rows = Array2::zeros((texts.len(), preparer.spec().feature_length()));
    let mut counts = Vec::with_capacity(texts.len());
    for (done, (mut row, text)) in (1..).zip(rows.outer_iter_mut().zip(texts)) {
        counts.push(preparer.fill(text, row.as_slice_mut().expect("rows are contiguous")));
        if on(Event::Advance { done }).is_break() {
            return Err(RunError::Cancelled);
        }
    }
    let _ = on(Event::End);
    Ok(Pooled { rows, counts })
}
