//! Many photos on many threads, results in order, stoppable.
//!
//! Each thread takes the next photos and carries them all the way, so that reading
//! and decoding of one photo run beside the network on another, and on a
//! processor no core ever waits for another: the whole costs what its parts cost.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use graft_input::Picture;

use crate::progress::{Event, OnEvent, Stage};

/// A file that is no usable photo.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// The file.
    #[serde(serialize_with = "crate::lossy::path")]
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What became of the photos.
pub(crate) struct Done<T, W> {
    /// In the order of the paths; `None` where a photo was skipped.
    pub results: Vec<Option<T>>,
    pub skipped: Vec<Skipped>,
    /// One a thread, as it ended.
    pub workers: Vec<W>,
}

/// A thread's part of the work.
pub(crate) trait Worker: Send {
    type Result: Send;
    type Error: Send;

    /// Takes neighbouring photos on, the first of which has the index `first`,
    /// and hands out whatever is finished: these, or earlier ones that waited
    /// for a batch to fill.
    fn take(
        &mut self,
        first: usize,
        paths: &[&Path],
        hand_out: HandOut<'_, Self::Result>,
    ) -> Result<(), Self::Error>;

    /// Hands out what still waits.
    fn finish(&mut self, hand_out: HandOut<'_, Self::Result>) -> Result<(), Self::Error>;
}

/// Takes the index of a photo, and its result or the reason why it is skipped.
pub(crate) type HandOut<'a, T> = &'a mut dyn FnMut(usize, Result<T, String>);

/// The work ended early.
pub(crate) enum Stopped<E> {
    /// The event sink said so.
    Cancelled,
    /// A worker failed.
    Failed(E),
}

/// Runs all photos through the workers, one a thread; each takes `neighbours` of
/// the list at a time. `keep` sees each result as it comes, in no particular
/// order.
pub(crate) fn for_each<W: Worker>(
    paths: &[&Path],
    neighbours: usize,
    stage: Stage,
    workers: Vec<W>,
    on: OnEvent<'_>,
    mut keep: impl FnMut(usize, &mut W::Result) -> Result<(), W::Error>,
) -> Result<Done<W::Result, W>, Stopped<W::Error>> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let mut results: Vec<Option<W::Result>> = paths.iter().map(|_| None).collect();
    let mut skipped: Vec<(usize, String)> = Vec::new();
    let mut failure: Option<Stopped<W::Error>> = None;
    let mut ended = Vec::with_capacity(workers.len());
    if on(Event::Begin { stage, total: Some(paths.len() as u64) }).is_break() {
        return Err(Stopped::Cancelled);
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(4 * workers.len());
        let threads: Vec<_> = workers
            .into_iter()
            .map(|mut worker| {
                let (sender, next, stop) = (sender.clone(), &next, &stop);
                scope.spawn(move || {
                    let result = work(&mut worker, paths, neighbours, next, stop, &sender);
                    if result.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    result.map(|()| worker)
                })
            })
            .collect();
        drop(sender);
        for (done, (index, result)) in (1..).zip(receiver) {
            let mut go_on = ControlFlow::Continue(());
            match result {
                Ok(mut result) => {
                    if let Err(error) = keep(index, &mut result) {
                        failure.get_or_insert(Stopped::Failed(error));
                        stop.store(true, Ordering::Relaxed);
                    }
                    results[index] = Some(result);
                }
                Err(reason) => {
                    go_on = on(Event::Skipped { path: paths[index], reason: &reason });
                    skipped.push((index, reason));
                }
            }
            if go_on.is_break() || on(Event::Advance { done }).is_break() {
                failure.get_or_insert(Stopped::Cancelled);
                stop.store(true, Ordering::Relaxed);
            }
        }
        for thread in threads {
            match thread.join() {
                Ok(Ok(worker)) => ended.push(worker),
                Ok(Err(error)) => {
                    failure.get_or_insert(Stopped::Failed(error));
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    let _ = on(Event::End);
    if let Some(failure) = failure {
        return Err(failure);
    }
    skipped.sort_unstable_by_key(|(index, _)| *index);
    let skipped = skipped
        .into_iter()
        .map(|(index, reason)| Skipped { path: paths[index].to_path_buf(), reason })
        .collect();
    Ok(Done { results, skipped, workers: ended })
}

fn work<W: Worker>(
    worker: &mut W,
    paths: &[&Path],
    neighbours: usize,
    next: &AtomicUsize,
    stop: &AtomicBool,
    sender: &mpsc::SyncSender<(usize, Result<W::Result, String>)>,
) -> Result<(), W::Error> {
    // The receiver lives until all senders are gone, so sending can't fail.
    let mut hand_out = |index, result| drop(sender.send((index, result)));
    loop {
        let first = next.fetch_add(neighbours, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(rest) = paths.get(first..).filter(|rest| !rest.is_empty()) else { break };
        worker.take(first, &rest[..neighbours.min(rest.len())], &mut hand_out)?;
    }
    worker.finish(&mut hand_out)
}

/// No larger file is read: an uncompressed picture of as many pixels as are
/// accepted, at 8 bytes each, is smaller.
const LARGEST_FILE: u64 = 1 << 30;

/// The bytes of a photo, or why not.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let fail = |error: std::io::Error| format!("cannot be read: {error}");
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if metadata.is_dir() {
        return Err("is a folder".to_owned());
    }
    let too_large = |found: &str| format!("has {found} bytes, at most {LARGEST_FILE} are read");
    if metadata.len() > LARGEST_FILE {
        return Err(too_large(&metadata.len().to_string()));
    }
    // A pipe or a device has no length, and may have no end.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(too_large("more"));
    }
    Ok(bytes)
}

/// The pixels of a photo, or why not.
pub(crate) fn decode(bytes: &[u8], background: [u8; 3]) -> Result<Picture, String> {
    graft_input::decode(bytes, background).map_err(|error| error.to_string())
}

/// A thread that panicked takes the process with it; until then its data is as
/// good as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
