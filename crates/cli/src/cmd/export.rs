use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use graft_host::atomic::write_whole;
use graft_host::bundle_file::{BundleFacts, BundleFile, BundleFileError, is_bundle};
use graft_host::digest::Digest;
use graft_host::export::{onnx_bundle, plain_onnx};
use serde::Serialize;

use crate::args::Context;
use crate::output::{Outcome, print};
use crate::text;

/// Write a bundle's network for other engines, or for small flash
///
/// A plain ONNX file has the outputs features, logits and probabilities, the
/// temperature applied; labels, preparation and the unknown threshold are in its
/// metadata. A bundle with the ONNX form alone is half the size, and opens slower on
/// a device; it is not signed.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    #[command(flatten)]
    files: Files,
}

/// What is written.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Files {
    /// The ONNX file to write
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,

    /// The bundle to write that has the ONNX form alone
    #[arg(long, value_name = "FILE")]
    onnx_bundle: Option<PathBuf>,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub bundle: BundleFacts,
    pub onnx: Option<FileFacts>,
    /// Of the plain ONNX file.
    pub outputs: Vec<String>,
    pub onnx_bundle: Option<FileFacts>,
    /// Whether the bundle carried a signature, which `onnx_bundle` cannot.
    pub was_signed: bool,
}

#[derive(Serialize)]
pub struct FileFacts {
    #[serde(serialize_with = "graft_host::lossy::path")]
    pub path: PathBuf,
    pub bytes: usize,
    pub sha256: Digest,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let Files { onnx, onnx_bundle: small } = self.files;
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        // Before the first of two files is written.
        if let Some(path) = onnx.as_deref().filter(|path| path.exists())
            && is_bundle(path)?
        {
            bail!("{} is a bundle; name another file for the ONNX graph", path.display());
        }
        if let Some(path) = small.as_deref().filter(|path| path.exists())
            && !is_bundle(path)?
        {
            bail!("{} is there and is not a bundle; name another file", path.display());
        }
        let mut report = Report {
            bundle: file.facts(&bundle),
            onnx: None,
            outputs: Vec::new(),
            onnx_bundle: None,
            was_signed: bundle.signature().is_some(),
        };
        if let Some(path) = onnx {
            let (bytes, outputs) = plain_onnx(&bundle)?;
            report.onnx = Some(write(&path, &bytes)?);
            report.outputs = outputs;
        }
        if let Some(path) = small {
            let bytes = onnx_bundle(&bundle)
                .map_err(|source| BundleFileError::Bundle { path: self.bundle, source })?;
            report.onnx_bundle = Some(write(&path, &bytes)?);
        }
        print(context.global, "export", &report, || text::export(&report))?;
        Ok(Outcome::Yes)
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<FileFacts> {
    write_whole(path, bytes)?;
    Ok(FileFacts { path: path.to_owned(), bytes: bytes.len(), sha256: Digest::of(bytes) })
}
