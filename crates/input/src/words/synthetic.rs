use super::table::WordTable;
use crate::random::SplitMix64;

/// The most words of a synthetic text.
pub const MAX_SYNTHETIC_WORDS: u32 = graft_spec::MAX_SIDE;

/// The synthetic text of `docs/format.md`: words of the table and some that are in
/// none, the same on every machine.
///
/// It is what references are made of, so that nobody's texts travel, and it has
/// what tells a wrong tokeniser: capitals, punctuation, hyphens and endings.
///
/// # Panics
///
/// If `words` is not 1 to [`MAX_SYNTHETIC_WORDS`]; a parsed bundle has none such.
pub fn synthetic_text<B: AsRef<[u8]>>(seed: u64, words: u32, table: &WordTable<B>) -> String {
    assert!(
        (1..=MAX_SYNTHETIC_WORDS).contains(&words),
        "a synthetic text has 1 to {MAX_SYNTHETIC_WORDS} words, not {words}"
    );
    let mut random = SplitMix64(seed);
    let mut text = String::new();
    for _ in 0..words {
        let n = random.next();
        if n & 7 == 0 {
            text.push_str(&format!("q{:016x}", random.next()));
        } else {
            let index = (n >> 16) % u64::from(table.len());
            // Below the length, which is a u32.
            let word = table.word(index as u32);
            match n >> 3 & 7 {
                0 => text.extend(word.chars().flat_map(char::to_uppercase)),
                _ => text.push_str(word),
            }
        }
        text.push_str(match n >> 6 & 7 {
            0 => ", ",
            1 => ". ",
            2 => "-",
            3 => "'s ",
            _ => " ",
        });
    }
    text
}
