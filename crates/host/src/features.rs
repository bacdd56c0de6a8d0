//! Photos to features: read, look up, decode, prepare, run, keep.
//!
//! On a processor each thread has a session of its own; on a GPU there is one,
//! and threads that have a full batch take turns.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use graft_input::{Preparer, synthetic, tensor_sha256};
use graft_onnx::{Batch, FEATURES};
use graft_spec::{ImageSpec, MAX_SIDE};
use ndarray::Array2;

use crate::backbone::Backbone;
use crate::cache::{CacheConfig, CacheError, FeatureCache};
use crate::digest::Digest;
use crate::engine::{Engine, Network, NetworkError, cpu_features};
use crate::photos::{HandOut, Skipped, Stopped, Worker, decode, for_each, lock, read};
use crate::progress::{Event, OnEvent, Stage};
use crate::provider::Provider;

/// Features of the photos that could be used.
#[derive(Clone, Debug)]
pub struct Features {
    /// A row a usable photo, in the order of the paths.
    pub rows: Array2<f32>,
    /// The index of each row's path.
    pub usable: Vec<usize>,
    /// The content of each row's photo.
    pub photos: Vec<Digest>,
    /// The paths that could not be used.
    pub skipped: Vec<Skipped>,
    /// What it took.
    pub cost: FeatureCost,
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
    /// Photos a run; the provider's default if `None`.
    pub batch: Option<usize>,
    /// Where rows are kept.
    pub cache: Option<CacheConfig>,
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
    /// The backbone was exported for another batch.
    #[error("the backbone was exported for batches of {exported}; {asked} were asked for")]
    Batch { exported: u64, asked: usize },
    /// A value that no network should give.
    #[error("the backbone gives features that are not finite for {}", path.display())]
    NotFinite { path: PathBuf },
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
    let batch = batch_of(backbone, options)?;
    let cache = open_cache(engine, backbone, options, batch, on)?.map(Mutex::new);
    let torn_at_first = cache.as_ref().map_or(0, |cache| lock(cache).torn().len());
    let threads = options.threads.max(1);
    let shared = Shared {
        engine,
        backbone,
        model: backbone.graph().to_bytes(),
        provider: &options.provider,
        batch,
        networks: (0..options.provider.sessions(threads)).map(|_| Mutex::new(None)).collect(),
        cache: cache.as_ref(),
    };
    let workers = (0..threads).map(|number| Extractor::new(&shared, number)).collect();
    let done = for_each(paths, Stage::Features, workers, on, |index, row: &Row| {
        if !row.values.iter().all(|v| v.is_finite()) {
            return Err(FeaturesError::NotFinite { path: paths[index].to_path_buf() });
        }
        if row.from == Source::Network
            && let Some(cache) = &cache
        {
            lock(cache).put(row.photo, row.values.clone())?;
        }
        Ok(())
    });
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

    let mut cost = FeatureCost { wall: start.elapsed(), ..FeatureCost::default() };
    for worker in &done.workers {
        cost.preparation += worker.preparation;
        cost.inference += worker.inference;
    }
    let usable: Vec<usize> = (0..paths.len()).filter(|&i| done.results[i].is_some()).collect();
    let mut rows = Array2::zeros((usable.len(), backbone.feature_length));
    let mut photos = Vec::with_capacity(usable.len());
    for (mut target, row) in rows.outer_iter_mut().zip(done.results.into_iter().flatten()) {
        target.as_slice_mut().expect("rows are contiguous").copy_from_slice(&row.values);
        photos.push(row.photo);
        match row.from {
            Source::Cache => cost.cached += 1,
            Source::Network => cost.computed += 1,
        }
    }
    Ok(Features { rows, usable, photos, skipped: done.skipped, cost })
}

fn batch_of(backbone: &Backbone, options: &FeatureOptions) -> Result<usize, FeaturesError> {
    match (backbone.batch, options.batch) {
        (Batch::Dynamic, asked) => {
            Ok(asked.unwrap_or_else(|| options.provider.default_batch()).max(1))
        }
        (Batch::Fixed(exported), Some(asked)) if exported != asked as u64 => {
            Err(FeaturesError::Batch { exported, asked })
        }
        (Batch::Fixed(exported), _) => Ok(exported as usize),
    }
}

