//! A sentence encoder: a network that reads tokens, and the tokenizer that makes them.

use std::path::{Path, PathBuf};

use graft_input::tokens::{TokenPreparer, TokenizerError};
use graft_onnx::{EncoderError as NetworkError, Graph, GraphError, SentenceEncoder, TokenPooling};
use graft_spec::{MAX_TOKENS, MAX_VOCABULARY, TokensLength, TokensSpec};
use serde::{Deserialize, Serialize};

use crate::backbone::Origin;
use crate::catalogue::{self, CatalogueError, Content, Entry, ModelFile};
use crate::digest::Digest;
use crate::onnx_file;

/// A sentence encoder, whole.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// Where it came from, for provenance.
    pub origin: Origin,
    /// How a text becomes its input.
    pub spec: TokensSpec,
    /// Numbers of a row.
    pub length: usize,
    graph: Graph,
    digest: Digest,
    tokenizer: Vec<u8>,
}

/// What a person may say of an encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatedEncoder {
    /// The most tokens of a text; `None`: as the folder or the `model.toml` says.
    pub max_tokens: Option<u32>,
    /// How the rows of tokens become one; `None`: likewise, or their mean.
    pub pooling: Option<PoolingName>,
}

/// [`TokenPooling`] as it stands in a `model.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingName {
    /// Their mean.
    #[default]
    Mean,
    /// That of the first token.
    First,
}

/// A sentence encoder that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The catalogue.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
    /// A model of another kind.
    #[error("{name} is no sentence encoder")]
    Other { name: String },
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// What it needs is not beside it.
    #[error("there is no {file} in {}: a sentence encoder needs it", folder.display())]
    Missing { file: &'static str, folder: PathBuf },
    /// Neither of the networks that are read.
    #[error(
        "{} has neither model.safetensors with config.json nor model.onnx beside its tokenizer.json",
        folder.display()
    )]
    NoNetwork { folder: PathBuf },
    /// Not the network that it should be.
    #[error("{}", path.display())]
    Network { path: PathBuf, source: Box<NetworkError> },
    /// Not a usable ONNX file.
    #[error("{}", path.display())]
    Graph { path: PathBuf, source: Box<GraphError> },
    /// Not a tokenizer that is read, or that of another model.
    #[error("{}", path.display())]
    Tokenizer { path: PathBuf, source: Box<TokenizerError> },
    /// Another file of the folder.
    #[error("{}: {problem}", path.display())]
    Beside { path: PathBuf, problem: String },
    /// More tokens than it has positions for.
    #[error("{max_tokens} tokens were asked for, and {name} reads at most {positions}")]
    Positions { name: String, max_tokens: u32, positions: usize },
    /// The vocabulary is larger than what is read.
    #[error("{name} knows {vocabulary} tokens, at most {MAX_VOCABULARY} are read")]
    Vocabulary { name: String, vocabulary: usize },
}

/// The files of an encoder, as its folder has them.
#[derive(Clone, Debug)]
pub struct EncoderFiles {
    /// `model.safetensors`, or an ONNX file.
    pub network: PathBuf,
    /// `config.json`, where the network is the former.
    pub config: Option<PathBuf>,
    /// `tokenizer.json`
    pub tokenizer: PathBuf,
    /// What the other files of the folder say.
    pub stated: StatedEncoder,
}

const TOKENIZER: &str = "tokenizer.json";
const CONFIG: &str = "config.json";
const SAFETENSORS: &str = "model.safetensors";

/// Where nobody says otherwise; a page has more, but what a text is about is said
/// before.
const MAX_TOKENS_UNSTATED: u32 = 256;

/// No text is looked at beyond, however long its words are.
const MAX_BYTES: u32 = 1 << 16;

