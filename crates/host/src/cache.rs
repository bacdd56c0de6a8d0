//! Features that were computed before, found again by content.
//!
//! A *space* is a folder for everything that fixes a feature's bits apart from
//! the photo: backbone, cut, preparation, provider, ONNX Runtime, processor. In
//! it stand *segments*: files that are written whole, never changed, never
//! truncated, and mapped. So any number of processes can read and add at once;
//! the worst that a race does is to compute a row twice. A segment whose
//! checksums fail is unlinked (others may still map it) and its rows are
//! computed again.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::atomic::{remove_left, temporary};
use crate::digest::Digest;

mod segment;
mod upkeep;

use segment::Segment;
pub use upkeep::{Usage, clear, usage};

/// Rows that are kept in memory before they become a segment, at most.
const ROWS_A_SEGMENT: usize = 2048;

/// As large as a segment gets by more than one row: maps of early layers are long.
const BYTES_A_SEGMENT: usize = 32 << 20;

/// A segment is named by its content, which is known when it is written.
const NAMELESS: &str = "";

/// Features say something about photos, which may be nobody else's business.
fn private(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// The features of one space.
pub struct FeatureCache {
    folder: PathBuf,
    description: String,
    dimension: usize,
    segments: Vec<Segment>,
    rows: HashMap<Digest, (usize, usize)>,
    pending: Vec<(Digest, Vec<f32>)>,
    torn: Vec<PathBuf>,
}

/// Where features are kept, and how much of them.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// The folder of all spaces.
    pub folder: PathBuf,
    /// Spaces used longest ago are removed beyond this.
    pub limit_bytes: u64,
}

/// The cache's folder can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the feature cache at {} cannot be used", path.display())]
pub struct CacheError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl FeatureCache {
    /// Opens a space. `description` says in words what it is for; a person who
    /// looks into the folder finds it there.
    pub fn open(
        config: &CacheConfig,
        space: Digest,
        dimension: usize,
        description: &str,
    ) -> Result<FeatureCache, CacheError> {
        let folder = config.folder.join(&space.to_string()[..32]);
        let fail = |path: &Path| {
            let path = path.to_path_buf();
            move |source| CacheError { path, source }
        };
        std::fs::create_dir_all(&folder).map_err(fail(&folder))?;
        // Its time of change says when the space was last used.
        std::fs::write(folder.join(upkeep::DESCRIPTION), description).map_err(fail(&folder))?;
        upkeep::prune(config, &folder).map_err(fail(&config.folder))?;
        remove_left(&folder, NAMELESS.as_ref());

        let mut cache = FeatureCache {
            folder,
            description: description.to_owned(),
            dimension,
            segments: Vec::new(),
            rows: HashMap::new(),
            pending: Vec::new(),
            torn: Vec::new(),
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&cache.folder).map_err(fail(&cache.folder))? {
            let path = entry.map_err(fail(&cache.folder))?.path();
            if path.extension().is_some_and(|e| e == segment::EXTENSION) {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            // Another process may have found it torn and unlinked it just now.
            let Ok(file) = File::open(&path) else { continue };
            // SAFETY: segments are never changed or truncated after they got
            // their name; whoever breaks that from outside breaks this process.
            let map = unsafe { Mmap::map(&file) }.map_err(fail(&path))?;
            match Segment::check(&path, map, dimension) {
                Some(segment) => cache.add(segment),
                None => cache.remove_torn(path)?,
            }
        }
        Ok(cache)
    }

    /// The row of a photo, if it is here and whole. A torn row takes its whole
    /// segment with it: where one byte is wrong, others may be.
    pub fn get(&mut self, photo: &Digest) -> Result<Option<&[f32]>, CacheError> {
        let Some(&(segment, row)) = self.rows.get(photo) else { return Ok(None) };
        if self.segments[segment].row(row).is_none() {
            self.rows.retain(|_, (s, _)| *s != segment);
            self.remove_torn(self.segments[segment].path.clone())?;
            return Ok(None);
        }
        Ok(self.segments[segment].row(row))
    }

    /// Keeps a row.
    pub fn put(&mut self, photo: Digest, row: Vec<f32>) -> Result<(), CacheError> {
        debug_assert_eq!(row.len(), self.dimension);
        self.pending.push((photo, row));
        let rows = (BYTES_A_SEGMENT / (4 * self.dimension.max(1))).clamp(1, ROWS_A_SEGMENT);
        if self.pending.len() < rows { Ok(()) } else { self.flush() }
    }

    /// Writes the rows that are still in memory.
    pub fn flush(&mut self) -> Result<(), CacheError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.pending);
        rows.sort_by_key(|(photo, _)| *photo);
        rows.dedup_by_key(|(photo, _)| *photo);
        let bytes = segment::encode(&rows, self.dimension);
        let fail = |source| CacheError { path: self.folder.clone(), source };
        // A neighbour may have cleared the cache since it was opened.
        std::fs::create_dir_all(&self.folder).map_err(fail)?;
        std::fs::write(self.folder.join(upkeep::DESCRIPTION), &self.description).map_err(fail)?;
        // Not synced: a segment that a power cut tears is found by its checksum.
        let mut file = temporary(&self.folder, NAMELESS.as_ref(), private).map_err(fail)?;
        file.write_all(&bytes).map_err(fail)?;
        let name = format!("{}.{}", &Digest::of(&bytes).to_string()[..32], segment::EXTENSION);
        file.persist(self.folder.join(name)).map_err(|e| fail(e.error))?;
        Ok(())
    }

    /// Segments that were found torn and removed.
    pub fn torn(&self) -> &[PathBuf] {
        &self.torn
    }

    fn add(&mut self, segment: Segment) {
        let index = self.segments.len();
        for row in 0..segment.len() {
            self.rows.insert(segment.key(row), (index, row));
        }
        self.segments.push(segment);
    }

    fn remove_torn(&mut self, path: PathBuf) -> Result<(), CacheError> {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(CacheError { path, source: e })
            }
            _ => {
                self.torn.push(path);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
