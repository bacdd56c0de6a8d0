//! The file of packed weights: a head in JSON, then panels, each matrix from a page on.
//!
//! It is derived from a bundle on the device that reads it, and can be made again, so it
//! has no versions to keep up with: what does not fit is written anew. Its check sums
//! find damage; who may write to its folder is trusted.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::Weights;
use super::find::Found;
use crate::ENGINE;
use crate::error::{WeightsError, hex};

const MAGIC: [u8; 8] = *b"graftwts";

/// Magic, length of the head, its check sum.
const START: usize = 16;

/// Matrices begin where the largest pages of any board may begin, so that those of one
/// can be given back without those of the next.
const ALIGNMENT: u64 = 16 << 10;

const BLOCK: usize = 64 << 10;

const EXTENSION: &str = "weights";
const UNFINISHED: &str = "new";

/// Of the model's digest, in the name.
const DIGITS: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    engine: String,
    /// SHA-256 of the model that they are from, in hexadecimal digits.
    model: String,
    weights: Vec<Weights>,
}

/// Where the weights of a model are in a folder.
pub(crate) fn path_in(folder: &Path, model_sha256: &[u8; 32]) -> PathBuf {
    folder.join(&hex(model_sha256)[..DIGITS]).with_extension(EXTENSION)
}

/// Reads the head, checks all bytes, and maps the file.
pub(super) fn open(
    path: &Path,
    model_sha256: &[u8; 32],
) -> Result<(Vec<Weights>, Mmap), WeightsError> {
    let failed = |source| WeightsError::Read { path: path.to_owned(), source };
    let stale = |why: &str| WeightsError::Stale { path: path.to_owned(), why: why.to_owned() };
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let cut = || stale("it is cut short");
    if length < START as u64 {
        return Err(cut());
    }
    let mut start = [0; START];
    file.read_exact_at(&mut start, 0).map_err(failed)?;
    let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| start[at + byte]));
    let (head_length, head_crc) = (number(8), number(12));
    if start[..8] != MAGIC {
        return Err(stale("it is no file of weights"));
    }
    if START as u64 + u64::from(head_length) > length {
        return Err(cut());
    }
    // At most as long as the file, which is as long as the weights.
    let mut head = vec![0; head_length as usize];
    file.read_exact_at(&mut head, START as u64).map_err(failed)?;
    if crc32fast::hash(&head) != head_crc {
        return Err(stale("its head is damaged"));
    }
    let head: Head =
        serde_json::from_slice(&head).map_err(|error| stale(&format!("its head: {error}")))?;
    if head.engine != ENGINE {
        return Err(stale(&format!("it is from {}", head.engine)));
    }
    if head.model != hex(model_sha256) {
        return Err(stale("it is of another model"));
    }
    for one in &head.weights {
        let end = one.at.checked_add(one.bytes as u64);
        if end.is_none_or(|end| end > length) || one.at % ALIGNMENT != 0 {
            return Err(cut());
        }
        if checksum(&file, one.at, one.bytes).map_err(failed)? != one.crc32 {
            return Err(stale(&format!("{} is damaged", one.label)));
        }
    }
    // SAFETY: nothing here writes to it; a new one replaces it by renaming. Whoever changes
    // or cuts it in place breaks what `Model::open_file_mapped` demands.
    let map = unsafe { Mmap::map(&file) }
        .map_err(|source| WeightsError::Map { path: path.to_owned(), source })?;
    if map.len() as u64 != length {
        return Err(cut());
    }
    Ok((head.weights, map))
}

/// Of bytes of a file, which are read and not mapped: they are not to be resident.
fn checksum(file: &File, at: u64, bytes: usize) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0; BLOCK.min(bytes)];
    for offset in (0..bytes).step_by(BLOCK) {
        let part = BLOCK.min(bytes - offset);
        file.read_exact_at(&mut block[..part], at + offset as u64)?;
        hasher.update(&block[..part]);
    }
    Ok(hasher.finalize())
}

/// A file that is being written, under another name until it is whole.
pub(super) struct Writer {
    path: PathBuf,
    unfinished: Unfinished,
    head: Head,
    /// What has been written of each matrix.
    written: Vec<(usize, crc32fast::Hasher)>,
}

