//! A bundle on disk.

use std::path::{Path, PathBuf};

use graft_bundle::{Bundle, BundleError};
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
    /// It breaks a rule of the format.
    #[error("{} is not a usable bundle", path.display())]
    Bundle { path: PathBuf, source: BundleError },
}

impl BundleFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<BundleFile, BundleFileError> {
        let bytes = std::fs::read(path)
            .map_err(|source| BundleFileError::Read { path: path.to_path_buf(), source })?;
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
