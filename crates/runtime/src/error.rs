use std::fmt;
use std::io;
use std::path::PathBuf;

use graft_spec::ModelFormat;

/// Why a bundle's model cannot run here.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The engine has no such operator.
    #[error("the device engine lacks operator {operator}, which node {node:?} needs")]
    Operator {
        /// Its name, with its domain if that is not ONNX's own: `domain::Name`.
        operator: String,
        /// The first node that needs it; its first output if it has no name.
        node: String,
    },
    /// The model does not have exactly the input that it should.
    #[error("the model's inputs are {found:?}, must be {expected}")]
    Inputs {
        /// What the manifest says, or that one is needed.
        expected: String,
        /// Names of the model's inputs.
        found: Vec<String>,
    },
    /// The model's input has another shape.
    #[error("the model's input has shape {found}, the prepared example {expected}")]
    InputShape {
        /// The shape of one prepared example.
        expected: Shape,
        /// What the model states; `?` where it leaves a size open.
        found: Shape,
    },
    /// The model does not compute a tensor that it should.
    #[error("the model has no tensor {tensor:?}")]
    NoTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor that the model computes has another shape or type.
    #[error("tensor {tensor:?} is {found}, must be f32 of shape {expected}")]
    Output {
        /// Its name.
        tensor: String,
        /// By the manifest and the labels.
        expected: Shape,
        /// What the engine found, type and shape.
        found: String,
    },
    /// A bundle has several forms of its model, and none opens.
    #[error("no form of the model opens: {}", list(refusals))]
    AllForms {
        /// Each with its reason.
        refusals: Vec<Refusal>,
    },
    /// The engine gave up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The model or the word table in a bundle's file cannot be read, or is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The bundle's tokenizer is none, or not that of its manifest.
    #[error(transparent)]
    Tokenizer(#[from] graft_input::tokens::TokenizerError),
    /// This program was built without what a sentence encoder needs.
    #[error(
        "the bundle reads texts with a sentence encoder, and this program was built without its tokenizer: build it with the feature \"tokens\""
    )]
    WithoutTokens,
    /// The bundle's word table is none, or not that of its manifest.
    #[error(transparent)]
    Words(#[from] graft_input::words::TableError),
    /// The manifest's input cannot be prepared.
    #[error(transparent)]
    Spec(#[from] graft_spec::SpecError),
}

/// A form of a bundle's model that does not open here.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its format.
    pub format: ModelFormat,
    /// Why.
    pub error: OpenError,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.format.name(), self.error)
    }
}

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ")
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// A picture for a bundle about texts.
    #[error("the bundle answers about texts, and this is a picture")]
    NotAboutPictures,
    /// A text for a bundle about pictures.
    #[error("the bundle answers about pictures, and this is a text")]
    NotAboutTexts,
    /// A prepared tensor has another length.
    #[error("the prepared tensor has {found} values, must have {expected}")]
    TensorLength {
        /// Those of one example, by the manifest's input; at most, if examples have
        /// different lengths.
        expected: usize,
        /// Values that were given.
        found: usize,
    },
    /// The bundle's tokenizer has no tokens for a text.
    #[error(transparent)]
    Tokenizer(#[from] graft_input::tokens::TokenizerError),
    /// The engine gave up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The engine's own trouble, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It returned an error.
    #[error("the device engine refused the model: {0}")]
    Refused(String),
    /// It panicked, and the panic was caught.
    #[error("the device engine panicked: {0}")]
    Panicked(String),
}

/// Why large weights are in memory and not in a file of their own.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// There is no weight for which it would be worth it.
    #[error("the network has no large weights")]
    NothingLarge,
    /// The first form of the bundle's model is ONNX.
    #[error("the bundle has no NNEF form, and of ONNX weights are not taken apart")]
    OnnxAlone,
    /// Whoever can write to the folder could change what was verified.
    #[error("a signature is demanded, and the file of weights bears none")]
    SignatureDemanded,
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not map the file.
    #[error("cannot map {}: {source}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged, or another model's, engine's or processor's.
    #[error("{}: {why}", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What is in the file cannot be written down.
    #[error("cannot describe the weights: {0}")]
    Head(String),
    /// The model does not open in this way.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The engine gave up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a bundle does not give here what it gave on the host.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// Decoding or resizing, or taking a text apart, differs: the network was not
    /// asked.
    #[error(
        "reference {reference} (seed {seed}, {width} × {height}) is prepared differently here: SHA-256 {}, expected {}",
        hex(found),
        hex(expected)
    )]
    Prepared {
        /// Which, from 0.
        reference: usize,
        /// Seed of the synthetic picture or text.
        seed: u64,
        /// Its width in pixels, or in words.
        width: u32,
        /// Its height in pixels; 1 of a text.
        height: u32,
        /// Digest of the host's tensor.
        expected: [u8; 32],
        /// Digest of this machine's tensor.
        found: [u8; 32],
    },
    /// The network differs.
    #[error(
        "reference {reference} gives logit {found} for {label:?} here, expected {expected} ± {allowed}"
    )]
    Logit {
        /// Which, from 0.
        reference: usize,
        /// The label of the first logit that is too far off.
        label: String,
        /// The host's logit.
        expected: f32,
        /// This machine's logit.
        found: f32,
        /// The largest difference that the manifest allows.
        allowed: f32,
    },
    /// The network did not answer.
    #[error("reference {reference}: {source}")]
    Run {
        /// Which, from 0.
        reference: usize,
        /// Why.
        source: RunError,
    },
}

/// Sizes of a tensor's axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub Vec<Option<usize>>);

impl Shape {
    /// Of axes whose sizes are all known.
    pub fn of(sizes: &[usize]) -> Shape {
        Shape(sizes.iter().copied().map(Some).collect())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Shape {
        Shape::of(&sizes)
    }
}

impl From<&graft_spec::Input> for Shape {
    fn from(input: &graft_spec::Input) -> Shape {
        Shape(input.dims())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, size) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match size {
                Some(size) => write!(f, "{size}")?,
                None => f.write_str("?")?,
            }
        }
        f.write_str("]")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
