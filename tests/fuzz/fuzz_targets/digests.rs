use sha2::{Digest, Sha256};

/// The same bytes with the digests that they should have, as far as header and
/// table can be made out.
pub fn made_right(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() < 64 {
        return bytes;
    }
    let body_length = bytes.len() as u64;
    if !bytes.ends_with(b"GRFTSIG1") {
        bytes[16..24].copy_from_slice(&body_length.to_le_bytes());
    }
    let count = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]).min(64) as usize;
    let table_end = bytes.len().min(64 + 64 * count);
    for entry in (64..table_end).step_by(64).take_while(|entry| entry + 64 <= table_end) {
        let number = |at: usize| {
            let number = bytes[at..].first_chunk().copied().map(u64::from_le_bytes)?;
            usize::try_from(number).ok()
        };
        let section = number(entry + 8)
            .zip(number(entry + 16))
            .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?));
        if let Some(section) = section {
            let digest = Sha256::digest(section);
            bytes[entry + 24..entry + 56].copy_from_slice(&digest);
        }
    }
    let table =
        Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[64..table_end]).finalize();
    bytes[32..64].copy_from_slice(&table);
    bytes
}
