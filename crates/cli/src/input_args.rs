//! Flags that describe the input of a network without a `model.toml`.

use clap::{Args, ValueEnum};
use graft_host::stated::StatedInput;
use graft_spec::{Colour, Fit, Layout};

#[derive(Args)]
#[command(next_help_heading = "Input of an ONNX file without a model.toml")]
pub struct InputArgs {
    /// Which input, if the graph has several
    #[arg(long, value_name = "TENSOR")]
    input: Option<String>,

    /// Size of the input in pixels, if the graph doesn't say
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,

    /// Order of the axes, if the graph doesn't say
    #[arg(long, value_enum)]
    layout: Option<LayoutName>,

    /// Order of the channels
    #[arg(long, value_enum)]
    colour: Option<ColourName>,

    /// What happens to other aspect ratios [default: stretch]
    #[arg(long, value_enum)]
    fit: Option<FitName>,

    /// Fit photos to this size, and show the network the centre of it [default: its
    /// input's]
    #[arg(long, value_name = "WxH", value_parser = size)]
    resize: Option<(u32, u32)>,

    /// Divisor of the pixel: 255 for networks that want 0 to 1, 1 for raw bytes
    #[arg(long, value_name = "X")]
    scale: Option<f32>,

    /// Subtracted after that: one number, or one a channel
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_negative_numbers = true)]
    mean: Option<Vec<f32>>,

    /// Divisor after that: one number, or one a channel
    #[arg(long, value_name = "X,…", value_delimiter = ',')]
    std: Option<Vec<f32>>,

    /// Colour under transparent pixels and around letterboxed photos [default: 0,0,0]
    #[arg(long, value_name = "R,G,B", value_parser = colour)]
    background: Option<[u8; 3]>,
}

/// What size photos have before a network that takes any.
#[derive(Args)]
pub struct ImageSizeArgs {
    /// Show the backbone photos of this size instead of the one it was exported for,
    /// where all layers below the features take it
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub image_size: Option<(u32, u32)>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LayoutName {
    Nchw,
    Nhwc,
}

#[derive(Clone, Copy, ValueEnum)]
enum ColourName {
    Rgb,
    Bgr,
    Grey,
}

#[derive(Clone, Copy, ValueEnum)]
enum FitName {
    Stretch,
    Crop,
    Letterbox,
}

impl InputArgs {
    pub fn stated(&self) -> StatedInput {
        StatedInput {
            tensor: self.input.clone(),
            width: self.size.map(|(width, _)| width),
            height: self.size.map(|(_, height)| height),
            layout: self.layout.map(|l| match l {
                LayoutName::Nchw => Layout::Nchw,
                LayoutName::Nhwc => Layout::Nhwc,
            }),
            colour: self.colour.map(|c| match c {
                ColourName::Rgb => Colour::Rgb,
                ColourName::Bgr => Colour::Bgr,
                ColourName::Grey => Colour::Grey,
            }),
            fit: self.fit.map(|f| match f {
                FitName::Stretch => Fit::Stretch,
                FitName::Crop => Fit::Crop,
                FitName::Letterbox => Fit::Letterbox,
            }),
            resize: self.resize.map(|(width, height)| [width, height]),
            scale: self.scale,
            mean: self.mean.clone(),
            std: self.std.clone(),
            background: self.background,
        }
    }
}

/// `224x224`.
pub fn size(text: &str) -> Result<(u32, u32), String> {
    let parse = |side: &str| side.parse::<u32>().ok();
    text.split_once(['x', '×'])
        .and_then(|(w, h)| Some((parse(w)?, parse(h)?)))
        .ok_or_else(|| "must be width and height, such as 224x224".to_owned())
}

fn colour(text: &str) -> Result<[u8; 3], String> {
    let parts: Option<Vec<u8>> = text.split(',').map(|v| v.trim().parse().ok()).collect();
    parts
        .and_then(|p| p.try_into().ok())
        .ok_or_else(|| "must be three numbers of 0 to 255, such as 255,255,255".to_owned())
}
