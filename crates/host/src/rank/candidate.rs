use std::path::{Path, PathBuf};

use crate::backbone::{OpenEntryError, Pretrained, open_entry};
use crate::catalogue::{self, CatalogueError, Content, Entry, ModelFile};
use crate::stated::StatedInput;

/// A pretrained network that may be a source, not yet opened.
#[derive(Debug)]
pub enum Candidate {
    /// Of the catalogue.
    Model(Box<Entry>),
    /// An ONNX file without a `model.toml`.
    File { path: PathBuf, stated: Box<StatedInput> },
    /// Its `model.toml` can't be read.
    Broken { name: String, error: CatalogueError },
}

impl Candidate {
    /// What a person calls it: a name of the catalogue, a folder with a
    /// `model.toml`, or an ONNX file, whose input is then as `stated`.
    ///
    /// # Errors
    ///
    /// Only what nothing is called: a typing error should not cost minutes.
    pub fn named(
        folder: &Path,
        name: &str,
        stated: &StatedInput,
    ) -> Result<Candidate, CatalogueError> {
        let path = Path::new(name);
        if path.extension().is_some_and(|e| e == "onnx") {
            return Ok(Candidate::File {
                path: path.to_path_buf(),
                stated: Box::new(stated.clone()),
            });
        }
        match catalogue::find(folder, name) {
            Ok(entry) => Ok(Candidate::Model(Box::new(entry))),
            Err(error @ CatalogueError::Unknown { .. }) => Err(error),
            Err(error) => Ok(Candidate::Broken { name: name.to_owned(), error }),
        }
    }

    /// All networks of the catalogue whose files are here.
    ///
    /// # Errors
    ///
    /// A catalogue that can't be read.
    pub fn here(folder: &Path) -> Result<Vec<Candidate>, CatalogueError> {
        let listing = catalogue::list(folder)?;
        let models = listing.models.into_iter();
        let here = models.filter(|entry| {
            // Word vectors see nothing in photos.
            matches!(entry.spec.content, Content::Network { .. })
                && !matches!(entry.file, ModelFile::Fetchable(_))
        });
        let here = here.map(|entry| Candidate::Model(Box::new(entry)));
        let broken = listing.broken.into_iter();
        let broken = broken.map(|b| Candidate::Broken { name: b.name, error: b.error });
        Ok(here.chain(broken).collect())
    }

    /// What to call it in a table.
    pub fn name(&self) -> String {
        match self {
            Candidate::Model(entry) => entry.spec.name.to_string(),
            Candidate::File { path, .. } => path.display().to_string(),
            Candidate::Broken { name, .. } => name.clone(),
        }
    }

    /// The network, and the bytes of its file.
    pub(super) fn open(self) -> Result<(Pretrained, u64), OpenEntryError> {
        match self {
            Candidate::Model(entry) => {
                let bytes = match &entry.file {
                    ModelFile::BuiltIn(bytes) => bytes.len() as u64,
                    ModelFile::At(path) | ModelFile::Fetchable(path) => length(path),
                };
                Ok((open_entry(&entry)?, bytes))
            }
            Candidate::File { path, stated } => {
                Ok((Pretrained::of_file(&path, &stated)?, length(&path)))
            }
            Candidate::Broken { error, .. } => Err(error.into()),
        }
    }
}

/// Of a file that is read next: whatever is wrong with it is said then.
fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}
