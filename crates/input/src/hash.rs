use sha2::{Digest, Sha256};

/// SHA-256 of a tensor's values as little-endian f32, in order: what a
/// reference of a bundle holds, so that a wrong decoder or resizer is told from
/// a wrong network.
pub fn tensor_sha256(tensor: &[f32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    // Through a small block, because a slice of floats is not bytes on every
    // machine, and hashing four bytes at a time costs twice as much.
    let mut block = [0; 4 * 256];
    for values in tensor.chunks(256) {
        let bytes = &mut block[..4 * values.len()];
        for (to, value) in bytes.chunks_exact_mut(4).zip(values) {
            to.copy_from_slice(&value.to_le_bytes());
        }
        hasher.update(bytes);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: [u8; 32]) -> String {
        digest.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Expected: `hashlib.sha256(numpy.arange(n, dtype="<f4").tobytes())`.
    #[test]
    fn the_digest_is_of_little_endian_floats() {
        let check = |n: u16, expected: &str| {
            let tensor: Vec<f32> = (0..n).map(f32::from).collect();
            assert_eq!(hex(tensor_sha256(&tensor)), expected, "{n} values");
        };
        check(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check(3, "75664b4da1c08de9e8fad52303cc458b3e420edde6591e58761e138cc5e3f163");
        check(1000, "55fa639ca9827820a5cd6c2bf06dc59187de06204ecb954ca3824ce3e248de93");
    }
}
