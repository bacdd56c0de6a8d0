use graft_bundle::{Bundle, BundleFile, FormView, Reference, References};
use graft_input::words::Counts;
use graft_input::{Frame, tensor_sha256};
use graft_spec::{
    Answer as AnswerSpec, Calibration, Decision, Form, Labels, Manifest, ModelFormat, Precision,
    Tolerance,
};

use std::path::{Path, PathBuf};

use crate::engine::{Bytes, Engine, Outputs, Wanted, WeightsFile, weights_path, write_weights};
use crate::error::{OpenError, Refusal, RunError, Shape, VerifyError, WeightsError};
use crate::large_blocks::Outside;
#[cfg(feature = "bench")]
use crate::preparation::Example;
use crate::preparation::Preparation;

/// A bundle's model, opened and ready.
///
/// It keeps nothing of a bundle in memory, so that may go, and of a file the word table
/// alone: see [`Model::open_file`]. It is `Send` and not
/// shared: a thread that runs a model owns it. For several threads open one
/// model each; each has its own copy of the weights. One run uses one thread,
/// the caller's.
pub struct Model {
    manifest: Manifest,
    labels: Labels,
    format: ModelFormat,
    refusals: Vec<Refusal>,
    references: Vec<Reference>,
    tolerance: Tolerance,
    preparation: Preparation,
    engine: Engine,
    /// The ids of a text's tokens, for a sentence encoder.
    tokens: Vec<f32>,
    features: Vec<f32>,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
}

/// One form, wherever its bytes are.
struct FormParts<'a> {
    form: &'a Form,
    model: Bytes<'a>,
    references: &'a References,
}

/// What a model says about one frame or text.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'m> {
    /// A label, or unknown.
    pub decision: Decision,
    /// One for each label; their sum is 1.
    pub probabilities: &'m [f32],
    /// One for each label, as the network gives them.
    pub logits: &'m [f32],
    /// What the backbone sees: `feature_length` values.
    pub features: &'m [f32],
    /// What was in the text, if it is about one.
    pub text: Option<Counts>,
    labels: &'m Labels,
}

/// Where the large weights of a model are while it runs.
#[derive(Debug)]
pub enum LargeWeights {
    /// In this file, which is mapped.
    InFile {
        /// Its path.
        path: PathBuf,
        /// Of all weights in it.
        bytes: usize,
        /// Whether it was made just now.
        is_new: bool,
        /// What was wrong with the one that was there before, if there was one.
        replaced: Option<WeightsError>,
    },
    /// In memory, like all others.
    InMemory {
        /// Why.
        because: WeightsError,
    },
}

/// The references of a bundle hold on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verified {
    /// How many were replayed.
    pub references: usize,
    /// The largest difference from a host's logit.
    pub max_abs_diff: f32,
}

impl Model {
    /// Opens the first form of the bundle that opens; [`Model::refusals`] has
    /// those before it.
    ///
    /// Weights are copied and packed for this CPU, which takes about the time
    /// of four answers.
    ///
    /// # Errors
    ///
    /// Says which operator of which node the engine lacks, or which tensor is
    /// not what manifest and labels say; of each form, if there are several.
    pub fn open(bundle: &Bundle<'_>) -> Result<Model, OpenError> {
        let forms = bundle.forms().map(|view| {
            let FormView { form, model, references } = view;
            FormParts { form, model: Bytes::Memory(model), references }
        });
        let preparation = Preparation::of_bundle(bundle)?;
        Model::first_that_opens(bundle.manifest(), bundle.labels(), preparation, forms)
    }

    /// The same from a file, with the model in memory only once: a block of the
    /// file at a time becomes weights.
    ///
    /// A word table stays in the file, which is mapped. As long as the model lives,
    /// nobody may write into the file or cut it short, or answers are wrong and the
    /// process may be killed: replace a bundle by renaming another one over it, which
    /// leaves the mapped file as it is. Where a signature was demanded, the table is
    /// copied instead.
    ///
    /// # Errors
    ///
    /// As [`Model::open`], and [`OpenError::Damaged`].
    pub fn open_file(bundle: &BundleFile) -> Result<Model, OpenError> {
        let forms = bundle.manifest().forms.iter().zip(bundle.references()).enumerate();
        let forms = forms.map(|(index, (form, references))| FormParts {
            form,
            model: Bytes::File(bundle, index),
            references,
        });
        let preparation = Preparation::of_file(bundle)?;
        Model::first_that_opens(bundle.manifest(), bundle.labels(), preparation, forms)
    }

