use graft_spec::Tokeniser;

/// Endings that the Penn Treebank writes as words of their own, and GloVe after
/// it: "don't" is "do" and "n't", "cat's" is "cat" and "'s".
const CLITICS: [&str; 7] = ["n't", "'s", "'m", "'d", "'ll", "'re", "'ve"];

/// How many of them one token can end in: "shouldn't've".
const MOST_CLITICS: u32 = 2;

/// The tokens of a text, as they stand in it.
///
/// A token is a longest run of letters and digits (`char::is_alphanumeric`),
/// going on over a single apostrophe or hyphen inside it and over a single period
/// or comma between two digits; or any other character alone that is no white
/// space.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let here = rest.trim_start();
        let first = here.chars().next()?;
        let end = if first.is_alphanumeric() { word_end(here) } else { first.len_utf8() };
        let (token, behind) = here.split_at(end);
        rest = behind;
        Some(token)
    })
}

/// Where the word ends with which the text begins.
fn word_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    let mut before = '\0';
    while let Some((at, char)) = chars.next() {
        let inside = char.is_alphanumeric()
            || chars.peek().is_some_and(|&(_, after)| match char {
                '\'' | '’' | '-' => after.is_alphanumeric(),
                '.' | ',' => before.is_numeric() && after.is_numeric(),
                _ => false,
            });
        if !inside {
            return at;
        }
        before = char;
    }
    text.len()
}

/// Takes a text apart and looks its tokens up: whole, and if there is no such
/// word, in the parts that its inner marks make of it.
///
/// `find` is asked for words as a table holds them, in lower case if the tokeniser
/// wants that, the typographic apostrophe as the plain one. `each` gets what comes
/// of it, in the order of the text: a word with what was found of it, or with
/// nothing. `lowered` is room to work in.
pub fn look_up<T>(
    text: &str,
    tokeniser: Tokeniser,
    lowered: &mut String,
    mut find: impl FnMut(&str) -> Option<T>,
    mut each: impl FnMut(&str, Option<T>),
) {
    let Tokeniser::Words { lowercase } = tokeniser;
    for token in tokens(text) {
        let chars = token.chars().map(|char| if char == '’' { '\'' } else { char });
        lowered.clear();
        match lowercase {
            true => lowered.extend(chars.flat_map(char::to_lowercase)),
            false => lowered.extend(chars),
        }
        whole_or_parts(lowered, MOST_CLITICS, &mut find, &mut each);
    }
}

fn whole_or_parts<T>(
    word: &str,
    clitics: u32,
    find: &mut impl FnMut(&str) -> Option<T>,
    each: &mut impl FnMut(&str, Option<T>),
) {
    if let Some(found) = find(word) {
        each(word, Some(found));
    } else if clitics > 0
        && let Some((stem, clitic)) = split_clitic(word)
    {
        whole_or_parts(stem, clitics - 1, find, each);
        each(clitic, find(clitic));
    } else if word.starts_with(char::is_alphanumeric) {
        // A word without marks is its only part, and has been asked for.
        let whole = |part: &str| part.len() == word.len();
        for part in word.split(['\'', '-', '.', ',']) {
            each(part, if whole(part) { None } else { find(part) });
        }
    } else {
        each(word, None);
    }
}

