use graft_spec::{Input, Labels, Manifest, ModelFormat, Pooling, Provenance};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::error::BundleError;
use crate::layout::assemble;
use crate::references::References;
use crate::section::{Kind, SectionId};

/// All that a bundle is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents<'a> {
    /// How to make the model's input and how to read its output.
    pub manifest: Manifest,
    /// The names of the classes, in the order of the logits.
    pub labels: Labels,
    /// One for each form of the manifest, in that order.
    pub models: Vec<ModelPart<'a>>,
    /// The word table: there is one exactly if the manifest's input is words.
    pub words: Option<&'a [u8]>,
    /// The tokenizer: there is one exactly if the manifest's input is tokens.
    pub tokenizer: Option<&'a [u8]>,
    /// Where it all came from.
    pub provenance: Option<Provenance>,
}

/// One form of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPart<'a> {
    /// The model, in the form's format.
    pub bytes: &'a [u8],
    /// What the host's engine answers.
    pub references: References,
}

/// Writes an unsigned bundle. The same contents give the same bytes.
///
/// # Errors
///
/// Contents that `docs/format.md` does not allow. What is written has been read
/// back by [`Bundle::parse`] first, so no reader refuses it.
pub fn write(contents: &Contents<'_>) -> Result<Vec<u8>, BundleError> {
    let Contents { manifest, labels, models, words, tokenizer, provenance } = contents;
    if models.len() != manifest.forms.len() {
        return Err(BundleError::ModelCount { forms: manifest.forms.len(), models: models.len() });
    }
    let id = |kind, form: usize| SectionId { kind, form: form as u16 };
    // Before it becomes JSON, which has no word for what is not finite.
    manifest
        .check()
        .map_err(|source| BundleError::Spec { section: id(Kind::Manifest, 0), source })?;

    let manifest_json = to_json(id(Kind::Manifest, 0), manifest)?;
    let label_lines = labels.to_lines();
    let provenance_json =
        provenance.as_ref().map(|p| to_json(id(Kind::Provenance, 0), p)).transpose()?;
    let references = models
        .iter()
        .enumerate()
        .map(|(form, model)| {
            let section = id(Kind::References, form);
            model
                .references
                .write(labels.names().len())
                .map_err(|problem| BundleError::References { section, problem })
        })
        .collect::<Result<Vec<_>, _>>()?;

    let mut parts: Vec<(SectionId, &[u8])> = vec![
        (id(Kind::Manifest, 0), &manifest_json),
        (id(Kind::Labels, 0), label_lines.as_bytes()),
    ];
    for (form, (model, references)) in models.iter().zip(&references).enumerate() {
        parts.push((id(Kind::Model, form), model.bytes));
        parts.push((id(Kind::References, form), references));
    }
    if let Some(words) = words {
        parts.push((id(Kind::Words, 0), words));
    }
    if let Some(tokenizer) = tokenizer {
        parts.push((id(Kind::Tokenizer, 0), tokenizer));
    }
    if let Some(json) = &provenance_json {
        parts.push((id(Kind::Provenance, 0), json));
    }
    let formats = manifest.forms.iter().map(|form| since(form.format));
    let minor = formats.fold(since_input(&manifest.input), u16::max);
    let bytes = assemble(minor, &parts)?;
    let bundle = Bundle::parse(&bytes)?;
    if bundle.signature().is_some() {
        return Err(BundleError::LooksSigned);
    }
    bundle.provenance()?;
    Ok(bytes)
}

/// The minor version that has all of an input.
fn since_input(input: &Input) -> u16 {
    match input {
        Input::Image(image) if image.resize.is_some() => 3,
        Input::Image(_) => 0,
        Input::Words(words) => match words.pooling {
            Pooling::Mean | Pooling::Weighted | Pooling::MaxMean => 2,
            Pooling::Last(_) => 3,
        },
        Input::Tokens(_) => 3,
    }
}

/// The minor version that brought a format.
fn since(format: ModelFormat) -> u16 {
    match format {
        ModelFormat::Onnx => 0,
        ModelFormat::Nnef => 1,
    }
}

fn to_json(section: SectionId, value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    serde_json::to_vec(value).map_err(|source| BundleError::Json { section, source })
}
