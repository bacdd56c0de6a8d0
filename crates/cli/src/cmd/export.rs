use std::path::PathBuf;

use clap::Args;
use graft_host::atomic::write_whole;
use graft_host::bundle_file::{BundleFacts, BundleFile, is_bundle};
use graft_host::digest::Digest;
use graft_host::export::plain_onnx;
use serde::Serialize;

use crate::args::Context;
use crate::output::{Outcome, print};
use crate::text;

/// Write a bundle's network for other engines
///
/// One plain ONNX file with the outputs features, logits and probabilities, the
/// temperature applied; labels, preparation and the unknown threshold are in its
/// metadata.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// The ONNX file to write
    #[arg(long, value_name = "FILE", required = true)]
    onnx: PathBuf,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub bundle: BundleFacts,
    pub onnx: FileFacts,
    pub outputs: Vec<String>,
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
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        if self.onnx.exists() && is_bundle(&self.onnx)? {
            anyhow::bail!(
                "{} is a bundle; name another file for the ONNX graph",
                self.onnx.display()
            );
        }
        let (bytes, outputs) = plain_onnx(&bundle)?;
        write_whole(&self.onnx, &bytes)?;
        let report = Report {
            bundle: file.facts(&bundle),
            onnx: FileFacts { path: self.onnx, bytes: bytes.len(), sha256: Digest::of(&bytes) },
            outputs,
        };
        print(context.global, "export", &report, || text::export(&report))?;
        Ok(Outcome::Yes)
    }
}
