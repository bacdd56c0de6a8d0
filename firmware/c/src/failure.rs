//! Why a call failed, in the words that `graft_error()` gives.

use std::path::PathBuf;
use std::str::Utf8Error;

use device::{OpenError, RunError, VerifyError};
use graft_bundle::{BundleError, SignatureError};
use graft_input::{DecodeError, MAX_PIXELS, RawFrameError};

use crate::status::graft_status;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{argument} is NULL")]
    Null { argument: &'static str },
    #[error("{argument} does not point at what its type says: its address is not aligned")]
    Misaligned { argument: &'static str },
    #[error("{argument} is not UTF-8")]
    NotUtf8 { argument: &'static str },
    #[error("{argument} of {length} bytes is more than memory can hold")]
    Length { argument: &'static str, length: usize },
    #[error(
        "{kind}.size is {found}, must be {expected}: begin with {initialiser}, and build against this library's own graft.h"
    )]
    StructSize { kind: &'static str, initialiser: &'static str, expected: usize, found: u32 },
    #[error("graft_frame.format is {0}, which is no GRAFT_ format of this version")]
    Format(u32),
    #[error("max_pixels is {0}, must be 1 to {MAX_PIXELS}")]
    MaxPixels(u64),
    #[error("the model is in use by another call: a model serves one thread at a time")]
    InUse,
    #[error("the model panicked in an earlier call: close it and open it again")]
    Broken,
    #[error("cannot read {path:?}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path:?} is not a file")]
    NotAFile { path: PathBuf },
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Differs(#[from] VerifyError),
    #[error("the model has not been verified on this machine: call graft_verify() first, once")]
    Unverified,
    #[error(transparent)]
    Frame(#[from] RawFrameError),
    #[error(transparent)]
    Picture(#[from] DecodeError),
    #[error("the text is not UTF-8: {0}")]
    Text(#[from] Utf8Error),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("a bug in libgraft_runtime: {0}")]
    Panicked(String),
}

impl Failure {
    pub(crate) fn status(&self) -> graft_status {
        use graft_status::*;
        match self {
            Failure::Null { .. }
            | Failure::Misaligned { .. }
            | Failure::NotUtf8 { .. }
            | Failure::Length { .. }
            | Failure::StructSize { .. }
            | Failure::Format(_)
            | Failure::MaxPixels(_)
            | Failure::InUse => GRAFT_MISUSE,
            Failure::File { .. } | Failure::NotAFile { .. } => GRAFT_FILE,
            // A file may fail at any time until its network is read.
            Failure::Bundle(BundleError::Read(_))
            | Failure::Signature(SignatureError::Bundle(BundleError::Read(_))) => GRAFT_FILE,
            Failure::Bundle(_) => GRAFT_BUNDLE,
            // A damaged trailer is damage; the other three are distrust.
            Failure::Signature(SignatureError::Bundle(_)) => GRAFT_BUNDLE,
            Failure::Signature(_) => GRAFT_SIGNATURE,
            Failure::Open(OpenError::Damaged(_)) => GRAFT_BUNDLE,
            Failure::Open(_) => GRAFT_NETWORK,
            Failure::Differs(_) => GRAFT_DIFFERS,
            Failure::Unverified => GRAFT_UNVERIFIED,
            Failure::Frame(_) => GRAFT_FRAME,
            Failure::Picture(_) => GRAFT_PICTURE,
            Failure::Text(_) => GRAFT_TEXT,
            Failure::Run(RunError::NotAboutPictures | RunError::NotAboutTexts) => GRAFT_MISUSE,
            Failure::Run(_) => GRAFT_ENGINE,
            Failure::Broken | Failure::Panicked(_) => GRAFT_PANICKED,
        }
    }
}
