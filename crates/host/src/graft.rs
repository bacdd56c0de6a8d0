//! Backbone and head become one network, and the network a bundle.

use graft_bundle::{Bundle, BundleError, Contents, ModelPart, Reference, References};
use graft_input::tokens::{TokenPreparer, TokenizerError, synthetic_sentence};
use graft_input::words::{TableError, TextPreparer, WordTable, synthetic_text};
use graft_input::{Preparer, synthetic, tensor_sha256};
use graft_learn::{Dense, Head};
use graft_onnx::{DenseLayer, FEATURES, Graph, GraphError, HeadWeights, LOGITS};
use graft_runtime::{Model, OpenError};
use graft_spec::{
    Answer, Calibration, Form, ImageSpec, Input, Labels, Manifest, ModelFormat, Name, Precision,
    Provenance, TokensSpec, Tolerance, WordsSpec,
};
use ndarray::{Array1, Array2};

use crate::causes::with_causes;
use crate::engine::{Engine, Network, NetworkError};
use crate::provider::Provider;

/// How far a device's logits may be from the host's, after division by the
/// temperature: at most a thousandth of a probability. Engines and processors
/// differ by 2e-6 to 4e-4 on MobileNetV2 and EfficientNet-Lite0 with linear and
/// MLP heads; a wrong weight or a wrong kernel by far more.
const SCALED_TOLERANCE: f32 = 2e-3;

fn tolerance(calibration: &Calibration) -> Tolerance {
    // An overconfident head has large logits, whose rounding is as large.
    Tolerance { absolute: SCALED_TOLERANCE * calibration.temperature, relative: 1e-3 }
}

/// Sizes of the synthetic pictures in thirds of the tensor's: one needs no
/// resizing, the others shrink and grow, wide and tall.
const REFERENCE_SIZES: [(u32, u32); 4] = [(3, 3), (5, 4), (4, 7), (2, 1)];

/// Words of the synthetic texts: shorter and longer than most real ones.
const REFERENCE_WORDS: [u32; 4] = [1, 12, 60, 200];

/// How an example becomes the input of what a head is grafted onto.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A photo, prepared.
    Photo(&'a ImageSpec),
    /// A text, its words looked up in a table and their rows pooled.
    Text { spec: &'a WordsSpec, table: &'a [u8] },
    /// A text, taken apart into the tokens of a sentence encoder.
    Sentence { spec: &'a TokensSpec, tokenizer: &'a [u8] },
}

impl<'a> Subject<'a> {
    /// As a manifest has it.
    pub fn input(self) -> Input {
        match self {
            Subject::Photo(spec) => Input::Image(spec.clone()),
            Subject::Text { spec, .. } => Input::Words(spec.clone()),
            Subject::Sentence { spec, .. } => Input::Tokens(spec.clone()),
        }
    }

    fn table(self) -> Option<&'a [u8]> {
        match self {
            Subject::Photo(_) | Subject::Sentence { .. } => None,
            Subject::Text { table, .. } => Some(table),
        }
    }

    fn tokenizer(self) -> Option<&'a [u8]> {
        match self {
            Subject::Photo(_) | Subject::Text { .. } => None,
            Subject::Sentence { tokenizer, .. } => Some(tokenizer),
        }
    }
}