    /// The same, with large weights in a file of their own, packed for this processor,
    /// which is mapped. They are no memory of the process: the system can take their
    /// pages back without writing them anywhere. Opening packs none of them; it checks the
    /// bytes of both files.
    ///
    /// The file is made in `folder` the first time, beside none of another model: no two
    /// programs may share a folder. It is as large as the weights, and is bound to the
    /// model, the engine and the processor; one that does not fit, or is damaged, is made
    /// anew. As long as the model lives nobody may write into it or cut it short, as with
    /// the word table of [`Model::open_file`].
    ///
    /// What cannot be mapped is opened as [`Model::open_file`] does, and why is said. That
    /// is so wherever a signature was demanded: the file has none.
    ///
    /// # Errors
    ///
    /// As [`Model::open_file`].
    pub fn open_file_mapped(
        bundle: &BundleFile,
        folder: &Path,
    ) -> Result<(Model, LargeWeights), OpenError> {
        match Model::mapped(bundle, folder) {
            Ok(opened) => Ok(opened),
            Err(because) => Ok((Model::open_file(bundle)?, LargeWeights::InMemory { because })),
        }
    }

    fn mapped(bundle: &BundleFile, folder: &Path) -> Result<(Model, LargeWeights), WeightsError> {
        let (manifest, labels) = (bundle.manifest(), bundle.labels());
        if bundle.is_verified() {
            return Err(WeightsError::SignatureDemanded);
        }
        let first = manifest.forms.first().filter(|form| form.format == ModelFormat::Nnef);
        let form = first.ok_or(WeightsError::OnnxAlone)?;
        let references = &bundle.references()[0];
        let parts = FormParts { form, model: Bytes::File(bundle, 0), references };
        let shape = Shape::from(&manifest.input);
        let wanted = wanted(labels, &parts, &shape);
        let sha256 = bundle.model_sha256(0);
        // All of it is opening, and most is needed once.
        let _opening = Outside::begin();
        let preparation = Preparation::of_file(bundle)?;
        let open = |path: &Path| -> Result<(Engine, usize), WeightsError> {
            let file = WeightsFile::open(path, &sha256)?;
            let bytes = file.bytes();
            Ok((Engine::open_mapped(&wanted, file)?, bytes))
        };
        let old = weights_path(folder, &sha256);
        let (opened, path, is_new, replaced) = match open(&old) {
            Ok(opened) => (opened, old, false, None),
            // What is wrong with the file is mended by another; all else is not.
            Err(because @ (WeightsError::Read { .. } | WeightsError::Stale { .. })) => {
                let path = write_weights(&wanted, folder, &sha256)?;
                let there_was_none = matches!(&because, WeightsError::Read { source, .. }
                    if source.kind() == std::io::ErrorKind::NotFound);
                let opened = open(&path).inspect_err(|_| {
                    // It would be as useless the next time.
                    let _ = std::fs::remove_file(&path);
                })?;
                (opened, path, true, (!there_was_none).then_some(because))
            }
            Err(because) => return Err(because),
        };
        let (engine, bytes) = opened;
        let model = Model::of_parts(manifest, labels, &parts, engine, preparation);
        Ok((model, LargeWeights::InFile { path, bytes, is_new, replaced }))
    }

    /// Opens this form of the bundle and no other: for comparing forms.
    ///
    /// # Errors
    ///
    /// As [`Model::open`] of a bundle with one form.
    pub fn open_form(bundle: &Bundle<'_>, view: &FormView<'_>) -> Result<Model, OpenError> {
        let &FormView { form, model, references } = view;
        let parts = FormParts { form, model: Bytes::Memory(model), references };
        let (manifest, labels) = (bundle.manifest(), bundle.labels());
        let engine = open_engine(manifest, labels, &parts)?;
        Ok(Model::of_parts(manifest, labels, &parts, engine, Preparation::of_bundle(bundle)?))
    }

