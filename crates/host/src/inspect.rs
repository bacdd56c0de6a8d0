//! What a file is: an ONNX graph, or a bundle with one in it.

use std::path::{Path, PathBuf};

use graft_bundle::Bundle;
use graft_onnx::{CutPoint, Dim, GraphError, TensorInfo};
use graft_runtime::Shape;
use graft_spec::{Answer, Form, ImageSpec, Input, TokensSpec, WordsSpec};
use serde::Serialize;

use crate::bundle_file::{BundleFile, BundleFileError};
use crate::causes::with_causes;
use crate::digest::Digest;
use crate::onnx_file;

/// What is in a file. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// `onnx` or `bundle`.
    pub kind: Kind,
    /// The file.
    #[serde(serialize_with = "crate::lossy::path")]
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Of the file.
    pub sha256: Digest,
    /// Without initialisers.
    pub inputs: Vec<Tensor>,
    /// In the graph's order.
    pub outputs: Vec<Tensor>,
    /// Of the default domain.
    pub opset: i64,
    /// Of the format.
    pub ir_version: i64,
    /// Who wrote the graph.
    pub producer: String,
    /// Operators in all.
    pub nodes: usize,
    /// Trained numbers.
    pub parameters: u64,
    /// What they take.
    pub parameter_bytes: u64,
    /// Of one example; `None` if not known.
    pub multiply_adds: Option<u64>,
    /// Nodes whose multiply-adds are not counted.
    pub uncounted_nodes: Vec<String>,
    /// By domain and name.
    pub operators: Vec<Operator>,
    /// Whether the device engine runs the graph.
    pub device: Device,
    /// Where `train` would cut.
    pub classifier: Option<Classifier>,
    /// Where it can be cut, from the input to the features; `None` unless asked for.
    pub cuts: Option<Vec<Cut>>,
    /// If it is a bundle.
    pub bundle: Option<BundleInside>,
}

/// A place to cut, and what is below it.
#[derive(Clone, Debug, Serialize)]
pub struct Cut {
    /// The tensor.
    pub tensor: String,
    /// Its axes.
    pub shape: Vec<Axis>,
    /// Layers with weights on the longest way to it.
    pub depth: u64,
    /// Features that its mean makes.
    pub features: u64,
    /// Trained numbers below it.
    pub parameters: u64,
    /// What they take.
    pub parameter_bytes: u64,
    /// Of one example; `None` if not known.
    pub multiply_adds: Option<u64>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A graph.
    Onnx,
    /// A bundle; the graph is its first form.
    Bundle,
}

/// An input or output.
#[derive(Clone, Debug, Serialize)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its element type.
    #[serde(rename = "type")]
    pub element: Option<String>,
    /// Its axes; `None` if not stated.
    pub shape: Option<Vec<Axis>>,
}

/// A length, a name, or nothing known.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Axis {
    /// Always this.
    Fixed(u64),
    /// Depends on the input.
    Named(String),
    /// Not stated.
    Unknown,
}

/// An operator of the graph.
#[derive(Clone, Debug, Serialize)]
pub struct Operator {
    /// Empty for ONNX's own.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// How often it occurs.
    pub count: usize,
    /// Whether the device engine knows it.
    pub device: bool,
}

/// Whether the device engine opens the graph as it is.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// It does; `None` if it can't be tried, since the input's size is not stated.
    pub runs: Option<bool>,
    /// Why not.
    pub problem: Option<String>,
}

/// The last dense layer.
#[derive(Clone, Debug, Serialize)]
pub struct Classifier {
    /// Its input.
    pub features: String,
    /// Its output.
    pub logits: String,
    /// Of one example.
    pub feature_length: u64,
    /// Its outputs.
    pub classes: u64,
}

/// What a bundle says beside its graph.
#[derive(Clone, Debug, Serialize)]
pub struct BundleInside {
    /// What people call it.
    pub name: String,
    /// In the order of the logits.
    pub labels: Vec<String>,
    /// How a photo or a text is prepared.
    pub input: InputFacts,
    /// Divisor of the logits.
    pub temperature: f32,
    /// Least probability of an answer.
    pub unknown_below: Option<f32>,
    /// The models in it.
    pub forms: Vec<Form>,
    /// The parts of the file.
    pub sections: Vec<SectionFacts>,
    /// Whether a signature is appended; it is not verified here.
    pub signed: bool,
    /// Where it came from.
    pub provenance: Option<serde_json::Value>,
}

/// The keys of one or of the other.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum InputFacts {
    /// Of a photo.
    Image(ImageSpec),
    /// Of a text.
    Words(WordsSpec),
    /// Of a text for a sentence encoder.
    Tokens(TokensSpec),
}

impl From<Input> for InputFacts {
    fn from(input: Input) -> InputFacts {
        match input {
            Input::Image(image) => InputFacts::Image(image),
            Input::Words(words) => InputFacts::Words(words),
            Input::Tokens(tokens) => InputFacts::Tokens(tokens),
        }
    }
}

/// A part of a bundle.
#[derive(Clone, Debug, Serialize)]
pub struct SectionFacts {
    /// Four letters.
    pub kind: String,
    /// Which form it belongs to.
    pub form: u16,
    /// Without padding.
    pub bytes: u64,
}

/// A file that is neither.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Not readable, or not a bundle though it begins as one.
    #[error("{0}")]
    Bundle(#[from] BundleFileError),
    /// Not a graph.
    #[error("{} is not a usable ONNX file", path.display())]
    Graph { path: PathBuf, source: Box<GraphError> },
}

