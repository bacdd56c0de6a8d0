use std::fmt;

use crate::GraphError;

/// Why a Caffe network is refused.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CaffeError {
    /// The prototxt is not protobuf's text format.
    Syntax {
        /// In the prototxt, from 1.
        line: u32,
        /// What could stand there.
        expected: &'static str,
        /// What does; `None` at the end of the file.
        found: Option<char>,
    },
    /// A brace has no partner.
    Unclosed {
        /// Of the opening brace.
        line: u32,
    },
    /// A string does not end on its line.
    UnclosedString {
        /// Where it begins.
        line: u32,
    },
    /// A backslash before a character that needs none.
    BadEscape {
        /// Of the string.
        line: u32,
    },
    /// A string is not UTF-8.
    NotText {
        /// Of the string.
        line: u32,
    },
    /// Braces in braces in braces.
    TooDeep {
        /// Of the first brace that is too deep.
        line: u32,
        /// How deep is not too deep.
        deepest: usize,
    },
    /// A field has a value of another kind.
    Value {
        /// Of the field.
        line: u32,
        /// Its name.
        field: String,
        /// What is there.
        found: String,
        /// What could be.
        expected: &'static str,
    },
    /// A field that can be there once is there again.
    Twice {
        /// Of the second one.
        line: u32,
        /// Its name.
        field: String,
    },
    /// The network has a field that Caffe's networks don't.
    UnknownField {
        /// Of the field.
        line: u32,
        /// Its name.
        field: String,
    },
    /// The net is written in the form of before 2014, a layer inside of `layers`.
    OldNet {
        /// Of the first such layer.
        line: u32,
    },
    /// Layers without a name or a type.
    Unnamed {
        /// Of the layer.
        line: u32,
        /// `name` or `type`.
        field: &'static str,
    },
    /// Nothing says how large the input is.
    NoInput,
    /// The input's shape is absent, or can't be one.
    InputShape {
        /// Of the input.
        line: u32,
        /// Its name.
        input: String,
    },
    /// No layer is left that makes something.
    NoOutput,
    /// Something is wrong with one layer.
    Layer {
        /// Of the layer, or of the field at fault.
        line: u32,
        /// Its name.
        layer: String,
        /// Its type.
        kind: String,
        /// What is wrong.
        problem: LayerProblem,
    },
    /// The weights are not a caffemodel.
    Weights {
        /// The layer in which the file ends or breaks, if its name was seen.
        layer: Option<String>,
        /// What the decoder met.
        detail: String,
    },
    /// The file is not a mean image.
    Mean {
        /// What is wrong with it.
        detail: String,
    },
    /// The graph that was made is not a graph.
    Graph(GraphError),
}

/// What is wrong with one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerProblem {
    /// A type that is not read.
    UnknownKind,
    /// A setting that is not read.
    Unsupported {
        /// Which.
        what: &'static str,
    },
    /// A field that the layer's type does not have.
    UnknownField {
        /// Its name.
        field: String,
    },
    /// A field that must be there.
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A setting that can't be.
    Setting {
        /// What it must be.
        rule: &'static str,
    },
    /// It reads what no layer before it makes.
    UnknownBottom {
        /// The blob.
        bottom: String,
    },
    /// It makes what is made already.
    DuplicateTop {
        /// The blob.
        top: String,
    },
    /// Another layer has its name.
    DuplicateName,
    /// It reads too many or too few blobs.
    Bottoms {
        /// How many it needs.
        takes: &'static str,
        /// How many it names.
        found: usize,
    },
    /// It makes too many or too few blobs.
    Tops {
        /// How many it makes.
        makes: usize,
        /// How many it names.
        found: usize,
    },
    /// The input has too few axes, or too many.
    Axes {
        /// What it takes.
        takes: &'static str,
        /// What there is, the batch as the first.
        shape: Vec<u64>,
    },
    /// An axis that is not there.
    Axis {
        /// As it is stated.
        axis: i64,
        /// How many there are, with the batch.
        axes: usize,
    },
    /// It mixes what belongs to different examples.
    AcrossBatch,
    /// A window that does not fit its input.
    Window {
        /// Rows and columns, with dilation.
        window: [u64; 2],
        /// Rows and columns of the input with its padding.
        input: [u64; 2],
    },
    /// Shapes that don't fit each other; without the batch.
    Shapes {
        /// Of the bottoms, or what it shall be and what it is.
        shapes: Vec<Vec<u64>>,
    },
    /// A shape whose number of values is beyond counting.
    TooLarge,
    /// The caffemodel has no weights for it.
    NoWeights,
    /// The caffemodel has more or fewer blobs for it.
    BlobCount {
        /// How many the prototxt asks for.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A blob of weights has another shape.
    BlobShape {
        /// Which one.
        blob: &'static str,
        /// What the prototxt asks for.
        expected: Vec<u64>,
        /// What the caffemodel has.
        found: Vec<u64>,
    },
    /// A blob states a shape, and holds another number of values.
    BlobLength {
        /// Which one.
        blob: &'static str,
        /// The shape.
        shape: Vec<u64>,
        /// The number.
        found: usize,
    },
}

