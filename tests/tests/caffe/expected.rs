//! What tests/fixtures/caffe/make.py wrote, and the weights that it meant.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Network {
    pub input: Vec<usize>,
    pub seed: u64,
    /// None if the network's own weights are used.
    pub blobs: Vec<Blob>,
    pub outputs: Vec<Output>,
}

#[derive(Deserialize)]
pub struct Blob {
    layer: String,
    shape: Vec<usize>,
    low: f64,
    high: f64,
}

/// Every `step`th value of a blob.
#[derive(Deserialize)]
pub struct Output {
    pub blob: String,
    pub shape: Vec<usize>,
    pub step: usize,
    pub values: Vec<f32>,
}

pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/caffe").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn network(name: &str) -> Network {
    let mut all: BTreeMap<String, Network> =
        serde_json::from_slice(&fixture("expected.json")).expect("make.py wrote it");
    all.remove(name).unwrap_or_else(|| panic!("expected.json has no {name}"))
}

impl Network {
    /// The input's values.
    pub fn data(&self) -> Vec<f32> {
        values(self.seed, self.input.iter().product(), -1.0, 1.0)
    }

    /// The weights as a caffemodel, in the form of today or of before 2014.
    pub fn caffemodel(&self, form: Form) -> Vec<u8> {
        let mut file = Vec::new();
        let mut blobs = self.blobs.iter().enumerate().peekable();
        while let Some((_, first)) = blobs.peek() {
            let layer = first.layer.clone();
            let mut body = Vec::new();
            let (layer_at, name_at, blobs_at) = form.numbers();
            field(&mut body, name_at, layer.as_bytes());
            while let Some((seed, blob)) = blobs.next_if(|(_, blob)| blob.layer == layer) {
                let count = blob.shape.iter().product();
                let values = values(seed as u64, count, blob.low, blob.high);
                field(&mut body, blobs_at, &form.blob(&blob.shape, &values));
            }
            field(&mut file, layer_at, &body);
        }
        file
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Form {
    Today,
    /// V1: four axes always, and values that are not packed.
    Before2014,
}

impl Form {
    fn numbers(self) -> (u64, u64, u64) {
        match self {
            Form::Today => (100, 1, 7),
            Form::Before2014 => (2, 4, 6),
        }
    }

    fn blob(self, shape: &[usize], values: &[f32]) -> Vec<u8> {
        let mut blob = Vec::new();
        match self {
            Form::Today => {
                let (mut dims, mut message) = (Vec::new(), Vec::new());
                shape.iter().for_each(|&n| varint(&mut dims, n as u64));
                field(&mut message, 1, &dims);
                field(&mut blob, 7, &message);
                let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                field(&mut blob, 5, &raw);
            }
            Form::Before2014 => {
                let ones = std::iter::repeat_n(1, 4 - shape.len());
                for (number, length) in (1..).zip(ones.chain(shape.iter().copied())) {
                    varint(&mut blob, number << 3);
                    varint(&mut blob, length as u64);
                }
                for value in values {
                    varint(&mut blob, 5 << 3 | 5);
                    blob.extend(value.to_le_bytes());
                }
            }
        }
        blob
    }
}

fn field(into: &mut Vec<u8>, number: u64, payload: &[u8]) {
    varint(into, number << 3 | 2);
    varint(into, payload.len() as u64);
    into.extend_from_slice(payload);
}

fn varint(into: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// SplitMix64's numbers in [low, high).
fn values(seed: u64, count: usize, low: f64, high: f64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        (low + (high - low) * unit) as f32
    };
    (0..count).map(|_| next()).collect()
}
