//! Which backbone, and where it may be cut.

use std::path::Path;

use clap::{Args, ValueEnum};
use graft_host::backbone::{Pool, Pretrained, open_entry};
use graft_host::catalogue;
use graft_host::cuts::{CutsRecipe, Limits, Rule};
use graft_host::stated::StatedInput;
use graft_host::train::LinearRecipe;

use crate::input_args::{ImageSizeArgs, InputArgs};
use crate::locations::Locations;

/// Opens what `--model` names, for photos of the size that was asked for.
pub fn pretrained(
    model: &str,
    input: &InputArgs,
    size: &ImageSizeArgs,
    locations: &Locations,
) -> anyhow::Result<Pretrained> {
    let pretrained = opened(model, input, locations)?;
    Ok(match size.image_size {
        Some((width, height)) => pretrained.with_image_size(width, height)?,
        None => pretrained,
    })
}

/// A model of the catalogue, a folder with a `model.toml`, or an ONNX file that
/// `input` describes.
fn opened(model: &str, input: &InputArgs, locations: &Locations) -> anyhow::Result<Pretrained> {
    let path = Path::new(model);
    if path.extension().is_some_and(|e| e == "onnx") {
        return Ok(Pretrained::of_file(path, &input.stated())?);
    }
    if input.stated() != StatedInput::default() {
        anyhow::bail!(
            "model {model} has a model.toml, which describes its input: flags that describe it are for .onnx files without one"
        );
    }
    let entry = catalogue::find(&locations.models(), model)?;
    Ok(open_entry(&entry)?)
}

/// How cuts are probed, and which may be chosen.
#[derive(Args)]
#[command(next_help_heading = "Choosing a cut")]
pub struct CutsArgs {
    /// How a map becomes features: its mean, or the means of its four quarters,
    /// which know where something is and are four times as many
    #[arg(long, value_enum, default_value_t = PoolName::Mean)]
    pub pool: PoolName,

    /// Choose no cut that is slower in the device engine on this machine and one core
    #[arg(long, value_name = "MS", value_parser = above_zero)]
    max_latency_ms: Option<f64>,

    /// Choose no cut with more bytes of parameters
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,

    /// Probe with about so many photos [default: all that are to be learned from]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..))]
    examples: Option<u32>,

    /// Time nothing in the device engine: multiply-adds are the price
    #[arg(long)]
    no_latency: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PoolName {
    /// The mean over height and width
    Mean,
    /// The means of the four quarters
    Grid,
    /// Both at each cut, when one is chosen
    Both,
}

impl CutsArgs {
    /// What limits were stated, which only make sense where a cut is chosen.
    pub fn has_limits(&self) -> bool {
        self.max_latency_ms.is_some() || self.max_bytes.is_some()
    }

    pub fn recipe(
        &self,
        rule: Rule,
        folds: u16,
        test_share: f64,
        seed: u64,
    ) -> anyhow::Result<CutsRecipe> {
        if self.max_latency_ms.is_some() && self.no_latency {
            anyhow::bail!("--max-latency-ms needs latencies: leave --no-latency out");
        }
        Ok(CutsRecipe {
            pools: match self.pool {
                PoolName::Mean => vec![Pool::Mean],
                PoolName::Grid => vec![Pool::Grid],
                PoolName::Both => vec![Pool::Mean, Pool::Grid],
            },
            probe: LinearRecipe::default(),
            folds: folds.into(),
            test_share,
            seed,
            examples: self.examples.map(|n| n as usize),
            time: !self.no_latency,
            limits: Limits { max_latency_ms: self.max_latency_ms, max_bytes: self.max_bytes },
            rule,
        })
    }
}

fn above_zero(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}
