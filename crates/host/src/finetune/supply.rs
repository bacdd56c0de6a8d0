//! Rows for the trained part: found where they were kept, or made from the photo.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use graft_spec::ImageSpec;

use super::augment::{Draw, Turn};
use super::frozen::{Frozen, Lane};
use crate::cache::{CacheConfig, CacheError, FeatureCache};
use crate::digest::Digest;
use crate::engine::{Engine, NetworkError};
use crate::examples::Example;
use crate::features::Space;
use crate::photos::{HandOut, Stopped, Worker, decode, for_each, lock, read};
use crate::progress::{OnEvent, Stage};
use crate::provider::Provider;

/// Rows of any of the examples, as they are or augmented.
pub(super) struct Supply<'a> {
    frozen: &'a Frozen<'a>,
    examples: &'a [&'a Example],
    photos: &'a [Digest],
    /// A thread each.
    lanes: Vec<Mutex<Lane<'a>>>,
    kept: Option<Mutex<FeatureCache>>,
    /// Photos prepared as they are, one an example, where nothing is frozen and all
    /// of them are small.
    prepared: Option<Vec<OnceLock<Box<[f32]>>>>,
}

/// Prepared photos that may stay in memory: small networks would wait for photos to
/// be decoded again in every epoch.
const PREPARED_BYTES: usize = 256 << 20;

/// An example that is asked for.
pub(super) struct Pick {
    pub(super) example: usize,
    /// `None`: the photo as it is.
    pub(super) draw: Option<Draw>,
}

/// A row that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    /// A photo that was fine before.
    #[error("{} could be used before and cannot be now: {reason}", path.display())]
    Photo { path: PathBuf, reason: String },
    /// The frozen part.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// Where rows are kept.
    #[error("{0}")]
    Cache(#[from] CacheError),
    /// A value that no network should give.
    #[error("the frozen part gives values that are not finite for {}", path.display())]
    NotFinite { path: PathBuf },
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

impl<'a> Supply<'a> {
    pub(super) fn new(
        frozen: &'a Frozen<'a>,
        examples: &'a [&'a Example],
        photos: &'a [Digest],
        threads: usize,
    ) -> Supply<'a> {
        let lanes = (0..threads.max(1)).map(|number| Mutex::new(frozen.lane(number))).collect();
        let bytes = frozen.row_length.saturating_mul(4 * examples.len());
        let small = frozen.network().is_none() && bytes <= PREPARED_BYTES;
        let prepared = small.then(|| examples.iter().map(|_| OnceLock::new()).collect());
        Supply { frozen, examples, photos, lanes, kept: None, prepared }
    }

    pub(super) fn row_length(&self) -> usize {
        self.frozen.row_length
    }

    /// Makes and keeps the rows of examples in some turns, those that are not kept
    /// already; they are only looked up from here on. Nothing is kept of prepared
    /// photos, which are as quickly made.
    pub(super) fn keep(
        &mut self,
        engine: &Engine,
        input: &ImageSpec,
        provider: &Provider,
        config: &CacheConfig,
        wanted: &[(usize, Vec<Turn>)],
        on: OnEvent<'_>,
    ) -> Result<(), SupplyError> {
        let Some((network, tensor)) = self.frozen.network() else { return Ok(()) };
        let length = self.frozen.row_length;
        let space = Space { network, tensor, input, provider, batch: 1, length };
        let cache = Mutex::new(space.open(engine, config)?);
        let paths: Vec<_> =
            wanted.iter().map(|(example, _)| self.examples[*example].path.as_path()).collect();
        let workers = self.lanes.iter().map(|lane| Keeper {
            frozen: self.frozen,
            photos: self.photos,
            wanted,
            cache: &cache,
            lane,
        });
        let done = for_each(&paths, 1, Stage::Frozen, workers.collect(), on, |_, ()| Ok(()));
        // Also after a failure: what was computed is not computed again.
        let flushed = lock(&cache).flush();
        let done = done.map_err(|stopped| match stopped {
            Stopped::Cancelled => SupplyError::Cancelled,
            Stopped::Failed(error) => error,
        })?;
        flushed?;
        if let Some(first) = done.skipped.into_iter().next() {
            return Err(SupplyError::Photo { path: first.path, reason: first.reason });
        }
        // Rows are found by who opens the cache after they were written.
        self.kept = Some(Mutex::new(space.open(engine, config)?));
        Ok(())
    }

    /// Writes a row for each pick, one after another. The rows depend on the picks
    /// alone, not on threads or on what is kept.
    pub(super) fn fill(&self, picks: &[Pick], rows: &mut [f32]) -> Result<(), SupplyError> {
        let slots: Vec<Mutex<&mut [f32]>> =
            rows.chunks_exact_mut(self.row_length()).map(Mutex::new).collect();
        let next = AtomicUsize::new(0);
        let work = |lane: &Mutex<Lane<'_>>| -> Result<(), SupplyError> {
            let mut lane = lock(lane);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(pick) = picks.get(at) else { return Ok(()) };
                self.row(&mut lane, pick, &mut lock(&slots[at]))?;
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                self.lanes.iter().skip(1).map(|lane| scope.spawn(|| work(lane))).collect();
            let mut result = work(&self.lanes[0]);
            for thread in threads {
                match thread.join() {
                    Ok(other) => result = result.and(other),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            result
        })
    }

    fn row(&self, lane: &mut Lane<'_>, pick: &Pick, row: &mut [f32]) -> Result<(), SupplyError> {
        let turn = match &pick.draw {
            None => Some(Turn::NONE),
            Some(draw) => draw.only_turn(),
        };
        if let (Some(kept), Some(turn)) = (&self.kept, turn)
            && let Some(values) = lock(kept).get(&key(self.photos[pick.example], turn))?
        {
            row.copy_from_slice(values);
            return Ok(());
        }
        let memory = self.prepared.as_ref().map(|all| &all[pick.example]);
        let memory = memory.filter(|_| turn == Some(Turn::NONE));
        if let Some(values) = memory.and_then(OnceLock::get) {
            row.copy_from_slice(values);
            return Ok(());
        }
        let path = || self.examples[pick.example].path.clone();
        let unusable = |reason| SupplyError::Photo { path: path(), reason };
        let bytes = read(&self.examples[pick.example].path).map_err(unusable)?;
        let mut picture = decode(&bytes, self.frozen.background()).map_err(unusable)?;
        if let Some(draw) = &pick.draw {
            picture = draw.apply(picture);
        }
        lane.row(&picture, row)?;
        if !row.iter().all(|v| v.is_finite()) {
            return Err(SupplyError::NotFinite { path: path() });
        }
        if let Some(memory) = memory {
            // Whoever was first: both have the same.
            let _ = memory.set(Box::from(&*row));
        }
        Ok(())
    }
}