fn split_clitic(word: &str) -> Option<(&str, &str)> {
    CLITICS.iter().find_map(|clitic| {
        let at = word.len().checked_sub(clitic.len())?;
        let (stem, end) = word.split_at_checked(at)?;
        let right = end.eq_ignore_ascii_case(clitic) && stem.ends_with(char::is_alphanumeric);
        right.then_some((stem, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fall_into_tokens() {
        // The examples of docs/format.md, and more.
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(tokens(text).collect::<Vec<_>>(), expected, "{text:?}");
        };
        check("", &[]);
        check(" \t\n\u{a0}\u{3000}", &[]);
        check("Hello, world!", &["Hello", ",", "world", "!"]);
        check("don't stop", &["don't", "stop"]);
        check("it’s", &["it’s"]);
        check("the cats' toys", &["the", "cats", "'", "toys"]);
        check("'tis 'quoted'", &["'", "tis", "'", "quoted", "'"]);
        check("rock'n'roll", &["rock'n'roll"]);
        check("state-of-the-art", &["state-of-the-art"]);
        check("so--well", &["so", "-", "-", "well"]);
        check("a - b -c d-", &["a", "-", "b", "-", "c", "d", "-"]);
        check("$1,234.50.", &["$", "1,234.50", "."]);
        check("3.14e-5", &["3.14e-5"]);
        check("1,b 1. 2", &["1", ",", "b", "1", ".", "2"]);
        check("1..2", &["1", ".", ".", "2"]);
        check("e.g. U.S.", &["e", ".", "g", ".", "U", ".", "S", "."]);
        check("me@example.org", &["me", "@", "example", ".", "org"]);
        check("snake_case", &["snake", "_", "case"]);
        check("Überstraße 東京タワー", &["Überstraße", "東京タワー"]);
        check("🙂🙂ok", &["🙂", "🙂", "ok"]);
        check("١٫٢", &["١", "٫", "٢"]);
    }

    /// `table` is what is found, each word as itself.
    fn looked_up(text: &str, lowercase: bool, table: &[&str]) -> Vec<(String, bool)> {
        let mut all = Vec::new();
        look_up(
            text,
            Tokeniser::Words { lowercase },
            &mut String::new(),
            |word| table.iter().find(|known| **known == word).copied(),
            |word, found| {
                assert!(found.is_none_or(|found| found == word));
                all.push((word.to_owned(), found.is_some()));
            },
        );
        all
    }

    #[test]
    fn tokens_are_looked_up_whole_and_in_parts() {
        let check = |text: &str, table: &[&str], expected: &[(&str, bool)]| {
            let expected: Vec<_> = expected.iter().map(|(w, k)| ((*w).to_owned(), *k)).collect();
            assert_eq!(looked_up(text, true, table), expected, "{text:?}");
        };
        check("Don't", &["don't", "do", "n't"], &[("don't", true)]);
        check("Don't", &["do", "n't"], &[("do", true), ("n't", true)]);
        check("DON’T", &["do", "n't"], &[("do", true), ("n't", true)]);
        check("can't", &["n't"], &[("ca", false), ("n't", true)]);
        check("cat's", &["cat", "'s"], &[("cat", true), ("'s", true)]);
        check(
            "shouldn't've",
            &["should", "n't", "'ve"],
            &[("should", true), ("n't", true), ("'ve", true)],
        );
        check(
            "Mother-in-law's",
            &["mother-in-law", "'s"],
            &[("mother-in-law", true), ("'s", true)],
        );
        check(
            "state-of-the-art",
            &["state", "of", "the"],
            &[("state", true), ("of", true), ("the", true), ("art", false)],
        );
        check("o'clock", &["clock"], &[("o", false), ("clock", true)]);
        check("1,234.5", &["1", "5"], &[("1", true), ("234", false), ("5", true)]);
        check("xyzzy -", &["-"], &[("xyzzy", false), ("-", true)]);
        check("'s n't", &["'s", "s"], &[("'", false), ("s", true), ("n", false), ("t", false)]);
        check("ΣΊΣΥΦΟΣ İ", &["σίσυφοσ", "i\u{307}"], &[("σίσυφοσ", true), ("i\u{307}", true)]);
    }

    #[test]
    fn case_is_kept_where_the_table_has_both() {
        let found = looked_up("Apple DON'T apple", false, &["Apple", "DO", "N'T"]);
        let known: Vec<_> = found.iter().map(|(w, known)| (w.as_str(), *known)).collect();
        assert_eq!(known, [("Apple", true), ("DO", true), ("N'T", true), ("apple", false)]);
    }

    /// As many parts as a text can have: nothing recurses, nothing is quadratic.
    #[test]
    fn a_token_of_a_million_parts_is_taken_apart() {
        let text = "a's".to_owned() + &"'s".repeat(300_000);
        assert_eq!(looked_up(&text, true, &["s"]).len(), 300_002);
        let text = "a-".repeat(300_000) + "b";
        assert_eq!(looked_up(&text, true, &["a"]).len(), 300_001);
    }
}
