//! Paths in reports. A path that is not UTF-8 is shown as well as it can be:
//! a report must not fail for a name.

use std::path::{Path, PathBuf};

use serde::Serializer;

/// For `serialize_with` on a path.
pub fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// For `serialize_with` on a path that may be absent.
pub fn maybe_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&path.to_string_lossy()),
        None => serializer.serialize_none(),
    }
}
