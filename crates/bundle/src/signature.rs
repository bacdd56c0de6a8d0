use minisign_verify::{PublicKey, Signature};

use crate::error::{BundleError, TrailerProblem};

const MARK: &[u8; 8] = b"GRFTSIG1";
const MAX_SIGNATURE: u64 = 4096;

/// Why a bundle is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The trailer cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// There is no signature.
    #[error("the bundle is not signed")]
    Unsigned,
    /// The key is not one of minisign's.
    #[error("the public key is not one that minisign writes: {0}")]
    PublicKey(minisign_verify::Error),
    /// The text of the signature is not minisign's.
    #[error("the bundle's signature is not one that minisign writes: {0}")]
    Malformed(minisign_verify::Error),
    /// Another key signed it, or it was changed afterwards.
    #[error("the bundle's signature does not hold for this public key: {0}")]
    Wrong(minisign_verify::Error),
}

/// Splits a file into the bundle's body and the text of its signature, if it has
/// one. Neither is looked into.
///
/// # Errors
///
/// [`BundleError::Trailer`] if the file ends in a mark without a signature.
pub fn split_signature(bytes: &[u8]) -> Result<(&[u8], Option<&str>), BundleError> {
    let Some(rest) = bytes.strip_suffix(MARK) else {
        return Ok((bytes, None));
    };
    let broken = |problem| BundleError::Trailer { problem };
    let (rest, length) = rest.split_last_chunk::<8>().ok_or(broken(TrailerProblem::TooLong))?;
    let length = u64::from_le_bytes(*length);
    if !(1..=MAX_SIGNATURE).contains(&length) {
        return Err(broken(TrailerProblem::Length(length)));
    }
    let start = rest.len().checked_sub(length as usize).ok_or(broken(TrailerProblem::TooLong))?;
    let (body, text) = rest.split_at(start);
    let text = std::str::from_utf8(text).map_err(|_| broken(TrailerProblem::NotUtf8))?;
    Ok((body, Some(text)))
}

/// Appends a signature file, as `minisign -S` wrote it for `body`, to the body.
///
/// It is not verified here: [`verify_signature`] does that with a public key.
///
/// # Errors
///
/// [`BundleError::Trailer`] if the text is too long to be one.
pub fn append_signature(body: &[u8], signature: &str) -> Result<Vec<u8>, BundleError> {
    let length = signature.len() as u64;
    if !(1..=MAX_SIGNATURE).contains(&length) {
        return Err(BundleError::Trailer { problem: TrailerProblem::Length(length) });
    }
    Ok([body, signature.as_bytes(), &length.to_le_bytes(), MARK].concat())
}

/// Checks the signature of a bundle before anything in it is parsed.
///
/// `public_key` is what minisign puts into a `.pub` file: the whole file, or its
/// base64 line alone. Only prehashed signatures hold, minisign's own default
/// since 0.10. The signature covers the body and the trusted comment, not the
/// untrusted one.
///
/// Parse the very bytes that were verified: a mapped file that another process
/// can write to may change in between.
///
/// # Errors
///
/// Says whether the bundle is unsigned, the key or the signature unreadable, or
/// the signature wrong.
pub fn verify_signature(bytes: &[u8], public_key: &str) -> Result<(), SignatureError> {
    let (body, signature) = split_signature(bytes)?;
    let signature = signature.ok_or(SignatureError::Unsigned)?;
    let public_key = public_key.trim();
    let public_key = if public_key.contains('\n') {
        PublicKey::decode(public_key)
    } else {
        PublicKey::from_base64(public_key)
    }
    .map_err(SignatureError::PublicKey)?;
    let signature = Signature::decode(signature).map_err(SignatureError::Malformed)?;
    public_key.verify(body, &signature, false).map_err(SignatureError::Wrong)
}
