//! Packed weights that the engine reads where they are mapped.

use std::alloc::Layout;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;
use rustix::mm::{Advice, madvise};
use tract_onnx::prelude::tract_linalg::mmm::{MMMInputFormat, MMMInputValue, PackedExoticFact};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{ExoticFact, TractErrorContext as _, ensure};

use crate::engine::optimise::Matrix;

/// The mapped file, and whose pages are resident.
#[derive(Debug)]
pub(in crate::engine) struct Mapping {
    map: Mmap,
    /// Offset and bytes of each matrix.
    spans: Vec<(usize, usize)>,
    running: AtomicUsize,
}

const NONE: usize = usize::MAX;

impl Mapping {
    /// Every span must be in the map.
    pub(super) fn new(map: Mmap, spans: Vec<(usize, usize)>) -> Mapping {
        let inside =
            |&(at, bytes): &(usize, usize)| map.get(at..).is_some_and(|rest| rest.len() >= bytes);
        assert!(spans.iter().all(inside), "invariant: the file was checked");
        Mapping { map, spans, running: AtomicUsize::new(NONE) }
    }

    /// A node begins to multiply with these weights, so those before are done with.
    fn begin(&self, index: usize) {
        let before = self.running.swap(index, Ordering::Relaxed);
        if before != index {
            self.give_back(before);
        }
    }

    /// A run has ended, and with it all nodes.
    pub(in crate::engine) fn rest(&self) {
        self.give_back(self.running.swap(NONE, Ordering::Relaxed));
    }

    fn give_back(&self, index: usize) {
        let Some(&(at, bytes)) = self.spans.get(index) else { return };
        let page = rustix::param::page_size();
        let (from, to) = (at.next_multiple_of(page), (at + bytes) / page * page);
        if from < to {
            let pages = self.map[from..to].as_ptr().cast_mut().cast();
            // SAFETY: they are whole pages of a mapping that is only read, so whoever reads
            // them again gets the file's bytes anew. It is an advice: if it is not taken,
            // nothing changes.
            let _ = unsafe { madvise(pages, to - from, Advice::LinuxDontNeed) };
        }
    }
}

/// One matrix of the file. By the engine's trait it is what the engine would have packed.
#[derive(Clone)]
pub(super) struct MappedPanels {
    mapping: Arc<Mapping>,
    index: usize,
    fact: PackedExoticFact,
    panel_bytes: usize,
    rows: usize,
}

impl MappedPanels {
    /// The matrix with this number, which must be packed so.
    pub(super) fn new(mapping: Arc<Mapping>, index: usize, matrix: &Matrix) -> MappedPanels {
        let (panel_bytes, rows) = (matrix.panel_bytes(), matrix.rows);
        assert_eq!(mapping.spans[index].1, matrix.packed_bytes(), "invariant: it was compared");
        MappedPanels { mapping, index, fact: matrix.fact(), panel_bytes, rows }
    }

    fn bytes(&self) -> &[u8] {
        let (at, bytes) = self.mapping.spans[self.index];
        &self.mapping.map[at..at + bytes]
    }

    /// One row, as the engine's own panels give it.
    fn row(&self, row: usize) -> TractResult<impl Iterator<Item = f32>> {
        ensure!(row < self.rows, "row {row} of {}", self.rows);
        let width = self.fact.format.r();
        let panel = &self.bytes()[row / width * self.panel_bytes..][..self.panel_bytes];
        let (values, _) = panel.as_chunks::<4>();
        let values = values.get(row % width..).context("a panel without columns")?;
        Ok(values.iter().step_by(width).take(self.fact.k).map(|bytes| f32::from_ne_bytes(*bytes)))
    }
}

impl MMMInputValue for MappedPanels {
    fn format(&self) -> &dyn MMMInputFormat {
        &*self.fact.format
    }

    /// The engine asks once before each product. No buffer is needed.
    fn scratch_panel_buffer_layout(&self) -> Option<Layout> {
        self.mapping.begin(self.index);
        None
    }

    fn panel_bytes(&self, i: usize, _: Option<*mut u8>) -> TractResult<*const u8> {
        let panel = self.bytes().get(i * self.panel_bytes..);
        Ok(panel.filter(|rest| rest.len() >= self.panel_bytes).context("no such panel")?.as_ptr())
    }

    fn mn(&self) -> usize {
        self.rows
    }

    fn k(&self) -> usize {
        self.fact.k
    }

    fn exotic_fact(&self) -> &dyn ExoticFact {
        &self.fact
    }

    fn extract_at_mn_f16(&self, mn: usize, slice: &mut [f16]) -> TractResult<()> {
        ensure!(slice.len() == self.k());
        self.row(mn)?.zip(slice).for_each(|(value, place)| *place = f16::from_f32(value));
        Ok(())
    }

    fn extract_at_mn_f32(&self, mn: usize, slice: &mut [f32]) -> TractResult<()> {
        ensure!(slice.len() == self.k());
        self.row(mn)?.zip(slice).for_each(|(value, place)| *place = value);
        Ok(())
    }
}

impl PartialEq for MappedPanels {
    fn eq(&self, other: &MappedPanels) -> bool {
        Arc::ptr_eq(&self.mapping, &other.mapping) && self.index == other.index
    }
}

impl Eq for MappedPanels {}

impl Hash for MappedPanels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fact.hash(state);
        self.index.hash(state);
    }
}

impl fmt::Display for MappedPanels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mapped {}", self.fact)
    }
}

impl fmt::Debug for MappedPanels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
