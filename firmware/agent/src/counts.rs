//! Numbers that threads count and the metrics show.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// What is counted outside the answering thread.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Frames that no decoder could read.
    pub unreadable: Counter,
    /// Times that a source was opened again.
    pub reopened: Counter,
    /// Answers that a sink could not take in time.
    pub missed_by_sinks: Counter,
    /// Frames that were kept.
    pub kept: Counter,
    /// Frames that were worth keeping while another was being written, or
    /// could not be written.
    pub not_kept: Counter,
}

impl Counter {
    /// Counts one and says how many there are now.
    pub fn one(&self) -> u64 {
        // A number for people: nothing else is ordered by it.
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether the `count`-th trouble of a kind is said aloud: the 1st, 2nd, 4th,
/// 8th…, so that trouble with every frame does not fill a disk in a night.
pub(crate) fn is_said(count: u64) -> bool {
    count.is_power_of_two()
}
