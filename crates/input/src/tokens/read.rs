//! What of a `tokenizer.json` is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::TokenizerError;
use super::normalise::BertNormaliser;
use super::pieces::{Vocabulary, WordPiece};

/// A tokenizer of BERT's kind.
#[derive(Clone, Debug)]
pub(super) struct Bert {
    pub(super) normaliser: BertNormaliser,
    pub(super) pieces: WordPiece,
    /// Before and behind the tokens of a text.
    pub(super) ends: [Vec<u32>; 2],
    /// Tokens that stand for themselves wherever a text has them, the longest first.
    pub(super) whole: Vec<(String, u32)>,
}

/// A word's pieces are looked for in time that grows with the square of this.
const MOST_CHARS: usize = 1000;
/// Each is looked for at every place of a text.
const MOST_WHOLE: usize = 256;

#[derive(Deserialize)]
struct File {
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    #[serde(default)]
    added_tokens: Vec<Added>,
    model: Model,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Normaliser {
    BertNormalizer(BertNormaliser),
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum PreTokenizer {
    BertPreTokenizer {},
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum PostProcessor {
    BertProcessing { sep: (String, u32), cls: (String, u32) },
    TemplateProcessing { single: Vec<Piece>, special_tokens: BTreeMap<String, Special> },
}

#[derive(Deserialize)]
enum Piece {
    SpecialToken { id: String, type_id: u32 },
    Sequence { id: String, type_id: u32 },
}

#[derive(Deserialize)]
struct Special {
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
}

#[derive(Deserialize)]
struct Model {
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    max_input_chars_per_word: Option<usize>,
    vocab: Vocabulary,
}

/// The model's kind, whatever the rest of it is.
#[derive(Deserialize)]
struct Kinds {
    model: Kind,
}

#[derive(Deserialize)]
struct Kind {
    /// Files of old versions have none.
    r#type: Option<String>,
}

impl Bert {
    pub(super) fn read(json: &[u8]) -> Result<Bert, TokenizerError> {
        let unreadable =
            |error: serde_json::Error| TokenizerError::Read { detail: error.to_string() };
        let Kinds { model } = serde_json::from_slice(json).map_err(unreadable)?;
        if let Some(other) = model.r#type.filter(|kind| kind != "WordPiece") {
            return Err(refused("model", format!("it is {other}, and WordPiece is read")));
        }
        let File { normalizer, pre_tokenizer, post_processor, added_tokens, model } =
            serde_json::from_slice(json).map_err(unreadable)?;
        let Normaliser::BertNormalizer(normaliser) = part("normalizer", normalizer)?;
        let PreTokenizer::BertPreTokenizer {} = part("pre_tokenizer", pre_tokenizer)?;
        let pieces = pieces(model)?;
        let ends = ends(part("post_processor", post_processor)?)?;
        let whole = whole(added_tokens, &pieces.vocabulary)?;
        Ok(Bert { normaliser, pieces, ends, whole })
    }
}

fn part<T: DeserializeOwned>(part: &'static str, value: Value) -> Result<T, TokenizerError> {
    if value.is_null() {
        return Err(refused(part, "there is none".to_owned()));
    }
    serde_json::from_value(value).map_err(|error| refused(part, error.to_string()))
}

fn refused(part: &'static str, detail: String) -> TokenizerError {
    TokenizerError::Part { part, detail }
}

fn pieces(model: Model) -> Result<WordPiece, TokenizerError> {
    let Model { unk_token, continuing_subword_prefix, max_input_chars_per_word, vocab } = model;
    let token = unk_token.unwrap_or_else(|| "[UNK]".to_owned());
    let Some(unknown) = vocab.find(&token) else {
        return Err(TokenizerError::NoToken { part: "model", token });
    };
    let most_chars = max_input_chars_per_word.unwrap_or(100);
    if most_chars > MOST_CHARS {
        let detail = format!("it takes words of {most_chars} characters, at most {MOST_CHARS} are");
        return Err(refused("model", detail));
    }
    let prefix = continuing_subword_prefix.unwrap_or_else(|| "##".to_owned());
    if prefix.len() > MOST_CHARS {
        return Err(refused("model", format!("its prefix has {} bytes", prefix.len())));
    }
    Ok(WordPiece { vocabulary: vocab, unknown, prefix, most_chars })
}

fn ends(post_processor: PostProcessor) -> Result<[Vec<u32>; 2], TokenizerError> {
    let (single, special_tokens) = match post_processor {
        PostProcessor::BertProcessing { sep: (_, sep), cls: (_, cls) } => {
            return Ok([vec![cls], vec![sep]]);
        }
        PostProcessor::TemplateProcessing { single, special_tokens } => (single, special_tokens),
    };
    let refuse = |detail: &str| Err(refused("post_processor", detail.to_owned()));
    let mut ends = [Vec::new(), Vec::new()];
    let mut texts = 0;
    for piece in single {
        match piece {
            Piece::SpecialToken { type_id: 1.., .. } | Piece::Sequence { type_id: 1.., .. } => {
                return refuse("its template has tokens of another type than 0");
            }
            Piece::SpecialToken { id, .. } => match special_tokens.get(&id) {
                Some(Special { ids }) => ends[texts].extend(ids),
                None => return Err(TokenizerError::NoToken { part: "post_processor", token: id }),
            },
            Piece::Sequence { id, .. } if id == "A" && texts == 0 => texts = 1,
            Piece::Sequence { .. } => return refuse("its template has more than one text"),
        }
    }
    match texts {
        1 => Ok(ends),
        _ => refuse("its template has no text"),
    }
}

fn whole(added: Vec<Added>, vocabulary: &Vocabulary) -> Result<Vec<(String, u32)>, TokenizerError> {
    if added.len() > MOST_WHOLE {
        let detail = format!("there are {}, at most {MOST_WHOLE} are", added.len());
        return Err(refused("added_tokens", detail));
    }
    let mut whole = Vec::new();
    for Added { id, content, single_word, lstrip, rstrip, normalized } in added {
        if single_word || lstrip || rstrip || normalized {
            let detail = format!(
                "{content:?} is single_word, lstrip, rstrip or normalized; tokens that stand for themselves are read"
            );
            return Err(refused("added_tokens", detail));
        }
        if !content.is_empty() {
            // The vocabulary's, where both have one.
            let id = vocabulary.find(&content).unwrap_or(id);
            whole.push((content, id));
        }
    }
    whole.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    Ok(whole)
}
