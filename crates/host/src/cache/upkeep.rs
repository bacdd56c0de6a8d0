use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{CacheConfig, CacheError, segment};

pub(super) const DESCRIPTION: &str = "space.txt";

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Spaces: combinations of backbone, cut, preparation and engine.
    pub spaces: usize,
    /// Segment files.
    pub segments: usize,
    /// In all.
    pub bytes: u64,
}

struct Space {
    folder: PathBuf,
    used: SystemTime,
    segments: usize,
    bytes: u64,
}

/// Counts what is kept.
pub fn usage(config: &CacheConfig) -> Result<Usage, CacheError> {
    let spaces = spaces(&config.folder)
        .map_err(|source| CacheError { path: config.folder.clone(), source })?;
    Ok(Usage {
        spaces: spaces.len(),
        segments: spaces.iter().map(|s| s.segments).sum(),
        bytes: spaces.iter().map(|s| s.bytes).sum(),
    })
}

/// Removes all features. Answers what was kept until now.
pub fn clear(config: &CacheConfig) -> Result<Usage, CacheError> {
    let before = usage(config)?;
    match std::fs::remove_dir_all(&config.folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CacheError { path: config.folder.clone(), source })
        }
        _ => Ok(before),
    }
}

/// Removes the spaces used longest ago until the rest is within the limit.
/// `keep` stays, whatever its size.
pub(super) fn prune(config: &CacheConfig, keep: &Path) -> io::Result<()> {
    let mut spaces = spaces(&config.folder)?;
    spaces.sort_by_key(|s| s.used);
    let mut total: u64 = spaces.iter().map(|s| s.bytes).sum();
    for space in spaces {
        if total <= config.limit_bytes {
            break;
        }
        if space.folder != keep {
            match std::fs::remove_dir_all(&space.folder) {
                // A neighbour prunes too, or is writing there: it is in use.
                Err(e) if !is_race(&e) => return Err(e),
                _ => total -= space.bytes,
            }
        }
    }
    Ok(())
}

fn spaces(folder: &Path) -> io::Result<Vec<Space>> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut spaces = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        // Only what a cache made is counted, and so only that is ever pruned.
        let Ok(description) = std::fs::metadata(folder.join(DESCRIPTION)) else { continue };
        let mut space =
            Space { used: description.modified()?, folder, segments: 0, bytes: description.len() };
        let files = match std::fs::read_dir(&space.folder) {
            Err(e) if is_race(&e) => continue,
            files => files?,
        };
        for file in files {
            let file = file?;
            if file.path().extension().is_some_and(|e| e == segment::EXTENSION) {
                space.segments += 1;
                space.bytes += file.metadata().map_or(0, |m| m.len());
            }
        }
        spaces.push(space);
    }
    Ok(spaces)
}

/// What another process that clears or prunes at the same time can cause.
fn is_race(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty)
}
