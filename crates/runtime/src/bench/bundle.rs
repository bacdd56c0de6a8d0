use std::fs::File;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use graft_bundle::{Bundle, BundleFile};
use graft_spec::{Manifest, ModelFormat};
use serde::{Deserialize, Serialize};

use super::BenchError;
use super::cost::{Cost, Memory, Meter, metered, resident_bytes};
use super::latency::Latency;
use super::profile::Profile;
use crate::engine::Stock;
use crate::preparation::{Example, Preparation};
use crate::{ENGINE, EngineError, LargeBlocks, LargeWeights, Model, RunError};

/// Frames that are run before the clock starts: caches fill and clocks rise.
const WARM_UP: u32 = 5;

/// Runs with a clock around every node.
const PROFILED: u32 = 20;

/// What is prepared: a camera's frame.
const FRAME: (u32, u32) = (640, 480);

/// Or a text of so many words.
pub const TEXT_WORDS: u32 = 20;

/// What a process that runs a bundle costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleRun {
    /// The engine and its version.
    pub engine: String,
    /// The form that was opened: the first that opens here.
    pub form: ModelFormat,
    /// Weights that are in a file of their own, which is mapped; nothing if that was not
    /// asked for.
    pub mapped_bytes: Option<u64>,
    /// To its first answer.
    pub start: BundleStart,
    /// Frame after frame; nothing if none were asked for.
    pub frames: Option<Frames>,
}

/// From a bundle's file to an answer, as a device goes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleStart {
    /// CPU time of the process before it read anything.
    pub program_cpu_ms: f64,
    /// Reading the file and checking its digests, but for the model.
    pub read: Cost,
    /// Checking the digest of its model, reading and opening it.
    pub open: Cost,
    /// Replaying its references.
    pub replay: Cost,
    /// The first answer, preparation included.
    pub first_answer: Cost,
    /// All of it.
    pub total: Cost,
    /// Of the process.
    pub memory: Memory,
}

/// Frame after frame, or one text again and again, taking turns with the engine without
/// graft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frames {
    /// How many were timed.
    pub frames: u32,
    /// Making the tensor of a frame of 640 × 480, or of a text of [`TEXT_WORDS`] words.
    pub preparation: Latency,
    /// Tensor to answer.
    pub bundle: Latency,
    /// The same tensor in the engine without graft; nothing if it was not asked.
    pub stock: Option<Latency>,
    /// The largest difference of a logit between the two; nothing if it was not
    /// asked, or is not a number.
    pub logits_max_abs_diff: Option<f32>,
    /// Where the bundle's time goes.
    pub profile: Profile,
}

pub(super) fn run(
    path: &Path,
    frames: u32,
    onnx: Option<&Path>,
    weights: Option<&Path>,
) -> Result<BundleRun, BenchError> {
    // As graftd does.
    LargeBlocks::start();
    let program_bytes = resident_bytes()?;
    let program = Meter::start();
    let all = Meter::start();
    let file =
        File::open(path).map_err(|source| BenchError::Read { path: path.to_owned(), source })?;
    let (bundle, read) = metered(|| BundleFile::open(file, None))
        .map_err(|source| BenchError::Bundle { path: path.to_owned(), source })?;
    let ((mut model, mapped_bytes), open) = metered(|| opened(&bundle, weights))?;
    let (_, replay) = metered(|| model.verify())?;
    let onnx_form = bundle.manifest().forms.iter().find(|form| form.format == ModelFormat::Onnx);
    let logits_name = onnx_form.expect("invariant: a checked manifest has one").logits.clone();
    // As on a device, which keeps nothing of the file.
    drop(bundle);
    let example = example(model.preparation());
    let ((), first_answer) = metered(|| model.predict_example(&example).map(drop))?;
    let total = all.read();
    let memory = Memory::now(program_bytes)?;
    let start = BundleStart {
        program_cpu_ms: program.before_ms(),
        read,
        open,
        replay,
        first_answer,
        total,
        memory,
    };
    let form = model.format();
    let frames = match NonZeroU32::new(frames) {
        None => None,
        Some(frames) => {
            let mut tensor = vec![0.0; model.manifest().input.tensor_len()];
            model.preparation().fill(&example, &mut tensor)?;
            let shape = shape_of(&tensor, model.manifest());
            let stock = onnx.map(|onnx| Stock::open(onnx, &shape)).transpose()?;
            let turns = Turns { model, tensor, stock, logits_name };
            Some(turns.take(&example, frames)?)
        }
    };
    Ok(BundleRun { engine: ENGINE.to_owned(), form, mapped_bytes, start, frames })
}

