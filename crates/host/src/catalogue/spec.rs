use std::path::Path;

use graft_spec::{ImageSpec, Name};
use serde::{Deserialize, Serialize};

use super::position::Positions;
use super::{CatalogueError, Fetch, SpecProblem};
use crate::digest::Digest;
use crate::encoder::PoolingName;
use crate::vectors::Format;

/// A `model.toml`, as docs/format.md describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSpec {
    /// What people call the model.
    pub name: Name,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Who made it, from what.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// SPDX expression or a sentence.
    pub licence: String,
    /// The file's plain name, beside the `model.toml`.
    pub file: String,
    /// Of that file, in hex.
    pub sha256: String,
    /// What the model costs; `None`: to be counted in the graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
    /// Where the file comes from, if it isn't beside the `model.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch>,
}

/// What a model is, told by the sections of its `model.toml`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A network, in ONNX.
    Network {
        /// How a photo becomes its input.
        input: InputSpec,
        /// Which of its tensors are which.
        output: OutputSpec,
    },
    /// Word vectors.
    Words {
        /// What they are.
        words: VectorsSpec,
    },
    /// A sentence encoder.
    Encoder {
        /// What it is, and its other files.
        encoder: EncoderSpec,
    },
}

/// The `[words]` of a `model.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorsSpec {
    /// How the file is written.
    pub format: Format,
    /// Words in it.
    pub count: u64,
    /// Numbers a word.
    pub dimensions: usize,
}

/// The `[encoder]` of a `model.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSpec {
    /// The plain name of its `tokenizer.json`.
    pub tokenizer: String,
    /// Of that file, in hex.
    pub tokenizer_sha256: String,
    /// The plain name of its `config.json`, if the file is weights alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Of that file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_sha256: Option<String>,
    /// Tokens of a text that are read.
    pub max_tokens: u32,
    /// How the rows of tokens become one.
    #[serde(default)]
    pub pooling: PoolingName,
}

/// The `[cost]` of a `model.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Of the file.
    pub bytes: u64,
    /// Of one photo, up to the features; `None` if some node can't be counted, or it
    /// is no network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiply_adds: Option<u64>,
    /// Trained numbers up to the features.
    pub parameters: u64,
}

/// The `[input]` of a `model.toml`: an [`ImageSpec`] and a tensor's name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputSpec {
    /// Needed if the graph has several inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub image: ImageSpec,
}

/// The `[output]` of a `model.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Where to cut; else at the input of the last Gemm or MatMul.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// The original classifier's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<String>,
}

/// What stands before the first section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    name: Name,
    #[serde(default)]
    title: String,
    #[serde(default)]
    origin: String,
    licence: String,
    file: String,
    sha256: String,
}

impl ModelSpec {
    /// Reads a `model.toml`; `path` is for messages.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and key.
    pub fn parse(text: &str, path: &Path) -> Result<ModelSpec, CatalogueError> {
        read(text).map_err(|(line, source)| CatalogueError::Spec {
            path: path.to_path_buf(),
            line,
            source,
        })
    }

    pub(crate) fn digest(&self) -> Digest {
        self.sha256.parse().expect("checked when it was parsed")
    }
}

impl EncoderSpec {
    /// The plain names of the files beside the model's, and their digests.
    pub(crate) fn files(&self) -> Vec<(&str, &str)> {
        let config = self.config.as_deref().zip(self.config_sha256.as_deref());
        let tokenizer = (self.tokenizer.as_str(), self.tokenizer_sha256.as_str());
        [tokenizer].into_iter().chain(config).collect()
    }
}

/// Section by section, since serde's `flatten` and its tagged enums forget where
/// in the file a value stood.
fn read(text: &str) -> Result<ModelSpec, (usize, SpecProblem)> {
    let (mut root, positions) = Positions::of(text)?;
    let words = root.take("words").map(|t| positions.section("words", t)).transpose()?;
    let encoder = root.take("encoder").map(|t| positions.section("encoder", t)).transpose()?;
    let content = match (words, encoder) {
        (Some(words), _) => Content::Words { words },
        (None, Some(encoder)) => Content::Encoder { encoder },
        (None, None) => {
            let input = root.take("input").ok_or_else(|| positions.missing("input"))?;
            let (tensor, image) = positions.input(input)?;
            let output = root.take("output").map(|t| positions.section("output", t)).transpose()?;
            let input = InputSpec { tensor, image };
            Content::Network { input, output: output.unwrap_or_default() }
        }
    };
    let cost = root.take("cost").map(|t| positions.section("cost", t)).transpose()?;
    let fetch = root.take("fetch").map(|t| positions.fetch(t)).transpose()?;
    let Top { name, title, origin, licence, file, sha256 } = positions.top(root)?;

    let at = |key: &str, problem| (positions.line_of(key), problem);
    if let Content::Network { input, .. } = &content {
        let check = input.image.check();
        check.map_err(|e| at(&format!("input.{}", e.field), SpecProblem::Field(e)))?;
    }
    let plain =
        |key: &'static str, file: &str| match Path::new(file).file_name() == Some(file.as_ref()) {
            true => Ok(()),
            false => Err(at(key, SpecProblem::FileName { key, file: file.to_owned() })),
        };
    plain("file", &file)?;
    let digest = |key: &'static str, text: &str| match text.parse::<Digest>() {
        Ok(_) => Ok(()),
        Err(source) => Err(at(key, SpecProblem::Digest { key, source })),
    };
    digest("sha256", &sha256)?;
    let beside = match &content {
        Content::Encoder { encoder } => encoder.files(),
        Content::Network { .. } | Content::Words { .. } => Vec::new(),
    };
    for &(file, sha256) in &beside {
        plain("encoder.tokenizer", file)?;
        digest("encoder.tokenizer_sha256", sha256)?;
    }
    if let Content::Encoder { encoder } = &content
        && encoder.config.is_some() != encoder.config_sha256.is_some()
    {
        let problem = "config and config_sha256 come together".to_owned();
        return Err(at("encoder.config", SpecProblem::Also { problem }));
    }
    if let Some(fetch) = &fetch {
        let also = fetch.also();
        let unfetched = beside.iter().find(|(file, _)| !also.contains_key(*file));
        let unknown = also.keys().find(|name| !beside.iter().any(|(file, _)| file == name));
        let problem = match (unfetched, unknown) {
            (Some((file, _)), _) => Some(format!("does not say where {file:?} comes from")),
            (None, Some(file)) => Some(format!("{file:?} is no file of this model")),
            (None, None) => None,
        };
        if let Some(problem) = problem {
            return Err(at("fetch.also", SpecProblem::Also { problem }));
        }
        if let Some((key, text)) = fetch.archive_digest() {
            digest(key, text)?;
        }
        if let Some(url) = fetch.url()
            && let Err(problem) = super::fetch::check_url(url)
        {
            return Err(at("fetch.url", SpecProblem::Url { url: url.to_owned(), problem }));
        }
    }
    Ok(ModelSpec { name, title, origin, licence, file, sha256, cost, content, fetch })
}