impl fmt::Display for CaffeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaffeError::Syntax { line, expected, found: Some(found) } => {
                write!(f, "line {line}: expected {expected}, found {found:?}")
            }
            CaffeError::Syntax { line, expected, found: None } => {
                write!(f, "line {line}: expected {expected}, found the end of the file")
            }
            CaffeError::Unclosed { line } => {
                write!(f, "line {line}: the brace that opens here is not closed")
            }
            CaffeError::UnclosedString { line } => {
                write!(f, "line {line}: the string that opens here does not end on its line")
            }
            CaffeError::BadEscape { line } => {
                write!(f, "line {line}: a string has an escape that the text format does not know")
            }
            CaffeError::NotText { line } => write!(f, "line {line}: a string is not UTF-8"),
            CaffeError::TooDeep { line, deepest } => {
                write!(f, "line {line}: messages are nested more than {deepest} deep")
            }
            CaffeError::Value { line, field, found, expected } => {
                write!(f, "line {line}: {field} is {found}, must be {expected}")
            }
            CaffeError::Twice { line, field } => {
                write!(f, "line {line}: {field} is stated a second time")
            }
            CaffeError::UnknownField { line, field } => {
                write!(f, "line {line}: a Caffe network has no field {field}")
            }
            CaffeError::OldNet { line } => write!(
                f,
                "line {line}: the network is written in Caffe's form of before 2014; Caffe's upgrade_net_proto_text and upgrade_net_proto_binary turn it into today's"
            ),
            CaffeError::Unnamed { line, field } => {
                write!(f, "line {line}: the layer that begins here has no {field}")
            }
            CaffeError::NoInput => f.write_str(
                "the prototxt has no input: add a layer of type Input with the shape, as deploy.prototxt files have",
            ),
            CaffeError::InputShape { line, input } => write!(
                f,
                "line {line}: the shape of input {input:?} is not stated in full; a deploy.prototxt states it (four input_dim, input_shape, or a layer of type Input)"
            ),
            CaffeError::NoOutput => f.write_str("no layer of the prototxt makes an output"),
            CaffeError::Layer { line, layer, kind, problem } => {
                write!(f, "line {line}: layer {layer:?} ({kind}) {problem}")
            }
            CaffeError::Weights { layer: Some(layer), detail } => {
                write!(f, "the caffemodel is damaged in layer {layer:?}: {detail}")
            }
            CaffeError::Weights { layer: None, detail } => {
                write!(f, "not a caffemodel: {detail}")
            }
            CaffeError::Mean { detail } => write!(f, "not a mean image: {detail}"),
            CaffeError::Graph(_) => f.write_str("the network is not a graph that can run"),
        }
    }
}

impl fmt::Display for LayerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerProblem::UnknownKind => f.write_str("is of a type that cannot be read"),
            LayerProblem::Unsupported { what } => write!(f, "cannot be read with {what}"),
            LayerProblem::UnknownField { field } => write!(f, "has no field {field}"),
            LayerProblem::Missing { field } => write!(f, "must state {field}"),
            LayerProblem::Setting { rule } => f.write_str(rule),
            LayerProblem::UnknownBottom { bottom } => {
                write!(f, "reads {bottom:?}, which no layer before it makes")
            }
            LayerProblem::DuplicateTop { top } => {
                write!(f, "makes {top:?}, which is made before it, and does not read it")
            }
            LayerProblem::DuplicateName => f.write_str("has the name of a layer before it"),
            LayerProblem::Bottoms { takes, found } => {
                write!(f, "takes {takes}, and names {found} as bottom")
            }
            LayerProblem::Tops { makes, found } => {
                write!(f, "makes {makes}, and names {found} as top")
            }
            LayerProblem::Axes { takes, shape } => {
                write!(f, "takes {takes}, and is given {}", Shape(shape))
            }
            LayerProblem::Axis { axis, axes } => {
                write!(f, "works along axis {axis} of a blob that has {axes}")
            }
            LayerProblem::AcrossBatch => {
                f.write_str("works across the batch; graft runs each photo on its own")
            }
            LayerProblem::Window { window: [a, b], input: [c, d] } => {
                write!(f, "has a window of {a}x{b} on an input of {c}x{d} with its padding")
            }
            LayerProblem::Shapes { shapes } => {
                let shapes: Vec<String> = shapes.iter().map(|s| Shape(s).to_string()).collect();
                write!(f, "has shapes that do not fit: {}", shapes.join(" and "))
            }
            LayerProblem::TooLarge => f.write_str("has more values than can be counted"),
            LayerProblem::NoWeights => {
                f.write_str("has no weights in the caffemodel; it is of another network")
            }
            LayerProblem::BlobCount { expected, found } => {
                write!(f, "needs {expected} blobs of weights, the caffemodel has {found}")
            }
            LayerProblem::BlobShape { blob, expected, found } => write!(
                f,
                "needs a {blob} of {}, the caffemodel has {}: one of the two files is of another network",
                Shape(expected),
                Shape(found)
            ),
            LayerProblem::BlobLength { blob, shape, found } => write!(
                f,
                "has a {blob} of {} in the caffemodel, with {found} values: the file is damaged",
                Shape(shape)
            ),
        }
    }
}

/// `96×3×11×11`
struct Shape<'a>(&'a [u64]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("one value");
        }
        for (i, length) in self.0.iter().enumerate() {
            write!(f, "{}{length}", if i == 0 { "" } else { "×" })?;
        }
        Ok(())
    }
}

impl std::error::Error for CaffeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CaffeError::Graph(error) => Some(error),
            _ => None,
        }
    }
}
