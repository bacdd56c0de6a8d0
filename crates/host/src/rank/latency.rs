//! How long a photo takes, here or as a board told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use graft_runtime::OpenError;
use graft_runtime::bench::{Latency, network_latency};
use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;

/// How long each network is measured.
pub(crate) const TIME: Duration = Duration::from_millis(1500);

/// No document of `graft bench` is larger, nor are some dozens of them.
const LARGEST_FILE: u64 = 16 << 20;

/// Where latencies are from. Field names are those of docs/json.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The board, as ssh knows it; nothing for this machine.
    pub device: Option<String>,
    /// Its processor's architecture.
    pub machine: String,
    /// Its processor's name, if it says one.
    pub processor: Option<String>,
    /// The engine and its version.
    pub engine: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Machine {
        Machine {
            device: None,
            machine: std::env::consts::ARCH.to_owned(),
            processor: processor(),
            engine: graft_runtime::ENGINE.to_owned(),
        }
    }
}

/// Where the latencies of a ranking come from.
#[derive(Clone, Debug)]
pub enum Latencies {
    /// Measured here, up to the cut.
    Here,
    /// Told by `graft bench`, of bundles with a head.
    Told(Told),
}

/// What a board said of bundles.
#[derive(Clone, Debug)]
pub struct Told {
    machine: Machine,
    measured: Vec<(BenchedBackbone, Latency)>,
}

/// The backbone of a measured bundle. Field names are those of docs/json.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchedBackbone {
    /// In the catalogue, or the file's stem.
    pub name: String,
    /// Of its ONNX file, in hex.
    pub sha256: String,
    /// Where it was cut.
    pub features_tensor: String,
}

/// Latencies that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LatencyFileError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// No document of ours.
    #[error("{} has {bytes} bytes, more than documents of measurements have", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    /// Not JSON, or another document.
    #[error("{} is not what a measurement of a bundle prints as JSON", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    /// Nobody knows what was measured.
    #[error("{}: the measured bundle does not say which backbone is in it", path.display())]
    NoBackbone { path: PathBuf },
    /// Times of different machines rank nothing.
    #[error("{} is of {found}, the others of {first}: latencies of one machine can be compared, of several not", path.display())]
    Machines { path: PathBuf, found: String, first: String },
    /// No files, or empty ones.
    #[error("there is no measurement in the files")]
    Empty,
}

/// What is read of a document of `graft bench`.
#[derive(Deserialize)]
struct Document {
    device: Option<String>,
    machine: String,
    engine: String,
    latency: OfBundle,
    backbone: Option<BenchedBackbone>,
}

#[derive(Deserialize)]
struct OfBundle {
    bundle: Latency,
}

impl Told {
    /// Reads what `graft bench --json` wrote: in each file a document, or an array
    /// of them, all of one machine.
    ///
    /// # Errors
    ///
    /// A file that says something else, or several machines.
    pub fn read(paths: &[PathBuf]) -> Result<Told, LatencyFileError> {
        let mut told: Option<Told> = None;
        for path in paths {
            for document in documents(path)? {
                let Document { device, machine, engine, latency, backbone } = document;
                let backbone =
                    backbone.ok_or_else(|| LatencyFileError::NoBackbone { path: path.clone() })?;
                let machine = Machine { device, machine, processor: None, engine };
                let told = told
                    .get_or_insert_with(|| Told { machine: machine.clone(), measured: Vec::new() });
                if told.machine != machine {
                    let (found, first) = (words(&machine), words(&told.machine));
                    return Err(LatencyFileError::Machines { path: path.clone(), found, first });
                }
                told.measured.push((backbone, latency.bundle));
            }
        }
        told.ok_or(LatencyFileError::Empty)
    }

    /// Of the same file, cut at the same tensor: what is called alike may be another
    /// network.
    fn of(&self, backbone: &Backbone) -> Option<Latency> {
        let sha256 = backbone.origin.sha256.to_string();
        let same = |(benched, _): &&(BenchedBackbone, Latency)| {
            benched.sha256 == sha256 && benched.features_tensor == backbone.at
        };
        self.measured.iter().find(same).map(|&(_, latency)| latency)
    }
}

