use serde::{Deserialize, Serialize};

use crate::{Answer, ImageSpec, SpecError, TokensLength, TokensSpec, WordsSpec};

/// The most model forms in one bundle.
pub const MAX_FORMS: usize = 8;
const MAX_FEATURES: usize = 1 << 20;

/// What a bundle is: how to make its input and how to read its output.
///
/// Reading one with serde gives the shape; [`Manifest::check`] holds the rules
/// of `docs/format.md`. `graft-bundle` never hands out an unchecked one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What people call the bundle.
    pub name: Name,
    /// What one example is.
    pub input: Input,
    /// What one answer is.
    pub answer: Answer,
    /// The models, best first.
    pub forms: Vec<Form>,
}

/// A name of a bundle or a model: 1–64 bytes of `A–Z a–z 0–9 . _ -`, not
/// starting with `.` or `-`, so that it is a file name everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// What one example is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// A picture.
    Image(ImageSpec),
    /// A text, whose words are looked up.
    Words(WordsSpec),
    /// A text, whose tokens a sentence encoder reads.
    Tokens(TokensSpec),
}

/// One form of the model: a `MODL` section and its references.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The file format of the section.
    pub format: ModelFormat,
    /// The precision of its weights.
    pub precision: Precision,
    /// Name of the input tensor.
    pub input: String,
    /// Name of the feature tensor, `[N, feature_length]`.
    pub features: String,
    /// Name of the logits tensor, `[N, labels]`.
    pub logits: String,
    /// Features of one example.
    pub feature_length: usize,
    /// How far a device's logits may be from the references.
    pub tolerance: Tolerance,
}

/// The format of a model section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelFormat {
    /// An ONNX protobuf.
    Onnx,
    /// A tar of NNEF files with the extensions of tract, for one example at a
    /// time.
    Nnef,
}

/// The precision of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE single.
    F32,
}

/// `|device - reference| <= absolute + relative * |reference|`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// In units of a logit.
    pub absolute: f32,
    /// As a share of the reference.
    pub relative: f32,
}

impl Manifest {
    /// Checks the rules that the types alone do not hold.
    pub fn check(&self) -> Result<(), SpecError> {
        match &self.input {
            Input::Image(image) => image.check()?,
            Input::Words(words) => words.check()?,
            Input::Tokens(tokens) => tokens.check()?,
        }
        let Answer::Class(calibration) = &self.answer;
        calibration.check()?;
        if self.forms.is_empty() || self.forms.len() > MAX_FORMS {
            return Err(SpecError::new(
                "forms",
                format!("there are {}, must be 1 to {MAX_FORMS}", self.forms.len()),
            ));
        }
        if !self.forms.iter().any(|form| form.format == ModelFormat::Onnx) {
            return Err(SpecError::new("forms", "none is onnx, which every engine reads"));
        }
        self.forms.iter().try_for_each(Form::check)
    }
}

impl Input {
    /// How a picture is prepared, if an example is one.
    pub fn image(&self) -> Option<&ImageSpec> {
        match self {
            Input::Image(image) => Some(image),
            Input::Words(_) | Input::Tokens(_) => None,
        }
    }

    /// How a text is prepared, if an example is one.
    pub fn words(&self) -> Option<&WordsSpec> {
        match self {
            Input::Words(words) => Some(words),
            Input::Image(_) | Input::Tokens(_) => None,
        }
    }

    /// How the tokens of a text are made, if an example is that.
    pub fn tokens(&self) -> Option<&TokensSpec> {
        match self {
            Input::Tokens(tokens) => Some(tokens),
            Input::Image(_) | Input::Words(_) => None,
        }
    }

    /// Whether an example is a text, however it is prepared.
    pub fn is_text(&self) -> bool {
        match self {
            Input::Image(_) => false,
            Input::Words(_) | Input::Tokens(_) => true,
        }
    }

    /// The most values that the tensor of one example has.
    pub fn tensor_len(&self) -> usize {
        match self {
            Input::Image(image) => image.tensor_len(),
            Input::Words(words) => words.feature_length(),
            Input::Tokens(tokens) => tokens.max_tokens as usize,
        }
    }

    /// The shape of the tensor of one example, batch 1 first; of tensors whose length
    /// is that of the example, it is `None` at that axis.
    pub fn dims(&self) -> Vec<Option<usize>> {
        match self {
            Input::Image(image) => image.shape(1).map(Some).to_vec(),
            Input::Words(words) => words.shape(1).map(Some).to_vec(),
            Input::Tokens(tokens) => match tokens.length {
                TokensLength::Text => vec![Some(1), None],
                TokensLength::MaxTokens => vec![Some(1), Some(tokens.max_tokens as usize)],
            },
        }
    }

    /// The shape of a tensor of one example that has so many values, batch 1 first;
    /// `None` if none has.
    pub fn shape_of(&self, values: usize) -> Option<Vec<usize>> {
        let fits = match self {
            Input::Tokens(TokensSpec { length: TokensLength::Text, max_tokens, .. }) => {
                (1..=*max_tokens as usize).contains(&values)
            }
            _ => values == self.tensor_len(),
        };
        fits.then(|| self.dims().into_iter().map(|dim| dim.unwrap_or(values)).collect())
    }
}

impl ModelFormat {
    /// As it stands in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            ModelFormat::Onnx => "onnx",
            ModelFormat::Nnef => "nnef",
        }
    }
}

impl Form {
    fn check(&self) -> Result<(), SpecError> {
        for (field, name) in
            [("input", &self.input), ("features", &self.features), ("logits", &self.logits)]
        {
            if name.is_empty() {
                return Err(SpecError::new(field, "is an empty tensor name"));
            }
        }
        if self.feature_length == 0 || self.feature_length > MAX_FEATURES {
            return Err(SpecError::new(
                "feature_length",
                format!("is {}, must be 1 to {MAX_FEATURES}", self.feature_length),
            ));
        }
        let Tolerance { absolute, relative } = self.tolerance;
        if ![absolute, relative].iter().all(|v| v.is_finite() && *v >= 0.0) {
            return Err(SpecError::new("tolerance", "must be finite and not below 0"));
        }
        Ok(())
    }
}

impl Tolerance {
    /// Whether `value` is close enough to `reference`. Never true of a NaN.
    pub fn holds(&self, value: f32, reference: f32) -> bool {
        (value - reference).abs() <= self.absolute + self.relative * reference.abs()
    }
}

impl Name {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Name, SpecError> {
        let name = name.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let right = (1..=64).contains(&name.len())
            && name.bytes().all(allowed)
            && !name.starts_with(['.', '-']);
        if right {
            Ok(Name(name))
        } else {
            Err(SpecError::new(
                "name",
                format!(
                    "{name:?} must be 1 to 64 letters, digits, '.', '_' or '-', not starting with '.' or '-'"
                ),
            ))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = SpecError;

    fn try_from(name: String) -> Result<Name, SpecError> {
        Name::new(name)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
