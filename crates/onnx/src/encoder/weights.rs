//! Tensors of a `.safetensors` file: the length of a header, the header in JSON, and
//! the bytes that it tells the places of.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::EncoderError;

/// The tensors of a file, by their names in the encoder.
pub(super) struct Weights<'a> {
    tensors: HashMap<String, Value>,
    data: &'a [u8],
    prefix: &'static str,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The header of the largest networks is a hundredth of that.
const MOST_HEADER: u64 = 100 << 20;

impl<'a> Weights<'a> {
    /// `prefix` stands before the names if the file has more than the encoder.
    pub(super) fn parse(
        bytes: &'a [u8],
        prefix: &'static str,
    ) -> Result<Weights<'a>, EncoderError> {
        let refuse = |detail: String| EncoderError::SafeTensors { detail };
        let (length, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| refuse(format!("it has {} bytes", bytes.len())))?;
        let length = u64::from_le_bytes(*length);
        if length > MOST_HEADER || length > rest.len() as u64 {
            let detail =
                format!("its header is said to have {length} bytes, {} follow", rest.len());
            return Err(refuse(detail));
        }
        let (header, data) = rest.split_at(length as usize);
        let tensors: HashMap<String, Value> =
            serde_json::from_slice(header).map_err(|error| refuse(error.to_string()))?;
        let is_whole_task = tensors.keys().any(|name| name.starts_with(prefix));
        Ok(Weights { tensors, data, prefix: if is_whole_task { prefix } else { "" } })
    }

    /// A tensor as 32-bit floats, row by row.
    pub(super) fn get(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let name = format!("{}{name}", self.prefix);
        let Some(entry) = self.tensors.get(&name) else {
            return Err(EncoderError::Missing { name });
        };
        let refuse = |detail: String| EncoderError::SafeTensors {
            detail: format!("tensor {name:?}: {detail}"),
        };
        let Entry { dtype, shape, data_offsets: [start, end] } =
            Entry::deserialize(entry).map_err(|error| refuse(error.to_string()))?;
        if shape != expected {
            return Err(EncoderError::Shape { name, found: shape, expected: expected.to_vec() });
        }
        let Some(bytes) = self.data.get(start..end) else {
            return Err(refuse(format!("bytes {start} to {end} of {}", self.data.len())));
        };
        let width = match dtype.as_str() {
            "F32" => 4,
            "F16" | "BF16" => 2,
            _ => return Err(EncoderError::Element { name, found: dtype }),
        };
        let count = shape.iter().try_fold(width, |all: usize, &size| all.checked_mul(size));
        if count != Some(bytes.len()) {
            return Err(refuse(format!(
                "{} bytes are not the {dtype} of shape {shape:?}",
                bytes.len()
            )));
        }
        let values = floats(&dtype, bytes);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(EncoderError::NotFinite { name }),
        }
    }

    /// The matrix of a dense layer, `[outputs, inputs]` in the file, as a product
    /// wants it: `[inputs, outputs]`.
    pub(super) fn dense(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Vec<f32>, EncoderError> {
        let rows = self.get(name, &[outputs, inputs])?;
        let mut columns = vec![0.0; rows.len()];
        for (output, row) in rows.chunks_exact(inputs).enumerate() {
            for (input, &value) in row.iter().enumerate() {
                columns[input * outputs + output] = value;
            }
        }
        Ok(columns)
    }
}

fn floats(dtype: &str, bytes: &[u8]) -> Vec<f32> {
    let halves = || bytes.as_chunks::<2>().0.iter().map(|&bytes| u16::from_le_bytes(bytes));
    match dtype {
        "F16" => halves().map(of_half).collect(),
        "BF16" => halves().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
    }
}

/// IEEE 754 binary16: exact in 32 bits.
fn of_half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of IEEE 754's own tables.
    #[test]
    fn halves_are_read_exactly() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 2f32.powi(-14)),
            (0x0001, 2f32.powi(-24)),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(of_half(bits), value, "{bits:#06x}");
        }
        assert!(of_half(0x7e00).is_nan());
    }
}
