//! A bundle from its file to a model that answers as it did on the host.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use graft_bundle::{BundleError, BundleFile, SignatureError};
use graft_runtime::{LargeWeights, Model, OpenError, VerifyError, WeightsError};
use graft_spec::{Answer, Input, Labels};

use crate::job::Matter;

/// A model whose references hold on this machine.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub model: Model,
    pub name: String,
    pub labels: Labels,
    /// What transparent pixels of a picture lie on, if it is about pictures.
    pub background: [u8; 3],
    pub matter: Matter,
    pub unknown_below: Option<f32>,
}

/// Why a bundle is not run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct LoadError {
    /// The bundle.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: LoadProblem,
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// It cannot be read.
    #[error("cannot read the bundle: {0}")]
    Read(#[from] std::io::Error),
    /// It is not from whom it should be.
    #[error("{0}; require_signature demands one")]
    Signature(SignatureError),
    /// It is damaged, or no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Its model cannot run here.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It answers differently here.
    #[error("it does not answer here as it did on the host: {0}")]
    Verify(#[from] VerifyError),
    /// It answers no frames.
    #[error(
        "it answers about texts, and the source gives pictures: texts are read with --format text from stdin, fifo:PATH or replay:FILE"
    )]
    AboutTexts,
    /// It answers no texts.
    #[error("it answers about pictures, and the source gives texts")]
    AboutPictures,
    /// It was tried in a process of its own, which refused it or did not survive
    /// it.
    #[error("{0}")]
    Tried(String),
    /// A sink waits for a label that it does not have.
    #[error("it has no label {label:?}, for which a GPIO line waits")]
    NoLabel {
        /// Of the sink.
        label: String,
    },
}

impl From<SignatureError> for LoadProblem {
    fn from(error: SignatureError) -> LoadProblem {
        match error {
            SignatureError::Bundle(error) => LoadProblem::Bundle(error),
            error => LoadProblem::Signature(error),
        }
    }
}

/// Reads, opens and verifies a bundle. Its large weights are in memory, or in a file in
/// the folder `weights`.
///
/// # Errors
///
/// What does not hold; the signature is looked at before anything else.
pub(crate) fn load(
    path: &Path,
    public_key: Option<&str>,
    weights: Option<&Path>,
) -> Result<Loaded, LoadError> {
    let fail = |problem| LoadError { path: path.to_owned(), problem };
    let started = Instant::now();
    let file = File::open(path).map_err(|error| fail(error.into()))?;
    let bundle = BundleFile::open(file, public_key).map_err(|error| fail(error.into()))?;
    let (mut model, is_mapped) =
        open(&bundle, path, weights).map_err(|error| fail(error.into()))?;
    for refusal in model.refusals() {
        log::warn!("{}: a form of the model is passed over: {refusal}", path.display());
    }
    let mut verified = model.verify();
    if let (Err(error), true) = (&verified, is_mapped) {
        log::warn!("{}: weights are in memory: from their file {error}", path.display());
        drop(model);
        model = Model::open_file(&bundle).map_err(|error| fail(error.into()))?;
        verified = model.verify();
    }
    let verified = verified.map_err(|error| fail(error.into()))?;
    let manifest = bundle.manifest();
    let Answer::Class(calibration) = &manifest.answer;
    let (matter, background) = match &manifest.input {
        Input::Image(image) => (Matter::Pictures, image.background),
        Input::Words(_) | Input::Tokens(_) => (Matter::Texts, [0; 3]),
    };
    log::info!(
        "{}: {} with {} labels, {} references hold (largest difference {:.1e}), open in {} ms",
        path.display(),
        manifest.name,
        bundle.labels().names().len(),
        verified.references,
        verified.max_abs_diff,
        started.elapsed().as_millis()
    );
    Ok(Loaded {
        name: manifest.name.as_str().to_owned(),
        labels: bundle.labels().clone(),
        background,
        matter,
        unknown_below: calibration.unknown_below,
        model,
    })
}

/// The model, and whether its large weights are in a file.
fn open(
    bundle: &BundleFile,
    path: &Path,
    weights: Option<&Path>,
) -> Result<(Model, bool), OpenError> {
    let Some(folder) = weights else { return Ok((Model::open_file(bundle)?, false)) };
    let (model, large) = Model::open_file_mapped(bundle, folder)?;
    let bundle = path.display();
    let is_mapped = match large {
        LargeWeights::InFile { path, bytes, is_new, replaced } => {
            if let Some(why) = replaced {
                log::warn!("{bundle}: its file of weights is made anew: {why}");
            }
            let made = if is_new { "written and mapped" } else { "mapped" };
            log::info!("{}: {made}, {} kB of weights", path.display(), bytes / 1000);
            true
        }
        LargeWeights::InMemory { because: because @ WeightsError::NothingLarge } => {
            log::info!("{bundle}: weights are in memory: {because}");
            false
        }
        LargeWeights::InMemory { because } => {
            log::warn!("{bundle}: weights are in memory: {because}");
            false
        }
    };
    Ok((model, is_mapped))
}