/// By which a row is kept. That of a photo as it is, is the photo's own.
fn key(photo: Digest, turn: Turn) -> Digest {
    match turn {
        Turn::NONE => photo,
        turn => Digest::of_parts([&photo.0[..], b"turn", &[turn.number()]]),
    }
}

/// Makes the rows of photos that are not kept yet, and keeps them at once: all of
/// them together may be more than there is memory for.
struct Keeper<'a, 'f> {
    frozen: &'a Frozen<'f>,
    photos: &'a [Digest],
    wanted: &'a [(usize, Vec<Turn>)],
    cache: &'a Mutex<FeatureCache>,
    lane: &'a Mutex<Lane<'f>>,
}

impl Worker for Keeper<'_, '_> {
    type Result = ();
    type Error = SupplyError;

    fn take(
        &mut self,
        first: usize,
        paths: &[&std::path::Path],
        hand_out: HandOut<'_, ()>,
    ) -> Result<(), SupplyError> {
        for (at, path) in (first..).zip(paths) {
            let (example, turns) = &self.wanted[at];
            let mut missing = Vec::new();
            for &turn in turns {
                let key = key(self.photos[*example], turn);
                if lock(self.cache).get(&key)?.is_none() {
                    missing.push((key, turn));
                }
            }
            if missing.is_empty() {
                hand_out(at, Ok(()));
                continue;
            }
            match read(path).and_then(|bytes| decode(&bytes, self.frozen.background())) {
                Err(reason) => hand_out(at, Err(reason)),
                Ok(picture) => {
                    let mut lane = lock(self.lane);
                    for (key, turn) in missing {
                        let mut row = vec![0.0; self.frozen.row_length];
                        lane.row(&turn.apply(picture.clone()), &mut row)?;
                        if !row.iter().all(|v| v.is_finite()) {
                            return Err(SupplyError::NotFinite { path: path.to_path_buf() });
                        }
                        lock(self.cache).put(key, row)?;
                    }
                    hand_out(at, Ok(()));
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: HandOut<'_, ()>) -> Result<(), SupplyError> {
        Ok(())
    }
}
