//! Photos to logits with a bundle, in ONNX Runtime or in the device engine.

use std::path::Path;
use std::time::{Duration, Instant};

use graft_bundle::Bundle;
use graft_input::Preparer;
use graft_spec::ImageSpec;
use ndarray::Array2;

use crate::engine::{Engine, Network, NetworkError};
use crate::photos::{HandOut, Skipped, Stopped, Worker, decode, for_each, read};
use crate::progress::{OnEvent, Stage};
use crate::provider::Provider;

/// Which engine answers.
#[derive(Clone, Copy)]
pub enum AnswerWith<'a> {
    /// ONNX Runtime, as on the host.
    OnnxRuntime { engine: &'a Engine, provider: &'a Provider },
    /// The engine that runs on the board, on this machine's processor.
    Device,
}

/// What a bundle answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// A row a usable photo, in the order of the paths.
    pub logits: Array2<f32>,
    /// The index of each row's path.
    pub usable: Vec<usize>,
    /// Preparation and inference of each.
    pub took: Vec<Duration>,
    /// The paths that could not be used.
    pub skipped: Vec<Skipped>,
}

/// Answers that can't be given.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// ONNX Runtime.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// The device engine can't open the bundle.
    #[error("{0}")]
    Open(#[from] graft_runtime::OpenError),
    /// The device engine doesn't give the host's references.
    #[error("{0}")]
    Verify(#[from] graft_runtime::VerifyError),
    /// The device engine failed.
    #[error("{0}")]
    Run(#[from] graft_runtime::RunError),
    /// A bundle that answers no photos.
    #[error("the bundle answers about texts, not about photos")]
    Texts,
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// Runs photos through a bundle's network.
pub fn answer(
    bundle: &Bundle<'_>,
    with: AnswerWith<'_>,
    paths: &[&Path],
    threads: usize,
    on: OnEvent<'_>,
) -> Result<Answers, AnswerError> {
    let sessions = match with {
        AnswerWith::OnnxRuntime { provider, .. } => provider.sessions(threads.max(1)),
        AnswerWith::Device => threads.max(1),
    };
    let mut first = Answerer::open(bundle, with)?;
    first.verify()?;
    let mut workers = vec![first];
    for _ in 1..sessions.min(paths.len()) {
        workers.push(Answerer::open(bundle, with)?);
    }
    let done =
        for_each(paths, 1, Stage::Predict, workers, on, |_, _| Ok(())).map_err(|s| match s {
            Stopped::Cancelled => AnswerError::Cancelled,
            Stopped::Failed(error) => error,
        })?;
    let usable: Vec<usize> = (0..paths.len()).filter(|&i| done.results[i].is_some()).collect();
    let mut logits = Array2::zeros((usable.len(), bundle.labels().names().len()));
    let mut took = Vec::with_capacity(usable.len());
    for (mut target, (row, time)) in logits.outer_iter_mut().zip(done.results.into_iter().flatten())
    {
        target.as_slice_mut().expect("rows are contiguous").copy_from_slice(&row);
        took.push(time);
    }
    Ok(Answers { logits, usable, took, skipped: done.skipped })
}

/// One network with one thread, and what prepares its input.
pub(crate) struct Answerer {
    preparer: Preparer,
    tensor: Vec<f32>,
    network: AnyNetwork,
}

enum AnyNetwork {
    OnnxRuntime { network: Network, output: String, logits: Vec<f32> },
    Device(Box<graft_runtime::Model>),
}

impl Answerer {
    pub(crate) fn open(bundle: &Bundle<'_>, with: AnswerWith<'_>) -> Result<Answerer, AnswerError> {
        let spec = bundle.manifest().input.image().ok_or(AnswerError::Texts)?;
        let network = match with {
            AnswerWith::OnnxRuntime { engine, provider } => {
                let form = bundle.onnx();
                AnyNetwork::OnnxRuntime {
                    network: Network::open(engine, form.model, provider, 1)?,
                    output: form.form.logits.clone(),
                    logits: vec![0.0; bundle.labels().names().len()],
                }
            }
            AnswerWith::Device => AnyNetwork::Device(Box::new(graft_runtime::Model::open(bundle)?)),
        };
        Ok(Answerer {
            preparer: Preparer::new(spec).expect("a bundle's input was checked"),
            tensor: vec![0.0; spec.tensor_len()],
            network,
        })
    }

    /// Replays the bundle's references, if this is the device engine: they are
    /// what ONNX Runtime answered.
    pub(crate) fn verify(&mut self) -> Result<(), AnswerError> {
        match &mut self.network {
            AnyNetwork::Device(model) => Ok(model.verify().map(drop)?),
            AnyNetwork::OnnxRuntime { .. } => Ok(()),
        }
    }

    pub(crate) fn spec(&self) -> &ImageSpec {
        self.preparer.spec()
    }

    /// Reads and prepares a photo; the reason if it is none.
    pub(crate) fn prepare(&mut self, path: &Path) -> Result<&[f32], String> {
        let bytes = read(path)?;
        let picture = decode(&bytes, self.spec().background)?;
        self.preparer.fill(picture.frame(), &mut self.tensor);
        Ok(&self.tensor)
    }

    /// The logits of a prepared tensor.
    pub(crate) fn logits(&mut self, tensor: &[f32]) -> Result<&[f32], AnswerError> {
        logits(&mut self.network, self.preparer.spec(), tensor)
    }
}

fn logits<'n>(
    network: &'n mut AnyNetwork,
    spec: &ImageSpec,
    tensor: &[f32],
) -> Result<&'n [f32], AnswerError> {
    match network {
        AnyNetwork::Device(model) => Ok(model.predict_tensor(tensor)?.logits),
        AnyNetwork::OnnxRuntime { network, output, logits } => {
            let expected = logits.len();
            let mut found = 0;
            network.run(&spec.shape(1), tensor, output, |values| {
                found = values.len();
                if found == expected {
                    logits.copy_from_slice(values);
                }
            })?;
            if found != expected {
                let name = output.clone();
                return Err(NetworkError::Output { name, found, expected }.into());
            }
            Ok(logits)
        }
    }
}

impl Worker for Answerer {
    type Result = (Vec<f32>, Duration);
    type Error = AnswerError;

    fn take(
        &mut self,
        first: usize,
        paths: &[&Path],
        hand_out: HandOut<'_, Self::Result>,
    ) -> Result<(), AnswerError> {
        for (index, path) in (first..).zip(paths) {
            let start = Instant::now();
            match self.prepare(path).map(drop) {
                Err(reason) => hand_out(index, Err(reason)),
                Ok(()) => {
                    let row = logits(&mut self.network, self.preparer.spec(), &self.tensor)?;
                    hand_out(index, Ok((row.to_vec(), start.elapsed())));
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: HandOut<'_, Self::Result>) -> Result<(), AnswerError> {
        Ok(())
    }
}
