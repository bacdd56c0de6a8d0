use std::path::PathBuf;

use clap::Args;
use graft_host::bundle_file::is_bundle;
use graft_host::inspect::inspect;
use graft_host::vectors::{StatedVectors, VectorsFile, is_vectors};

use crate::args::Context;
use crate::cmd::words::info::look;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

/// Look into an ONNX file, a bundle or word vectors
///
/// Inputs, outputs, operators and cost, and whether the device engine runs it; of
/// word vectors what `graft words FILE info` says.
#[derive(Args)]
pub struct Cmd {
    /// An ONNX file, a bundle or word vectors
    file: PathBuf,

    /// List where it can be cut: where all of the network passes through one tensor
    #[arg(long)]
    cuts: bool,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        if !is_bundle(&self.file)? && is_vectors(&self.file) {
            // Counted, and no reason to say nothing else.
            let stated = StatedVectors { skip_not_utf8: true, ..StatedVectors::default() };
            let file = VectorsFile::of_file(&self.file, stated)?;
            let mut display = Display::new(context);
            let info = look(&file, &mut |event| display.show(event))?;
            print(context.global, "inspect", &info, || text::words::info(&info))?;
            return Ok(Outcome::Yes);
        }
        let inspection = inspect(&self.file, self.cuts)?;
        print(context.global, "inspect", &inspection, || text::inspect::result(&inspection))?;
        Ok(Outcome::Yes)
    }
}
