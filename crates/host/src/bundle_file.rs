//! A bundle on disk.

use std::io::Read;
use std::path::{Path, PathBuf};

use graft_bundle::Bundle;
pub use graft_bundle::BundleError;
use serde::Serialize;

use crate::digest::Digest;

/// The bytes of a bundle, and where they came from.
#[derive(Clone, Debug)]
pub struct BundleFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What reports say of a bundle. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct BundleFacts {
    /// Where it is.
    #[serde(serialize_with = "crate::lossy::path")]
    pub path: PathBuf,
    /// Its own name.
    pub name: String,
    /// Its size.
    pub bytes: usize,
    /// Of the file.
    pub sha256: Digest,
}

/// A file that is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleFileError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Neither a bundle nor an ONNX file is this large.
    #[error("{} has {bytes} bytes, more than a bundle or an ONNX file can have", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    /// It breaks a rule of the format.
    #[error("{} is not a usable bundle", path.display())]
    Bundle { path: PathBuf, source: BundleError },
}

/// The first bytes of every bundle.
const MAGIC: &[u8] = b"\x89GRFT\r\n\x1a";

/// No larger file is read: what the format allows, and a signature.
const LARGEST_FILE: u64 = graft_bundle::MAX_BODY + 8192;

/// Whether a file begins as a bundle does.
pub fn is_bundle(path: &Path) -> Result<bool, BundleFileError> {
    let fail = |source| BundleFileError::Read { path: path.to_path_buf(), source };
    let mut first = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut first).map_err(fail)?;
    Ok(first == MAGIC)
}

impl BundleFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<BundleFile, BundleFileError> {
        let fail = |source| BundleFileError::Read { path: path.to_path_buf(), source };
        let bytes = std::fs::metadata(path).map_err(fail)?.len();
        if bytes > LARGEST_FILE {
            return Err(BundleFileError::TooLarge { path: path.to_path_buf(), bytes });
        }
        let bytes = std::fs::read(path).map_err(fail)?;
        Ok(BundleFile { path: path.to_path_buf(), bytes })
    }

    /// Of bytes that were, or will be, written to `path`.
    pub fn of(path: &Path, bytes: Vec<u8>) -> BundleFile {
        BundleFile { path: path.to_path_buf(), bytes }
    }

    /// The bundle in the file.
    pub fn parse(&self) -> Result<Bundle<'_>, BundleFileError> {
        Bundle::parse(&self.bytes)
            .map_err(|source| BundleFileError::Bundle { path: self.path.clone(), source })
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What reports say of it.
    pub fn facts(&self, bundle: &Bundle<'_>) -> BundleFacts {
        BundleFacts {
            path: self.path.clone(),
            name: bundle.manifest().name.to_string(),
            bytes: self.bytes.len(),
            sha256: Digest::of(&self.bytes),
        }
    }
}
