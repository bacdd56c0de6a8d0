use minisign_verify::{PublicKey, Signature};

use crate::error::{BundleError, TrailerProblem};

const MARK: &[u8; 8] = b"GRFTSIG1";
const MAX_SIGNATURE: u64 = 4096;
/// Signature, its length and the mark.
pub(crate) const MAX_TRAILER: u64 = MAX_SIGNATURE + 16;

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
    /// The signature is of the file itself and not of its digest.
    #[error(
        "the bundle's signature is in minisign's legacy format: sign the bundle with minisign 0.10 or newer"
    )]
    Legacy,
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
    Verifier::new(public_key, signature)?.verify(|take| {
        take(body);
        Ok(())
    })
}

/// A key and a signature that are well-formed.
pub(crate) struct Verifier {
    public_key: PublicKey,
    signature: Signature,
}

impl Verifier {
    pub(crate) fn new(public_key: &str, signature: &str) -> Result<Verifier, SignatureError> {
        let public_key = public_key.trim();
        let public_key = if public_key.contains('\n') {
            PublicKey::decode(public_key)
        } else {
            PublicKey::from_base64(public_key)
        }
        .map_err(SignatureError::PublicKey)?;
        let signature = Signature::decode(signature).map_err(SignatureError::Malformed)?;
        Ok(Verifier { public_key, signature })
    }

    /// `body` hands out the signed bytes, in order.
    pub(crate) fn verify(
        &self,
        body: impl FnOnce(&mut dyn FnMut(&[u8])) -> std::io::Result<()>,
    ) -> Result<(), SignatureError> {
        let stream = self.public_key.verify_stream(&self.signature);
        let mut stream = stream.map_err(|error| match error {
            minisign_verify::Error::UnsupportedLegacyMode => SignatureError::Legacy,
            error => SignatureError::Wrong(error),
        })?;
        body(&mut |bytes| stream.update(bytes)).map_err(BundleError::from)?;
        stream.finalize().map_err(SignatureError::Wrong)
    }
}