/// Looks into a file; for `cuts`, also for the places where it can be cut.
pub fn inspect(path: &Path, cuts: bool) -> Result<Inspection, InspectError> {
    let file = BundleFile::read(path)?;
    let sha256 = Digest::of(file.bytes());
    if file.bytes().starts_with(b"\x89GRFT") {
        let bundle = file.parse()?;
        let model = bundle.onnx().model;
        let mut inspection = inspect_graph(path, model, cuts)?;
        inspection.device = device(model, Shape::from(&bundle.manifest().input));
        return Ok(Inspection {
            kind: Kind::Bundle,
            bytes: file.bytes().len(),
            sha256,
            classifier: None,
            bundle: Some(inside(&bundle)),
            ..inspection
        });
    }
    inspect_graph(path, file.bytes(), cuts)
}

fn inspect_graph(path: &Path, bytes: &[u8], cuts: bool) -> Result<Inspection, InspectError> {
    let (graph, whole) = onnx_file::parse(path, bytes)
        .map_err(|e| InspectError::Graph { path: path.to_path_buf(), source: Box::new(e) })?;
    let summary = graph.summary();
    let inputs = graph.inputs();
    let device = match graph.clone().upgraded() {
        Ok(same) if same.opset() == graph.opset() => device_of_graph(&whole, &inputs),
        // What would be run.
        Ok(upgraded) => device_of_graph(&upgraded.to_bytes(), &inputs),
        Err(error) => Device { runs: Some(false), problem: Some(error.to_string()) },
    };
    Ok(Inspection {
        kind: Kind::Onnx,
        path: path.to_path_buf(),
        bytes: bytes.len(),
        sha256: Digest::of(bytes),
        opset: graph.opset(),
        ir_version: summary.ir_version,
        producer: format!("{} {}", summary.producer_name, summary.producer_version)
            .trim()
            .to_owned(),
        nodes: summary.nodes,
        parameters: summary.parameters,
        parameter_bytes: summary.parameter_bytes,
        multiply_adds: summary.multiply_adds.exact(),
        uncounted_nodes: summary.multiply_adds.uncounted,
        operators: summary
            .operators
            .into_iter()
            .map(|o| Operator {
                device: graft_runtime::supports_operator(&o.domain, &o.name),
                domain: o.domain,
                name: o.name,
                count: o.count,
            })
            .collect(),
        device,
        inputs: inputs.into_iter().map(tensor).collect(),
        outputs: graph.outputs().into_iter().map(tensor).collect(),
        classifier: graph.classifier().ok().map(|c| Classifier {
            features: c.features,
            logits: c.logits,
            feature_length: c.feature_length,
            classes: c.classes,
        }),
        cuts: cuts.then(|| graph.cut_points().into_iter().map(cut).collect()),
        bundle: None,
    })
}

fn cut(point: CutPoint) -> Cut {
    Cut {
        tensor: point.tensor,
        shape: point.shape.into_iter().map(axis).collect(),
        depth: point.depth,
        features: point.channels,
        parameters: point.parameters,
        parameter_bytes: point.parameter_bytes,
        multiply_adds: point.multiply_adds.exact(),
    }
}

const NOT_STATED: &str = "the size of its input is not stated";

/// A graph alone doesn't say what its input will be; it is tried with what it
/// does say, and a batch of 1.
fn device_of_graph(bytes: &[u8], inputs: &[TensorInfo]) -> Device {
    let problem = |runs, text: &str| Device { runs, problem: Some(text.to_owned()) };
    let [input] = inputs else { return problem(Some(false), "it has several inputs") };
    let Some(shape) = &input.shape else { return problem(None, NOT_STATED) };
    let axes: Vec<Option<usize>> = shape
        .iter()
        .enumerate()
        .map(|(axis, dim)| match dim {
            Dim::Fixed(n) => usize::try_from(*n).ok(),
            _ if axis == 0 => Some(1),
            _ => None,
        })
        .collect();
    match <[Option<usize>; 4]>::try_from(axes) {
        Ok([Some(a), Some(b), Some(c), Some(d)]) => device(bytes, [a, b, c, d].into()),
        Ok(_) => problem(None, NOT_STATED),
        Err(_) => problem(Some(false), "its input is not a batch of pictures"),
    }
}

fn device(model: &[u8], shape: Shape) -> Device {
    match graft_runtime::check_onnx(model, shape) {
        Ok(()) => Device { runs: Some(true), problem: None },
        Err(error) => Device { runs: Some(false), problem: Some(with_causes(&error)) },
    }
}

fn inside(bundle: &Bundle<'_>) -> BundleInside {
    let manifest = bundle.manifest();
    let Answer::Class(calibration) = &manifest.answer;
    BundleInside {
        name: manifest.name.to_string(),
        labels: bundle.labels().names().to_vec(),
        input: manifest.input.clone().into(),
        temperature: calibration.temperature,
        unknown_below: calibration.unknown_below,
        forms: manifest.forms.clone(),
        sections: bundle
            .sections()
            .iter()
            .map(|s| SectionFacts { kind: s.id.kind.to_string(), form: s.id.form, bytes: s.length })
            .collect(),
        signed: bundle.signature().is_some(),
        provenance: bundle.provenance_json().and_then(|json| serde_json::from_str(json).ok()),
    }
}

fn tensor(info: TensorInfo) -> Tensor {
    Tensor {
        name: info.name,
        element: info.element.map(|e| e.to_string()),
        shape: info.shape.map(|shape| shape.into_iter().map(axis).collect()),
    }
}

fn axis(dim: Dim) -> Axis {
    match dim {
        Dim::Fixed(n) => Axis::Fixed(n),
        Dim::Symbol(name) => Axis::Named(name),
        Dim::Unknown => Axis::Unknown,
    }
}
