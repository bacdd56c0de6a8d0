//! The border to the library.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use tokenizers::{
    AddedToken, DecoderWrapper, Encoding, Model as _, ModelWrapper, NormalizerWrapper,
    PostProcessor as _, PostProcessorWrapper, PreTokenizerWrapper, TokenizerBuilder, TokenizerImpl,
    TruncationParams,
};

use super::TokenizerError;

/// A tokenizer as the library has it.
pub(super) type Library = TokenizerImpl<
    ModelWrapper,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// What makes ids of a text. The library reads the rest too: where texts are cut, with
/// what they are filled up, and how ids become a text again.
#[derive(Deserialize)]
struct File {
    version: Option<Version>,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    post_processor: Option<PostProcessorWrapper>,
    model: ModelWrapper,
}

#[derive(Deserialize)]
enum Version {
    #[serde(rename = "1.0")]
    One,
}

/// Reads a tokenizer, as the library does.
pub(super) fn read(json: &[u8]) -> Result<Library, TokenizerError> {
    guarded(|| {
        let file = serde_json::from_slice(json)?;
        let File { version, added_tokens, normalizer, pre_tokenizer, post_processor, mut model } =
            file;
        let (None | Some(Version::One)) = version;
        // Else BPE and Unigram keep the first ten thousand words that they see. That is
        // tens of megabytes where a device reads what is no language, and BPE's lie in
        // each thread that ever used it, until that ends.
        model.resize_cache(0);
        let mut tokenizer = TokenizerBuilder::new()
            .with_normalizer(normalizer)
            .with_pre_tokenizer(pre_tokenizer)
            .with_model(model)
            .with_post_processor(post_processor)
            .build()?;
        tokenizer.add_tokens(added_tokens)?;
        Ok(tokenizer)
    })?
    .map_err(|error| TokenizerError::Read { detail: error.to_string() })
}

/// Has it take texts apart no further than for so many tokens, those at the ends among
/// them; there have to be more than those.
pub(super) fn stop_behind(tokenizer: &mut Library, tokens: usize) -> Result<(), TokenizerError> {
    let params = TruncationParams { max_length: tokens, ..TruncationParams::default() };
    let done = tokenizer.with_truncation(Some(params)).map(drop);
    done.map_err(|error| TokenizerError::Read { detail: error.to_string() })
}

/// Tokens that it adds to a text.
pub(super) fn added(tokenizer: &Library) -> usize {
    tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
}

/// The id of the token that stands for what the model does not know. Some models have
/// none, as they know every byte.
pub(super) fn unknown(tokenizer: &Library, json: &[u8]) -> Result<Option<u32>, TokenizerError> {
    let model = tokenizer.get_model();
    let token = match model {
        ModelWrapper::Unigram(_) => return unknown_of_unigram(json),
        ModelWrapper::BPE(model) => match &model.unk_token {
            None => return Ok(None),
            Some(token) => token,
        },
        ModelWrapper::WordPiece(model) => &model.unk_token,
        ModelWrapper::WordLevel(model) => &model.unk_token,
    };
    let id = model.token_to_id(token);
    id.map(Some).ok_or_else(|| TokenizerError::NoToken { token: token.clone() })
}

/// The library keeps it to itself.
fn unknown_of_unigram(json: &[u8]) -> Result<Option<u32>, TokenizerError> {
    #[derive(Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        unk_id: Option<u32>,
    }
    match serde_json::from_slice(json) {
        Ok(File { model: Model { unk_id } }) => Ok(unk_id),
        Err(error) => Err(TokenizerError::Read { detail: error.to_string() }),
    }
}

/// Whether a text has other tokens each time.
pub(super) fn is_random(tokenizer: &Library) -> bool {
    match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.dropout.is_some_and(|share| share > 0.0),
        _ => false,
    }
}

/// The tokens of a text, with those at its ends, and the bytes of it that each is of. No
/// thread is started for it: the library does that for many texts, and for filling up.
pub(super) fn encode(tokenizer: &Library, text: &str) -> Result<Encoding, TokenizerError> {
    guarded(|| tokenizer.encode(text, true))?
        .map_err(|error| TokenizerError::Text { detail: error.to_string() })
}

/// The same as its post-processor finds them.
pub(super) fn encode_bare(tokenizer: &mut Library, text: &str) -> Result<Encoding, TokenizerError> {
    let processor = tokenizer.get_post_processor().cloned();
    tokenizer.with_post_processor(None::<PostProcessorWrapper>);
    let encoding = encode(tokenizer, text);
    tokenizer.with_post_processor(processor);
    encoding
}

type LibraryResult<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Calls the library, which some files make panic.
fn guarded<T>(call: impl FnOnce() -> LibraryResult<T>) -> Result<LibraryResult<T>, TokenizerError> {
    // A tokenizer whose file made it panic is dropped; a text changes nothing of one.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        TokenizerError::Panicked { detail: text.unwrap_or("without a word").to_owned() }
    })
}
