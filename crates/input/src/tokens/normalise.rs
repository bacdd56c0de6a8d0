//! BERT's normaliser and pre-tokenizer, with the tables that the reference library
//! has: an older Unicode than Rust's own in places, which makes other tokens.

use serde::Deserialize;
use unicode_categories::UnicodeCategories as _;
use unicode_normalization_alignments::UnicodeNormalization as _;

/// What is done to a text before it is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BertNormaliser {
    pub(super) clean_text: bool,
    pub(super) handle_chinese_chars: bool,
    /// As `lowercase`, if nothing is said.
    pub(super) strip_accents: Option<bool>,
    pub(super) lowercase: bool,
}

/// A character of a normalised text, and where in the text the character ends that it
/// is of.
pub(super) type Normal = (char, usize);

impl BertNormaliser {
    /// Normalises `text`, which stands at the byte `at` of a longer one.
    pub(super) fn normalise(self, text: &str, at: usize, into: &mut Vec<Normal>) {
        into.clear();
        for (start, char) in text.char_indices() {
            let end = at + start + char.len_utf8();
            let char = match char {
                _ if !self.clean_text => char,
                '\0' | '\u{fffd}' => continue,
                '\t' | '\n' | '\r' => ' ',
                other if other.is_other() => continue,
                other if other.is_whitespace() => ' ',
                other => other,
            };
            if self.handle_chinese_chars && is_chinese(char) {
                into.extend([(' ', end), (char, end), (' ', end)]);
            } else {
                into.push((char, end));
            }
        }
        if self.strip_accents.unwrap_or(self.lowercase) {
            without_accents(into);
        }
        if self.lowercase {
            let lower = |&(char, end): &Normal| char.to_lowercase().map(move |char| (char, end));
            *into = into.iter().flat_map(lower).collect();
        }
    }
}

/// Canonical decomposition, and then no nonspacing marks.
fn without_accents(text: &mut Vec<Normal>) {
    // Most texts are ASCII, which this changes nothing of.
    if text.iter().all(|(char, _)| char.is_ascii()) {
        return;
    }
    let mut ends = text.iter().map(|(_, end)| *end);
    let mut end = 0;
    let mut kept = Vec::with_capacity(text.len());
    for (char, change) in text.iter().map(|(char, _)| *char).nfd() {
        // Above 0: one more of the character before.
        if change <= 0 {
            end = ends.next().unwrap_or(end);
        }
        if !char.is_mark_nonspacing() {
            kept.push((char, end));
        }
    }
    *text = kept;
}

/// The blocks that BERT takes for characters that are words.
fn is_chinese(char: char) -> bool {
    matches!(
        u32::from(char),
        0x3400..=0x4DBF
            | 0x4E00..=0x9FFF
            | 0xF900..=0xFAFF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF
            | 0x2F800..=0x2FA1F
    )
}

/// The words of a normalised text: what is between white space, and each mark alone.
pub(super) fn words(text: &[Normal]) -> impl Iterator<Item = &[Normal]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|(char, _)| !char.is_whitespace())?;
        let here = &rest[start..];
        let end = match is_mark(here[0].0) {
            true => 1,
            false => here
                .iter()
                .position(|(char, _)| char.is_whitespace() || is_mark(*char))
                .unwrap_or(here.len()),
        };
        let (word, behind) = here.split_at(end);
        rest = behind;
        Some(word)
    })
}

fn is_mark(char: char) -> bool {
    char.is_ascii_punctuation() || char.is_punctuation()
}
