//! Word vectors: a file of them, or one that the catalogue holds.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use graft_words::{Kind, NotUtf8, ReadError, Reading, Summary, WordVectors};
use serde::{Deserialize, Serialize};

use crate::backbone::Origin;
use crate::catalogue::{self, CatalogueError, Content, Entry, ModelFile};
use crate::digest::Digest;
use crate::progress::{Event, OnEvent, Stage};

/// How a file of word vectors is written, as `model.toml` and flags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// GloVe's text.
    Glove,
    /// word2vec's text, with its header.
    Word2vecText,
    /// word2vec's binary.
    Word2vecBinary,
}

impl From<Kind> for Format {
    fn from(kind: Kind) -> Format {
        match kind {
            Kind::Glove => Format::Glove,
            Kind::Word2vecText => Format::Word2vecText,
            Kind::Word2vecBinary => Format::Word2vecBinary,
        }
    }
}

impl From<Format> for Kind {
    fn from(format: Format) -> Kind {
        match format {
            Format::Glove => Kind::Glove,
            Format::Word2vecText => Kind::Word2vecText,
            Format::Word2vecBinary => Kind::Word2vecBinary,
        }
    }
}

/// A file of word vectors that is there, not yet read.
#[derive(Clone, Debug)]
pub struct VectorsFile {
    /// Of the file.
    pub path: PathBuf,
    /// Where it came from, for provenance; `sha256` was compared, if it is of the
    /// catalogue.
    pub origin: Origin,
    reading: Reading,
}

/// What is stated of a file, as it doesn't always show it.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatedVectors {
    /// `None`: as `model.toml` says, or as the file's beginning tells.
    pub format: Option<Format>,
    /// Words that are not UTF-8 are left out.
    pub skip_not_utf8: bool,
}

/// Word vectors that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum VectorsError {
    /// The catalogue.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
    /// A model of another kind.
    #[error("{name} is a network, not word vectors")]
    Network { name: String },
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not what it should be.
    #[error("{}", path.display())]
    Words { path: PathBuf, source: ReadError },
    /// The event sink said so.
    #[error("stopped")]
    Cancelled,
}

impl VectorsFile {
    /// What `name` names: a file that is there, or a model of the catalogue at
    /// `folder`.
    pub fn named(
        folder: &Path,
        name: &str,
        stated: StatedVectors,
    ) -> Result<VectorsFile, VectorsError> {
        let path = Path::new(name);
        // A folder with a `model.toml` has a slash in its path too.
        if path.is_file() || (!path.is_dir() && is_customary(path)) {
            VectorsFile::of_file(path, stated)
        } else {
            VectorsFile::of_entry(&catalogue::find(folder, name)?, stated)
        }
    }

    /// A file outside of the catalogue.
    pub fn of_file(path: &Path, stated: StatedVectors) -> Result<VectorsFile, VectorsError> {
        let origin = Origin {
            name: stem(path),
            origin: "a local file".to_owned(),
            licence: "not stated".to_owned(),
            sha256: digest(path)?,
        };
        Ok(VectorsFile { path: path.to_path_buf(), origin, reading: reading(stated, None) })
    }

    /// Of the catalogue, its digest checked.
    pub fn of_entry(entry: &Entry, stated: StatedVectors) -> Result<VectorsFile, VectorsError> {
        let spec = &entry.spec;
        let Content::Words { words } = &spec.content else {
            return Err(VectorsError::Network { name: spec.name.to_string() });
        };
        let path = match &entry.file {
            ModelFile::At(path) => path.clone(),
            ModelFile::BuiltIn(_) | ModelFile::Fetchable(_) => {
                return Err(CatalogueError::NotFetched { name: spec.name.clone() }.into());
            }
        };
        let (found, expected) = (digest(&path)?, spec.digest());
        if found != expected {
            return Err(CatalogueError::WrongFile { path, found, expected }.into());
        }
        let origin = Origin {
            name: spec.name.to_string(),
            origin: spec.origin.clone(),
            licence: spec.licence.clone(),
            sha256: found,
        };
        Ok(VectorsFile { path, origin, reading: reading(stated, Some(words.format)) })
    }

    /// Streams it: every word and its vector, in order, until `row` has enough.
    pub fn each(
        &self,
        on: OnEvent<'_>,
        mut row: impl FnMut(&str, &[f32]) -> ControlFlow<()>,
    ) -> Result<Summary, VectorsError> {
        if on(Event::Begin { stage: Stage::Vectors, total: None }).is_break() {
            return Err(VectorsError::Cancelled);
        }
        let (mut done, mut cancelled) = (0_u64, false);
        let summary = graft_words::read_file(&self.path, &self.reading, |word, vector| {
            row(word, vector)?;
            done += 1;
            // Telling costs more than a row.
            if done.is_multiple_of(4096) && on(Event::Advance { done }).is_break() {
                cancelled = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let _ = on(Event::End);
        if cancelled {
            return Err(VectorsError::Cancelled);
        }
        summary.map_err(|source| VectorsError::Words { path: self.path.clone(), source })
    }

    /// Reads all of it into memory.
    pub fn load(&self, on: OnEvent<'_>) -> Result<(WordVectors, Summary), VectorsError> {
        let mut vectors = WordVectors::default();
        let summary = self.each(on, |word, vector| vectors.keep(word, vector))?;
        Ok((vectors, summary))
    }
}

fn reading(stated: StatedVectors, format: Option<Format>) -> Reading {
    let not_utf8 = if stated.skip_not_utf8 { NotUtf8::Skip } else { NotUtf8::Refuse };
    Reading { kind: stated.format.or(format).map(Kind::from), not_utf8 }
}

fn digest(path: &Path) -> Result<Digest, VectorsError> {
    let fail = |source| VectorsError::Read { path: path.to_path_buf(), source };
    Digest::of_reader(File::open(path).map_err(fail)?).map_err(fail)
}

/// How files of word vectors are customarily called.
pub fn is_customary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.ends_with(".txt") || plain.ends_with(".vec") || (plain.ends_with(".bin") && plain != name)
}

/// Whether a file is word vectors: its name says so, or its first row does.
pub fn is_vectors(path: &Path) -> bool {
    is_customary(path)
        || graft_words::read_file(path, &Reading::default(), |_, _| ControlFlow::Break(())).is_ok()
}

/// The file's name, without what tells its format.
pub fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    [".txt", ".vec", ".bin"]
        .iter()
        .find_map(|end| plain.strip_suffix(end))
        .unwrap_or(plain)
        .to_owned()
}
