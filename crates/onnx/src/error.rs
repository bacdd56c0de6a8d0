use std::fmt;

use crate::Dim;

/// Why a graph is refused, or an operation on it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum GraphError {
    /// The bytes are not an ONNX model.
    Malformed {
        /// What the protobuf decoder met.
        detail: String,
    },
    /// The file has no graph in it: an empty file, or protobuf of another kind.
    NoGraph,
    /// The default operator set's version is not stated, or below 1.
    NoOpset,
    /// The graph is a training graph.
    Training {
        /// What in it trains: a node, or the model's training section.
        what: String,
    },
    /// A node has the form of an operator set before 7, and it is not known how to
    /// write it in a newer one.
    OldForm {
        /// The node.
        node: String,
        /// The model's operator set.
        opset: i64,
    },
    /// A tensor's values lie in another file.
    ExternalData {
        /// The tensor.
        tensor: String,
        /// The other file, as the model states it.
        location: String,
    },
    /// A tensor's values lie in another file, from which they can't be had.
    ExternalDataNotRead {
        /// The tensor.
        tensor: String,
        /// The other file, as the model states it.
        location: String,
        /// Why not.
        reason: String,
    },
    /// A constant's bytes do not fit its shape.
    BadTensor {
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        problem: TensorProblem,
    },
    /// Two nodes, or a node and an input or a constant, make the same tensor.
    DuplicateTensor {
        /// The tensor.
        tensor: String,
    },
    /// A node reads a tensor that nothing makes.
    UnknownInput {
        /// The node.
        node: String,
        /// The tensor.
        tensor: String,
    },
    /// Nothing makes an output of the graph.
    UnknownOutput {
        /// The output.
        tensor: String,
    },
    /// An input or an output of the graph has no name.
    Unnamed,
    /// The graph has no inputs, or no outputs.
    NothingToDo,
    /// A node needs its own result.
    Cycle {
        /// A node on the cycle, or behind it.
        node: String,
    },
    /// The graph has no such tensor.
    UnknownTensor {
        /// What was asked for.
        tensor: String,
        /// Tensors of similar names, nearest first, at most three.
        nearest: Vec<String>,
    },
    /// The tensor is an input or a constant: there is no network below it.
    NotComputed {
        /// The tensor.
        tensor: String,
    },
    /// Other ways than through this tensor lead from the inputs to the outputs.
    DoesNotSeparate {
        /// The tensor.
        tensor: String,
        /// The cut points next to it, in the graph's order.
        nearest: Vec<String>,
    },
    /// No `Gemm` or `MatMul` with constant weights stands before an output.
    NoClassifier {
        /// The output that the search started from.
        output: String,
        /// The node at which it ended.
        node: String,
    },
    /// The classifier is a convolution: there is no dense layer to replace, but
    /// a tensor to cut at.
    ConvolutionClassifier {
        /// The convolution.
        node: String,
        /// Its input: cut here, and pool.
        cut_at: String,
    },
    /// A tensor of this shape can't be made into one row of features a picture.
    FeatureShape {
        /// The tensor.
        tensor: String,
        /// Its shape, if it is known.
        shape: Option<Vec<Dim>>,
        /// What is wrong with it.
        problem: FeatureProblem,
    },
    /// The head does not fit.
    Head {
        /// Which layer, from 0.
        layer: usize,
        /// What is wrong with it.
        problem: HeadProblem,
    },
    /// A temperature that is not finite and above 0.
    Temperature {
        /// The temperature.
        value: f32,
    },
    /// A node through which no gradient can flow.
    NotDifferentiable {
        /// The node.
        node: String,
        /// Why not.
        reason: String,
        /// The lowest tensor above which training can go, if there is one.
        lowest: Option<String>,
    },
    /// A shape that a training step needs does not follow from the batch.
    UnknownShape {
        /// The tensor.
        tensor: String,
    },
    /// A training step has one input.
    SeveralInputs {
        /// The inputs that there are.
        inputs: Vec<String>,
    },
    /// Logits must be `[batch, outputs]`.
    LogitsShape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A weight that is to be trained, or given new values, is not of floats.
    NotFloats {
        /// The tensor.
        tensor: String,
    },
    /// New values for a weight are of another number.
    WeightLength {
        /// The tensor.
        tensor: String,
        /// How many it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// No gradient reaches any of the weights that are to be trained.
    NothingToTrain,
    /// A shape that contradicts the input's own.
    InputShape {
        /// The input.
        input: String,
        /// Its shape in the graph, if it has one.
        shape: Option<Vec<Dim>>,
    },
}