/// A space of the cache is everything that fixes the bits of a feature, apart
/// from the photo.
fn open_cache(
    engine: &Engine,
    backbone: &Backbone,
    options: &FeatureOptions,
    batch: usize,
    on: OnEvent<'_>,
) -> Result<Option<FeatureCache>, FeaturesError> {
    let Some(config) = &options.cache else { return Ok(None) };
    let space = format!(
        "backbone {}\ntensor {}\ninput {:?}\nprepared {}\nprovider {} batch {batch}\nonnxruntime {}\ncpu {}\ngraft {}\n",
        backbone.digest(),
        backbone.at,
        backbone.input,
        prepared_digest(&backbone.input),
        options.provider.name(),
        engine.version(),
        cpu_features(),
        env!("CARGO_PKG_VERSION"),
    );
    let key = Digest::of(space.as_bytes());
    let cache = FeatureCache::open(config, key, backbone.feature_length, &space)?;
    note_torn(cache.torn(), on)?;
    Ok(Some(cache))
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

fn note_torn(segments: &[PathBuf], on: OnEvent<'_>) -> Result<(), FeaturesError> {
    for path in segments {
        let note =
            format!("{} was torn and is removed; its rows are computed again", path.display());
        if on(Event::Note(&note)).is_break() {
            return Err(FeaturesError::Cancelled);
        }
    }
    Ok(())
}

struct Row {
    photo: Digest,
    values: Vec<f32>,
    from: Source,
}

#[derive(Clone, Copy, PartialEq)]
enum Source {
    Cache,
    Network,
}

struct Shared<'a> {
    engine: &'a Engine,
    backbone: &'a Backbone,
    model: Vec<u8>,
    provider: &'a Provider,
    batch: usize,
    /// Opened by whoever first needs one: a run that finds all rows opens none.
    networks: Vec<Mutex<Option<Network>>>,
    cache: Option<&'a Mutex<FeatureCache>>,
}

struct Extractor<'a> {
    shared: &'a Shared<'a>,
    number: usize,
    preparer: Preparer,
    tensor: Vec<f32>,
    waiting: Vec<(usize, Digest)>,
    preparation: Duration,
    inference: Duration,
}

impl<'a> Extractor<'a> {
    fn new(shared: &'a Shared<'a>, number: usize) -> Extractor<'a> {
        let spec = &shared.backbone.input;
        Extractor {
            shared,
            number,
            preparer: Preparer::new(spec).expect("a backbone's input was checked"),
            tensor: vec![0.0; shared.batch * spec.tensor_len()],
            waiting: Vec::with_capacity(shared.batch),
            preparation: Duration::ZERO,
            inference: Duration::ZERO,
        }
    }

    /// The row of a photo that was seen before; else the photo is in the tensor,
    /// and waits.
    fn prepare(
        &mut self,
        index: usize,
        path: &Path,
    ) -> Result<Option<Result<Row, String>>, FeaturesError> {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(Some(Err(reason))),
        };
        let photo = Digest::of(&bytes);
        if let Some(cache) = self.shared.cache
            && let Some(values) = lock(cache).get(&photo)?
        {
            let row = Row { photo, values: values.to_vec(), from: Source::Cache };
            return Ok(Some(Ok(row)));
        }
        match decode(&bytes, self.shared.backbone.input.background) {
            Err(reason) => Ok(Some(Err(reason))),
            Ok(picture) => {
                let length = self.preparer.spec().tensor_len();
                let slot = self.waiting.len() * length;
                self.preparer.fill(picture.frame(), &mut self.tensor[slot..slot + length]);
                self.waiting.push((index, photo));
                Ok(None)
            }
        }
    }

    /// Runs the waiting photos. The tensor is always full, with old photos in
    /// the places that none took: one shape suits every provider.
    fn run(&mut self, hand_out: HandOut<'_, Row>) -> Result<(), FeaturesError> {
        let Shared { engine, backbone, model, provider, batch, networks, .. } = self.shared;
        let mut network = lock(&networks[self.number % networks.len()]);
        let network = match &mut *network {
            Some(network) => network,
            empty => empty.insert(Network::open(engine, model, provider, 1)?),
        };
        let start = Instant::now();
        let dimension = backbone.feature_length;
        let expected = batch * dimension;
        let mut rows: Vec<Vec<f32>> = Vec::with_capacity(self.waiting.len());
        let mut found = 0;
        network.run(backbone.input.shape(*batch), &self.tensor, FEATURES, |values| {
            found = values.len();
            let wanted = values.chunks_exact(dimension).take(self.waiting.len());
            rows.extend(wanted.map(<[f32]>::to_vec));
        })?;
        self.inference += start.elapsed();
        if found != expected {
            let name = backbone.at.clone();
            return Err(NetworkError::Output { name, found, expected }.into());
        }
        for ((index, photo), values) in self.waiting.drain(..).zip(rows) {
            hand_out(index, Ok(Row { photo, values, from: Source::Network }));
        }
        Ok(())
    }
}

impl Worker for Extractor<'_> {
    type Result = Row;
    type Error = FeaturesError;

    fn take(
        &mut self,
        index: usize,
        path: &Path,
        hand_out: HandOut<'_, Row>,
    ) -> Result<(), FeaturesError> {
        let start = Instant::now();
        let finished = self.prepare(index, path)?;
        self.preparation += start.elapsed();
        if let Some(result) = finished {
            hand_out(index, result);
        }
        if self.waiting.len() == self.shared.batch {
            self.run(hand_out)?;
        }
        Ok(())
    }

    fn finish(&mut self, hand_out: HandOut<'_, Row>) -> Result<(), FeaturesError> {
        if self.waiting.is_empty() { Ok(()) } else { self.run(hand_out) }
    }
}
