use serde::{Deserialize, Serialize};

/// Where a bundle came from: shown to people, decided by never.
///
/// No clocks and no paths: the same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of graft that wrote the bundle.
    pub graft: String,
    /// The pretrained model.
    pub backbone: BackboneOrigin,
    /// What the head was trained on.
    pub data: DataOrigin,
    /// Everything else that it takes to make the same bytes again; the names
    /// are those of `graft train`'s flags.
    pub recipe: std::collections::BTreeMap<String, String>,
    /// What computed the features.
    pub engine: EngineOrigin,
    /// How well it did on examples it had not seen.
    pub test: TestSummary,
}

/// The pretrained model of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackboneOrigin {
    /// Name in the catalogue, or the file's stem.
    pub name: String,
    /// Who made it, from what.
    pub origin: String,
    /// SPDX expression or a sentence.
    pub licence: String,
    /// Of the ONNX file, in hex.
    pub sha256: String,
    /// The tensor where it was cut.
    pub features_tensor: String,
}

/// The data of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataOrigin {
    /// Usable examples.
    pub examples: usize,
    /// Examples that the head was trained on.
    pub trained: usize,
    /// Examples held out.
    pub tested: usize,
    /// Over the sorted labels, splits and content digests, in hex.
    pub sha256: String,
    /// If it was stated.
    pub licence: Option<String>,
}

/// What computed the features of a bundle's head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineOrigin {
    /// `cpu`, `cuda` or `tensorrt`.
    pub provider: String,
    /// Its version.
    pub onnx_runtime: String,
    /// Instruction sets that change the last bits of results.
    pub cpu: String,
}

/// Results on held-out examples, as shares of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestSummary {
    /// Share answered right, unknown not applied.
    pub accuracy: f64,
    /// 95 % interval of the accuracy (Wilson 1927).
    pub accuracy_interval: [f64; 2],
    /// Expected calibration error after temperature scaling.
    pub ece: f64,
    /// Share answered with a label when the unknown threshold applies.
    pub answered: f64,
}