/// What is wrong with a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorProblem {
    /// A negative dimension, or more values than can be counted.
    Shape,
    /// Bytes or values of another number than the shape asks for.
    Length {
        /// What the shape asks for.
        expected: u64,
        /// What is there.
        found: u64,
    },
}

/// What is wrong with a tensor as features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeatureProblem {
    /// It has neither two nor four axes.
    Rank,
    /// It has four axes, and the graph does not tell which one is the channels'.
    Layout,
    /// The number of features is not fixed.
    Length,
    /// The values are not 32-bit floats.
    Element,
    /// Quarters are asked for, and height or width are not fixed.
    Sides,
}

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadProblem {
    /// There are no layers.
    Empty,
    /// The layer takes another number of values than there are.
    Inputs {
        /// What it takes.
        takes: usize,
        /// What there are.
        there_are: u64,
    },
    /// The layer gives nothing.
    NoOutputs,
    /// The number of weights is not inputs × outputs.
    Weights {
        /// inputs × outputs.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// The number of biases is not that of outputs.
    Bias {
        /// Outputs.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// A weight or bias is not finite.
    NotFinite,
}

impl std::error::Error for GraphError {}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::Malformed { detail } => write!(f, "not an ONNX model: {detail}"),
            GraphError::NoGraph => write!(f, "not an ONNX model: there is no graph in it"),
            GraphError::NoOpset => write!(f, "the model does not state its operator set"),
            GraphError::Training { what } => {
                write!(f, "this is a training graph ({what}): export the model for inference")
            }
            GraphError::OldForm { node, opset } => write!(
                f,
                "node {node} has a form of operator set {opset} that cannot be written as one of set 7, the oldest that runs: onnx's version converter may do it"
            ),
            GraphError::ExternalData { tensor, location } => write!(
                f,
                "the values of tensor {tensor:?} are in another file ({location:?}): save the model as one file"
            ),
            GraphError::ExternalDataNotRead { tensor, location, reason } => write!(
                f,
                "the values of tensor {tensor:?} are in another file, {location:?}, from which they cannot be had: {reason}"
            ),
            GraphError::BadTensor { tensor, problem } => {
                write!(f, "tensor {tensor:?} is broken: {problem}")
            }
            GraphError::DuplicateTensor { tensor } => {
                write!(f, "tensor {tensor:?} is made more than once")
            }
            GraphError::UnknownInput { node, tensor } => {
                write!(f, "node {node} reads tensor {tensor:?}, which nothing makes")
            }
            GraphError::UnknownOutput { tensor } => {
                write!(f, "nothing makes the output {tensor:?}")
            }
            GraphError::Unnamed => write!(f, "an input or output of the graph has no name"),
            GraphError::NothingToDo => write!(f, "the graph has no inputs or no outputs"),
            GraphError::Cycle { node } => write!(f, "node {node} needs its own result"),
            GraphError::UnknownTensor { tensor, nearest } => {
                write!(f, "the graph has no tensor {tensor:?}")?;
                for (i, name) in nearest.iter().enumerate() {
                    write!(f, "{}{name:?}", if i == 0 { "; did you mean " } else { " or " })?;
                }
                Ok(())
            }
            GraphError::NotComputed { tensor } => {
                write!(f, "tensor {tensor:?} is an input or a constant: there is nothing below it")
            }
            GraphError::DoesNotSeparate { tensor, nearest } => {
                write!(
                    f,
                    "tensor {tensor:?} does not separate the graph: a part of the network goes past it"
                )?;
                match nearest.as_slice() {
                    [] => Ok(()),
                    names => write!(f, "; all of it passes through {}", names.join(" and ")),
                }
            }
            GraphError::NoClassifier { output, node } => write!(
                f,
                "no dense layer stands before the output {output:?} (the search ended at node {node}): name a tensor to cut at"
            ),
            GraphError::ConvolutionClassifier { node, cut_at } => write!(
                f,
                "the classifier is the convolution {node}, not a dense layer: cut at {cut_at:?}"
            ),
            GraphError::FeatureShape { tensor, shape, problem } => {
                write!(f, "tensor {tensor:?} of shape {} can't be features: ", Shape(shape))?;
                write!(f, "{problem}")
            }
            GraphError::Head { layer, problem } => write!(f, "layer {layer} of the head {problem}"),
            GraphError::Temperature { value } => {
                write!(f, "the temperature is {value}, must be finite and above 0")
            }
            GraphError::NotDifferentiable { node, reason, lowest } => {
                write!(f, "no gradient flows through node {node}: {reason}")?;
                match lowest {
                    Some(lowest) => write!(f, "; training can go down to {lowest:?}"),
                    None => Ok(()),
                }
            }
            GraphError::UnknownShape { tensor } => {
                write!(f, "the shape of tensor {tensor:?} does not follow from the batch alone")
            }
            GraphError::SeveralInputs { inputs } => {
                write!(f, "the network has several inputs ({})", inputs.join(", "))
            }
            GraphError::LogitsShape { tensor, shape } => {
                write!(f, "the logits {tensor:?} are {shape:?}, not [batch, classes]")
            }
            GraphError::NotFloats { tensor } => {
                write!(f, "tensor {tensor:?} is not of 32-bit floats")
            }
            GraphError::WeightLength { tensor, expected, found } => {
                write!(f, "weight {tensor:?} has {expected} values, {found} were given")
            }
            GraphError::NothingToTrain => {
                write!(f, "no gradient reaches any of the weights that are to be trained")
            }
            GraphError::InputShape { input, shape } => {
                write!(f, "input {input:?} has the shape {}, which differs", Shape(shape))
            }
        }
    }
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorProblem::Shape => write!(f, "its shape is impossible"),
            TensorProblem::Length { expected, found } => {
                write!(f, "its shape asks for {expected} values, it has {found}")
            }
        }
    }
}

