//! The models that graft knows: `model.toml` files, built in and added.

use std::path::{Path, PathBuf};

use graft_spec::{Name, SpecError};

use crate::digest::{Digest, DigestError};

mod add;
mod add_encoder;
mod add_words;
pub mod caffe;
mod cost;
pub mod fetch;
mod look;
mod position;
mod remove;
mod source;
mod spec;

use add::free;
pub use add::{About, AddError, add};
pub use add_encoder::add_encoder;
pub use add_words::add_words;
pub use look::{Seen, SeenInput, look};
pub use remove::{RemoveError, remove};
pub use source::{ByHand, Fetch, Sdist, Url, UrlArchive, Wheel};
pub use spec::{Content, Cost, EncoderSpec, InputSpec, ModelSpec, OutputSpec, VectorsSpec};

/// A model of the catalogue, and where its file is, or would be.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its `model.toml`.
    pub spec: ModelSpec,
    /// Where its file is.
    pub file: ModelFile,
}

/// Where a model's file is.
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
    /// Something in it is wrong.
    #[error("{}:{line}", path.display())]
    Spec { path: PathBuf, line: usize, source: SpecProblem },
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

/// What is wrong in a `model.toml`.
#[derive(Debug, thiserror::Error)]
pub enum SpecProblem {
    /// Not TOML; or a key that is missing, unknown, or of another type.
    #[error("{}{message}", prefix(key))]
    Toml { key: String, message: String },
    /// A number that can't be.
    #[error("input.{0}")]
    Field(SpecError),
    /// A file beside the model's that `[fetch]` and the rest do not agree about.
    #[error("fetch.also: {problem}")]
    Also { problem: String },
    /// A digest that isn't one.
    #[error("{key}: {source}")]
    Digest { key: &'static str, source: DigestError },
    /// A file would leave the folder.
    #[error("{key}: is {file:?}, must be a plain file name")]
    FileName { key: &'static str, file: String },
    /// An address that isn't asked.
    #[error("fetch.url: {url:?} {problem}")]
    Url { url: String, problem: fetch::UrlProblem },
    /// `[fetch]` without its first key.
    #[error("fetch: missing field `kind`, one of {KINDS}")]
    NoKind,
    /// A `[fetch]` of no kind there is.
    #[error("fetch.kind: is {kind:?}, must be one of {KINDS}")]
    Kind { kind: String },
}

const KINDS: &str = "pip, pip-sdist, url, url-archive, file";

fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
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
    built_in!("minilm_l6_v2"),
    built_in!("resnet50_nsfw"),
    built_in!("text_angle"),
    built_in!("vgg16_mri"),
];

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

/// What is in the catalogue.
#[derive(Debug)]
pub struct Listing {
    /// Sorted by name.
    pub models: Vec<Entry>,
    /// Folders whose `model.toml` can't be used.
    pub broken: Vec<Broken>,
}

/// A folder of the catalogue that is no model.
#[derive(Debug)]
pub struct Broken {
    /// Of the folder, by which the model would be found.
    pub name: String,
    /// Why.
    pub error: CatalogueError,
}

/// All models: those in `folder` (a sub-folder each), then the built-in ones
/// that it does not replace. A broken one hides no other, but it does hide the
/// built-in one whose name it has.
///
/// # Errors
///
/// If `folder` itself can't be read.
pub fn list(folder: &Path) -> Result<Listing, CatalogueError> {
    let mut listing = Listing { models: Vec::new(), broken: Vec::new() };
    for path in sub_folders(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match open_folder(&path) {
            Ok(entry) => listing.models.push(entry),
            Err(error) => listing.broken.push(Broken { name, error }),
        }
    }
    for &(path, text, bytes) in BUILT_IN {
        let spec = ModelSpec::parse(text, Path::new(path))?;
        let replaced = listing.models.iter().any(|e| e.spec.name == spec.name)
            || listing.broken.iter().any(|b| b.name == spec.name.as_str());
        if !replaced {
            listing.models.push(built_in(folder, spec, bytes));
        }
    }
    listing.models.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    Ok(listing)
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
