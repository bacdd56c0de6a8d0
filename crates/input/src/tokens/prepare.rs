use graft_spec::{PADDING, TokensLength, TokensSpec};

use super::library::{self, Library};
use super::{TokenizerError, synthetic_sentence};
use crate::words::Counts;

/// Turns texts into tensors of one spec, as `docs/format.md` states it ("Preparing a
/// text for a sentence encoder").
#[derive(Clone, Debug)]
pub struct TokenPreparer {
    spec: TokensSpec,
    tokenizer: Library,
    /// Stands for what the tokenizer does not know.
    unknown: Option<u32>,
    /// Tokens of a text, without those at its ends.
    most: u32,
}

/// Of the sentence that a tokenizer is tried with: it has everything that synthetic
/// sentences have.
const WORDS_TRIED: u32 = 50;

impl TokenPreparer {
    /// Reads a tokenizer, tries it and holds it to the spec. What its file says of
    /// padding and of where a text is cut is not followed: the spec says that.
    ///
    /// # Errors
    ///
    /// A file that is none; that makes the library panic; that makes no sense for
    /// sentences; a token that the encoder has no row for; no room for a text.
    pub fn new(spec: &TokensSpec, json: &[u8]) -> Result<TokenPreparer, TokenizerError> {
        spec.check()?;
        let mut tokenizer = library::read(json)?;
        let unknown = library::unknown(&tokenizer, json)?;
        let added = library::added(&tokenizer);
        check(&mut tokenizer, added, spec.vocabulary)?;
        let most = match u32::try_from(added) {
            Ok(added) if added < spec.max_tokens => spec.max_tokens - added,
            _ => return Err(TokenizerError::NoRoom { added, max_tokens: spec.max_tokens }),
        };
        // One more than is taken shows that there are more.
        library::stop_behind(&mut tokenizer, spec.max_tokens as usize + 1)?;
        Ok(TokenPreparer { spec: spec.clone(), tokenizer, unknown, most })
    }

    /// What it prepares for.
    pub fn spec(&self) -> &TokensSpec {
        &self.spec
    }

    /// Tokens in its vocabulary.
    pub fn vocabulary(&self) -> u32 {
        u32::try_from(self.tokenizer.get_vocab_size(true)).unwrap_or(u32::MAX)
    }

    /// Writes the ids of a text's tokens in the place of what is in `tensor`, which
    /// has then as many values as [`TokensSpec::length`] says; never none.
    ///
    /// A token counts as known unless it is the one that stands for unknown words.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Text`] of a tokenizer that has a token for each word that it was
    /// tried with, but not for all; [`TokenizerError::Panicked`].
    pub fn fill(&self, text: &str, tensor: &mut Vec<f32>) -> Result<Counts, TokenizerError> {
        let kept = text.floor_char_boundary(self.spec.max_bytes as usize);
        let encoding = library::encode(&self.tokenizer, &text[..kept])?;
        let mut counts = Counts { cut_bytes: text.len() - kept, ..Counts::default() };
        // Where the last token ends that is kept.
        let mut end = 0;
        tensor.clear();
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        for ((&id, &(_, until)), &at_end) in tokens.zip(encoding.get_special_tokens_mask()) {
            if at_end == 0 {
                if counts.tokens == self.most {
                    counts.cut_bytes = text.len().saturating_sub(end);
                    continue;
                }
                counts.tokens += 1;
                counts.known += u32::from(Some(id) != self.unknown);
                end = end.max(until);
            }
            // Below 2^24, so exact.
            tensor.push(id as f32);
        }
        let least = match self.spec.length {
            TokensLength::Text => 1,
            TokensLength::MaxTokens => self.spec.max_tokens as usize,
        };
        tensor.resize(least.max(tensor.len()), PADDING);
        Ok(counts)
    }
}

/// Holds a tokenizer to what an encoder of sentences can read.
fn check(tokenizer: &mut Library, added: usize, vocabulary: u32) -> Result<(), TokenizerError> {
    let refused = |part, detail| Err(TokenizerError::Part { part, detail });
    if library::is_random(tokenizer) {
        return refused(
            "model",
            "drops merges at random: a text would have other tokens each time",
        );
    }
    let text = synthetic_sentence(0, WORDS_TRIED);
    let bare = library::encode_bare(tokenizer, &text)?;
    let whole = library::encode(tokenizer, &text)?;
    let own = whole.get_special_tokens_mask().iter().filter(|&&at_end| at_end == 0).count();
    if own != bare.len() || whole.len() != own + added {
        return refused("post_processor", "does not have a text once, with tokens at its ends");
    }
    if whole.get_type_ids().iter().any(|&kind| kind != 0) {
        return refused("post_processor", "gives tokens another type than 0");
    }
    let at_ends = whole.get_ids().iter().copied().zip(whole.get_tokens().iter().cloned());
    let all = tokenizer.get_vocab(true).into_iter().map(|(token, id)| (id, token));
    match all.chain(at_ends).max() {
        Some((id, token)) if id >= vocabulary => {
            Err(TokenizerError::Beyond { token, id, vocabulary })
        }
        _ => Ok(()),
    }
}
