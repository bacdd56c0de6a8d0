use std::path::PathBuf;

use clap::{Args, Subcommand};
use graft_host::cache::{clear, usage};
use serde::Serialize;

use crate::args::Context;
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::text;

/// See or clear the features that are kept
#[derive(Args)]
pub struct Cmd {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Say how much is kept, and where
    Show,
    /// Remove all of it; it is computed again when needed
    Clear,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(serialize_with = "graft_host::lossy::path")]
    pub path: PathBuf,
    pub spaces: usize,
    pub segments: usize,
    pub bytes: u64,
    pub limit_bytes: u64,
    pub cleared_bytes: u64,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let config = Locations::find()?.features();
        let cleared_bytes = match self.act {
            Some(Act::Clear) => clear(&config)?.bytes,
            Some(Act::Show) | None => 0,
        };
        let usage = usage(&config)?;
        let report = Report {
            path: config.folder,
            spaces: usage.spaces,
            segments: usage.segments,
            bytes: usage.bytes,
            limit_bytes: config.limit_bytes,
            cleared_bytes,
        };
        print(context.global, "cache", &report, || text::cache(&report))?;
        Ok(Outcome::Yes)
    }
}