/// The model, and how many bytes of it are in a file of weights.
fn opened(bundle: &BundleFile, weights: Option<&Path>) -> Result<(Model, Option<u64>), BenchError> {
    let Some(folder) = weights else { return Ok((Model::open_file(bundle)?, None)) };
    match Model::open_file_mapped(bundle, folder)? {
        (model, LargeWeights::InFile { bytes, .. }) => Ok((model, Some(bytes as u64))),
        // What was asked for is measured, or nothing.
        (_, LargeWeights::InMemory { because }) => Err(BenchError::Weights(because)),
    }
}

/// The shape of the tensor of what a bundle is measured with.
///
/// # Errors
///
/// As [`Model::open`] and [`Model::predict`], as far as they prepare.
pub fn example_shape(bundle: &Bundle<'_>) -> Result<Vec<usize>, BenchError> {
    let mut preparation = Preparation::of_bundle(bundle)?;
    let mut tensor = vec![0.0; bundle.manifest().input.tensor_len()];
    let example = example(&preparation);
    preparation.fill(&example, &mut tensor)?;
    Ok(shape_of(&tensor, bundle.manifest()))
}

fn example(preparation: &Preparation) -> Example {
    match preparation {
        Preparation::Picture(_) => preparation.synthetic(1, FRAME.0, FRAME.1),
        _ => preparation.synthetic(1, TEXT_WORDS, 1),
    }
}

fn shape_of(tensor: &[f32], manifest: &Manifest) -> Vec<usize> {
    manifest.input.shape_of(tensor.len()).expect("it was prepared for this input")
}

/// Both engines, open.
struct Turns {
    model: Model,
    tensor: Vec<f32>,
    stock: Option<Stock>,
    logits_name: String,
}

impl Turns {
    fn take(mut self, example: &Example, frames: NonZeroU32) -> Result<Frames, BenchError> {
        let frames = frames.get();
        let mut preparation = Vec::new();
        let mut bundle = Vec::new();
        let mut stock = Vec::new();
        for turn in 0..WARM_UP + frames {
            let started = Instant::now();
            self.model.preparation().fill(example, &mut self.tensor)?;
            let prepared = started.elapsed();
            // Whoever runs second finds the caches as the first left them.
            let (ours, theirs) = if turn.is_multiple_of(2) {
                let ours = self.ours()?;
                (ours, self.theirs()?)
            } else {
                let theirs = self.theirs()?;
                (self.ours()?, theirs)
            };
            if turn >= WARM_UP {
                preparation.push(prepared);
                bundle.push(ours);
                stock.extend(theirs);
            }
        }
        let logits_max_abs_diff = self.difference()?;
        let profile = Profile::of(self.model.profile(&self.tensor, PROFILED)?, PROFILED);
        let timed = "invariant: there was a frame";
        Ok(Frames {
            frames,
            preparation: Latency::of(&preparation).expect(timed),
            bundle: Latency::of(&bundle).expect(timed),
            stock: Latency::of(&stock),
            logits_max_abs_diff,
            profile,
        })
    }

    fn ours(&mut self) -> Result<Duration, RunError> {
        let started = Instant::now();
        self.model.predict_tensor(&self.tensor)?;
        Ok(started.elapsed())
    }

    fn theirs(&mut self) -> Result<Option<Duration>, EngineError> {
        let Some(stock) = &mut self.stock else { return Ok(None) };
        let tensor = stock.tensor(&self.tensor)?;
        let started = Instant::now();
        stock.run(tensor)?;
        Ok(Some(started.elapsed()))
    }

    /// That they compute the same: else one of the times is of something else.
    fn difference(&mut self) -> Result<Option<f32>, BenchError> {
        let Some(stock) = &mut self.stock else { return Ok(None) };
        let tensor = stock.tensor(&self.tensor)?;
        let theirs = stock
            .output(tensor, &self.logits_name)?
            .ok_or_else(|| BenchError::NoLogits { name: self.logits_name.clone() })?;
        let ours = self.model.predict_tensor(&self.tensor)?.logits;
        let differences = ours.iter().zip(&theirs).map(|(ours, theirs)| (ours - theirs).abs());
        let largest = differences.fold(0.0, |m: f32, d| if d.is_nan() { d } else { m.max(d) });
        Ok(Some(largest).filter(|largest| largest.is_finite() && ours.len() == theirs.len()))
    }
}
