//! One thread's way from photos to rows.
//!
//! On a processor each thread has a session of its own, and photos that share a
//! run are neighbours in the list. On a GPU there is one session, and threads
//! that have a full batch take turns.

use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use graft_input::Preparer;
use graft_onnx::FEATURES;

use super::{Batching, FeaturesError};
use crate::backbone::Backbone;
use crate::cache::FeatureCache;
use crate::digest::Digest;
use crate::engine::{Engine, Network, NetworkError};
use crate::photos::{HandOut, Worker, decode, lock, read};
use crate::provider::Provider;

/// The features of one photo.
pub(super) struct Row {
    pub(super) photo: Digest,
    pub(super) values: Vec<f32>,
    pub(super) from: Source,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Source {
    Cache,
    Network,
}

/// What all threads share.
pub(super) struct Shared<'a> {
    engine: &'a Engine,
    backbone: &'a Backbone,
    model: Vec<u8>,
    provider: &'a Provider,
    batching: Batching,
    /// For each number of photos, whether a run of so many gives each the row
    /// that it has alone; found out by the first such run. It is a matter of
    /// shapes, not of values: kernels have no branches on values.
    alike: Vec<OnceLock<bool>>,
    /// Opened by whoever first needs one: a run that finds all rows opens none.
    networks: Vec<Mutex<Option<Network>>>,
    cache: Option<&'a Mutex<FeatureCache>>,
}

/// One thread.
pub(super) struct Extractor<'a> {
    shared: &'a Shared<'a>,
    number: usize,
    preparer: Preparer,
    tensor: Vec<f32>,
    waiting: Vec<(usize, Digest)>,
    pub(super) preparation: Duration,
    pub(super) inference: Duration,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        backbone: &'a Backbone,
        provider: &'a Provider,
        batching: Batching,
        sessions: usize,
        cache: Option<&'a Mutex<FeatureCache>>,
    ) -> Shared<'a> {
        Shared {
            engine,
            backbone,
            model: backbone.graph().to_bytes(),
            provider,
            batching,
            alike: (0..=batching.most()).map(|_| OnceLock::new()).collect(),
            networks: (0..sessions).map(|_| Mutex::new(None)).collect(),
            cache,
        }
    }

    /// That photos did not share runs although they were to.
    pub(super) fn rows_differ_note(&self) -> Option<String> {
        let differ = self.alike.iter().position(|alike| alike.get() == Some(&false))?;
        Some(format!(
            "in runs of {differ} photos the network rounds otherwise than for one: each photo ran alone"
        ))
    }
}

impl<'a> Extractor<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, number: usize) -> Extractor<'a> {
        let spec = &shared.backbone.input;
        Extractor {
            shared,
            number,
            preparer: Preparer::new(spec).expect("a backbone's input was checked"),
            tensor: vec![0.0; shared.batching.most() * spec.tensor_len()],
            waiting: Vec::with_capacity(shared.batching.most()),
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

    /// Runs the photos that wait.
    fn run(&mut self, hand_out: HandOut<'_, Row>) -> Result<(), FeaturesError> {
        let Shared { engine, model, provider, batching, networks, alike, .. } = self.shared;
        let mut network = lock(&networks[self.number % networks.len()]);
        let network = match &mut *network {
            Some(network) => network,
            empty => empty.insert(Network::open(engine, model, provider, 1)?),
        };
        let start = Instant::now();
        let backbone = self.shared.backbone;
        let count = self.waiting.len();
        let rows = match batching {
            // With old photos in the places that none took.
            Batching::Exactly(batch) => rows(network, backbone, &self.tensor, *batch)?,
            Batching::Neighbours(_) => match alike[count].get() {
                Some(true) => rows(network, backbone, &self.tensor, count)?,
                Some(false) => self.rows_alone(network)?,
                None => {
                    let alone = self.rows_alone(network)?;
                    if count > 1 {
                        let together = rows(network, backbone, &self.tensor, count)?;
                        let same = bits(&together).eq(bits(&alone));
                        // Another thread may have found the same.
                        let _ = alike[count].set(same);
                    }
                    alone
                }
            },
        };
        self.inference += start.elapsed();
        let rows = rows.chunks_exact(backbone.feature_length);
        for ((index, photo), values) in self.waiting.drain(..).zip(rows) {
            hand_out(index, Ok(Row { photo, values: values.to_vec(), from: Source::Network }));
        }
        Ok(())
    }

    /// The rows of the photos that wait, each from a run of its own.
    fn rows_alone(&self, network: &mut Network) -> Result<Vec<f32>, FeaturesError> {
        let mut all = Vec::with_capacity(self.waiting.len() * self.shared.backbone.feature_length);
        let tensors = self.tensor.chunks_exact(self.preparer.spec().tensor_len());
        for tensor in tensors.take(self.waiting.len()) {
            all.extend(rows(network, self.shared.backbone, tensor, 1)?);
        }
        Ok(all)
    }
}

/// The features of the first `batch` photos in `tensor`, one after another.
fn rows(
    network: &mut Network,
    backbone: &Backbone,
    tensor: &[f32],
    batch: usize,
) -> Result<Vec<f32>, FeaturesError> {
    let tensor = &tensor[..batch * backbone.input.tensor_len()];
    let mut rows = Vec::new();
    network.run(&backbone.input.shape(batch), tensor, FEATURES, |values| rows = values.to_vec())?;
    let expected = batch * backbone.feature_length;
    if rows.len() != expected {
        let (name, found) = (backbone.at.clone(), rows.len());
        return Err(NetworkError::Output { name, found, expected }.into());
    }
    Ok(rows)
}

fn bits(values: &[f32]) -> impl Iterator<Item = u32> {
    values.iter().map(|value| value.to_bits())
}

impl Worker for Extractor<'_> {
    type Result = Row;
    type Error = FeaturesError;

    fn take(
        &mut self,
        first: usize,
        paths: &[&Path],
        hand_out: HandOut<'_, Row>,
    ) -> Result<(), FeaturesError> {
        let start = Instant::now();
        for (index, path) in (first..).zip(paths) {
            if let Some(result) = self.prepare(index, path)? {
                hand_out(index, result);
            }
        }
        self.preparation += start.elapsed();
        let run = match self.shared.batching {
            Batching::Neighbours(_) => !self.waiting.is_empty(),
            Batching::Exactly(batch) => self.waiting.len() == batch,
        };
        if run { self.run(hand_out) } else { Ok(()) }
    }

    fn finish(&mut self, hand_out: HandOut<'_, Row>) -> Result<(), FeaturesError> {
        if self.waiting.is_empty() { Ok(()) } else { self.run(hand_out) }
    }
}
