//! Where the bytes of a bundle are: in memory, or still in a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest, Sha256};

use crate::error::BundleError;

/// All of a bundle but its signature. Positions count from its beginning.
pub(crate) trait Body {
    fn length(&self) -> u64;

    /// A copy of a part that is small by the format.
    fn read(&self, start: u64, end: u64) -> Result<Vec<u8>, BundleError>;

    fn sha256(&self, start: u64, end: u64) -> Result<[u8; 32], BundleError>;
}

impl Body for [u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, start: u64, end: u64) -> Result<Vec<u8>, BundleError> {
        slice(self, start, end).map(<[u8]>::to_vec)
    }

    fn sha256(&self, start: u64, end: u64) -> Result<[u8; 32], BundleError> {
        slice(self, start, end).map(|bytes| Sha256::digest(bytes).into())
    }
}

/// `body[start..end]`, where 64-bit positions may be beyond a 32-bit machine.
pub(crate) fn slice(body: &[u8], start: u64, end: u64) -> Result<&[u8], BundleError> {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    range
        .and_then(|(start, end)| body.get(start..end))
        .ok_or(BundleError::BodyLength { end, body_length: body.length() })
}

/// A body in a file. Its first bytes were read once and are never read again, so
/// that whatever is held to the digests in them is held to the same ones.
#[derive(Debug)]
pub(crate) struct FileBody {
    pub(crate) file: File,
    pub(crate) head: Vec<u8>,
    pub(crate) length: u64,
}

impl FileBody {
    /// Calls `take` with the bytes from `start` to `end`, a block at a time.
    pub(crate) fn blocks(
        &self,
        start: u64,
        end: u64,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        let mut at = start;
        while at < end {
            let wanted = BLOCK.min(usize::try_from(end - at).unwrap_or(BLOCK));
            self.file.read_exact_at(&mut block[..wanted], at)?;
            take(&block[..wanted]);
            at += wanted as u64;
        }
        Ok(())
    }
}

const BLOCK: usize = 64 << 10;

impl Body for FileBody {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, start: u64, end: u64) -> Result<Vec<u8>, BundleError> {
        if let Ok(bytes) = slice(&self.head, start, end) {
            return Ok(bytes.to_vec());
        }
        if start > end || end > self.length {
            return Err(BundleError::BodyLength { end, body_length: self.length });
        }
        let mut bytes = vec![0; (end - start) as usize];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }

    fn sha256(&self, start: u64, end: u64) -> Result<[u8; 32], BundleError> {
        let mut hasher = Sha256::new();
        self.blocks(start, end, |block| hasher.update(block))?;
        Ok(hasher.finalize().into())
    }
}