/// Whether a path is a folder of a sentence encoder, or an ONNX file of one: a
/// tokenizer lies in it.
pub fn is_encoder(path: &Path) -> bool {
    let folder = if path.is_dir() { path } else { parent(path) };
    let is_network = path.is_dir() && !path.join("model.toml").is_file()
        || path.extension().is_some_and(|e| e == "onnx" || e == "safetensors");
    is_network && folder.join(TOKENIZER).is_file()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl EncoderFiles {
    /// Those of a folder as Hugging Face's libraries keep one, or of a network with
    /// its tokenizer beside it.
    pub fn of(path: &Path) -> Result<EncoderFiles, EncoderError> {
        let folder = if path.is_dir() { path } else { parent(path) };
        let missing = |file| EncoderError::Missing { file, folder: folder.to_path_buf() };
        let tokenizer = folder.join(TOKENIZER);
        if !tokenizer.is_file() {
            return Err(missing(TOKENIZER));
        }
        let network = if path.is_file() {
            path.to_path_buf()
        } else {
            let known =
                [SAFETENSORS, "model.onnx", "onnx/model.onnx"].map(|file| folder.join(file));
            let found = known.into_iter().find(|path| path.is_file());
            found.ok_or_else(|| EncoderError::NoNetwork { folder: folder.to_path_buf() })?
        };
        let is_safetensors = network.extension().is_some_and(|e| e == "safetensors");
        let config = is_safetensors.then(|| folder.join(CONFIG));
        if config.as_ref().is_some_and(|config| !config.is_file()) {
            return Err(missing(CONFIG));
        }
        let stated = StatedEncoder {
            max_tokens: max_tokens(&folder.join("sentence_bert_config.json"))?,
            pooling: pooling(&folder.join("1_Pooling/config.json"))?,
        };
        Ok(EncoderFiles { network, config, tokenizer, stated })
    }
}

/// What sentence-transformers keeps of how long texts may be.
fn max_tokens(path: &Path) -> Result<Option<u32>, EncoderError> {
    #[derive(Deserialize)]
    struct File {
        max_seq_length: Option<u32>,
    }
    Ok(beside::<File>(path)?.and_then(|file| file.max_seq_length))
}

/// What it keeps of the pooling.
fn pooling(path: &Path) -> Result<Option<PoolingName>, EncoderError> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        pooling_mode_mean_tokens: bool,
        #[serde(default)]
        pooling_mode_cls_token: bool,
    }
    let Some(file) = beside::<File>(path)? else { return Ok(None) };
    match (file.pooling_mode_mean_tokens, file.pooling_mode_cls_token) {
        (true, false) => Ok(Some(PoolingName::Mean)),
        (false, true) => Ok(Some(PoolingName::First)),
        _ => Err(EncoderError::Beside {
            path: path.to_path_buf(),
            problem: "it pools neither by the mean of tokens alone nor by the first alone"
                .to_owned(),
        }),
    }
}

