//! The caffemodel: weights by the names of layers. And the mean image, which is
//! one blob in a file.

use std::collections::HashMap;

use prost::Message as _;

use super::error::{CaffeError, LayerProblem};
use super::proto::{BlobProto, LayerParameter, V1LayerParameter};

/// Numbers of `NetParameter`'s fields, and of the names in their messages.
const LAYER: u64 = 100;
const LAYER_NAME: u64 = 1;
const V1_LAYER: u64 = 2;
const V1_LAYER_NAME: u64 = 4;

/// The weights of a network.
pub(super) struct Weights {
    layers: HashMap<String, Vec<BlobProto>>,
}

/// One tensor of weights.
#[derive(Debug)]
pub(super) struct Blob {
    pub shape: Vec<u64>,
    pub values: Vec<f32>,
}

impl Weights {
    /// The layers are decoded one by one, so that an error can name its layer.
    pub fn parse(bytes: &[u8]) -> Result<Weights, CaffeError> {
        let broken = |layer, detail: &str| CaffeError::Weights { layer, detail: detail.to_owned() };
        let mut layers = HashMap::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (field, value) = next_field(&mut rest)
                .ok_or_else(|| broken(None, "its bytes are not protobuf's wire format"))?;
            let name_at = match field {
                LAYER => LAYER_NAME,
                V1_LAYER => V1_LAYER_NAME,
                _ => continue,
            };
            let (bytes, missing) = match value {
                Wire::Bytes(bytes) => (bytes, 0),
                Wire::Cut { bytes, missing } => (bytes, missing),
                Wire::Number => return Err(broken(None, "a layer is a number")),
            };
            let named = || name_in(bytes, name_at);
            if missing > 0 {
                let detail = format!("the file ends {missing} bytes too early");
                return Err(broken(named(), &detail));
            }
            let decoded = match field {
                LAYER => LayerParameter::decode(bytes).map(|l| (l.name, l.blobs)),
                _ => V1LayerParameter::decode(bytes).map(|l| (l.name, l.blobs)),
            };
            let (name, blobs) = decoded.map_err(|e| broken(named(), &e.to_string()))?;
            // Layers of one name may alternate between the phases; one has the weights.
            if !blobs.is_empty() {
                layers.insert(name, blobs);
            }
        }
        if layers.is_empty() {
            return Err(broken(None, "it has no layer with weights"));
        }
        Ok(Weights { layers })
    }

    /// Gives a layer's blobs away: they are needed once, and large.
    pub fn take(&mut self, layer: &str) -> Option<Vec<BlobProto>> {
        self.layers.remove(layer)
    }
}

impl Blob {
    /// `what` is for the message, should the values not fill the shape.
    pub fn of(proto: BlobProto, what: &'static str) -> Result<Blob, LayerProblem> {
        let shape = shape(&proto);
        let values = values(proto);
        if product(&shape) != Some(values.len() as u64) {
            return Err(LayerProblem::BlobLength { blob: what, shape, found: values.len() });
        }
        Ok(Blob { shape, values })
    }

    /// Whether the shape is meant, axes of length 1 in front not counted: blobs
    /// of before 2014 always have four.
    pub fn is_of(&self, shape: &[u64]) -> bool {
        trimmed(&self.shape) == trimmed(shape)
    }
}

fn trimmed(shape: &[u64]) -> &[u64] {
    let ones = shape.iter().take_while(|&&length| length == 1).count();
    &shape[ones..]
}

fn shape(proto: &BlobProto) -> Vec<u64> {
    let length = |n: i64| u64::try_from(n).unwrap_or(0);
    match &proto.shape {
        Some(shape) => shape.dim.iter().map(|&n| length(n)).collect(),
        None => [proto.num, proto.channels, proto.height, proto.width]
            .map(|n| length(i64::from(n.unwrap_or(0))))
            .into(),
    }
}

fn values(proto: BlobProto) -> Vec<f32> {
    if proto.data.is_empty() {
        return proto.double_data.iter().map(|&v| v as f32).collect();
    }
    proto.data
}

/// `None` beyond 64 bits.
pub(super) fn product(shape: &[u64]) -> Option<u64> {
    shape.iter().try_fold(1u64, |all, &one| all.checked_mul(one))
}

/// The mean of the pictures that a network was trained on, in the network's order
/// of channels, in units of a pixel of 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanImage {
    /// Number of planes.
    pub channels: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Columns of a plane.
    pub width: usize,
    /// `[channels][height][width]`.
    pub values: Vec<f32>,
}

impl MeanImage {
    /// The mean of each channel over the centre, which is what Caffe subtracts at
    /// test time from a crop of this size. A side that is longer than the picture
    /// counts as the picture's.
    pub fn of_centre(&self, width: usize, height: usize) -> Vec<f32> {
        let (width, height) = (width.clamp(1, self.width), height.clamp(1, self.height));
        let (left, top) = ((self.width - width) / 2, (self.height - height) / 2);
        let planes = self.values.chunks_exact(self.width * self.height);
        planes
            .map(|plane| {
                let rows = plane.chunks_exact(self.width).skip(top).take(height);
                let sum: f64 =
                    rows.flat_map(|r| &r[left..left + width]).map(|&v| f64::from(v)).sum();
                (sum / (width * height) as f64) as f32
            })
            .collect()
    }
}

/// Reads a mean image, a `.binaryproto`.
///
/// # Errors
///
/// [`CaffeError::Mean`].
pub fn mean(binaryproto: &[u8]) -> Result<MeanImage, CaffeError> {
    let broken = |detail: String| CaffeError::Mean { detail };
    let proto = BlobProto::decode(binaryproto).map_err(|e| broken(e.to_string()))?;
    let shape = shape(&proto);
    let values = values(proto);
    let (&[channels, height, width] | &[1, channels, height, width]) = shape.as_slice() else {
        return Err(broken(format!("its shape is {shape:?}, must be channels, rows, columns")));
    };
    if values.is_empty() || product(&shape) != Some(values.len() as u64) {
        return Err(broken(format!("it has {} values, its shape is {shape:?}", values.len())));
    }
    if !values.iter().all(|v| v.is_finite()) {
        return Err(broken("it has a value that is not finite".to_owned()));
    }
    // They multiply to the length of a vector, so each is one.
    let side = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(MeanImage { channels: side(channels), height: side(height), width: side(width), values })
}

enum Wire<'a> {
    Number,
    Bytes(&'a [u8]),
    /// Longer than what is left.
    Cut {
        bytes: &'a [u8],
        missing: u64,
    },
}

/// The next field's number and value; `None` if there is none.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => {
            varint(rest)?;
            Wire::Number
        }
        1 => skip(rest, 8)?,
        5 => skip(rest, 4)?,
        2 => {
            let length = varint(rest)?;
            let there = rest.len() as u64;
            let (bytes, after) = rest.split_at(length.min(there) as usize);
            *rest = after;
            match length.saturating_sub(there) {
                0 => Wire::Bytes(bytes),
                missing => Wire::Cut { bytes, missing },
            }
        }
        _ => return None,
    };
    Some((key >> 3, value))
}

fn skip<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<Wire<'a>> {
    *rest = rest.get(bytes..)?;
    Some(Wire::Number)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The name in a layer that may end too early.
fn name_in(mut layer: &[u8], field: u64) -> Option<String> {
    while let Some((found, value)) = next_field(&mut layer) {
        if let (true, Wire::Bytes(name)) = (found == field, value) {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
    }
    None
}
