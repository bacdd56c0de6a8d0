//! What PyTorch makes of small networks: `tests/fixtures/autodiff` says how.

use std::fs;
use std::path::Path;

use crate::eval::Value;
use crate::tensor::ElementType;

pub(crate) const NETWORKS: [&str; 4] = ["convolutions", "activations", "text", "batch_statistics"];

pub(crate) struct Stored {
    pub(crate) model: Vec<u8>,
    pub(crate) facts: serde_json::Value,
    floats: Vec<f64>,
}

impl Stored {
    pub(crate) fn read(network: &str) -> Stored {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/autodiff");
        let read = |end: &str| fs::read(folder.join(format!("{network}.{end}"))).unwrap();
        let floats = read("f32");
        let floats = floats.as_chunks::<4>().0.iter().map(|&b| f64::from(f32::from_le_bytes(b)));
        Stored {
            model: read("onnx"),
            facts: serde_json::from_slice(&read("json")).unwrap(),
            floats: floats.collect(),
        }
    }

    /// Words or pictures.
    pub(crate) fn examples(&self) -> Value {
        let inputs = &self.facts["inputs"];
        match inputs["ids"].as_array() {
            None => self.array(inputs),
            Some(ids) => {
                let ids = ids.iter().map(|id| id.as_i64().unwrap()).collect();
                Value::whole_of(ElementType::I64, dims(inputs), ids)
            }
        }
    }

    /// In 64 bits, rounded to 32.
    pub(crate) fn array(&self, place: &serde_json::Value) -> Value {
        let (at, dims) = (place["at"].as_u64().unwrap() as usize, dims(place));
        let values = self.floats[at..][..dims.iter().product()].to_vec();
        Value::real_of(ElementType::F64, dims, values)
    }
}

fn dims(place: &serde_json::Value) -> Vec<usize> {
    let lengths = place["shape"].as_array().unwrap();
    lengths.iter().map(|length| length.as_u64().unwrap() as usize).collect()
}
