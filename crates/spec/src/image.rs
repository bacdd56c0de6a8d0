use serde::{Deserialize, Deserializer, Serialize};

use crate::SpecError;

/// The largest width or height of a tensor, in pixels.
pub const MAX_SIDE: u32 = 4096;

/// How a picture becomes a network's input tensor.
///
/// The value of channel `c` for a pixel `p` (0–255) is
/// `(p / scale - mean[c]) / std[c]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// Width of the tensor, in pixels.
    pub width: u32,
    /// Height of the tensor, in pixels.
    pub height: u32,
    /// How a picture of another aspect ratio is fitted.
    pub fit: Fit,
    /// Width and height that a picture is fitted to, if that is not the tensor's
    /// size: the tensor is its centre. Networks are often tested on the central 224
    /// pixels of 256.
    #[serde(default, deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub resize: Option<[u32; 2]>,
    /// Order of the tensor's axes.
    pub layout: Layout,
    /// Which channels, in which order.
    pub colour: Colour,
    /// Divisor of the pixel: 255 for networks that want 0–1, 1 for raw bytes.
    pub scale: f32,
    /// Subtracted after scaling, one per channel, in the network's order.
    pub mean: Vec<f32>,
    /// Divisor after that, one per channel, in the network's order.
    pub std: Vec<f32>,
    /// RGB under transparent pixels and around a letterboxed picture.
    #[serde(default)]
    pub background: [u8; 3],
}

/// What happens to a picture whose aspect ratio is not the tensor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// It is squeezed.
    Stretch,
    /// Its largest centred rectangle of the right aspect ratio is taken.
    Crop,
    /// It is kept whole, centred on the background.
    Letterbox,
}

/// Order of a tensor's axes: N batch, C channels, H rows, W columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Planes: all red, then all green, then all blue.
    Nchw,
    /// Interleaved, as pictures are stored.
    Nhwc,
}

/// Channels of a tensor, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red: Caffe's and OpenCV's order.
    Bgr,
    /// One channel of ITU-R BT.601 luma.
    Grey,
}

impl Colour {
    /// Number of channels.
    pub fn channels(self) -> usize {
        match self {
            Colour::Rgb | Colour::Bgr => 3,
            Colour::Grey => 1,
        }
    }
}

impl ImageSpec {
    /// Checks the rules that the types alone do not hold.
    pub fn check(&self) -> Result<(), SpecError> {
        for (field, side) in [("width", self.width), ("height", self.height)] {
            if side == 0 || side > MAX_SIDE {
                return Err(SpecError::new(field, format!("is {side}, must be 1 to {MAX_SIDE}")));
            }
        }
        let [width, height] = self.fitted();
        for (side, least) in [(width, self.width), (height, self.height)] {
            if side < least || side > MAX_SIDE {
                let (least_width, least_height) = (self.width, self.height);
                return Err(SpecError::new(
                    "resize",
                    format!(
                        "is {width}x{height}, must be {least_width}x{least_height}, the input's size, to {MAX_SIDE}x{MAX_SIDE}"
                    ),
                ));
            }
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(SpecError::new(
                "scale",
                format!("is {}, must be finite and above 0", self.scale),
            ));
        }
        let channels = self.colour.channels();
        for (field, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != channels {
                return Err(SpecError::new(
                    field,
                    format!("has {} values, the colour has {channels} channels", values.len()),
                ));
            }
            if !values.iter().all(|v| v.is_finite()) {
                return Err(SpecError::new(field, "has a value that is not finite"));
            }
        }
        if !self.std.iter().all(|&v| v > 0.0) {
            return Err(SpecError::new("std", "has a value that is not above 0"));
        }
        Ok(())
    }

    /// Width and height that a picture is fitted to: [`ImageSpec::resize`], or the
    /// tensor's.
    pub fn fitted(&self) -> [u32; 2] {
        self.resize.unwrap_or([self.width, self.height])
    }

    /// The same for a tensor of another size, in pixels: what pictures are fitted to
    /// stays as much larger as it was, rounded up.
    #[must_use]
    pub fn with_size(&self, width: u32, height: u32) -> ImageSpec {
        let scaled = |fitted: u32, from: u32, to: u32| {
            let side = (u64::from(fitted) * u64::from(to)).div_ceil(u64::from(from.max(1)));
            u32::try_from(side).unwrap_or(u32::MAX)
        };
        let resize = self.resize.map(|[fitted_width, fitted_height]| {
            [scaled(fitted_width, self.width, width), scaled(fitted_height, self.height, height)]
        });
        ImageSpec { width, height, resize, ..self.clone() }
    }

    /// Number of values in one prepared picture.
    pub fn tensor_len(&self) -> usize {
        self.colour.channels() * self.width as usize * self.height as usize
    }

    /// Shape of a tensor of `batch` pictures.
    pub fn shape(&self, batch: usize) -> [usize; 4] {
        let (c, h, w) = (self.colour.channels(), self.height as usize, self.width as usize);
        match self.layout {
            Layout::Nchw => [batch, c, h, w],
            Layout::Nhwc => [batch, h, w, c],
        }
    }
}

/// What is there must be a size: `null` says nothing that leaving it out does not.
fn stated<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u32; 2]>, D::Error> {
    <[u32; 2]>::deserialize(from).map(Some)
}