impl Latencies {
    /// Whose they are.
    pub(super) fn machine(&self) -> Machine {
        match self {
            Latencies::Here => Machine::here(),
            Latencies::Told(told) => told.machine.clone(),
        }
    }

    /// Of a network; nothing if nobody told. Also an answer to whether the device
    /// engine runs it at all.
    pub(super) fn of(&self, backbone: &Backbone) -> Result<Option<Latency>, OpenError> {
        let (onnx, shape) = (backbone.graph().to_bytes(), backbone.input.shape(1));
        match self {
            Latencies::Here => {
                network_latency(&onnx, shape, backbone.feature_length, TIME).map(Some)
            }
            Latencies::Told(told) => {
                graft_runtime::check_onnx(&onnx, shape)?;
                Ok(told.of(backbone))
            }
        }
    }
}

fn documents(path: &Path) -> Result<Vec<Document>, LatencyFileError> {
    let fail = |source| LatencyFileError::Read { path: path.to_path_buf(), source };
    let bytes = std::fs::metadata(path).map_err(fail)?.len();
    if bytes > LARGEST_FILE {
        return Err(LatencyFileError::TooLarge { path: path.to_path_buf(), bytes });
    }
    let json = |source| LatencyFileError::Json { path: path.to_path_buf(), source };
    let text = std::fs::read(path).map_err(fail)?;
    match serde_json::from_slice(&text).map_err(json)? {
        serde_json::Value::Array(all) => {
            all.into_iter().map(|one| serde_json::from_value(one).map_err(json)).collect()
        }
        one => Ok(vec![serde_json::from_value(one).map_err(json)?]),
    }
}

fn words(machine: &Machine) -> String {
    let place = machine.device.as_deref().unwrap_or("a machine without a name");
    format!("{place} ({}, {})", machine.machine, machine.engine)
}

/// As Linux calls it; ARM's kernels don't.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(name.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(device: &str, tensor: &str) -> String {
        format!(
            r#"{{"graft": "0.1.0", "verb": "bench", "device": {device}, "machine": "aarch64",
                "engine": "tract 0.23.9", "latency": {{"bundle": {{"p50_ms": 40.5, "p90_ms": 41,
                "p99_ms": 42, "max_ms": 43}}, "stock": null}},
                "backbone": {{"name": "net", "sha256": "ab", "features_tensor": "{tensor}"}}}}"#
        )
    }

    fn told(texts: &[String]) -> Result<Told, LatencyFileError> {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> =
            (0..texts.len()).map(|i| folder.path().join(format!("{i}.json"))).collect();
        for (path, text) in paths.iter().zip(texts) {
            std::fs::write(path, text).unwrap();
        }
        Told::read(&paths)
    }

    #[test]
    fn one_document_or_several() {
        let one = document(r#""pi""#, "flat");
        let more = format!("[{}, {}]", document(r#""pi""#, "deep"), document(r#""pi""#, "deeper"));
        let told = told(&[one, more]).unwrap();
        assert_eq!(told.machine.device.as_deref(), Some("pi"));
        let tensors: Vec<&str> =
            told.measured.iter().map(|(b, _)| b.features_tensor.as_str()).collect();
        assert_eq!(tensors, ["flat", "deep", "deeper"]);
        assert_eq!(told.measured[0].1.p50_ms, 40.5);
    }

    #[test]
    fn machines_are_not_mixed() {
        let error = told(&[document(r#""pi""#, "flat"), document("null", "flat")]).unwrap_err();
        assert!(matches!(error, LatencyFileError::Machines { .. }), "{error}");
    }

    #[test]
    fn other_files_are_named() {
        let error = told(&["{}".to_owned()]).unwrap_err();
        assert!(matches!(error, LatencyFileError::Json { .. }), "{error}");
        let nobodys = document("null", "flat").replace("\"backbone\"", "\"other\"");
        let error = told(&[nobodys]).unwrap_err();
        assert!(matches!(error, LatencyFileError::NoBackbone { .. }), "{error}");
        assert!(matches!(told(&["[]".to_owned()]), Err(LatencyFileError::Empty)));
    }
}
