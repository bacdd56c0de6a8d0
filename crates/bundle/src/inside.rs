//! What is in a bundle beside its models.

use graft_spec::{Labels, Manifest, Provenance};
use sha2::{Digest as _, Sha256};

use crate::body::Body;
use crate::error::BundleError;
use crate::json;
use crate::layout::{Layout, MINOR};
use crate::references::References;
use crate::section::{Kind, Section, SectionId};

/// Everything that both worlds read, wherever the models are.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    pub(crate) manifest: Manifest,
    pub(crate) labels: Labels,
    /// One for each form of the manifest.
    pub(crate) references: Vec<References>,
    /// What makes tokens of a text, if the bundle's input is tokens.
    pub(crate) tokenizer: Option<Vec<u8>>,
    provenance: Option<String>,
    pub(crate) sections: Vec<Section>,
}

impl Inside {
    /// Reads a body and checks everything but the digests of its models.
    pub(crate) fn read<B: Body + ?Sized>(body: &B) -> Result<Inside, BundleError> {
        let layout = Layout::read(body)?;
        let minor = layout.minor;
        Inside::of_layout(body, layout).map_err(|because| match minor {
            ..=MINOR => because,
            // The digests hold, so what is wrong is new rather than broken.
            _ => BundleError::Minor { minor, because: Box::new(because) },
        })
    }

    fn of_layout<B: Body + ?Sized>(body: &B, layout: Layout) -> Result<Inside, BundleError> {
        let unknown = |s: &&Section| matches!(s.id.kind, Kind::Other(_)) && s.id.kind.is_critical();
        if let Some(section) = layout.sections.iter().find(unknown) {
            return Err(BundleError::UnknownCritical { section: section.id });
        }
        if let Some(first) = layout.sections.first()
            && first.id.kind != Kind::Manifest
        {
            return Err(BundleError::ManifestNotFirst { found: first.id });
        }
        let sections = layout.sections;
        // What is used is what is digested: a file may have changed since.
        let read = |section: &Section| {
            let bytes = body.read(section.offset, section.offset + section.length)?;
            match Sha256::digest(&bytes) == section.sha256 {
                true => Ok(bytes),
                false => Err(BundleError::SectionDigest { section: section.id }),
            }
        };
        let need = |kind, form| read(find(&sections, kind, form)?);

        let manifest = read_manifest(need(Kind::Manifest, 0)?)?;
        for Section { id, .. } in &sections {
            let forms = if id.kind.is_per_form() { manifest.forms.len() } else { 1 };
            if !matches!(id.kind, Kind::Other(_)) && usize::from(id.form) >= forms {
                return Err(BundleError::NoSuchForm { section: *id });
            }
        }
        let table = sections.iter().any(|section| section.id == WORDS);
        if table != manifest.input.words().is_some() {
            return Err(BundleError::WordTable { table });
        }
        let tokenizer = sections.iter().find(|section| section.id == TOKENIZER);
        if tokenizer.is_some() != manifest.input.tokens().is_some() {
            return Err(BundleError::Tokenizer { there: tokenizer.is_some() });
        }
        let tokenizer = tokenizer.map(read).transpose()?;
        let is_text = manifest.input.is_text();
        let labels = read_labels(need(Kind::Labels, 0)?)?;
        let mut references = Vec::new();
        for form in 0..manifest.forms.len() as u16 {
            let bytes = need(Kind::References, form)?;
            let section = SectionId { kind: Kind::References, form };
            let read = References::read(&bytes, labels.names().len())
                .and_then(|read| match is_text {
                    true => read.check_texts().map(|()| read),
                    false => Ok(read),
                })
                .map_err(|problem| BundleError::References { section, problem })?;
            references.push(read);
            find(&sections, Kind::Model, form)?;
        }
        let provenance = sections.iter().find(|section| section.id == PROVENANCE);
        let provenance = provenance.map(|s| read_provenance(read(s)?)).transpose()?;
        Ok(Inside { manifest, labels, references, tokenizer, provenance, sections })
    }

    /// Where the model of a form is; there is one for each form.
    pub(crate) fn model(&self, form: usize) -> &Section {
        find(&self.sections, Kind::Model, form as u16).expect("invariant: it was found before")
    }

    /// Where the word table is, if the bundle's input is words.
    pub(crate) fn words(&self) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == WORDS)
    }

    pub(crate) fn provenance(&self) -> Result<Option<Provenance>, BundleError> {
        let read = |text| {
            serde_json::from_str(text)
                .map_err(|source| BundleError::Json { section: PROVENANCE, source })
        };
        self.provenance_json().map(read).transpose()
    }

    pub(crate) fn provenance_json(&self) -> Option<&str> {
        self.provenance.as_deref()
    }
}

fn find(sections: &[Section], kind: Kind, form: u16) -> Result<&Section, BundleError> {
    let section = SectionId { kind, form };
    sections.iter().find(|s| s.id == section).ok_or(BundleError::Missing { section })
}

const WORDS: SectionId = SectionId { kind: Kind::Words, form: 0 };
const TOKENIZER: SectionId = SectionId { kind: Kind::Tokenizer, form: 0 };
const PROVENANCE: SectionId = SectionId { kind: Kind::Provenance, form: 0 };

fn read_manifest(bytes: Vec<u8>) -> Result<Manifest, BundleError> {
    let section = SectionId { kind: Kind::Manifest, form: 0 };
    let manifest: Manifest = json::read_strict(section, &text(section, bytes)?)?;
    manifest.check().map_err(|source| BundleError::Spec { section, source })?;
    Ok(manifest)
}

fn read_labels(bytes: Vec<u8>) -> Result<Labels, BundleError> {
    let section = SectionId { kind: Kind::Labels, form: 0 };
    Labels::from_lines(&text(section, bytes)?)
        .map_err(|source| BundleError::Spec { section, source })
}

fn read_provenance(bytes: Vec<u8>) -> Result<String, BundleError> {
    let text = text(PROVENANCE, bytes)?;
    json::check_object(PROVENANCE, &text)?;
    Ok(text)
}

fn text(section: SectionId, bytes: Vec<u8>) -> Result<String, BundleError> {
    String::from_utf8(bytes)
        .map_err(|error| BundleError::NotUtf8 { section, source: error.utf8_error() })
}
