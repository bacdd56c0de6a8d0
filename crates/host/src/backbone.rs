//! A pretrained network, and what is left of it when it is cut where its features
//! are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use graft_onnx::{Dim, Graph, GraphError};
pub use graft_onnx::{Pool, Tap};
use graft_spec::ImageSpec;

use crate::catalogue::{Content, Entry, ModelSpec, OutputSpec};
use crate::digest::Digest;
use crate::onnx_file;
use crate::stated::{StatedError, StatedInput, complete, shape_text, sized};

/// A pretrained network and the tensor at which a head will be grafted.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// Where it came from, for provenance.
    pub origin: Origin,
    /// How a photo becomes its input.
    pub input: ImageSpec,
    /// The tensor at the cut, by its name in the original graph.
    pub at: String,
    /// Features of one photo.
    pub feature_length: usize,
    /// How many photos one run takes.
    pub batch: graft_onnx::Batch,
    /// Everything up to the cut, pooled to one row a photo; one output,
    /// `features`.
    graph: Graph,
    digest: Digest,
}

/// Where a backbone came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// In the catalogue, or the file's stem.
    pub name: String,
    /// Who made it, from what.
    pub origin: String,
    /// SPDX expression or a sentence.
    pub licence: String,
    /// Of the ONNX file, weights from beside it taken in.
    pub sha256: Digest,
}

/// A backbone that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// No network.
    #[error("{name} is for texts, not a network for photos")]
    Words { name: String },
    /// Not a usable graph.
    #[error("{name} is not a usable ONNX file")]
    Graph { name: String, source: Box<GraphError> },
    /// The graph can't be cut there, or it doesn't show where.
    #[error("{name} cannot be cut")]
    Cut { name: String, source: Box<GraphError> },
    /// The graph's input can't be known.
    #[error("{name}")]
    Input { name: String, source: StatedError },
    /// The network doesn't take photos of that size up to the cut.
    #[error(
        "{name} cannot be cut at {at:?} for photos of {width}×{height}: layers below it were made for one size"
    )]
    Size { name: String, at: String, width: u32, height: u32 },
    /// The features have no fixed length.
    #[error(
        "{name}: tensor {at:?} has shape {shape}; the number of features must be known before the network runs"
    )]
    FeatureLength { name: String, at: String, shape: String },
}

/// A pretrained network, whole.
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// Where it came from, for provenance.
    pub origin: Origin,
    /// How a photo becomes its input.
    pub input: ImageSpec,
    output: OutputSpec,
    graph: Graph,
    /// Photos have another size than that which it was exported for.
    resized: bool,
}

impl Pretrained {
    /// Opens a model of the catalogue. `bytes` are those of its file.
    pub fn of_model(spec: &ModelSpec, bytes: &[u8]) -> Result<Pretrained, BackboneError> {
        let name = spec.name.to_string();
        let Content::Network { input, output } = &spec.content else {
            return Err(BackboneError::Words { name });
        };
        let graph = parse(&name, bytes)?;
        // Holds model.toml to the graph: a wrong size is found here, with both
        // numbers, and not as an error of an engine.
        let stated = StatedInput {
            tensor: input.tensor.clone(),
            width: Some(input.image.width),
            height: Some(input.image.height),
            layout: Some(input.image.layout),
            colour: Some(input.image.colour),
            fit: Some(input.image.fit),
            resize: input.image.resize,
            scale: Some(input.image.scale),
            mean: Some(input.image.mean.clone()),
            std: Some(input.image.std.clone()),
            background: Some(input.image.background),
        };
        let origin = Origin {
            name,
            origin: spec.origin.clone(),
            licence: spec.licence.clone(),
            sha256: Digest::of(bytes),
        };
        whole(graph, origin, &stated, output)
    }

    /// Opens an ONNX file without a `model.toml`.
    pub fn of_file(path: &Path, stated: &StatedInput) -> Result<Pretrained, BackboneError> {
        let bytes = std::fs::read(path)
            .map_err(|source| BackboneError::Read { path: path.to_path_buf(), source })?;
        let (graph, bytes) = onnx_file::parse(path, &bytes).map_err(|e| BackboneError::Graph {
            name: path.display().to_string(),
            source: Box::new(e),
        })?;
        let origin = Origin {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            origin: "a local file".to_owned(),
            licence: "not stated".to_owned(),
            sha256: Digest::of(&bytes),
        };
        whole(graph, origin, stated, &OutputSpec::default())
    }

    /// Of a network that was made here: its input is known.
    pub(crate) fn of_graph(graph: Graph, origin: Origin, input: ImageSpec) -> Pretrained {
        let features = Some(graft_onnx::FEATURES.to_owned());
        let output = OutputSpec { features, logits: None };
        Pretrained { origin, input, output, graph, resized: false }
    }

    /// The same network for photos of another size than it was exported for, in
    /// pixels. Convolutions take any; whether everything below a cut does is found
    /// out when it is cut.
    pub fn with_image_size(self, width: u32, height: u32) -> Result<Pretrained, BackboneError> {
        let name = || self.origin.name.clone();
        let input = self.input.with_size(width, height);
        input
            .check()
            .map_err(|source| BackboneError::Input { name: name(), source: source.into() })?;
        let [tensor] = &self.graph.inputs()[..] else {
            return Err(BackboneError::Size {
                name: name(),
                at: self.features_tensor()?,
                width,
                height,
            });
        };
        let mut shape = input.shape(1).map(|n| Dim::Fixed(n as u64));
        shape[0] = Dim::Unknown;
        let graph = self.graph.resized(&tensor.name, &shape).map_err(|e| BackboneError::Graph {
            name: self.origin.name.clone(),
            source: Box::new(e),
        })?;
        Ok(Pretrained { input, graph, resized: true, ..self })
    }

