//! What the network says of examples with the weights that it has now.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use graft_onnx::{Graph, LOGITS};
use ndarray::Array2;

use super::FineTuneError;
use super::below::Rows;
use super::supply::Pick;
use crate::engine::{Engine, Network, NetworkError};
use crate::photos::lock;
use crate::progress::{Event, OnEvent};
use crate::provider::Provider;

/// Rows that are in memory at once.
const ROWS: usize = 32;

/// The trained part, ready to be asked.
pub(super) struct Forward<'a> {
    pub(super) engine: &'a Engine,
    pub(super) provider: &'a Provider,
    pub(super) threads: usize,
    /// Of one row.
    pub(super) shape: &'a [usize],
    pub(super) classes: usize,
}

impl Forward<'_> {
    /// `[members, classes]`. Each row runs alone on one thread, so what it gives
    /// depends on neither company nor threads. `done` is told to the event sink,
    /// which may stop the work.
    pub(super) fn logits(
        &self,
        part: &Graph,
        rows_of: &Rows<'_>,
        members: &[usize],
        done: u64,
        on: OnEvent<'_>,
    ) -> Result<Array2<f32>, FineTuneError> {
        let model = part.to_bytes();
        let lanes = self.provider.sessions(self.threads).clamp(1, members.len().max(1));
        let networks: Vec<Mutex<Option<Network>>> = (0..lanes).map(|_| Mutex::new(None)).collect();
        let mut logits = Array2::zeros((members.len(), self.classes));
        let into = logits.as_slice_mut().expect("a new array is contiguous");
        let length = rows_of.row_length();
        let mut rows = vec![0.0; length * ROWS.min(members.len())];
        for (members, into) in members.chunks(ROWS).zip(into.chunks_mut(ROWS * self.classes)) {
            let picks: Vec<Pick> =
                members.iter().map(|&example| Pick { example, draw: None }).collect();
            let rows = &mut rows[..length * members.len()];
            rows_of.fill(&picks, rows)?;
            self.rows(&model, &networks, rows.chunks_exact(length).collect(), into)?;
            if on(Event::Advance { done }).is_break() {
                return Err(FineTuneError::Cancelled);
            }
        }
        Ok(logits)
    }

    fn rows(
        &self,
        model: &[u8],
        networks: &[Mutex<Option<Network>>],
        rows: Vec<&[f32]>,
        into: &mut [f32],
    ) -> Result<(), NetworkError> {
        let slots: Vec<Mutex<&mut [f32]>> =
            into.chunks_exact_mut(self.classes).map(Mutex::new).collect();
        let shape: Vec<usize> = std::iter::once(1).chain(self.shape.iter().copied()).collect();
        let next = AtomicUsize::new(0);
        let work = |network: &Mutex<Option<Network>>| -> Result<(), NetworkError> {
            let mut network = lock(network);
            let network = match &mut *network {
                Some(network) => network,
                empty => empty.insert(Network::open(self.engine, model, self.provider, 1)?),
            };
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(row) = rows.get(at) else { return Ok(()) };
                let mut found = 0;
                network.run(&shape, row, LOGITS, |values| {
                    found = values.len();
                    if found == self.classes {
                        lock(&slots[at]).copy_from_slice(values);
                    }
                })?;
                if found != self.classes {
                    let (name, expected) = (LOGITS.to_owned(), self.classes);
                    return Err(NetworkError::Output { name, found, expected });
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                networks.iter().skip(1).map(|network| scope.spawn(|| work(network))).collect();
            let mut result = work(&networks[0]);
            for thread in threads {
                match thread.join() {
                    Ok(other) => result = result.and(other),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            result
        })
    }
}
