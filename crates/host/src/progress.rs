//! What a long run tells its caller while it runs.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::finetune::EpochFacts;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// What follows is about one of several networks.
    Source { name: &'a str, number: usize, of: usize },
    /// A part of the work began; `total` steps if known.
    Begin { stage: Stage, total: Option<u64> },
    /// `done` steps of the current part are done.
    Advance { done: u64 },
    /// The current part is over.
    End,
    /// A file can't be used and is left out.
    Skipped { path: &'a Path, reason: &'a str },
    /// Every example was learned from once more.
    Epoch { facts: &'a EpochFacts, of: usize, remaining: Option<Duration> },
    /// Something a person should know that is no error.
    Note(&'a str),
}

/// A part of the work that takes long enough to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading, preparing and running photos through the backbone.
    Features,
    /// Solving the head, cross-validation included.
    Head,
    /// Running photos through whole networks.
    Predict,
    /// Running processes that measure.
    Measure,
    /// Probing features of many depths.
    Probe,
    /// Timing networks in the device engine.
    Latency,
    /// Running photos through the frozen part of a network.
    Frozen,
    /// Steps of fine-tuning.
    Tune,
    /// Looking up the words of texts.
    Texts,
    /// Reading word vectors.
    Vectors,
    /// Getting a file; its steps are bytes.
    Download,
}

/// Where events go. Answering [`ControlFlow::Break`] stops the work soon, and
/// the function returns its `Cancelled` error.
pub type OnEvent<'a> = &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>;
