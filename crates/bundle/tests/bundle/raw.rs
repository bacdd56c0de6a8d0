//! Bundles that the crate's own writer refuses to write, with right digests.

use sha2::{Digest, Sha256};

/// A table entry and its bytes; everything in it can be made wrong.
#[derive(Clone)]
pub struct Raw {
    pub kind: [u8; 4],
    pub form: u16,
    pub reserved: u16,
    pub reserved_end: u64,
    /// Added to the offset that would be right, in the table and in the file.
    pub shift: u64,
    /// Bytes between the section before and this one.
    pub padding: u8,
    pub bytes: Vec<u8>,
}

pub fn raw(kind: &[u8; 4], form: u16, bytes: impl Into<Vec<u8>>) -> Raw {
    let bytes = bytes.into();
    Raw { kind: *kind, form, reserved: 0, reserved_end: 0, shift: 0, padding: 0, bytes }
}

pub fn assemble(minor: u16, sections: &[Raw]) -> Vec<u8> {
    let table_end = 64 + 64 * sections.len();
    let mut table = Vec::new();
    let mut data = Vec::new();
    for section in sections {
        let end = table_end + data.len();
        let offset = end.next_multiple_of(64) + section.shift as usize;
        data.resize(offset - table_end, section.padding);
        data.extend(&section.bytes);
        table.extend(section.kind);
        table.extend(section.form.to_le_bytes());
        table.extend(section.reserved.to_le_bytes());
        table.extend((offset as u64).to_le_bytes());
        table.extend((section.bytes.len() as u64).to_le_bytes());
        table.extend(Sha256::digest(&section.bytes));
        table.extend(section.reserved_end.to_le_bytes());
    }
    let mut head = b"\x89GRFT\r\n\x1a\x01\x00".to_vec();
    head.extend(minor.to_le_bytes());
    head.extend((sections.len() as u32).to_le_bytes());
    head.extend(((table_end + data.len()) as u64).to_le_bytes());
    let mut bytes = [&head[..], &[0; 40], &table, &data].concat();
    digest_table(&mut bytes);
    bytes
}

/// Makes the digest of header and table right again.
pub fn digest_table(bytes: &mut [u8]) {
    let count = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let end = bytes.len().min(64 + 64 * count);
    let digest = Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[64..end]).finalize();
    bytes[32..64].copy_from_slice(&digest);
}