fn beside<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, EncoderError> {
    if !path.is_file() {
        return Ok(None);
    }
    let value = serde_json::from_slice(&read(path)?);
    value.map(Some).map_err(|error| EncoderError::Beside {
        path: path.to_path_buf(),
        problem: error.to_string(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, EncoderError> {
    std::fs::read(path).map_err(|source| EncoderError::Read { path: path.to_path_buf(), source })
}

impl Encoder {
    /// What `name` names: a folder or file that is there, or a model of the catalogue
    /// at `models`.
    pub fn named(
        models: &Path,
        name: &str,
        stated: StatedEncoder,
    ) -> Result<Encoder, EncoderError> {
        let path = Path::new(name);
        if is_encoder(path) {
            Encoder::of_path(path, stated)
        } else {
            Encoder::of_entry(&catalogue::find(models, name)?, stated)
        }
    }

    /// A folder or a file outside of the catalogue.
    pub fn of_path(path: &Path, stated: StatedEncoder) -> Result<Encoder, EncoderError> {
        let files = EncoderFiles::of(path)?;
        let named = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let canonical = std::fs::canonicalize(path).ok();
        let of_folder = canonical.as_deref().and_then(Path::file_name);
        let name = named.or(of_folder).unwrap_or_default().to_string_lossy().into_owned();
        Encoder::of_files(&files, stated, |sha256| Origin {
            name,
            origin: "a local file".to_owned(),
            licence: "not stated".to_owned(),
            sha256,
        })
    }

    /// Of the catalogue, the digests of its files checked.
    pub fn of_entry(entry: &Entry, stated: StatedEncoder) -> Result<Encoder, EncoderError> {
        let spec = &entry.spec;
        let Content::Encoder { encoder } = &spec.content else {
            return Err(EncoderError::Other { name: spec.name.to_string() });
        };
        let ModelFile::At(network) = &entry.file else {
            return Err(CatalogueError::NotFetched { name: spec.name.clone() }.into());
        };
        let tokenizer = network.with_file_name(&encoder.tokenizer);
        let config = encoder.config.as_ref().map(|config| network.with_file_name(config));
        let wanted = [
            (Some(&tokenizer), Some(&encoder.tokenizer_sha256)),
            (config.as_ref(), encoder.config_sha256.as_ref()),
        ];
        for (path, sha256) in wanted {
            let (Some(path), Some(sha256)) = (path, sha256) else { continue };
            if !path.is_file() && spec.fetch.is_some() {
                return Err(CatalogueError::NotFetched { name: spec.name.clone() }.into());
            }
            let found = Digest::of(&read(path)?);
            let expected = sha256.parse().expect("checked when it was parsed");
            if found != expected {
                return Err(
                    CatalogueError::WrongFile { path: path.clone(), found, expected }.into()
                );
            }
        }
        let of_model =
            StatedEncoder { max_tokens: Some(encoder.max_tokens), pooling: Some(encoder.pooling) };
        let files = EncoderFiles { network: network.clone(), config, tokenizer, stated: of_model };
        let made = Encoder::of_files(&files, stated, |sha256| Origin {
            name: spec.name.to_string(),
            origin: spec.origin.clone(),
            licence: spec.licence.clone(),
            sha256,
        })?;
        let (found, expected) = (made.origin.sha256, spec.digest());
        if found != expected {
            return Err(CatalogueError::WrongFile { path: network.clone(), found, expected }.into());
        }
        Ok(made)
    }

    fn of_files(
        files: &EncoderFiles,
        stated: StatedEncoder,
        origin: impl FnOnce(Digest) -> Origin,
    ) -> Result<Encoder, EncoderError> {
        let EncoderFiles { network: path, config, tokenizer: tokenizer_path, stated: of_files } =
            files;
        let bytes = read(path)?;
        let origin = origin(Digest::of(&bytes));
        let pooling = match stated.pooling.or(of_files.pooling).unwrap_or_default() {
            PoolingName::Mean => TokenPooling::Mean,
            PoolingName::First => TokenPooling::First,
        };
        let fail = |source| EncoderError::Network { path: path.clone(), source: Box::new(source) };
        let network = match config {
            Some(config) => SentenceEncoder::of_hugging_face(&read(config)?, &bytes, pooling),
            None => {
                let (graph, _) = onnx_file::parse(path, &bytes).map_err(|source| {
                    EncoderError::Graph { path: path.clone(), source: Box::new(source) }
                })?;
                SentenceEncoder::of_graph(graph, pooling)
            }
        };
        let SentenceEncoder { graph, length, vocabulary, positions } = network.map_err(fail)?;
        drop(bytes);

        let positions = positions.unwrap_or(MAX_TOKENS as usize);
        let most = u32::try_from(positions).unwrap_or(MAX_TOKENS).min(MAX_TOKENS);
        let unstated = of_files.max_tokens.unwrap_or(MAX_TOKENS_UNSTATED).min(most);
        let max_tokens = stated.max_tokens.unwrap_or(unstated);
        if max_tokens > most {
            return Err(EncoderError::Positions { name: origin.name, max_tokens, positions });
        }
        let vocabulary = match u32::try_from(vocabulary) {
            Ok(vocabulary) if vocabulary <= MAX_VOCABULARY => vocabulary,
            _ => return Err(EncoderError::Vocabulary { name: origin.name, vocabulary }),
        };
        let spec =
            TokensSpec { max_tokens, length: TokensLength::Text, vocabulary, max_bytes: MAX_BYTES };
        let tokenizer = read(tokenizer_path)?;
        TokenPreparer::new(&spec, &tokenizer).map_err(|source| EncoderError::Tokenizer {
            path: tokenizer_path.clone(),
            source: Box::new(source),
        })?;
        let digest = Digest::of(&graph.to_bytes());
        Ok(Encoder { origin, spec, length, graph, digest, tokenizer })
    }

    /// The same, for tensors of this length.
    #[must_use]
    pub fn with_length(self, length: TokensLength) -> Encoder {
        Encoder { spec: TokensSpec { length, ..self.spec }, ..self }
    }

    /// The graph that makes features: one input, one output.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Of the bytes of [`Encoder::graph`]: what a cache keys features by.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes of its `tokenizer.json`.
    pub fn tokenizer(&self) -> &[u8] {
        &self.tokenizer
    }

    /// What takes texts apart for it.
    pub fn preparer(&self) -> TokenPreparer {
        TokenPreparer::new(&self.spec, &self.tokenizer).expect("invariant: it was read before")
    }
}
