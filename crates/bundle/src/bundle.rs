use graft_spec::{Form, Labels, Manifest, ModelFormat, Provenance};

use crate::error::BundleError;
use crate::json;
use crate::layout::{Layout, MINOR};
use crate::references::References;
use crate::section::{Kind, Section, SectionId};
use crate::signature::split_signature;

/// A bundle that has been read and found right.
///
/// It borrows the models from the bytes that it was read from, so those may be
/// a mapped file.
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    manifest: Manifest,
    labels: Labels,
    /// One for each form of the manifest.
    models: Vec<Model<'a>>,
    provenance: Option<&'a str>,
    sections: Vec<Section>,
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

#[derive(Clone, Debug)]
struct Model<'a> {
    bytes: &'a [u8],
    references: References,
}

impl<'a> Bundle<'a> {
    /// Reads a bundle, signed or not, and checks all that `docs/format.md`
    /// binds a reader to. It takes any bytes and never panics.
    ///
    /// The models themselves are opaque here: that they are ONNX is for an
    /// engine to find out. A signature is split off and **not verified**: a
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
        let layout = Layout::read(body)?;
        let minor = layout.minor;
        Bundle::from_layout(body, layout, signature).map_err(|because| match minor {
            ..=MINOR => because,
            // The digests hold, so what is wrong is new rather than broken.
            _ => BundleError::Minor { minor, because: Box::new(because) },
        })
    }

    fn from_layout(
        body: &'a [u8],
        layout: Layout,
        signature: Option<&'a str>,
    ) -> Result<Bundle<'a>, BundleError> {
        let unknown = |s: &&Section| matches!(s.id.kind, Kind::Other(_)) && s.id.kind.is_critical();
        if let Some(section) = layout.sections.iter().find(unknown) {
            return Err(BundleError::UnknownCritical { section: section.id });
        }
        if let Some(first) = layout.sections.first()
            && first.id.kind != Kind::Manifest
        {
            return Err(BundleError::ManifestNotFirst { found: first.id });
        }
        let find = |kind, form| -> Result<Option<&'a [u8]>, BundleError> {
            let id = SectionId { kind, form };
            let section = layout.sections.iter().find(|s| s.id == id);
            section.map(|s| layout.bytes(body, s)).transpose()
        };
        let need = |kind, form| {
            let section = SectionId { kind, form };
            find(kind, form)?.ok_or(BundleError::Missing { section })
        };

        let manifest = read_manifest(need(Kind::Manifest, 0)?)?;
        for Section { id, .. } in &layout.sections {
            let forms = if id.kind.is_per_form() { manifest.forms.len() } else { 1 };
            if !matches!(id.kind, Kind::Other(_)) && usize::from(id.form) >= forms {
                return Err(BundleError::NoSuchForm { section: *id });
            }
        }
        let labels = read_labels(need(Kind::Labels, 0)?)?;
        let models = (0..manifest.forms.len() as u16)
            .map(|form| {
                let references =
                    References::read(need(Kind::References, form)?, labels.names().len()).map_err(
                        |problem| BundleError::References {
                            section: SectionId { kind: Kind::References, form },
                            problem,
                        },
                    )?;
                Ok(Model { bytes: need(Kind::Model, form)?, references })
            })
            .collect::<Result<_, BundleError>>()?;
        let provenance = find(Kind::Provenance, 0)?.map(read_provenance).transpose()?;
        Ok(Bundle { manifest, labels, models, provenance, sections: layout.sections, signature })
    }

    /// How to make the model's input and how to read its output.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The names of the classes, in the order of the logits.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The models, best first; there is at least one.
    pub fn forms(&self) -> impl ExactSizeIterator<Item = FormView<'_>> {
        self.manifest.forms.iter().zip(&self.models).map(|(form, model)| FormView {
            form,
            model: model.bytes,
            references: &model.references,
        })
    }

    /// The first of them that is ONNX, which every engine reads.
    pub fn onnx(&self) -> FormView<'_> {
        self.forms()
            .find(|view| view.form.format == ModelFormat::Onnx)
            .expect("invariant: a checked manifest has one")
    }

    /// Where the bundle came from, if it says.
    ///
    /// # Errors
    ///
    /// [`BundleError::Json`] if what it says lacks something that this version
    /// knows, which is no reason not to run the bundle.
    pub fn provenance(&self) -> Result<Option<Provenance>, BundleError> {
        let read = |text| {
            serde_json::from_str(text)
                .map_err(|source| BundleError::Json { section: PROVENANCE, source })
        };
        self.provenance.map(read).transpose()
    }

    /// The same as it stands in the file, a JSON object with any keys.
    pub fn provenance_json(&self) -> Option<&'a str> {
        self.provenance
    }

    /// What the file is made of, in its order.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The minisign signature file that is appended to the bundle, unverified.
    pub fn signature(&self) -> Option<&'a str> {
        self.signature
    }
}

const PROVENANCE: SectionId = SectionId { kind: Kind::Provenance, form: 0 };

fn read_manifest(bytes: &[u8]) -> Result<Manifest, BundleError> {
    let section = SectionId { kind: Kind::Manifest, form: 0 };
    let manifest: Manifest = json::read_strict(section, text(section, bytes)?)?;
    manifest.check().map_err(|source| BundleError::Spec { section, source })?;
    Ok(manifest)
}

fn read_labels(bytes: &[u8]) -> Result<Labels, BundleError> {
    let section = SectionId { kind: Kind::Labels, form: 0 };
    Labels::from_lines(text(section, bytes)?)
        .map_err(|source| BundleError::Spec { section, source })
}

fn read_provenance(bytes: &[u8]) -> Result<&str, BundleError> {
    let text = text(PROVENANCE, bytes)?;
    json::check_object(PROVENANCE, text)?;
    Ok(text)
}

fn text(section: SectionId, bytes: &[u8]) -> Result<&str, BundleError> {
    std::str::from_utf8(bytes).map_err(|source| BundleError::NotUtf8 { section, source })
}
