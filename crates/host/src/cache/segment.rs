use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::digest::Digest;

// magic, version, dimension, rows, CRC-32 of all before and of the index
const MAGIC: &[u8; 8] = b"GRFTFEAT";
const VERSION: u32 = 1;
const HEADER: usize = 64;
// digest of the photo, CRC-32 of its row, four bytes of zero
const ENTRY: usize = 40;

pub(super) const EXTENSION: &str = "features";

/// A mapped segment whose header and index are whole.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    map: Mmap,
    dimension: usize,
    rows: usize,
    data: usize,
}

/// Bytes of a segment: header, index, rows from the next multiple of 64.
pub(super) fn encode(rows: &[(Digest, Vec<f32>)], dimension: usize) -> Vec<u8> {
    let data = data_offset(rows.len());
    let mut bytes = Vec::with_capacity(data + rows.len() * dimension * 4);
    bytes.resize(HEADER, 0);
    let values: Vec<Vec<u8>> =
        rows.iter().map(|(_, row)| row.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    for ((photo, _), row) in rows.iter().zip(&values) {
        bytes.extend_from_slice(&photo.0);
        bytes.extend_from_slice(&crc32fast::hash(row).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.resize(data, 0);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&(dimension as u32).to_le_bytes());
    bytes[16..24].copy_from_slice(&(rows.len() as u64).to_le_bytes());
    let crc = checksum(&bytes);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    for row in &values {
        bytes.extend_from_slice(row);
    }
    bytes
}

impl Segment {
    /// `None` if the file is torn, or not a segment of this dimension.
    pub(super) fn check(path: &Path, map: Mmap, dimension: usize) -> Option<Segment> {
        let number = |at: usize| Some(u32::from_le_bytes(map.get(at..at + 4)?.try_into().ok()?));
        if map.get(..8)? != MAGIC || number(8)? != VERSION || number(12)? as usize != dimension {
            return None;
        }
        let rows = u64::from_le_bytes(map.get(16..24)?.try_into().ok()?);
        let rows = usize::try_from(rows).ok().filter(|&rows| rows <= map.len() / ENTRY)?;
        let data = data_offset(rows);
        let expected = rows.checked_mul(dimension)?.checked_mul(4)?.checked_add(data)?;
        if map.len() != expected || number(24)? != checksum(&map[..data]) {
            return None;
        }
        Some(Segment { path: path.to_path_buf(), map, dimension, rows, data })
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn key(&self, row: usize) -> Digest {
        let at = HEADER + row * ENTRY;
        Digest(self.map[at..at + 32].try_into().expect("32 bytes"))
    }

    /// `None` if the row's checksum fails.
    pub(super) fn row(&self, row: usize) -> Option<&[f32]> {
        let entry = HEADER + row * ENTRY;
        let crc = u32::from_le_bytes(self.map[entry + 32..entry + 36].try_into().expect("4 bytes"));
        let at = self.data + row * self.dimension * 4;
        let bytes = &self.map[at..at + self.dimension * 4];
        if crc32fast::hash(bytes) != crc {
            return None;
        }
        // SAFETY: every bit pattern is an f32; maps start on a page and rows on
        // multiples of 4 after that. Segments are little-endian, as every
        // machine that ONNX Runtime is published for.
        let (before, values, after) = unsafe { bytes.align_to::<f32>() };
        debug_assert!(before.is_empty() && after.is_empty());
        Some(values)
    }
}

fn data_offset(rows: usize) -> usize {
    (HEADER + rows * ENTRY).next_multiple_of(64)
}

/// Over header and index, the checksum's own four bytes left out.
fn checksum(head: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..24]);
    crc.update(&head[28..]);
    crc.finalize()
}
