use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Dataset, DatasetError, Named, Split, with_indices};

/// A sub-folder a class; or `train` and `test` (or `val`) folders that each
/// hold a sub-folder a class, as torchvision's `ImageFolder` users lay them out.
pub(super) fn open(root: &Path) -> Result<Dataset, DatasetError> {
    let children = sub_folders(root)?;
    if children.is_empty() {
        return Err(DatasetError::NoClasses { path: root.to_path_buf() });
    }
    let sides: Option<Vec<Split>> = children.iter().map(|c| side(c)).collect();
    let mut named = Vec::new();
    match sides {
        Some(sides) if sides.contains(&Split::Train) => {
            for (folder, split) in children.iter().zip(sides) {
                classes(folder, sub_folders(folder)?, Some(split), &mut named)?;
            }
        }
        _ => classes(root, children, None, &mut named)?,
    }
    Ok(with_indices(named, Vec::new()))
}

fn side(folder: &Path) -> Option<Split> {
    match folder.file_name().and_then(OsStr::to_str)? {
        "train" => Some(Split::Train),
        "test" | "val" | "valid" | "validation" => Some(Split::Test),
        _ => None,
    }
}

fn classes(
    parent: &Path,
    folders: Vec<PathBuf>,
    split: Option<Split>,
    named: &mut Vec<Named>,
) -> Result<(), DatasetError> {
    if folders.is_empty() {
        return Err(DatasetError::NoClasses { path: parent.to_path_buf() });
    }
    for folder in folders {
        let before = named.len();
        let label = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = walkdir::WalkDir::new(&folder)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|e| !hidden(e.path()));
        for entry in files {
            let entry = entry.map_err(|e| DatasetError::Read {
                path: e.path().unwrap_or(&folder).to_path_buf(),
                source: e.into(),
            })?;
            if entry.file_type().is_file() {
                named.push(Named {
                    path: entry.into_path(),
                    label: label.clone(),
                    split,
                    group: None,
                    stratum: None,
                });
            }
        }
        if named.len() == before {
            return Err(DatasetError::EmptyClass { path: folder });
        }
    }
    Ok(())
}

fn sub_folders(root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let fail = |source| DatasetError::Read { path: root.to_path_buf(), source };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() && !hidden(&path) {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Desktop systems and version control leave hidden files about.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."))
}
