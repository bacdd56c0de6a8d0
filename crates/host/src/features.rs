//! Photos to features: read, look up, decode, prepare, run, keep.

mod batching;
mod extractor;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use graft_input::tokens::TokenizerError;
use graft_input::{Preparer, synthetic, tensor_sha256};
use graft_spec::{ImageSpec, MAX_SIDE};
use ndarray::Array2;

pub(crate) use self::batching::Batching;
use self::extractor::{Extractor, Row, Shared, Source};
pub use self::rows::{Rows, Spill, SpillError};

use crate::backbone::Backbone;
use crate::cache::{CacheConfig, CacheError, FeatureCache};
use crate::digest::Digest;
use crate::engine::{Engine, NetworkError, cpu_features};
use crate::photos::{Skipped, Stopped, for_each, lock};
use crate::progress::{Event, OnEvent, Stage};
use crate::provider::Provider;

/// Features of the photos that could be used.
#[derive(Debug)]
pub struct Features {
    /// A row a usable photo, in the order of the paths.
    pub rows: Rows,
    /// The index of each row's path.
    pub usable: Vec<usize>,
    /// The content of each row's photo.
    pub photos: Vec<Digest>,
    /// The paths that could not be used.
    pub skipped: Vec<Skipped>,
    /// The batch on which the bits of a row may depend; 1 if a row is its
    /// photo's alone.
    pub batch: usize,
    /// What it took.
    pub cost: FeatureCost,
}

impl Features {
    /// The same examples with other rows, which are in memory.
    pub(crate) fn with_rows(&self, rows: Array2<f32>) -> Features {
        Features {
            rows: rows.into(),
            usable: self.usable.clone(),
            photos: self.photos.clone(),
            skipped: self.skipped.clone(),
            ..*self
        }
    }
}

/// What features took.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeatureCost {
    /// From the first read to the last row.
    pub wall: Duration,
    /// Reading, decoding and resizing, summed over threads.
    pub preparation: Duration,
    /// Inside ONNX Runtime, summed over threads.
    pub inference: Duration,
    /// Rows that ran through the network.
    pub computed: usize,
    /// Rows that were found.
    pub cached: usize,
}

/// How features are made.
#[derive(Clone, Debug)]
pub struct FeatureOptions {
    /// Where.
    pub provider: Provider,
    /// Threads that read, decode and, on a processor, run the network.
    pub threads: usize,
    /// Photos a run; what suits the provider if `None`. On a processor it
    /// changes no feature.
    pub batch: Option<usize>,
    /// Where rows are kept.
    pub cache: Option<CacheConfig>,
    /// Where they are put for this run if they are too many for memory; `None`: they
    /// never are.
    pub spill: Option<Spill>,
}

