//! What every verb takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Parser, ValueEnum};
use graft_host::atomic::check_writable;
use graft_host::provider::Provider;

use crate::cmd::Command;
use crate::locations::Locations;

/// Grafts a new head for your task onto a pretrained network, and puts the
/// result on an ARM board.
#[derive(Parser)]
#[command(name = "graft", version, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
#[command(next_help_heading = "For every verb")]
pub struct Global {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,

    /// Write the JSON document to a file, beside the text
    #[arg(long, global = true, value_name = "FILE")]
    pub json_file: Option<PathBuf>,

    /// No progress, no notes: only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Threads to use [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, then the data folder, then the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub ort_lib: Option<PathBuf>,
}

impl Global {
    pub fn threads(&self) -> usize {
        match self.threads {
            Some(threads) => threads.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What a verb gets beside its own flags.
pub struct Context<'a> {
    pub global: &'a Global,
    /// Set by Ctrl-C.
    pub stop: Arc<AtomicBool>,
}

impl Context<'_> {
    /// What can fail at once fails before the work.
    pub fn check_json_file(&self) -> anyhow::Result<()> {
        match &self.global.json_file {
            Some(path) => Ok(check_writable(path)?),
            None => Ok(()),
        }
    }

    /// Ctrl-C between two steps that no event watches.
    pub fn go_on(&self) -> anyhow::Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
    }
}

/// Stopped by Ctrl-C.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Interrupted {}

/// A share above 0 and at most 1, for clap.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("must be a share above 0 and at most 1, such as 0.95".to_owned()),
    }
}

/// `--provider` and what belongs to it.
#[derive(Args)]
pub struct ProviderArgs {
    /// Where ONNX Runtime computes: the one asked for runs, or it is an error
    /// [default: cpu]
    #[arg(long, value_enum)]
    provider: Option<ProviderName>,

    /// Which GPU [default: 0]
    #[arg(long, value_name = "N")]
    device: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProviderName {
    Cpu,
    Cuda,
    Tensorrt,
}

impl ProviderArgs {
    pub fn is_stated(&self) -> bool {
        self.provider.is_some() || self.device.is_some()
    }

    pub fn provider(&self, locations: &Locations) -> Provider {
        let ordinal = self.device.unwrap_or(0);
        match self.provider.unwrap_or(ProviderName::Cpu) {
            ProviderName::Cpu => Provider::Cpu,
            ProviderName::Cuda => Provider::Cuda { ordinal },
            ProviderName::Tensorrt => {
                Provider::TensorRt { ordinal, cache: locations.cache.join("tensorrt") }
            }
        }
    }
}

/// A share that leaves something on both sides.
pub fn part(text: &str) -> Result<f64, String> {
    match share(text) {
        Ok(part) if part < 1.0 => Ok(part),
        _ => Err("must be a share above 0 and below 1".to_owned()),
    }
}
