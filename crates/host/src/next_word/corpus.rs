//! Texts as numbers of words, in blocks, and the places in them where a word is asked for.

use std::collections::HashMap;

use graft_input::words::{look_up, tokens};
use graft_spec::Tokeniser;

use super::data::RunningText;

/// A text has about so many blocks: enough of each kind to draw from, and each long
/// enough to have little to do with the next.
const BLOCKS: usize = 100;

/// A text of fewer words is never cut: what is before a cut is not seen behind it.
const LEAST_PIECE: usize = 100;

/// Texts in blocks of about as many words. The texts of a group are in one block, however
/// long they are; so is any other, unless it is much longer than one; then it is cut where a
/// word begins.
pub(super) fn blocks<'t>(texts: &[&'t RunningText]) -> Vec<Vec<&'t str>> {
    let total: usize = texts.iter().map(|text| words(&text.text)).sum();
    let target = total.div_ceil(BLOCKS).max(1);
    let (mut blocks, mut block, mut filled) = (Vec::new(), Vec::new(), 0);
    for unit in units(texts, target.max(LEAST_PIECE)) {
        for (piece, words) in unit {
            block.push(piece);
            filled += words;
        }
        if filled >= target {
            blocks.push(std::mem::take(&mut block));
            filled = 0;
        }
    }
    if !block.is_empty() {
        blocks.push(block);
    }
    blocks
}

/// What is never apart, with how many words there are: a group, where its first text
/// stands, or a piece of another text.
fn units<'t>(texts: &[&'t RunningText], most: usize) -> Vec<Vec<(&'t str, usize)>> {
    let mut units: Vec<Vec<(&str, usize)>> = Vec::new();
    let mut places = HashMap::<&str, usize>::new();
    for RunningText { text, group, .. } in texts {
        match group {
            None => units.extend(pieces(text, most).into_iter().map(|piece| vec![piece])),
            Some(group) => {
                let place = *places.entry(group).or_insert(units.len());
                if place == units.len() {
                    units.push(Vec::new());
                }
                units[place].push((text, words(text)));
            }
        }
    }
    units
}

/// How many words and marks a text has.
pub(super) fn words(text: &str) -> usize {
    tokens(text).count()
}

/// A text in pieces of at most so many words each.
fn pieces(text: &str, most: usize) -> Vec<(&str, usize)> {
    let mut pieces = Vec::new();
    let (mut start, mut words) = (0, 0);
    for at in starts(text) {
        if words == most {
            pieces.push((&text[start..at], words));
            (start, words) = (at, 0);
        }
        words += 1;
    }
    pieces.push((&text[start..], words));
    pieces
}

/// Where the tokens of a text begin.
pub(super) fn starts(text: &str) -> impl Iterator<Item = usize> {
    tokens(text).map(move |token| token.as_ptr() as usize - text.as_ptr() as usize)
}

/// Whether a word can be asked for: marks and numbers are not.
pub(super) fn is_word(word: &str) -> bool {
    word.chars().any(char::is_alphabetic)
}

/// Words by number: those that have a vector first, by its index.
pub(super) struct Corpus {
    pub(super) sequences: Vec<Sequence>,
    /// How many words have a vector.
    known: usize,
    is_word: Vec<bool>,
}

/// The words of one text.
pub(super) struct Sequence {
    pub(super) block: usize,
    ids: Vec<u32>,
}

/// A place where a word is asked for, with what is before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    sequence: u32,
    at: u32,
    /// The class of the word that comes, if it is one of those that can be answered.
    pub(super) class: Option<u32>,
}