/// Features that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum FeaturesError {
    /// The network.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// The cache.
    #[error("{0}")]
    Cache(#[from] CacheError),
    /// A file for what does not fit into memory.
    #[error("{0}")]
    Spill(#[from] SpillError),
    /// The backbone was exported for another batch.
    #[error("the backbone was exported for batches of {exported}; {asked} were asked for")]
    Batch { exported: u64, asked: usize },
    /// A value that no network should give.
    #[error("the backbone gives features that are not finite for {}", path.display())]
    NotFinite { path: PathBuf },
    /// A sentence encoder's tokenizer does not take a text apart.
    #[error("{}: {source}", path.display())]
    Tokenizer { path: PathBuf, source: TokenizerError },
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// Makes the features of `paths`.
pub fn features(
    engine: &Engine,
    backbone: &Backbone,
    paths: &[&Path],
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Features, FeaturesError> {
    let start = Instant::now();
    let batching = Batching::of(backbone.batch, options, paths.len())?;
    let cache = open_cache(engine, backbone, options, batching, on)?.map(Mutex::new);
    let torn_at_first = cache.as_ref().map_or(0, |cache| lock(cache).torn().len());
    let threads = options.threads.max(1);
    let sessions = options.provider.sessions(threads);
    let shared =
        Shared::new(engine, backbone, &options.provider, batching, sessions, cache.as_ref());
    let workers = (0..threads).map(|number| Extractor::new(&shared, number)).collect();
    let mut rows = rows::Writer::new(paths.len(), backbone.feature_length, options.spill.as_ref())?;
    let keep = |index: usize, row: &mut Row| {
        // Taken out: what stays of a result stays for all photos at once.
        let values = std::mem::take(&mut row.values);
        if !values.iter().all(|v| v.is_finite()) {
            return Err(FeaturesError::NotFinite { path: paths[index].to_path_buf() });
        }
        rows.put(index, &values)?;
        if row.from == Source::Network
            && let Some(cache) = &cache
        {
            lock(cache).put(row.photo, values)?;
        }
        Ok(())
    };
    let done = for_each(paths, batching.neighbours(), Stage::Features, workers, on, keep);
    // Also after a failure: what was computed is not computed again.
    let flushed = cache.as_ref().map_or(Ok(()), |cache| lock(cache).flush());
    let done = done.map_err(|stopped| match stopped {
        Stopped::Cancelled => FeaturesError::Cancelled,
        Stopped::Failed(error) => error,
    })?;
    flushed?;
    if let Some(cache) = &cache {
        note_torn(&lock(cache).torn()[torn_at_first..], on)?;
    }

    if let Some(note) = shared.rows_differ_note()
        && on(Event::Note(&note)).is_break()
    {
        return Err(FeaturesError::Cancelled);
    }

    let mut cost = FeatureCost { wall: start.elapsed(), ..FeatureCost::default() };
    for worker in &done.workers {
        cost.preparation += worker.preparation;
        cost.inference += worker.inference;
    }
    let usable: Vec<usize> = (0..paths.len()).filter(|&i| done.results[i].is_some()).collect();
    let rows = rows.finish(&usable)?;
    let mut photos = Vec::with_capacity(usable.len());
    for row in done.results.into_iter().flatten() {
        photos.push(row.photo);
        match row.from {
            Source::Cache => cost.cached += 1,
            Source::Network => cost.computed += 1,
        }
    }
    Ok(Features { rows, usable, photos, skipped: done.skipped, batch: batching.of_a_row(), cost })
}

fn open_cache(
    engine: &Engine,
    backbone: &Backbone,
    options: &FeatureOptions,
    batching: Batching,
    on: OnEvent<'_>,
) -> Result<Option<FeatureCache>, FeaturesError> {
    let Some(config) = &options.cache else { return Ok(None) };
    let space = Space {
        network: backbone.digest(),
        tensor: &backbone.at,
        input: &backbone.input,
        provider: &options.provider,
        batch: batching.of_a_row(),
        length: backbone.feature_length,
    };
    let cache = space.open(engine, config)?;
    note_torn(cache.torn(), on)?;
    Ok(Some(cache))
}

/// A space of the cache: everything that fixes the bits of a row, apart from the
/// photo.
pub(crate) struct Space<'a> {
    /// Of the graph that makes rows.
    pub(crate) network: Digest,
    /// What it gives.
    pub(crate) tensor: &'a str,
    pub(crate) input: &'a ImageSpec,
    pub(crate) provider: &'a Provider,
    /// On which the bits of a row depend.
    pub(crate) batch: usize,
    /// Of a row.
    pub(crate) length: usize,
}

impl Space<'_> {
    pub(crate) fn open(
        &self,
        engine: &Engine,
        config: &CacheConfig,
    ) -> Result<FeatureCache, CacheError> {
        let space = format!(
            "backbone {}\ntensor {}\ninput {:?}\nprepared {}\nprovider {} batch {}\nonnxruntime {}\ncpu {}\ngraft {}\n",
            self.network,
            self.tensor,
            self.input,
            prepared_digest(self.input),
            self.provider.name(),
            self.batch,
            engine.version(),
            cpu_features(),
            env!("CARGO_PKG_VERSION"),
        );
        let key = Digest::of(space.as_bytes());
        FeatureCache::open(config, key, self.length, &space)
    }
}

/// Stands for the code that prepares photos: of a synthetic picture that it has
/// to shrink on both axes. Features that other code prepared are not found.
fn prepared_digest(spec: &ImageSpec) -> Digest {
    let side = |tensor: u32| (tensor + tensor / 2 + 1).min(MAX_SIDE);
    let picture = synthetic(0, side(spec.width), side(spec.height));
    let mut tensor = vec![0.0; spec.tensor_len()];
    Preparer::new(spec).expect("a backbone's input was checked").fill(picture.frame(), &mut tensor);
    Digest(tensor_sha256(&tensor))
}

pub(crate) fn note_torn(segments: &[PathBuf], on: OnEvent<'_>) -> Result<(), FeaturesError> {
    for path in segments {
        let note =
            format!("{} was torn and is removed; its rows are computed again", path.display());
        if on(Event::Note(&note)).is_break() {
            return Err(FeaturesError::Cancelled);
        }
    }
    Ok(())
}
