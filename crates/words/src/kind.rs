use std::fmt;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// word2vec's binary: a line `count dimensions`, then a word, a space and its
    /// numbers as little-endian `f32`.
    Word2vecBinary,
    /// word2vec's text: the same first line, then a word and its numbers a line.
    Word2vecText,
    /// GloVe's text: a word and its numbers a line, and no first line.
    Glove,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Word2vecBinary => "word2vec binary",
            Kind::Word2vecText => "word2vec text",
            Kind::Glove => "GloVe text",
        })
    }
}

/// The first line of word2vec's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) count: u64,
    pub(crate) dimensions: u64,
    /// Of the line, its end included.
    pub(crate) bytes: usize,
}

impl Header {
    /// The longest there is: two numbers of 20 digits, and some space.
    const MAX_BYTES: usize = 64;

    pub(crate) fn of(beginning: &[u8]) -> Option<Header> {
        let window = &beginning[..beginning.len().min(Header::MAX_BYTES)];
        let end = window.iter().position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&window[..end]).ok()?;
        let mut numbers = line.split_ascii_whitespace();
        let (count, dimensions) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        numbers.next().is_none().then_some(Header { count, dimensions, bytes: end + 1 })
    }
}

/// What the beginning of a file shows it to be. A first line of two whole numbers
/// is a header; behind it, where a binary file's first numbers would lie, a text
/// has no control characters, and up to its first line's end only ASCII, which are
/// digits or have space between them.
pub(crate) fn told_by(beginning: &[u8]) -> Kind {
    let Some(header) = Header::of(beginning) else { return Kind::Glove };
    let rows = &beginning[header.bytes..];
    let Some(space) = rows.iter().position(|&byte| byte == b' ' || byte == b'\t') else {
        return Kind::Word2vecText;
    };
    let numbers = &rows[space + 1..];
    let wide = usize::try_from(header.dimensions).unwrap_or(usize::MAX).saturating_mul(4);
    let numbers = &numbers[..numbers.len().min(wide)];
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let end = numbers.iter().position(|&byte| byte == b'\n').unwrap_or(numbers.len());
    let line = &numbers[..end];
    let spaced = end < numbers.len() || line.iter().any(u8::is_ascii_whitespace);
    let digits =
        line.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if line.is_ascii() && !numbers.iter().any(control) && (spaced || digits) {
        Kind::Word2vecText
    } else {
        Kind::Word2vecBinary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_tells_the_kind() {
        let binary = |header: &str, word: &str, numbers: &[f32]| {
            let mut bytes = format!("{header}\n{word} ").into_bytes();
            bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
            bytes
        };
        let cases: &[(&[u8], Kind)] = &[
            (b"the 0.4 0.2\nof 0.7 0.5\n", Kind::Glove),
            (b"", Kind::Glove),
            (b"\n", Kind::Glove),
            (b"2 2\nthe 0.4 0.2\n", Kind::Word2vecText),
            (b"2 2\r\nthe 0.4 0.2\r\n", Kind::Word2vecText),
            // Broken, and still a text: the error should name a line.
            (b"2 2\nthe nan abc\n", Kind::Word2vecText),
            (b"2 2\nthe 1\nna\xefve 1 2", Kind::Word2vecText),
            (b"2 2\nthe\n", Kind::Word2vecText),
            (b"2 1\na 0.123456\n", Kind::Word2vecText),
            (&binary("2 1", "a", &[0.7]), Kind::Word2vecBinary),
            (&binary("2 4", "a", &[0.0; 4]), Kind::Word2vecBinary),
            (&binary("2 4", "a", &[0.3, -0.4, 0.1, 0.9]), Kind::Word2vecBinary),
        ];
        for (bytes, kind) in cases {
            assert_eq!(told_by(bytes), *kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
