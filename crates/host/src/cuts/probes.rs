//! Many linear probes on columns of the same rows, several at a time.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use graft_learn::{Examples, ExamplesError, LinearRecipe, Probe, TrainError, grouped_probe};
use ndarray::{ArrayView2, s};

use crate::progress::{Event, OnEvent, Stage};
use crate::subset::Division;

/// What every probe learns from.
pub(super) struct Task<'a> {
    /// `[examples, features of all cuts]`.
    pub(super) rows: ArrayView2<'a, f32>,
    pub(super) labels: &'a [usize],
    pub(super) classes: usize,
    pub(super) division: &'a Division,
}

/// A probe that failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Features that can't be learned from.
    #[error("{0}")]
    Examples(ExamplesError),
    /// No head can be fitted.
    #[error("{0}")]
    Train(TrainError),
}

pub(super) enum Stopped {
    Cancelled,
    Failed { at: usize, error: ProbeError },
}

/// One probe for each range of columns.
pub(super) fn run(
    task: &Task<'_>,
    columns: &[Range<usize>],
    recipe: &LinearRecipe,
    threads: usize,
    on: OnEvent<'_>,
) -> Result<Vec<Probe>, Stopped> {
    if on(Event::Begin { stage: Stage::Probe, total: Some(columns.len() as u64) }).is_break() {
        return Err(Stopped::Cancelled);
    }
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut probes: Vec<Option<Probe>> = vec![None; columns.len()];
    let mut failure = None;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.clamp(1, columns.len()) {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while let Some((at, range)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    columns.get(at).map(|range| (at, range.clone()))
                } {
                    // The receiver lives until all senders are gone.
                    let _ = sender.send((at, one(task, range, recipe, stop)));
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (done, (at, result)) in (1..).zip(receiver) {
            match result {
                Ok(probe) => probes[at] = Some(probe),
                Err(ProbeError::Train(TrainError::Interrupted)) => {}
                Err(error) => {
                    failure.get_or_insert(Stopped::Failed { at, error });
                    stop.store(true, Ordering::Relaxed);
                }
            }
            if on(Event::Advance { done }).is_break() {
                failure.get_or_insert(Stopped::Cancelled);
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    let _ = on(Event::End);
    match failure {
        Some(failure) => Err(failure),
        None => Ok(probes.into_iter().flatten().collect()),
    }
}

fn one(
    task: &Task<'_>,
    columns: Range<usize>,
    recipe: &LinearRecipe,
    stop: &AtomicBool,
) -> Result<Probe, ProbeError> {
    // In one piece, so that passes over the rows read nothing else.
    let rows = task.rows.slice(s![.., columns]).to_owned();
    let examples =
        Examples::new(rows.view(), task.labels, task.classes).map_err(ProbeError::Examples)?;
    let mut go_on = |_| match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let Division { folds, groups } = task.division;
    grouped_probe(&examples, recipe, folds, groups, &mut go_on).map_err(ProbeError::Train)
}