/// A network that can't be grafted.
#[derive(Debug, thiserror::Error)]
pub enum GraftError {
    /// The graph.
    #[error("{0}")]
    Graph(#[from] Box<GraphError>),
    /// The network doesn't run.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// The word table breaks a rule of its format.
    #[error("{0}")]
    Table(#[from] TableError),
    /// The tokenizer is not what it must be.
    #[error("{0}")]
    Tokenizer(#[from] TokenizerError),
    /// A reference is not finite.
    #[error("the grafted network gives logits that are not finite for synthetic example {seed}")]
    NotFinite { seed: u64 },
    /// The bundle breaks a rule of its format.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// The device engine can't open it.
    #[error("the device engine cannot open the bundle")]
    Open(#[from] OpenError),
    /// The device engine answers something else.
    #[error("the device engine does not give what ONNX Runtime gave")]
    Verify(#[from] graft_runtime::VerifyError),
}

/// A bundle each of whose forms opened and verified in the device engine of
/// this machine.
#[derive(Clone, Debug)]
pub struct Grafted {
    /// The file.
    pub bytes: Vec<u8>,
    /// Why the model travels as ONNX alone and not as NNEF too, which opens
    /// faster, if so.
    pub without_nnef: Option<String>,
    /// Largest difference of a logit from the references.
    pub references_max_abs_diff: f32,
}

/// What a bundle says beside its network.
#[derive(Clone, Debug)]
pub struct Description {
    /// What people call it.
    pub name: Name,
    /// In the order of the head's outputs.
    pub labels: Labels,
    /// Temperature and unknown threshold.
    pub calibration: Calibration,
    /// Where it came from.
    pub provenance: Provenance,
}

/// What gives features with the head behind it: outputs `features` and `logits`.
pub fn join(features: &Graph, head: &Head) -> Result<Graph, GraftError> {
    let layers = head
        .layers
        .iter()
        .map(|layer| DenseLayer {
            inputs: layer.weights.ncols(),
            outputs: layer.weights.nrows(),
            weights: layer.weights.iter().copied().collect(),
            bias: layer.bias.to_vec(),
        })
        .collect();
    let head = HeadWeights { layers };
    Ok(features.clone().append_head(&head).map_err(Box::new)?)
}

/// As [`join`], with a head that says nothing yet: for what can be known of a network
/// before its head.
pub(crate) fn join_blank(
    features: &Graph,
    feature_length: usize,
    classes: usize,
) -> Result<Graph, GraftError> {
    let weights = Array2::zeros((classes, feature_length));
    join(features, &Head { layers: vec![Dense { weights, bias: Array1::zeros(classes) }] })
}

/// Makes a bundle of a joined network: runs the references in ONNX Runtime,
/// writes, and replays them in the device engine before anybody else does. The
/// model travels as NNEF, if the device engine can say it so, and as ONNX.
pub fn bundle(
    engine: &Engine,
    provider: &Provider,
    subject: Subject<'_>,
    feature_length: usize,
    joined: &Graph,
    description: Description,
) -> Result<Grafted, GraftError> {
    let model = joined.to_bytes();
    let classes = description.labels.names().len();
    let references = references(engine, provider, subject, &model, classes)?;
    let input = joined
        .inputs()
        .into_iter()
        .next()
        .map(|i| i.name)
        .expect("what gives features has an input");
    let onnx = Part {
        form: Form {
            format: ModelFormat::Onnx,
            precision: Precision::F32,
            input,
            features: FEATURES.to_owned(),
            logits: LOGITS.to_owned(),
            feature_length,
            tolerance: tolerance(&description.calibration),
        },
        model,
    };
    let write_and_verify = |parts: &[&Part]| -> Result<(Vec<u8>, f32), GraftError> {
        let bytes = write(parts, &references, subject, &description)?;
        let max_abs_diff = verify(&bytes)?;
        Ok((bytes, max_abs_diff))
    };
    let both = as_nnef(&onnx, &subject.input(), classes)
        .map_err(GraftError::from)
        .and_then(|nnef| write_and_verify(&[&nnef, &onnx]));
    let (made, without_nnef) = match both {
        Ok(made) => (made, None),
        // The ONNX form may hold where NNEF does not; if neither does, this is
        // the error that counts.
        Err(error) => (write_and_verify(&[&onnx])?, Some(with_causes(&error))),
    };
    let (bytes, references_max_abs_diff) = made;
    Ok(Grafted { bytes, without_nnef, references_max_abs_diff })
}

/// One form of the model, to be written.
struct Part {
    form: Form,
    model: Vec<u8>,
}

fn as_nnef(onnx: &Part, input: &Input, classes: usize) -> Result<Part, OpenError> {
    let Part { form, model } = onnx;
    let tensors = [(form.features.as_str(), form.feature_length), (form.logits.as_str(), classes)];
    let model = graft_runtime::to_nnef(model, &form.input, input, tensors)?;
    let form = Form {
        format: ModelFormat::Nnef,
        input: graft_runtime::NNEF_INPUT.to_owned(),
        ..form.clone()
    };
    Ok(Part { form, model })
}

fn write(
    parts: &[&Part],
    references: &References,
    subject: Subject<'_>,
    description: &Description,
) -> Result<Vec<u8>, BundleError> {
    let Description { name, labels, calibration, provenance } = description;
    graft_bundle::write(&Contents {
        manifest: Manifest {
            name: name.clone(),
            input: subject.input(),
            answer: Answer::Class(*calibration),
            forms: parts.iter().map(|part| part.form.clone()).collect(),
        },
        labels: labels.clone(),
        models: parts
            .iter()
            .map(|part| ModelPart { bytes: &part.model, references: references.clone() })
            .collect(),
        words: subject.table(),
        tokenizer: subject.tokenizer(),
        provenance: Some(provenance.clone()),
    })
}

/// Replays the references of every form; the largest difference of a logit.
fn verify(bytes: &[u8]) -> Result<f32, GraftError> {
    let bundle = Bundle::parse(bytes)?;
    let mut max_abs_diff = 0.0_f32;
    for view in bundle.forms() {
        let verified = Model::open_form(&bundle, &view)?.verify()?;
        max_abs_diff = max_abs_diff.max(verified.max_abs_diff);
    }
    Ok(max_abs_diff)
}

fn references(
    engine: &Engine,
    provider: &Provider,
    subject: Subject<'_>,
    model: &[u8],
    classes: usize,
) -> Result<References, GraftError> {
    let mut network = Network::open(engine, model, provider, 1)?;
    let mut items = Vec::new();
    let input = subject.input();
    for Synthetic { seed, width, height, tensor } in examples(subject)? {
        let shape = input.shape_of(tensor.len()).expect("it was prepared for this input");
        let mut logits = Vec::new();
        network.run(&shape, &tensor, LOGITS, |values| logits = values.to_vec())?;
        if logits.len() != classes {
            let name = LOGITS.to_owned();
            let found = logits.len();
            return Err(NetworkError::Output { name, found, expected: classes }.into());
        }
        if !logits.iter().all(|v| v.is_finite()) {
            return Err(GraftError::NotFinite { seed });
        }
        let prepared_sha256 = tensor_sha256(&tensor);
        items.push(Reference { seed, width, height, prepared_sha256, logits });
    }
    Ok(References { classes, items })
}

/// An example that every device can make, prepared.
struct Synthetic {
    seed: u64,
    width: u32,
    height: u32,
    tensor: Vec<f32>,
}

fn examples(subject: Subject<'_>) -> Result<Vec<Synthetic>, GraftError> {
    match subject {
        Subject::Photo(spec) => {
            let mut preparer = Preparer::new(spec).expect("a backbone's input was checked");
            let pictures = (1..).zip(REFERENCE_SIZES).map(|(seed, (wide, tall))| {
                let side =
                    |tensor: u32, thirds: u32| (tensor * thirds / 3).clamp(1, graft_spec::MAX_SIDE);
                let (width, height) = (side(spec.width, wide), side(spec.height, tall));
                let mut tensor = vec![0.0; spec.tensor_len()];
                preparer.fill(synthetic(seed, width, height).frame(), &mut tensor);
                Synthetic { seed, width, height, tensor }
            });
            Ok(pictures.collect())
        }
        Subject::Text { spec, table } => {
            let mut preparer = TextPreparer::new(spec, WordTable::parse(table)?)?;
            let texts = (1..).zip(REFERENCE_WORDS).map(|(seed, width)| {
                let mut tensor = vec![0.0; spec.feature_length()];
                let text = synthetic_text(seed, width, preparer.table());
                preparer.fill(&text, &mut tensor);
                Synthetic { seed, width, height: 1, tensor }
            });
            Ok(texts.collect())
        }
        Subject::Sentence { spec, tokenizer } => {
            let preparer = TokenPreparer::new(spec, tokenizer)?;
            let texts = (1..).zip(REFERENCE_WORDS).map(|(seed, width)| {
                let mut tensor = Vec::new();
                preparer.fill(&synthetic_sentence(seed, width), &mut tensor)?;
                Ok(Synthetic { seed, width, height: 1, tensor })
            });
            texts.collect()
        }
    }
}
