use std::path::{Path, PathBuf};

use graft_onnx::{Graph, GraphError, Pool};
use graft_spec::Name;

use super::{Content, Entry, InputSpec, ModelFile, ModelSpec, OutputSpec};
use crate::atomic::{WriteError, write_whole};
use crate::digest::Digest;
use crate::encoder::EncoderError;
use crate::onnx_file;
use crate::vectors::VectorsError;

/// A model that could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not a usable ONNX file.
    #[error("{}", path.display())]
    Graph { path: PathBuf, source: Box<GraphError> },
    /// Not usable word vectors.
    #[error("{0}")]
    Vectors(#[from] Box<VectorsError>),
    /// Not a usable sentence encoder.
    #[error("{0}")]
    Encoder(#[from] Box<EncoderError>),
    /// It is there already.
    #[error("there is a model {name} already")]
    Exists { name: Name },
    /// The data folder can't be written.
    #[error("{0}")]
    Write(#[from] WriteError),
}

/// What a person says of a model that the graph doesn't.
#[derive(Clone, Debug)]
pub struct About {
    /// Name in the catalogue.
    pub name: Name,
    /// For people.
    pub title: String,
    /// Who made it, from what.
    pub origin: String,
    /// SPDX expression or a sentence.
    pub licence: String,
    /// Where to cut, if not at the input of the last Gemm or MatMul.
    pub features: Option<String>,
}

/// Copies an ONNX file into the catalogue at `folder` with a `model.toml`.
pub fn add(folder: &Path, onnx: &Path, about: About, input: InputSpec) -> Result<Entry, AddError> {
    let bytes = std::fs::read(onnx)
        .map_err(|source| AddError::Read { path: onnx.to_path_buf(), source })?;
    // One file in the catalogue, also where weights lay beside it.
    let (_, bytes) = onnx_file::parse(onnx, &bytes)
        .map_err(|e| AddError::Graph { path: onnx.to_path_buf(), source: Box::new(e) })?;
    add_bytes(folder, onnx, &bytes, about, input)
}

/// [`add`] of a network that `path` was turned into.
pub(super) fn add_bytes(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
    about: About,
    input: InputSpec,
) -> Result<Entry, AddError> {
    let fail = |e| AddError::Graph { path: path.to_path_buf(), source: Box::new(e) };
    let graph = Graph::parse(bytes).map_err(fail)?;
    let output = match about.features {
        Some(features) => {
            graph.clone().pooled_features(&features, Pool::Mean).map_err(fail)?;
            OutputSpec { features: Some(features), logits: None }
        }
        None => {
            let classifier = graph.classifier().map_err(fail)?;
            OutputSpec { features: Some(classifier.features), logits: Some(classifier.logits) }
        }
    };
    let cost = super::cost::count(graph, bytes.len(), &input, &output).map_err(fail)?;
    let target = folder.join(about.name.as_str());
    free(folder, &about.name)?;
    let file = format!("{}.onnx", about.name);
    let spec = ModelSpec {
        name: about.name,
        title: about.title,
        origin: about.origin,
        licence: about.licence,
        file: file.clone(),
        sha256: Digest::of(bytes).to_string(),
        cost: Some(cost),
        content: Content::Network { input, output },
        fetch: None,
    };
    let text = toml::to_string(&spec).expect("a model.toml has only strings, numbers and tables");
    std::fs::create_dir_all(&target)
        .map_err(|source| WriteError { path: target.clone(), source })?;
    // The description last: a model without one is not in the catalogue.
    write_whole(&target.join(&file), bytes)?;
    write_whole(&target.join("model.toml"), text.as_bytes())?;
    Ok(Entry { spec, file: ModelFile::At(target.join(file)) })
}

/// Nobody has the name, and be it a model that is built in or whose file is broken.
pub(super) fn free(folder: &Path, name: &Name) -> Result<(), AddError> {
    match super::find(folder, name.as_str()) {
        Err(super::CatalogueError::Unknown { .. }) => Ok(()),
        _ => Err(AddError::Exists { name: name.clone() }),
    }
}
