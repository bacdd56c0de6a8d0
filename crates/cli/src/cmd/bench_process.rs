use std::path::PathBuf;

use clap::Args;
use graft_runtime::bench::Task;

use crate::args::Context;
use crate::output::{Outcome, print};

/// What `graft bench` starts itself with.
pub const NAME: &str = "bench-process";

/// Measure in this process, for `graft bench`; the flags are those of `graftd bench`
#[derive(Args)]
#[command(hide = true)]
pub struct Cmd {
    #[arg(long, allow_hyphen_values = true)]
    bundle: Option<PathBuf>,
    #[arg(long)]
    frames: Option<u32>,
    #[arg(long, allow_hyphen_values = true)]
    onnx: Option<PathBuf>,
    #[arg(long)]
    shape: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    weights: Option<PathBuf>,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let Cmd { bundle, frames, onnx, shape, weights } = self;
        let task = Task::from_flags(bundle, frames, onnx, shape.as_deref(), weights)?;
        let measured = task.measure()?;
        let line = serde_json::to_string(&measured)?;
        print(context.global, NAME, &measured, || line + "\n")?;
        Ok(Outcome::Yes)
    }
}
