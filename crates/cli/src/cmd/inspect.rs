use std::path::PathBuf;

use clap::Args;
use graft_host::inspect::inspect;

use crate::args::Context;
use crate::output::{Outcome, print};
use crate::text;

/// Look into an ONNX file or a bundle
///
/// Inputs, outputs, operators and cost, and whether the device engine runs it.
#[derive(Args)]
pub struct Cmd {
    /// An ONNX file or a bundle
    file: PathBuf,

    /// List where it can be cut: where all of the network passes through one tensor
    #[arg(long)]
    cuts: bool,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let inspection = inspect(&self.file, self.cuts)?;
        print(context.global, "inspect", &inspection, || text::inspect::result(&inspection))?;
        Ok(Outcome::Yes)
    }
}
