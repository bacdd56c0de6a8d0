use graft_spec::{Form, Labels, Manifest, ModelFormat, Provenance};

use crate::body::slice;
use crate::error::BundleError;
use crate::inside::Inside;
use crate::references::References;
use crate::section::Section;
use crate::signature::split_signature;

/// A bundle that has been read and found right.
///
/// It borrows the models from the bytes that it was read from, so those may be
/// a mapped file.
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    inside: Inside,
    /// One for each form of the manifest.
    models: Vec<&'a [u8]>,
    words: Option<&'a [u8]>,
    signature: Option<&'a str>,
}

/// One form of a bundle's model: what it is, its bytes, and what it must answer.
#[derive(Clone, Copy, Debug)]
pub struct FormView<'a> {
    /// Its entry in the manifest.
    pub form: &'a Form,
    /// The model, in the form's format.
    pub model: &'a [u8],
    /// What the host's engine answered.
    pub references: &'a References,
}

impl<'a> Bundle<'a> {
    /// Reads a bundle, signed or not, and checks all that `docs/format.md`
    /// binds a reader to. It takes any bytes and never panics.
    ///
    /// The models themselves are opaque here: that they are ONNX or NNEF is for
    /// an engine to find out, and so is the word table. A signature is split off and **not verified**: a
    /// device that requires one calls [`crate::verify_signature`] first, on the
    /// same bytes.
    ///
    /// # Errors
    ///
    /// The first broken rule. If the bundle has a greater minor version than
    /// this reader, and is not damaged, the error is [`BundleError::Minor`] and
    /// says which version is needed.
    pub fn parse(bytes: &'a [u8]) -> Result<Bundle<'a>, BundleError> {
        let (body, signature) = split_signature(bytes)?;
        let inside = Inside::read(body)?;
        let bytes =
            |section: &Section| slice(body, section.offset, section.offset + section.length);
        let mut models = Vec::with_capacity(inside.manifest.forms.len());
        for form in 0..inside.manifest.forms.len() {
            let section = inside.model(form);
            section.check_digest(body)?;
            models.push(bytes(section)?);
        }
        let words = inside.words().map(bytes).transpose()?;
        Ok(Bundle { inside, models, words, signature })
    }

    /// How to make the model's input and how to read its output.
    pub fn manifest(&self) -> &Manifest {
        &self.inside.manifest
    }

    /// The names of the classes, in the order of the logits.
    pub fn labels(&self) -> &Labels {
        &self.inside.labels
    }

    /// The models, best first; there is at least one.
    pub fn forms(&self) -> impl ExactSizeIterator<Item = FormView<'_>> {
        let Inside { manifest, references, .. } = &self.inside;
        let models = self.models.iter().zip(references);
        manifest.forms.iter().zip(models).map(|(form, (model, references))| FormView {
            form,
            model,
            references,
        })
    }

    /// The first of them that is ONNX, which every engine reads.
    pub fn onnx(&self) -> FormView<'_> {
        self.forms()
            .find(|view| view.form.format == ModelFormat::Onnx)
            .expect("invariant: a checked manifest has one")
    }

    /// The word table, as `graft-input` reads it; there is one exactly if the
    /// manifest's input is words.
    pub fn words(&self) -> Option<&'a [u8]> {
        self.words
    }

    /// The tokenizer, `tokenizer.json` of the library of that name; there is one
    /// exactly if the manifest's input is tokens. It is opaque here.
    pub fn tokenizer(&self) -> Option<&[u8]> {
        self.inside.tokenizer.as_deref()
    }

    /// Where the bundle came from, if it says.
    ///
    /// # Errors
    ///
    /// [`BundleError::Json`] if what it says lacks something that this version
    /// knows, which is no reason not to run the bundle.
    pub fn provenance(&self) -> Result<Option<Provenance>, BundleError> {
        self.inside.provenance()
    }

    /// The same as it stands in the file, a JSON object with any keys.
    pub fn provenance_json(&self) -> Option<&str> {
        self.inside.provenance_json()
    }

    /// What the file is made of, in its order.
    pub fn sections(&self) -> &[Section] {
        &self.inside.sections
    }

    /// The minisign signature file that is appended to the bundle, unverified.
    pub fn signature(&self) -> Option<&'a str> {
        self.signature
    }
}
