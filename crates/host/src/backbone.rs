//! A pretrained network, cut where its features are.

use std::path::{Path, PathBuf};

use graft_onnx::{Dim, Graph, GraphError};
use graft_spec::ImageSpec;

use crate::catalogue::{Entry, ModelSpec, OutputSpec};
use crate::digest::Digest;
use crate::stated::{StatedError, StatedInput, complete, shape_text};

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
    /// Of the ONNX file.
    pub sha256: Digest,
}

/// A backbone that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not a usable graph.
    #[error("{name} is not a usable ONNX file")]
    Graph { name: String, source: Box<GraphError> },
    /// The graph can't be cut there, or it doesn't show where.
    #[error("{name} cannot be cut")]
    Cut { name: String, source: Box<GraphError> },
    /// The graph's input can't be known.
    #[error("{name}")]
    Input { name: String, source: StatedError },
    /// The features have no fixed length.
    #[error(
        "{name}: tensor {at:?} has shape {shape}; the number of features must be known before the network runs"
    )]
    FeatureLength { name: String, at: String, shape: String },
}

impl Backbone {
    /// Opens a model of the catalogue, cut at `at` or where its `model.toml` or
    /// the graph says. `bytes` are those of its file.
    pub fn of_model(
        spec: &ModelSpec,
        bytes: &[u8],
        at: Option<&str>,
    ) -> Result<Backbone, BackboneError> {
        let name = spec.name.to_string();
        let graph = parse(&name, bytes)?;
        // Holds model.toml to the graph: a wrong size is found here, with both
        // numbers, and not as an error of an engine.
        let stated = StatedInput {
            tensor: spec.input.tensor.clone(),
            width: Some(spec.input.image.width),
            height: Some(spec.input.image.height),
            layout: Some(spec.input.image.layout),
            colour: Some(spec.input.image.colour),
            fit: Some(spec.input.image.fit),
            scale: Some(spec.input.image.scale),
            mean: Some(spec.input.image.mean.clone()),
            std: Some(spec.input.image.std.clone()),
            background: Some(spec.input.image.background),
        };
        let origin = Origin {
            name,
            origin: spec.origin.clone(),
            licence: spec.licence.clone(),
            sha256: Digest::of(bytes),
        };
        cut(graph, origin, &stated, &spec.output, at)
    }

    /// Opens an ONNX file without a `model.toml`.
    pub fn of_file(
        path: &Path,
        stated: &StatedInput,
        at: Option<&str>,
    ) -> Result<Backbone, BackboneError> {
        let bytes = std::fs::read(path)
            .map_err(|source| BackboneError::Read { path: path.to_path_buf(), source })?;
        let graph = parse(&path.display().to_string(), &bytes)?;
        let origin = Origin {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            origin: "a local file".to_owned(),
            licence: "not stated".to_owned(),
            sha256: Digest::of(&bytes),
        };
        cut(graph, origin, stated, &OutputSpec::default(), at)
    }

    /// The graph that makes features: one input, one output.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Of the bytes of [`Backbone::graph`]: what a cache keys features by.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The entry's file, read, checked and cut.
pub fn open_entry(entry: &Entry, at: Option<&str>) -> Result<Backbone, OpenEntryError> {
    let bytes = entry.read()?;
    Ok(Backbone::of_model(&entry.spec, &bytes, at)?)
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

fn cut(
    graph: Graph,
    origin: Origin,
    stated: &StatedInput,
    output: &OutputSpec,
    at: Option<&str>,
) -> Result<Backbone, BackboneError> {
    let name = &origin.name;
    let fail = |e| BackboneError::Cut { name: name.clone(), source: Box::new(e) };
    let input = complete(&graph, stated)
        .map_err(|source| BackboneError::Input { name: name.clone(), source })?;
    let at = match at.or(output.features.as_deref()) {
        Some(at) => at.to_owned(),
        None => graph.classifier().map_err(fail)?.features,
    };
    let batch = graph.batch();
    let graph = graph.pooled_features(&at).map_err(fail)?.simplified();
    let features = &graph.outputs()[0];
    let Some(Dim::Fixed(feature_length)) = features.shape.as_ref().and_then(|s| s.last()) else {
        return Err(BackboneError::FeatureLength {
            name: name.clone(),
            at,
            shape: shape_text(features.shape.as_deref()),
        });
    };
    Ok(Backbone {
        feature_length: *feature_length as usize,
        digest: Digest::of(&graph.to_bytes()),
        origin,
        input: input.image,
        at,
        batch,
        graph,
    })
}