    fn first_that_opens<'a>(
        manifest: &Manifest,
        labels: &Labels,
        preparation: Preparation,
        forms: impl Iterator<Item = FormParts<'a>>,
    ) -> Result<Model, OpenError> {
        let mut refusals = Vec::new();
        for parts in forms {
            match open_engine(manifest, labels, &parts) {
                Ok(engine) => {
                    let model = Model::of_parts(manifest, labels, &parts, engine, preparation);
                    return Ok(Model { refusals, ..model });
                }
                // Not a matter of engines: nothing of such a file is trusted.
                Err(error @ OpenError::Damaged(_)) => return Err(error),
                Err(error) => refusals.push(Refusal { format: parts.form.format, error }),
            }
        }
        Err(match <[Refusal; 1]>::try_from(refusals) {
            Ok([only]) => only.error,
            Err(refusals) => OpenError::AllForms { refusals },
        })
    }

    fn of_parts(
        manifest: &Manifest,
        labels: &Labels,
        parts: &FormParts<'_>,
        engine: Engine,
        preparation: Preparation,
    ) -> Model {
        let &FormParts { form, references, .. } = parts;
        let classes = labels.names().len();
        Model {
            format: form.format,
            refusals: Vec::new(),
            references: references.items.clone(),
            tolerance: form.tolerance,
            preparation,
            engine,
            tokens: Vec::new(),
            features: vec![0.0; form.feature_length],
            logits: vec![0.0; classes],
            probabilities: vec![0.0; classes],
            manifest: manifest.clone(),
            labels: labels.clone(),
        }
    }

    /// Replays the host's references: the prepared tensor must be the same to
    /// the byte, each logit within the manifest's tolerance. A device calls it
    /// once, before its first frame.
    ///
    /// # Errors
    ///
    /// The first reference that does not hold, and by how much.
    pub fn verify(&mut self) -> Result<Verified, VerifyError> {
        // Out of the way of `run`, which borrows all of the model.
        let references = std::mem::take(&mut self.references);
        let verified = self.replay(&references);
        self.references = references;
        verified
    }

    fn replay(&mut self, references: &[Reference]) -> Result<Verified, VerifyError> {
        let mut prepared = Vec::new();
        let mut max_abs_diff = 0.0_f32;
        for (index, reference) in references.iter().enumerate() {
            let &Reference { seed, width, height, prepared_sha256: expected, .. } = reference;
            prepared.resize(self.manifest.input.tensor_len(), 0.0);
            let example = self.preparation.synthetic(seed, width, height);
            self.preparation
                .fill(&example, &mut prepared)
                .map_err(|source| VerifyError::Run { reference: index, source })?;
            let found = tensor_sha256(&prepared);
            if found != expected {
                let reference = index;
                return Err(VerifyError::Prepared {
                    reference,
                    seed,
                    width,
                    height,
                    expected,
                    found,
                });
            }
            self.predict_tensor(&prepared)
                .map_err(|source| VerifyError::Run { reference: index, source })?;
            for (class, (&found, &expected)) in
                self.logits.iter().zip(&reference.logits).enumerate()
            {
                // An infinite logit would pass an infinite tolerance.
                if !(found.is_finite() && self.tolerance.holds(found, expected)) {
                    return Err(VerifyError::Logit {
                        reference: index,
                        label: self.labels[class].to_owned(),
                        expected,
                        found,
                        allowed: self.tolerance.absolute + self.tolerance.relative * expected.abs(),
                    });
                }
                max_abs_diff = max_abs_diff.max((found - expected).abs());
            }
        }
        Ok(Verified { references: references.len(), max_abs_diff })
    }

    /// Prepares a frame and answers.
    ///
    /// After the first frame of a size nothing is allocated here; the engine
    /// allocates its tensors anew for each frame, and the resizer its
    /// coefficients if the frame has another size than the tensor.
    ///
    /// # Errors
    ///
    /// [`RunError::Engine`] if the engine gives up; the model stays usable.
    /// [`RunError::NotAboutPictures`].
    pub fn predict(&mut self, frame: Frame<'_>) -> Result<Answer<'_>, RunError> {
        let Model { engine, preparation: Preparation::Picture(preparer), .. } = self else {
            return Err(RunError::NotAboutPictures);
        };
        engine.fill(|tensor| preparer.fill(frame, tensor))?;
        self.run(None)
    }

    /// Looks the words of a text up, or takes it apart into the tokens of a sentence
    /// encoder, and answers: with "unknown", whatever the logits,
    /// if the bundle knows none of them. [`Answer::text`] has how many it knows, and
    /// what was left out of a text that is longer than the bundle allows.
    ///
    /// Nothing is allocated here but room for the longest token, once; the tokenizer of a
    /// sentence encoder allocates for each text, and the engine its tensors.
    ///
    /// # Errors
    ///
    /// [`RunError::Engine`] as for a frame, [`RunError::NotAboutTexts`], and
    /// [`RunError::Tokenizer`] if a text cannot be taken apart; the model stays usable.
    pub fn predict_text(&mut self, text: &str) -> Result<Answer<'_>, RunError> {
        let Model { engine, preparation, tokens, .. } = self;
        #[cfg(not(feature = "tokens"))]
        let _ = tokens;
        let mut counts = Counts::default();
        match preparation {
            Preparation::Picture(_) => return Err(RunError::NotAboutTexts),
            Preparation::Text(preparer) => {
                engine.fill(|tensor| counts = preparer.fill(text, tensor))?;
            }
            #[cfg(feature = "tokens")]
            Preparation::Tokens(preparer) => {
                counts = preparer.fill(text, tokens)?;
                engine.reshape(&[1, tokens.len()])?;
                engine.fill(|tensor| tensor.copy_from_slice(tokens))?;
            }
        }
        self.run(Some(counts))
    }

    /// Answers for a tensor that is prepared already, by the manifest's input
    /// and in its layout. Of a text's it is not told whether any word was known.
    ///
    /// # Errors
    ///
    /// As [`Model::predict`], and [`RunError::TensorLength`].
    pub fn predict_tensor(&mut self, prepared: &[f32]) -> Result<Answer<'_>, RunError> {
        let Some(shape) = self.manifest.input.shape_of(prepared.len()) else {
            let expected = self.manifest.input.tensor_len();
            return Err(RunError::TensorLength { expected, found: prepared.len() });
        };
        self.engine.reshape(&shape)?;
        self.engine.fill(|tensor| tensor.copy_from_slice(prepared))?;
        self.run(None)
    }

    fn run(&mut self, text: Option<Counts>) -> Result<Answer<'_>, RunError> {
        self.engine.run([&mut self.features, &mut self.logits])?;
        self.probabilities.copy_from_slice(&self.logits);
        let decided = calibration(&self.manifest).decide(&mut self.probabilities);
        let decision = match text {
            Some(Counts { known: 0, .. }) => Decision::Unknown,
            _ => decided,
        };
        Ok(Answer {
            decision,
            probabilities: &self.probabilities,
            logits: &self.logits,
            features: &self.features,
            text,
            labels: &self.labels,
        })
    }

    /// What makes tensors for it.
    #[cfg(feature = "bench")]
    pub(crate) fn preparation(&mut self) -> &mut Preparation {
        &mut self.preparation
    }

    /// Answers about an example.
    #[cfg(feature = "bench")]
    pub(crate) fn predict_example(&mut self, example: &Example) -> Result<Answer<'_>, RunError> {
        match example {
            Example::Picture(picture) => self.predict(picture.frame()),
            Example::Text(text) => self.predict_text(text),
        }
    }

    /// How long each node of the network takes for this tensor, over so many runs.
    #[cfg(feature = "bench")]
    pub(crate) fn profile(
        &mut self,
        prepared: &[f32],
        runs: u32,
    ) -> Result<Vec<crate::engine::NodeTime>, RunError> {
        // Checks the tensor, fills it in and warms up.
        self.predict_tensor(prepared)?;
        Ok(self.engine.profile(runs)?)
    }

    /// The names of the classes, in the order of the logits.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The format of the form that was opened.
    pub fn format(&self) -> ModelFormat {
        self.format
    }

    /// The forms that stand before it in the bundle, and why they did not open.
    /// It is worth a warning: the bundle was made for another engine.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many words or tokens the bundle knows, if it is about texts.
    pub fn words(&self) -> Option<u32> {
        match &self.preparation {
            Preparation::Picture(_) => None,
            Preparation::Text(preparer) => Some(preparer.table().len()),
            #[cfg(feature = "tokens")]
            Preparation::Tokens(preparer) => Some(preparer.vocabulary()),
        }
    }

    /// How frames or texts are prepared and answers decided.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl<'m> Answer<'m> {
    /// The label that was decided on; nothing if the answer is unknown.
    pub fn label(&self) -> Option<&'m str> {
        match self.decision {
            Decision::Label(index) => Some(&self.labels[index]),
            Decision::Unknown => None,
        }
    }

    /// Each label with its probability, in the order of the logits.
    pub fn by_label(&self) -> impl ExactSizeIterator<Item = (&'m str, f32)> {
        self.labels.names().iter().map(String::as_str).zip(self.probabilities.iter().copied())
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

fn open_engine(
    manifest: &Manifest,
    labels: &Labels,
    parts: &FormParts<'_>,
) -> Result<Engine, OpenError> {
    Engine::open(&wanted(labels, parts, &Shape::from(&manifest.input)))
}

fn wanted<'a>(labels: &Labels, parts: &FormParts<'a>, input_shape: &'a Shape) -> Wanted<'a> {
    let &FormParts { form, model, .. } = parts;
    // A second precision must not pass here unnoticed.
    let Precision::F32 = form.precision;
    let classes = labels.names().len();
    Wanted {
        format: form.format,
        model,
        input: Some(&form.input),
        input_shape,
        outputs: Outputs::Named([(&form.features, form.feature_length), (&form.logits, classes)]),
    }
}

fn calibration(manifest: &Manifest) -> &Calibration {
    let AnswerSpec::Class(calibration) = &manifest.answer;
    calibration
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Model>();
};