    /// All of it.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The tensor at which it is cut if nobody says otherwise: as its
    /// `model.toml` says, or before the last dense layer.
    pub fn features_tensor(&self) -> Result<String, BackboneError> {
        match &self.output.features {
            Some(features) => Ok(features.clone()),
            None => Ok(self.graph.classifier().map_err(|e| self.uncut(e))?.features),
        }
    }

    /// The scores of the classes that it was trained on, if it has such a head:
    /// the tensor's name.
    pub fn logits_tensor(&self) -> Option<String> {
        match (&self.output.logits, &self.output.features) {
            (Some(logits), _) => Some(logits.clone()),
            // A `model.toml` that names the features alone has a reason: the head
            // may want another input, as that of vgg16_mri does.
            (None, Some(_)) => None,
            (None, None) => self.graph.classifier().ok().map(|classifier| classifier.logits),
        }
    }

    /// Cut at `at`, which must separate the network, or where it usually is.
    pub fn cut(&self, at: Option<&str>, pool: Pool) -> Result<Backbone, BackboneError> {
        let at = match at {
            Some(at) => {
                self.graph.check_separates(at).map_err(|e| self.uncut(e))?;
                at.to_owned()
            }
            None => self.features_tensor()?,
        };
        let graph = self.graph.clone().pooled_features(&at, pool).map_err(|e| match e {
            GraphError::FeatureShape { .. } if self.resized => self.of_one_size(at.clone()),
            e => self.uncut(e),
        })?;
        self.backbone(graph, at)
    }

    /// Features of many tensors from one run. A row holds those of each tap, in
    /// the columns that are told for it.
    pub fn tapped(&self, taps: &[Tap]) -> Result<(Backbone, Vec<Range<usize>>), BackboneError> {
        let (graph, lengths) = self.graph.clone().tapped(taps).map_err(|e| self.uncut(e))?;
        let mut end = 0;
        let columns = lengths.iter().map(|&length| {
            let start = end;
            end += length as usize;
            start..end
        });
        let columns = columns.collect();
        let names: Vec<&str> = taps.iter().map(|tap| tap.tensor.as_str()).collect();
        Ok((self.backbone(graph, names.join(", "))?, columns))
    }

    fn backbone(&self, graph: Graph, at: String) -> Result<Backbone, BackboneError> {
        // What a head of the old network fixed may be free without it.
        let graph = graph.simplified().with_dynamic_batch();
        if self.resized && !graph.keeps_examples_apart() {
            return Err(self.of_one_size(at));
        }
        let features = &graph.outputs()[0];
        let Some(Dim::Fixed(feature_length)) = features.shape.as_ref().and_then(|s| s.last())
        else {
            return Err(BackboneError::FeatureLength {
                name: self.origin.name.clone(),
                at,
                shape: shape_text(features.shape.as_deref()),
            });
        };
        Ok(Backbone {
            feature_length: *feature_length as usize,
            digest: Digest::of(&graph.to_bytes()),
            origin: self.origin.clone(),
            input: self.input.clone(),
            at,
            batch: graph.batch(),
            graph,
        })
    }

    fn of_one_size(&self, at: String) -> BackboneError {
        let ImageSpec { width, height, .. } = self.input;
        BackboneError::Size { name: self.origin.name.clone(), at, width, height }
    }

    fn uncut(&self, error: GraphError) -> BackboneError {
        BackboneError::Cut { name: self.origin.name.clone(), source: Box::new(error) }
    }
}

impl Backbone {
    /// The graph that makes features: one input, one output.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The same, for photos that are prepared in another way: whoever looks at
    /// photos through it and not at its graph.
    pub(crate) fn with_input(self, input: ImageSpec) -> Backbone {
        Backbone { input, ..self }
    }

    /// Of the bytes of [`Backbone::graph`]: what a cache keys features by.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The entry's file, read and checked.
pub fn open_entry(entry: &Entry) -> Result<Pretrained, OpenEntryError> {
    if let Content::Words { .. } | Content::Encoder { .. } = &entry.spec.content {
        return Err(BackboneError::Words { name: entry.spec.name.to_string() }.into());
    }
    let bytes = entry.read()?;
    Ok(Pretrained::of_model(&entry.spec, &bytes)?)
}

/// An entry whose file can't be read, or can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenEntryError {
    /// It can't be read.
    #[error("{0}")]
    Catalogue(#[from] crate::catalogue::CatalogueError),
    /// It can't be used.
    #[error("{0}")]
    Backbone(#[from] BackboneError),
}

fn parse(name: &str, bytes: &[u8]) -> Result<Graph, BackboneError> {
    Graph::parse(bytes)
        .map_err(|e| BackboneError::Graph { name: name.to_owned(), source: Box::new(e) })
}

fn whole(
    graph: Graph,
    origin: Origin,
    stated: &StatedInput,
    output: &OutputSpec,
) -> Result<Pretrained, BackboneError> {
    let input = complete(&graph, stated)
        .map_err(|source| BackboneError::Input { name: origin.name.clone(), source })?;
    let graph = sized(graph, &input)
        .and_then(Graph::upgraded)
        .map_err(|e| BackboneError::Graph { name: origin.name.clone(), source: Box::new(e) })?;
    let graph = graph.with_dynamic_batch();
    Ok(Pretrained { origin, input: input.image, output: output.clone(), graph, resized: false })
}
