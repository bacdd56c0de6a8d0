use crate::random::SplitMix64;

const CONSONANTS: &[u8; 18] = b"bcdfghjklmnprstvwz";
const VOWELS: &[u8; 5] = b"aeiou";

/// What tells a wrong normaliser: accents, other scripts, a ligature, a fraction.
const ODD: [&str; 8] = ["naïve", "Größe", "ŁÓDŹ", "東京", "Ωμέγα", "été", "привет", "½ﬁ"];

/// The synthetic sentence of `docs/format.md`: so many words, the same on every
/// machine. It needs no table of words, whatever the tokenizer.
pub fn synthetic_sentence(seed: u64, words: u32) -> String {
    let mut random = SplitMix64(seed);
    let mut text = String::new();
    for _ in 0..words {
        let n = random.next();
        match n & 7 {
            0 => text.push_str(&format!("q{:016x}", random.next())),
            1 => text.push_str(&((n >> 16) % 100_000).to_string()),
            2 => text.push_str(ODD[(n >> 16 & 7) as usize]),
            _ => {
                let capitals = n >> 5 & 7 == 0;
                for _ in 0..=(n >> 3 & 3) {
                    let m = random.next();
                    // All 64 bits count: a board's usize may have 32.
                    let at = [m % 18, (m >> 8) % 5].map(|at| at as usize);
                    let letters = [CONSONANTS[at[0]], VOWELS[at[1]]];
                    for letter in letters.map(char::from) {
                        text.push(if capitals { letter.to_ascii_uppercase() } else { letter });
                    }
                }
            }
        }
        text.push_str(match n >> 8 & 7 {
            0 => ", ",
            1 => ". ",
            2 => "-",
            3 => "'s ",
            _ => " ",
        });
    }
    text
}
