//! Photos and texts to logits with a bundle, in ONNX Runtime or in the device engine.

use std::path::Path;
use std::time::{Duration, Instant};

use graft_bundle::Bundle;
use graft_input::Preparer;
use graft_input::tokens::{TokenPreparer, TokenizerError};
use graft_input::words::{Counts, TableError, TextPreparer, WordTable};
use graft_spec::Input;
use ndarray::{Array2, Axis};

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

/// What is to be answered.
#[derive(Clone, Debug)]
pub enum Questions<'a> {
    /// Files.
    Photos(Vec<&'a Path>),
    /// Texts, and where each stands.
    Texts { places: Vec<&'a Path>, texts: Vec<&'a str> },
}

impl Questions<'_> {
    /// What each is called in messages.
    pub fn paths(&self) -> &[&Path] {
        match self {
            Questions::Photos(paths) | Questions::Texts { places: paths, .. } => paths,
        }
    }
}

/// What a bundle answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// A row a usable example, in the order of the paths.
    pub logits: Array2<f32>,
    /// The index of each row's path.
    pub usable: Vec<usize>,
    /// Preparation and inference of each.
    pub took: Vec<Duration>,
    /// What was in each, if it is a text. One of whose words none is known is answered
    /// with "unknown", whatever its logits.
    pub counts: Vec<Option<Counts>>,
    /// The paths that could not be used.
    pub skipped: Vec<Skipped>,
}

impl Answers {
    /// Without the texts of whose words none is known, which are skipped: no label
    /// was answered that could be right or wrong.
    pub fn of_known(self, paths: &[&Path]) -> Answers {
        let Answers { logits, usable, took, counts, mut skipped } = self;
        let is_known = |row: &usize| counts[*row].is_none_or(|counts| counts.known > 0);
        let (kept, left): (Vec<usize>, Vec<usize>) = (0..usable.len()).partition(is_known);
        skipped.extend(left.into_iter().map(|row| Skipped {
            path: paths[usable[row]].to_path_buf(),
            reason: NOTHING_KNOWN.to_owned(),
        }));
        Answers {
            logits: logits.select(Axis(0), &kept),
            usable: kept.iter().map(|&row| usable[row]).collect(),
            took: kept.iter().map(|&row| took[row]).collect(),
            counts: kept.iter().map(|&row| counts[row]).collect(),
            skipped,
        }
    }
}

/// Why a text is skipped.
pub(crate) const NOTHING_KNOWN: &str = "has no word that is known";

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
    /// A bundle that answers no texts.
    #[error("the bundle answers about photos, not about texts")]
    Photos,
    /// A bundle's word table is not what it must be.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A bundle's tokenizer is not what it must be.
    #[error("{0}")]
    Tokenizer(#[from] TokenizerError),
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

/// Runs photos or texts through a bundle's network.
pub fn answer(
    bundle: &Bundle<'_>,
    with: AnswerWith<'_>,
    questions: &Questions<'_>,
    threads: usize,
    on: OnEvent<'_>,
) -> Result<Answers, AnswerError> {
    let paths = questions.paths();
    let sessions = match with {
        AnswerWith::OnnxRuntime { provider, .. } => provider.sessions(threads.max(1)),
        AnswerWith::Device => threads.max(1),
    };
    let mut first = Answerer::open(bundle, with, questions)?;
    first.verify()?;
    let mut workers = vec![first];
    for _ in 1..sessions.min(paths.len()) {
        workers.push(Answerer::open(bundle, with, questions)?);
    }
    let done =
        for_each(paths, 1, Stage::Predict, workers, on, |_, _| Ok(())).map_err(|s| match s {
            Stopped::Cancelled => AnswerError::Cancelled,
            Stopped::Failed(error) => error,
        })?;
    let usable: Vec<usize> = (0..paths.len()).filter(|&i| done.results[i].is_some()).collect();
    let mut logits = Array2::zeros((usable.len(), bundle.labels().names().len()));
    let mut took = Vec::with_capacity(usable.len());
    let mut counts = Vec::with_capacity(usable.len());
    for (mut target, (row, count, time)) in
        logits.outer_iter_mut().zip(done.results.into_iter().flatten())
    {
        target.as_slice_mut().expect("rows are contiguous").copy_from_slice(&row);
        took.push(time);
        counts.push(count);
    }
    Ok(Answers { logits, usable, took, counts, skipped: done.skipped })
}

/// One network with one thread, and what prepares its input.
pub(crate) struct Answerer<'a> {
    preparation: Preparation<'a>,
    tensor: Vec<f32>,
    input: Input,
    network: AnyNetwork,
}