impl Writer {
    pub(super) fn create(
        folder: &Path,
        model_sha256: &[u8; 32],
        found: &[Found],
    ) -> Result<Writer, WeightsError> {
        let path = path_in(folder, model_sha256);
        let mut weights: Vec<Weights> = found.iter().map(Weights::of).collect();
        // Numbers as long as they can become, so that the head only becomes shorter.
        for one in &mut weights {
            (one.at, one.crc32) = (u64::MAX, u32::MAX);
        }
        let mut head = Head { engine: ENGINE.to_owned(), model: hex(model_sha256), weights };
        let mut at = (START + encode(&head)?.len()) as u64;
        for one in &mut head.weights {
            one.at = at.next_multiple_of(ALIGNMENT);
            at = one.at + one.bytes as u64;
        }
        let failed = |source| WeightsError::Write { path: path.clone(), source };
        // With the rights of a new file, and none left behind of a process that was killed.
        let unfinished = Unfinished::create(path.with_extension(UNFINISHED)).map_err(failed)?;
        let written = head.weights.iter().map(|_| (0, crc32fast::Hasher::new())).collect();
        Ok(Writer { path, unfinished, head, written })
    }

    /// The next bytes of a matrix.
    pub(super) fn write(&mut self, index: usize, part: &[u8]) -> Result<(), WeightsError> {
        let (one, (written, hasher)) = (&self.head.weights[index], &mut self.written[index]);
        let at = one.at + *written as u64;
        let done = self.unfinished.file.write_all_at(part, at);
        done.map_err(|source| WeightsError::Write { path: self.path.clone(), source })?;
        *written += part.len();
        hasher.update(part);
        Ok(())
    }

    /// Gives the file its name, and deletes those of other models.
    pub(super) fn finish(self) -> Result<PathBuf, WeightsError> {
        let Writer { path, mut unfinished, mut head, written } = self;
        for (one, (length, hasher)) in head.weights.iter_mut().zip(written) {
            if length != one.bytes {
                let why = format!("tensor {} was not in the model as it was before", one.label);
                return Err(WeightsError::Stale { path, why });
            }
            one.crc32 = hasher.finalize();
        }
        let json = encode(&head)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(crc32fast::hash(&json).to_le_bytes());
        bytes.extend(json);
        let named = unfinished.name(&bytes, &path);
        named.map_err(|source| WeightsError::Write { path: path.clone(), source })?;
        delete_others(&path);
        Ok(path)
    }
}

impl Weights {
    fn of(found: &Found) -> Weights {
        let Found { label, shape, packed_shape, matrix } = found;
        Weights {
            label: label.clone(),
            shape: shape.clone(),
            format: format!("{:?}", matrix.format),
            packed_shape: packed_shape.clone(),
            row_axis: matrix.row_axis,
            column_axis: matrix.column_axis,
            panel_bytes: matrix.panel_bytes(),
            at: 0,
            bytes: matrix.packed_bytes(),
            crc32: 0,
        }
    }
}

/// Deleted, unless it was named.
struct Unfinished {
    path: PathBuf,
    file: File,
    is_named: bool,
}

impl Unfinished {
    fn create(path: PathBuf) -> io::Result<Unfinished> {
        let file = File::create(&path)?;
        Ok(Unfinished { path, file, is_named: false })
    }

    /// Writes its beginning, which makes it whole, and gives it its name.
    fn name(&mut self, beginning: &[u8], path: &Path) -> io::Result<()> {
        self.file.write_all_at(beginning, 0)?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named {
            // It takes room and nothing else: it would be written over.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Weights of bundles that are not run any more would fill the flash, and so would what a
/// killed process left. A file that is still mapped stays until its model goes; one that
/// cannot be deleted is in nobody's way.
fn delete_others(this: &Path) {
    let folder = this.parent().unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_ours = path.file_name().and_then(|name| name.to_str()).is_some_and(is_name);
        if path != this && is_ours {
            let _ = fs::remove_file(path);
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_digit = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    let parts = name.split_once('.');
    parts.is_some_and(|(digits, extension)| {
        digits.len() == DIGITS
            && digits.bytes().all(is_digit)
            && [EXTENSION, UNFINISHED].contains(&extension)
    })
}

fn encode(head: &Head) -> Result<Vec<u8>, WeightsError> {
    serde_json::to_vec(head).map_err(|error| WeightsError::Head(error.to_string()))
}