impl fmt::Display for FeatureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FeatureProblem::Rank => "it must be [N, length] or [N, channels, height, width]",
            FeatureProblem::Layout => {
                "the graph does not tell which axis is the channels': cut at a convolution or a pool"
            }
            FeatureProblem::Length => "their number must be fixed",
            FeatureProblem::Element => "they must be 32-bit floats",
            FeatureProblem::Sides => {
                "its height and width must be fixed if its quarters are to be averaged"
            }
        })
    }
}

impl fmt::Display for HeadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadProblem::Empty => write!(f, "is missing"),
            HeadProblem::Inputs { takes, there_are } => {
                write!(f, "takes {takes} values, there are {there_are}")
            }
            HeadProblem::NoOutputs => write!(f, "gives nothing"),
            HeadProblem::Weights { expected, found } => {
                write!(f, "must have {expected} weights, it has {found}")
            }
            HeadProblem::Bias { expected, found } => {
                write!(f, "must have {expected} biases, it has {found}")
            }
            HeadProblem::NotFinite => write!(f, "has a weight or bias that is not finite"),
        }
    }
}

struct Shape<'a>(&'a Option<Vec<Dim>>);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dims) = self.0 else { return f.write_str("unknown") };
        f.write_str("[")?;
        for (i, dim) in dims.iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}