enum Preparation<'a> {
    Photos(Box<Preparer>),
    Texts { preparer: TextPreparer<&'a [u8]>, texts: &'a [&'a str] },
    Sentences { preparer: Box<TokenPreparer>, texts: &'a [&'a str] },
}

impl<'a> Preparation<'a> {
    fn of(
        bundle: &Bundle<'a>,
        questions: &'a Questions<'_>,
    ) -> Result<Preparation<'a>, AnswerError> {
        match (&bundle.manifest().input, questions) {
            (Input::Image(spec), Questions::Photos(_)) => {
                let preparer = Preparer::new(spec).expect("a bundle's input was checked");
                Ok(Preparation::Photos(Box::new(preparer)))
            }
            (Input::Words(spec), Questions::Texts { texts, .. }) => {
                let table = bundle.words().expect("a bundle about texts has a word table");
                let preparer = TextPreparer::new(spec, WordTable::parse(table)?)?;
                Ok(Preparation::Texts { preparer, texts })
            }
            (Input::Tokens(spec), Questions::Texts { texts, .. }) => {
                let tokenizer = bundle.tokenizer().expect("a bundle about tokens has a tokenizer");
                let preparer = Box::new(TokenPreparer::new(spec, tokenizer)?);
                Ok(Preparation::Sentences { preparer, texts })
            }
            (Input::Image(_), Questions::Texts { .. }) => Err(AnswerError::Photos),
            (Input::Words(_) | Input::Tokens(_), Questions::Photos(_)) => Err(AnswerError::Texts),
        }
    }
}

enum AnyNetwork {
    OnnxRuntime { network: Network, output: String, logits: Vec<f32> },
    Device(Box<graft_runtime::Model>),
}

impl<'a> Answerer<'a> {
    pub(crate) fn open(
        bundle: &Bundle<'a>,
        with: AnswerWith<'_>,
        questions: &'a Questions<'_>,
    ) -> Result<Answerer<'a>, AnswerError> {
        let preparation = Preparation::of(bundle, questions)?;
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
            preparation,
            tensor: vec![0.0; bundle.manifest().input.tensor_len()],
            input: bundle.manifest().input.clone(),
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

    /// Prepares a text, or reads and prepares a photo; the reason if it is none.
    pub(crate) fn prepare(
        &mut self,
        index: usize,
        path: &Path,
    ) -> Result<(&[f32], Option<Counts>), String> {
        let counts = match &mut self.preparation {
            Preparation::Photos(preparer) => {
                let bytes = read(path)?;
                let picture = decode(&bytes, preparer.spec().background)?;
                preparer.fill(picture.frame(), &mut self.tensor);
                None
            }
            Preparation::Texts { preparer, texts } => {
                Some(preparer.fill(texts[index], &mut self.tensor))
            }
            Preparation::Sentences { preparer, texts } => {
                let counts = preparer.fill(texts[index], &mut self.tensor);
                Some(counts.map_err(|error| error.to_string())?)
            }
        };
        Ok((&self.tensor, counts))
    }

    /// The logits of a prepared tensor.
    pub(crate) fn logits(&mut self, tensor: &[f32]) -> Result<&[f32], AnswerError> {
        logits(&mut self.network, &self.input, tensor)
    }
}

fn logits<'n>(
    network: &'n mut AnyNetwork,
    input: &Input,
    tensor: &[f32],
) -> Result<&'n [f32], AnswerError> {
    match network {
        AnyNetwork::Device(model) => Ok(model.predict_tensor(tensor)?.logits),
        AnyNetwork::OnnxRuntime { network, output, logits } => {
            let expected = logits.len();
            let mut found = 0;
            let shape = input.shape_of(tensor.len()).expect("it was prepared for this input");
            network.run(&shape, tensor, output, |values| {
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

impl Worker for Answerer<'_> {
    type Result = (Vec<f32>, Option<Counts>, Duration);
    type Error = AnswerError;

    fn take(
        &mut self,
        first: usize,
        paths: &[&Path],
        hand_out: HandOut<'_, Self::Result>,
    ) -> Result<(), AnswerError> {
        for (index, path) in (first..).zip(paths) {
            let start = Instant::now();
            match self.prepare(index, path).map(|(_, counts)| counts) {
                Err(reason) => hand_out(index, Err(reason)),
                Ok(counts) => {
                    let row = logits(&mut self.network, &self.input, &self.tensor)?;
                    hand_out(index, Ok((row.to_vec(), counts, start.elapsed())));
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: HandOut<'_, Self::Result>) -> Result<(), AnswerError> {
        Ok(())
    }
}
