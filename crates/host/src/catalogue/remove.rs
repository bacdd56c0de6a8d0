use std::path::{Path, PathBuf};

use graft_spec::Name;

use super::{BUILT_IN, CatalogueError, ModelSpec};

/// A model that could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// No such model.
    #[error("there is no model {name:?} in {}", folder.display())]
    Absent { name: String, folder: PathBuf },
    /// Only its description is here, and that is in the program.
    #[error("model {name} is part of this program; there is nothing of it in {}", folder.display())]
    BuiltIn { name: String, folder: PathBuf },
    /// The system refused.
    #[error("cannot remove {}", path.display())]
    Remove { path: PathBuf, source: std::io::Error },
    /// The catalogue can't be read.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
}

/// Removes what `folder` holds of a model: the whole of one that was added, broken
/// or not; the file of one that was fetched. Answers what was removed.
pub fn remove(folder: &Path, name: &str) -> Result<PathBuf, RemoveError> {
    let absent = || RemoveError::Absent { name: name.to_owned(), folder: folder.to_path_buf() };
    // A name is no path: nothing outside the catalogue is ever removed.
    Name::new(name).map_err(|_| absent())?;
    let path = folder.join(name);
    if !path.is_dir() {
        for &(built_in, text, _) in BUILT_IN {
            if ModelSpec::parse(text, Path::new(built_in))?.name.as_str() == name {
                let (name, folder) = (name.to_owned(), folder.to_path_buf());
                return Err(RemoveError::BuiltIn { name, folder });
            }
        }
        return Err(absent());
    }
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| RemoveError::Remove { path, source }
    };
    if path.is_symlink() {
        // What it leads to is not the catalogue's.
        std::fs::remove_file(&path).map_err(fail(&path))?;
        return Ok(path);
    }
    // The description first: half a model is never listed as one.
    let description = path.join("model.toml");
    match std::fs::remove_file(&description) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(&description)(e)),
        _ => {}
    }
    std::fs::remove_dir_all(&path).map_err(fail(&path))?;
    Ok(path)
}