impl Corpus {
    /// Looks the words of all blocks up; `find` is asked for the index of a word's
    /// vector, below `known`.
    pub(super) fn of(
        blocks: &[Vec<&str>],
        tokens: Tokeniser,
        known: usize,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Corpus {
        let mut others = HashMap::<String, u32>::new();
        let mut is_word = vec![false; known];
        let mut lowered = String::new();
        let mut sequences = Vec::new();
        for (block, texts) in blocks.iter().enumerate() {
            for text in texts {
                let mut ids = Vec::new();
                look_up(text, tokens, &mut lowered, &find, |word, found| {
                    let id = match (found, others.get(word)) {
                        (Some(index), _) => index as u32,
                        (None, Some(&id)) => id,
                        (None, None) => {
                            let id = is_word.len() as u32;
                            others.insert(word.to_owned(), id);
                            is_word.push(false);
                            id
                        }
                    };
                    is_word[id as usize] = self::is_word(word);
                    ids.push(id);
                });
                sequences.push(Sequence { block, ids });
            }
        }
        Corpus { sequences, known, is_word }
    }

    /// Where words are asked for in some blocks: behind a word that is known, and not
    /// necessarily directly, as nothing is answered to a text of which nothing is known.
    pub(super) fn positions(
        &self,
        blocks: impl Fn(usize) -> bool,
        class: impl Fn(u32) -> Option<u32>,
    ) -> Vec<Position> {
        let mut positions = Vec::new();
        for (number, sequence) in (0..).zip(&self.sequences) {
            if !blocks(sequence.block) {
                continue;
            }
            let mut any_known = false;
            for (at, &id) in (0..).zip(&sequence.ids) {
                if any_known && self.is_word[id as usize] {
                    let class = self.has_vector(id).then(|| class(id)).flatten();
                    positions.push(Position { sequence: number, at, class });
                }
                any_known |= self.has_vector(id);
            }
        }
        positions
    }

    /// The block that a place is in.
    pub(super) fn block(&self, position: &Position) -> usize {
        self.sequences[position.sequence as usize].block
    }

    /// The number of the word before, and of the one that is asked for.
    pub(super) fn pair(&self, position: &Position) -> (u32, u32) {
        let ids = &self.sequences[position.sequence as usize].ids;
        (ids[position.at as usize - 1], ids[position.at as usize])
    }

    /// The rows of the words before, the last one's first, as the device has them.
    pub(super) fn context(&self, position: &Position, rows: &Rows, into: &mut [f32]) {
        let mut before = self.before(position);
        for place in into.chunks_exact_mut(rows.dimensions) {
            match before.next().flatten() {
                Some(id) => place.copy_from_slice(rows.of(id)),
                None => place.fill(0.0),
            }
        }
    }

    /// The words before, the last one first: their numbers, if they have a vector.
    pub(super) fn before(&self, position: &Position) -> impl Iterator<Item = Option<u32>> {
        let ids = &self.sequences[position.sequence as usize].ids[..position.at as usize];
        ids.iter().rev().map(|&id| self.has_vector(id).then_some(id))
    }

    /// How many words have a vector; their numbers are below.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// Words looked up in some blocks, and those of them without a vector.
    pub(super) fn unknown(&self, blocks: impl Fn(usize) -> bool) -> (usize, usize) {
        let ids = self.sequences.iter().filter(|s| blocks(s.block)).flat_map(|s| &s.ids);
        ids.fold((0, 0), |(all, unknown), &id| {
            (all + 1, unknown + usize::from(!self.has_vector(id)))
        })
    }

    fn has_vector(&self, id: u32) -> bool {
        (id as usize) < self.known
    }
}

/// The vectors of the words that have one.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) dimensions: usize,
    pub(super) values: Vec<f32>,
}

impl Rows {
    pub(super) fn of(&self, id: u32) -> &[f32] {
        &self.values[id as usize * self.dimensions..][..self.dimensions]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_words_begin() {
        let text = "One two, three four. Five";
        assert_eq!(pieces(text, 3), [("One two, ", 3), ("three four. ", 3), ("Five", 1)]);
        assert_eq!(pieces(text, 100), [(text, 7)]);
        let many = vec![text_of("a b c d", None); 300];
        let blocks = blocks(&many.iter().collect::<Vec<_>>());
        assert_eq!(blocks.len(), 100);
        assert!(blocks.iter().all(|block| block.len() == 3));
        let long = "word ".repeat(1000);
        let texts = [text_of(&long, None), text_of("end", None)];
        let cut = super::blocks(&texts.iter().collect::<Vec<_>>());
        assert_eq!(cut.len(), 11);
        assert_eq!(cut.concat().concat(), format!("{long}end"));
    }

    fn text_of(text: &str, group: Option<&str>) -> RunningText {
        let group = group.map(str::to_owned);
        RunningText { place: "x".into(), text: text.to_owned(), split: None, group }
    }

    #[test]
    fn a_group_is_in_one_block() {
        let long = "word ".repeat(1000);
        let texts: Vec<RunningText> = (0..300)
            .map(|i| match i % 3 {
                0 => text_of("a b c d", None),
                1 => text_of("one two", Some(["even", "odd"][i % 2])),
                _ => text_of("some", Some(&format!("group {}", i / 3))),
            })
            .chain([text_of(&long, Some("long"))])
            .collect();
        let blocks = blocks(&texts.iter().collect::<Vec<_>>());
        let with = |text: &str| blocks.iter().filter(|block| block.contains(&text)).count();
        assert_eq!((with("one two"), with(&long)), (2, 1));
        assert_eq!(blocks.concat().len(), texts.len());
        assert!(blocks.len() > 20, "{}", blocks.len());
    }

    #[test]
    fn words_are_asked_for_behind_what_is_known() {
        let words = ["the", "cat", "sat", ","];
        let find = |word: &str| words.iter().position(|&known| known == word);
        let tokens = Tokeniser::Words { lowercase: true };
        let corpus = Corpus::of(&[vec!["Xyzzy the 7, cat foo", "sat"]], tokens, 4, find);
        // "cat" and "foo": not the first words, no number, no mark.
        let positions = corpus.positions(|_| true, |id| (id == 1).then_some(0));
        let classes: Vec<_> = positions.iter().map(|position| position.class).collect();
        assert_eq!(classes, [Some(0), None]);
        assert_eq!(corpus.pair(&positions[0]), (3, 1));
        let rows = Rows { dimensions: 1, values: vec![1.0, 2.0, 3.0, 4.0] };
        let mut row = [9.0; 5];
        corpus.context(&positions[0], &rows, &mut row);
        assert_eq!(row, [4.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(corpus.unknown(|_| true), (7, 3));
    }
}
