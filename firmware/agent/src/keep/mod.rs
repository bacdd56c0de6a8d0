//! Frames that the network found hard to tell, kept for somebody to label.
//!
//! Encoding and a card's slow writing happen on a thread of their own; while it
//! is busy with one frame, others are let go.

mod ring;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use graft_input::Frame;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};

use crate::config::Keep;
use crate::counts::{Counts, is_said};
use ring::Ring;

/// Why frames cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot {act}: {source}", path.display())]
pub struct KeepError {
    /// The folder, or a file in it.
    pub path: PathBuf,
    /// What was to be done.
    pub act: &'static str,
    /// What the system said.
    pub source: std::io::Error,
}

/// Takes frames until it is dropped; the last one is written first.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    unknown: bool,
    margin: f32,
    at_most_every: Duration,
    last: Option<Instant>,
}

struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Slot {
    state: SlotState,
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    guess: String,
    closing: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SlotState {
    #[default]
    Free,
    Full,
    /// What was in it is being written.
    Busy,
}

impl Keeper {
    /// Opens the folder, cleans it of what a kill left, and starts the thread.
    pub fn start(folder: &Path, settings: &Keep, counts: Arc<Counts>) -> Result<Keeper, KeepError> {
        let ring = Ring::open(folder, settings.max_bytes)?;
        let shared =
            Arc::new(Shared { slot: Mutex::new(Slot::default()), changed: Condvar::new(), counts });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keep".to_owned())
            .spawn(move || write_all(ring, &theirs))
            .map_err(|source| KeepError {
                path: folder.to_owned(),
                act: "start a thread",
                source,
            })?;
        Ok(Keeper {
            shared,
            thread: Some(thread),
            unknown: settings.unknown,
            margin: settings.margin.get(),
            at_most_every: settings.at_most_every.get(),
            last: None,
        })
    }

    /// Keeps the frame if it was hard to tell: unknown, or with the two most
    /// probable labels near each other. `guess` is the most probable one.
    pub fn offer(&mut self, frame: Frame<'_>, unknown: bool, margin: f32, guess: &str) {
        let hard = (unknown && self.unknown) || margin < self.margin;
        let soon = self.last.is_some_and(|last| last.elapsed() < self.at_most_every);
        if !hard || soon {
            return;
        }
        let mut slot = self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.state != SlotState::Free {
            self.shared.counts.not_kept.one();
            return;
        }
        slot.state = SlotState::Full;
        (slot.width, slot.height) = (frame.width(), frame.height());
        slot.rgb.clear();
        slot.rgb.extend_from_slice(frame.rgb());
        slot.guess.clear();
        slot.guess.push_str(if unknown { "unknown" } else { guess });
        self.last = Some(Instant::now());
        self.shared.changed.notify_all();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner).closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported where it was.
            let _ = thread.join();
        }
    }
}

fn write_all(mut ring: Ring, shared: &Shared) {
    let lock = || shared.slot.lock().unwrap_or_else(PoisonError::into_inner);
    let mut png = Vec::new();
    let mut trouble = 0;
    loop {
        let mut slot = shared
            .changed
            .wait_while(lock(), |slot| slot.state != SlotState::Full && !slot.closing)
            .unwrap_or_else(PoisonError::into_inner);
        if slot.state != SlotState::Full {
            return;
        }
        slot.state = SlotState::Busy;
        let rgb = std::mem::take(&mut slot.rgb);
        let guess = std::mem::take(&mut slot.guess);
        let (width, height) = (slot.width, slot.height);
        drop(slot);

        let written = encode(width, height, &rgb, &mut png)
            .map_err(|error| error.to_string())
            .and_then(|()| ring.add(&png, &guess).map_err(|error| error.to_string()));
        match written {
            Ok(()) => {
                shared.counts.kept.one();
            }
            Err(reason) => {
                shared.counts.not_kept.one();
                trouble += 1;
                if is_said(trouble) {
                    log::warn!("a frame is not kept ({trouble} so far): {reason}");
                }
            }
        }
        let mut slot = lock();
        (slot.rgb, slot.guess) = (rgb, guess);
        slot.state = SlotState::Free;
    }
}

/// Fast rather than small: the processor has better things to do.
fn encode(width: u32, height: u32, rgb: &[u8], png: &mut Vec<u8>) -> Result<(), ImageError> {
    png.clear();
    PngEncoder::new_with_quality(png, CompressionType::Fast, FilterType::Sub).write_image(
        rgb,
        width,
        height,
        ExtendedColorType::Rgb8,
    )
}
