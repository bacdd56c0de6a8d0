//! What every verb takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Parser, ValueEnum};
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

/// `--provider` and what belongs to it.
#[derive(Args)]
pub struct ProviderArgs {
    /// Where ONNX Runtime computes: the one asked for runs, or it is an error
    #[arg(long, value_enum, default_value_t = ProviderName::Cpu)]
    pub provider: ProviderName,

    /// Which GPU
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub device: u32,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ProviderName {
    Cpu,
    Cuda,
    Tensorrt,
}

impl ProviderArgs {
    pub fn provider(&self, locations: &Locations) -> Provider {
        let ordinal = self.device;
        match self.provider {
            ProviderName::Cpu => Provider::Cpu,
            ProviderName::Cuda => Provider::Cuda { ordinal },
            ProviderName::Tensorrt => {
                Provider::TensorRt { ordinal, cache: locations.cache.join("tensorrt") }
            }
        }
    }
}
