use graft_spec::{PADDING, TokensLength, TokensSpec};

use super::TokenizerError;
use super::normalise::{Normal, words};
use super::read::Bert;
use crate::words::Counts;

/// Turns texts into tensors of one spec, as `docs/format.md` states it ("Preparing a
/// text for a sentence encoder").
#[derive(Clone, Debug)]
pub struct TokenPreparer {
    spec: TokensSpec,
    bert: Bert,
    normal: Vec<Normal>,
    piece: String,
    /// Ids, and the bytes of the text where they end.
    tokens: Vec<(u32, usize)>,
}

impl TokenPreparer {
    /// Reads a tokenizer and holds it to the spec. What its file says of padding and
    /// of where a text is cut is not followed: the spec says that.
    ///
    /// # Errors
    ///
    /// A file that is none or asks for what is not read here; a token that the encoder
    /// has no row for; no room for a text.
    pub fn new(spec: &TokensSpec, json: &[u8]) -> Result<TokenPreparer, TokenizerError> {
        spec.check()?;
        let bert = Bert::read(json)?;
        let vocabulary = spec.vocabulary;
        let of_pieces = bert.pieces.vocabulary.last().map(|(token, id)| (token.to_owned(), id));
        let of_whole = bert.whole.iter().max_by_key(|(_, id)| *id).cloned();
        let at_ends =
            bert.ends.iter().flatten().max().map(|&id| ("at an end of texts".to_owned(), id));
        let all = of_pieces.into_iter().chain(of_whole).chain(at_ends);
        if let Some((token, id)) = all.max_by_key(|(_, id)| *id)
            && id >= vocabulary
        {
            return Err(TokenizerError::Beyond { token, id, vocabulary });
        }
        let added = bert.ends.iter().map(Vec::len).sum();
        if added >= spec.max_tokens as usize {
            return Err(TokenizerError::NoRoom { added, max_tokens: spec.max_tokens });
        }
        let (normal, piece, tokens) = Default::default();
        Ok(TokenPreparer { spec: spec.clone(), bert, normal, piece, tokens })
    }

    /// What it prepares for.
    pub fn spec(&self) -> &TokensSpec {
        &self.spec
    }

    /// Tokens in its vocabulary.
    pub fn vocabulary(&self) -> u32 {
        // Each has an id of its own below the spec's limit, or is an error.
        u32::try_from(self.bert.pieces.vocabulary.len()).unwrap_or(u32::MAX)
    }

    /// Writes the ids of a text's tokens in the place of what is in `tensor`, which
    /// has then as many values as [`TokensSpec::length`] says; never none.
    ///
    /// A token counts as known unless it is the one that stands for unknown words.
    pub fn fill(&mut self, text: &str, tensor: &mut Vec<f32>) -> Counts {
        let kept = text.floor_char_boundary(self.spec.max_bytes as usize);
        let most =
            self.spec.max_tokens as usize - self.bert.ends.iter().map(Vec::len).sum::<usize>();
        self.tokens.clear();
        let is_cut = self.tokenise(&text[..kept], most);
        let [before, behind] = &self.bert.ends;
        let own = self.tokens.iter().map(|(id, _)| id);
        tensor.clear();
        // Below 2^24, so exact.
        tensor.extend(before.iter().chain(own).chain(behind).map(|&id| id as f32));
        let least = match self.spec.length {
            TokensLength::Text => 1,
            TokensLength::MaxTokens => self.spec.max_tokens as usize,
        };
        tensor.resize(least.max(tensor.len()), PADDING);
        let unknown = self.bert.pieces.unknown;
        let known = self.tokens.iter().filter(|(id, _)| *id != unknown).count();
        let end = match is_cut {
            true => self.tokens.last().map_or(0, |(_, end)| *end),
            false => kept,
        };
        // At most max_tokens.
        Counts {
            tokens: self.tokens.len() as u32,
            known: known as u32,
            cut_bytes: text.len() - end,
        }
    }

    /// The first `most` tokens of a text; whether it has more.
    fn tokenise(&mut self, text: &str, most: usize) -> bool {
        let mut at = 0;
        while at < text.len() {
            let (until, whole) = self.next_whole(text, at);
            self.split(&text[at..until], at, most);
            if self.tokens.len() > most {
                break;
            }
            at = until;
            if let Some((length, id)) = whole {
                at += length;
                self.tokens.push((id, at));
            }
        }
        let is_cut = self.tokens.len() > most;
        self.tokens.truncate(most);
        is_cut
    }

    /// Where the next token begins that stands for itself, and of those that begin
    /// there the longest: its length and id.
    fn next_whole(&self, text: &str, at: usize) -> (usize, Option<(usize, u32)>) {
        let starts = |place: usize| {
            let here = &text.as_bytes()[place..];
            self.bert.whole.iter().find(|(token, _)| here.starts_with(token.as_bytes()))
        };
        (at..text.len())
            .find_map(|place| starts(place).map(|(token, id)| (place, Some((token.len(), *id)))))
            .unwrap_or((text.len(), None))
    }

    /// The tokens of what has none that stands for itself.
    fn split(&mut self, text: &str, at: usize, most: usize) {
        self.bert.normaliser.normalise(text, at, &mut self.normal);
        for word in words(&self.normal) {
            self.bert.pieces.split(word, &mut self.piece, &mut self.tokens);
            if self.tokens.len() > most {
                return;
            }
        }
    }
}
