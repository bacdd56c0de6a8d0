//! Texts become rows, through a sentence encoder in ONNX Runtime.
//!
//! Each text runs alone and at its own length: nothing is padded, so a row is the
//! text's alone, to the bit, and a short text costs little. On a processor every
//! thread has a session.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use graft_input::tensor_sha256;
use graft_input::tokens::{TokenPreparer, synthetic_sentence};
use graft_input::words::Counts;
use graft_onnx::FEATURES;
use ndarray::Array2;

use crate::cache::FeatureCache;
use crate::digest::Digest;
use crate::encoder::Encoder;
use crate::engine::{Engine, Network, NetworkError, cpu_features};
use crate::features::{FeatureCost, FeatureOptions, FeaturesError, note_torn};
use crate::photos::{HandOut, Stopped, Worker, for_each, lock};
use crate::progress::{OnEvent, Stage};
use crate::provider::Provider;

/// A row a text, and what was in it.
#[derive(Debug)]
pub struct Encoded {
    /// In the order of the texts.
    pub rows: Array2<f32>,
    /// Tokens of each.
    pub counts: Vec<Counts>,
    /// The content of each.
    pub digests: Vec<Digest>,
    /// What it took.
    pub cost: FeatureCost,
}

/// Makes the features of texts; `places` are what each is called in messages.
pub fn encoded<T: AsRef<str> + Sync>(
    engine: &Engine,
    encoder: &Encoder,
    places: &[&Path],
    texts: &[T],
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Encoded, FeaturesError> {
    let start = Instant::now();
    let cache = open_cache(engine, encoder, options, on)?.map(Mutex::new);
    let torn_at_first = cache.as_ref().map_or(0, |cache| lock(cache).torn().len());
    let threads = options.threads.max(1);
    let sessions = options.provider.sessions(threads);
    let shared = Shared {
        engine,
        model: encoder.graph().to_bytes(),
        length: encoder.length,
        texts,
        provider: &options.provider,
        networks: (0..sessions).map(|_| Mutex::new(None)).collect(),
        cache: cache.as_ref(),
    };
    let worker = |number| Reader {
        shared: &shared,
        number,
        preparer: encoder.preparer(),
        tensor: Vec::new(),
        preparation: Duration::ZERO,
        inference: Duration::ZERO,
    };
    let workers = (0..threads).map(worker).collect();
    let done = for_each(places, 1, Stage::Features, workers, on, |index: usize, row: &mut Row| {
        if !row.values.iter().all(|value| value.is_finite()) {
            return Err(FeaturesError::NotFinite { path: places[index].to_path_buf() });
        }
        match &cache {
            Some(cache) if row.is_new => Ok(lock(cache).put(row.text, row.values.clone())?),
            _ => Ok(()),
        }
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
    let mut rows = Array2::zeros((texts.len(), encoder.length));
    let (mut counts, mut digests) = (Vec::new(), Vec::new());
    // No text is skipped here.
    for (mut target, row) in rows.outer_iter_mut().zip(done.results.into_iter().flatten()) {
        target.as_slice_mut().expect("rows are contiguous").copy_from_slice(&row.values);
        counts.push(row.counts);
        digests.push(row.text);
        match row.is_new {
            true => cost.computed += 1,
            false => cost.cached += 1,
        }
    }
    Ok(Encoded { rows, counts, digests, cost })
}

struct Row {
    text: Digest,
    values: Vec<f32>,
    counts: Counts,
    is_new: bool,
}

/// What all threads share.
struct Shared<'a, T> {
    engine: &'a Engine,
    model: Vec<u8>,
    length: usize,
    texts: &'a [T],
    provider: &'a Provider,
    /// Opened by whoever first needs one: a run that finds all rows opens none.
    networks: Vec<Mutex<Option<Network>>>,
    cache: Option<&'a Mutex<FeatureCache>>,
}

/// One thread.
struct Reader<'a, T> {
    shared: &'a Shared<'a, T>,
    number: usize,
    preparer: TokenPreparer,
    tensor: Vec<f32>,
    preparation: Duration,
    inference: Duration,
}

impl<T: AsRef<str>> Reader<'_, T> {
    fn row(&mut self, index: usize, place: &Path) -> Result<Row, FeaturesError> {
        let Shared { texts, cache, .. } = *self.shared;
        let start = Instant::now();
        let content = texts[index].as_ref();
        let text = Digest::of(content.as_bytes());
        let counts = self
            .preparer
            .fill(content, &mut self.tensor)
            .map_err(|source| FeaturesError::Tokenizer { path: place.to_path_buf(), source })?;
        self.preparation += start.elapsed();
        if let Some(cache) = cache
            && let Some(values) = lock(cache).get(&text)?
        {
            return Ok(Row { text, values: values.to_vec(), counts, is_new: false });
        }
        let values = self.run()?;
        Ok(Row { text, values, counts, is_new: true })
    }

    fn run(&mut self) -> Result<Vec<f32>, FeaturesError> {
        let Shared { engine, model, length, provider, networks, .. } = self.shared;
        let mut network = lock(&networks[self.number % networks.len()]);
        let network = match &mut *network {
            Some(network) => network,
            None => network.insert(Network::open(engine, model, provider, 1)?),
        };
        let start = Instant::now();
        let mut values = Vec::new();
        let shape = [1, self.tensor.len()];
        network.run(&shape, &self.tensor, FEATURES, |found| values = found.to_vec())?;
        self.inference += start.elapsed();
        if values.len() != *length {
            let (name, found, expected) = (FEATURES.to_owned(), values.len(), *length);
            return Err(NetworkError::Output { name, found, expected }.into());
        }
        Ok(values)
    }
}

impl<T: AsRef<str> + Sync> Worker for Reader<'_, T> {
    type Result = Row;
    type Error = FeaturesError;

    fn take(
        &mut self,
        first: usize,
        places: &[&Path],
        hand_out: HandOut<'_, Row>,
    ) -> Result<(), FeaturesError> {
        for index in first..first + places.len() {
            let row = self.row(index, places[index - first])?;
            hand_out(index, Ok(row));
        }
        Ok(())
    }

    fn finish(&mut self, _: HandOut<'_, Row>) -> Result<(), FeaturesError> {
        Ok(())
    }
}

fn open_cache(
    engine: &Engine,
    encoder: &Encoder,
    options: &FeatureOptions,
    on: OnEvent<'_>,
) -> Result<Option<FeatureCache>, FeaturesError> {
    let Some(config) = &options.cache else { return Ok(None) };
    // Stands for the code that takes texts apart: rows of what other code made are
    // not found.
    let mut tensor = Vec::new();
    let of_sentence = encoder.preparer().fill(&synthetic_sentence(0, 200), &mut tensor);
    of_sentence.map_err(|source| {
        let path = Path::new("the synthetic sentence of references").to_path_buf();
        FeaturesError::Tokenizer { path, source }
    })?;
    let space = format!(
        "encoder {}\ntokenizer {}\ninput {:?}\nprepared {}\nprovider {}\nonnxruntime {}\ncpu {}\ngraft {}\n",
        encoder.digest(),
        Digest::of(encoder.tokenizer()),
        encoder.spec,
        Digest(tensor_sha256(&tensor)),
        options.provider.name(),
        engine.version(),
        cpu_features(),
        env!("CARGO_PKG_VERSION"),
    );
    let key = Digest::of(space.as_bytes());
    let cache = FeatureCache::open(config, key, encoder.length, &space)?;
    note_torn(cache.torn(), on)?;
    Ok(Some(cache))
}
