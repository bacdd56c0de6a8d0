//! WordPiece: the longest beginning of a word that is in the vocabulary, then the
//! longest beginning of what is left, and so on; or unknown, if something is left.

use std::fmt;

use graft_spec::MAX_VOCABULARY;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// Tokens and their ids, sorted by the tokens' bytes, in one piece of memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Vocabulary {
    text: String,
    /// Where each token is in `text`, and its id.
    entries: Vec<(u32, u32, u32)>,
}

impl Vocabulary {
    pub(super) fn find(&self, token: &str) -> Option<u32> {
        let found = self.entries.binary_search_by(|entry| self.token(entry).cmp(token));
        found.ok().map(|at| self.entries[at].2)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The token with the greatest id.
    pub(super) fn last(&self) -> Option<(&str, u32)> {
        let last = self.entries.iter().max_by_key(|(.., id)| *id)?;
        Some((self.token(last), last.2))
    }

    fn token(&self, &(start, end, _): &(u32, u32, u32)) -> &str {
        &self.text[start as usize..end as usize]
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Vocabulary, D::Error> {
        struct Tokens;

        impl<'de> Visitor<'de> for Tokens {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens with their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut made = Vocabulary::default();
                while let Some((token, id)) = map.next_entry::<String, u32>()? {
                    if id >= MAX_VOCABULARY {
                        let text = format!(
                            "token {token:?} has id {id}, the largest may be {}",
                            MAX_VOCABULARY - 1
                        );
                        return Err(A::Error::custom(text));
                    }
                    let start = made.text.len();
                    made.text.push_str(&token);
                    let place = |at: usize| u32::try_from(at).map_err(A::Error::custom);
                    made.entries.push((place(start)?, place(made.text.len())?, id));
                }
                let Vocabulary { text, entries } = &mut made;
                let token =
                    |&(start, end, _): &(u32, u32, u32)| &text[start as usize..end as usize];
                entries.sort_by(|a, b| token(a).cmp(token(b)));
                if let Some(pair) =
                    entries.windows(2).find(|pair| token(&pair[0]) == token(&pair[1]))
                {
                    let text = format!("token {:?} is there twice", token(&pair[0]));
                    return Err(A::Error::custom(text));
                }
                Ok(made)
            }
        }
        from.deserialize_map(Tokens)
    }
}

/// How words become tokens.
#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    pub(super) vocabulary: Vocabulary,
    pub(super) unknown: u32,
    /// Stands before a piece that does not begin a word.
    pub(super) prefix: String,
    /// Longer words are unknown.
    pub(super) most_chars: usize,
}

impl WordPiece {
    /// The ids of a word's pieces, each with the byte in the text where it ends.
    /// `piece` is room to work in.
    pub(super) fn split(
        &self,
        word: &[(char, usize)],
        piece: &mut String,
        into: &mut Vec<(u32, usize)>,
    ) {
        let before = into.len();
        let end_of_word = word.last().map_or(0, |(_, end)| *end);
        if word.len() > self.most_chars {
            into.push((self.unknown, end_of_word));
            return;
        }
        let mut start = 0;
        while start < word.len() {
            piece.clear();
            if start > 0 {
                piece.push_str(&self.prefix);
            }
            let bare = piece.len();
            piece.extend(word[start..].iter().map(|(char, _)| *char));
            let mut end = word.len();
            let found = loop {
                if piece.len() == bare {
                    break None;
                }
                if let Some(id) = self.vocabulary.find(piece) {
                    break Some(id);
                }
                piece.pop();
                end -= 1;
            };
            let Some(id) = found else {
                into.truncate(before);
                into.push((self.unknown, end_of_word));
                return;
            };
            into.push((id, word[end - 1].1));
            start = end;
        }
    }
}
