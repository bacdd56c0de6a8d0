//! Types of layers, by the names of both forms of the prototxt.

use super::error::CaffeError;
use super::text::{Field, Value};

/// What a layer does, as far as it matters when the network only runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AbsVal,
    BatchNorm,
    Bias,
    Bnll,
    Clip,
    Concat,
    Convolution,
    Crop,
    Deconvolution,
    /// Gives pictures when the network is trained.
    Data,
    Dropout,
    Eltwise,
    Elu,
    Exp,
    Flatten,
    InnerProduct,
    Input,
    Log,
    Lrn,
    /// Measures, and makes nothing that is asked for.
    Measure,
    Permute,
    Pooling,
    Power,
    Prelu,
    Relu,
    Reshape,
    Scale,
    Sigmoid,
    /// A loss whose first step is what the network answers.
    SigmoidLoss,
    /// Takes what nobody wants.
    Silence,
    Slice,
    Softmax,
    /// As [`Kind::SigmoidLoss`].
    SoftmaxLoss,
    Split,
    Swish,
    Tanh,
    Unknown,
}

/// Today's name, that of the form before (`layers { type: RELU }`), the kind.
const NAMES: &[(&str, &str, Kind)] = &[
    ("AbsVal", "ABSVAL", Kind::AbsVal),
    ("Accuracy", "ACCURACY", Kind::Measure),
    ("BNLL", "BNLL", Kind::Bnll),
    ("BatchNorm", "", Kind::BatchNorm),
    ("Bias", "", Kind::Bias),
    ("Clip", "", Kind::Clip),
    ("Concat", "CONCAT", Kind::Concat),
    ("ContrastiveLoss", "CONTRASTIVE_LOSS", Kind::Measure),
    ("Convolution", "CONVOLUTION", Kind::Convolution),
    ("Crop", "", Kind::Crop),
    ("Data", "DATA", Kind::Data),
    ("Deconvolution", "DECONVOLUTION", Kind::Deconvolution),
    ("Dropout", "DROPOUT", Kind::Dropout),
    ("ELU", "", Kind::Elu),
    ("Eltwise", "ELTWISE", Kind::Eltwise),
    ("EuclideanLoss", "EUCLIDEAN_LOSS", Kind::Measure),
    ("Exp", "EXP", Kind::Exp),
    ("Flatten", "FLATTEN", Kind::Flatten),
    ("HDF5Data", "HDF5_DATA", Kind::Data),
    ("HingeLoss", "HINGE_LOSS", Kind::Measure),
    ("ImageData", "IMAGE_DATA", Kind::Data),
    ("InfogainLoss", "INFOGAIN_LOSS", Kind::Measure),
    ("InnerProduct", "INNER_PRODUCT", Kind::InnerProduct),
    ("Input", "", Kind::Input),
    ("LRN", "LRN", Kind::Lrn),
    ("Log", "", Kind::Log),
    ("MemoryData", "MEMORY_DATA", Kind::Data),
    ("MultinomialLogisticLoss", "MULTINOMIAL_LOGISTIC_LOSS", Kind::Measure),
    ("PReLU", "", Kind::Prelu),
    ("Permute", "", Kind::Permute),
    ("Pooling", "POOLING", Kind::Pooling),
    ("Power", "POWER", Kind::Power),
    ("ReLU", "RELU", Kind::Relu),
    ("Reshape", "", Kind::Reshape),
    ("Scale", "", Kind::Scale),
    ("Sigmoid", "SIGMOID", Kind::Sigmoid),
    ("SigmoidCrossEntropyLoss", "SIGMOID_CROSS_ENTROPY_LOSS", Kind::SigmoidLoss),
    ("Silence", "SILENCE", Kind::Silence),
    ("Slice", "SLICE", Kind::Slice),
    ("Softmax", "SOFTMAX", Kind::Softmax),
    ("SoftmaxWithLoss", "SOFTMAX_LOSS", Kind::SoftmaxLoss),
    ("Split", "SPLIT", Kind::Split),
    ("Swish", "", Kind::Swish),
    ("TanH", "TANH", Kind::Tanh),
    ("WindowData", "WINDOW_DATA", Kind::Data),
];

impl Kind {
    pub fn of(name: &str) -> Kind {
        // The name of the loss before it had `With` in it.
        let name = if name == "SoftmaxLoss" { "SoftmaxWithLoss" } else { name };
        let found = NAMES.iter().find(|(today, ..)| *today == name);
        found.map_or(Kind::Unknown, |(.., kind)| *kind)
    }

    /// Of `type: RELU`; today's names occur in that place too.
    pub fn of_v1<'m>(field: Option<&'m Field<'_>>) -> Result<Option<(Kind, &'m str)>, CaffeError> {
        let Some(field) = field else { return Ok(None) };
        match &field.value {
            Value::Word(word) => {
                let found = NAMES.iter().find(|(_, old, _)| old == word);
                Ok(Some((found.map_or(Kind::Unknown, |(.., kind)| *kind), word)))
            }
            Value::Text(name) => Ok(Some((Kind::of(name), name))),
            other => Err(CaffeError::Value {
                line: field.line,
                field: field.name.to_owned(),
                found: other.shown(),
                expected: "the name of a layer's type",
            }),
        }
    }
}
