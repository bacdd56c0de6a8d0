//! Rows of text: a word and its numbers a line. Words may have spaces in them, as
//! some of GloVe's largest file do, so numbers are counted from the line's end.

use std::io::BufRead;
use std::ops::ControlFlow;

use crate::read::{Bytes, NotUtf8, Row, Seen, Stated};
use crate::{MAX_DIMENSIONS, MAX_WORD_BYTES, Place, ReadError};

/// A number of a text takes fewer characters, its space included: the longest that
/// `printf("%lf")` makes of an `f32` has 48.
const MAX_NUMBER_BYTES: usize = 64;
const MAX_LINE_BYTES: usize = MAX_WORD_BYTES + MAX_DIMENSIONS * MAX_NUMBER_BYTES;

pub(crate) fn read<R: BufRead>(
    bytes: &mut Bytes<R>,
    stated: Option<Stated>,
    not_utf8: NotUtf8,
    row: Row<'_>,
) -> Result<Seen, ReadError> {
    let mut seen =
        Seen { words: 0, dimensions: stated.map_or(0, |stated| stated.dimensions), not_utf8: 0 };
    let (mut line, mut numbers) = (Vec::new(), Vec::new());
    let mut number = u64::from(stated.is_some());
    loop {
        let begin = bytes.offset;
        line.clear();
        if bytes.until(b'\n', MAX_LINE_BYTES, &mut line)? == 0 {
            break;
        }
        number += 1;
        let place = Place::Line(number);
        if line.len() == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
            return Err(ReadError::TooLong { place });
        }
        let content = line.trim_ascii_end();
        // What editors leave at the end of a file.
        if content.is_empty() && bytes.peek()?.is_none() {
            break;
        }
        if let Some(stated) = stated
            && seen.words == stated.words
        {
            return Err(ReadError::MoreWords { stated: stated.words, place });
        }
        if seen.dimensions == 0 {
            seen.dimensions = count(content, place)?;
        }
        let word = split(content, seen.dimensions, place, &mut numbers)?;
        seen.words += 1;
        match std::str::from_utf8(word) {
            Ok(word) => {
                if let ControlFlow::Break(()) = row(word, &numbers) {
                    return Ok(seen);
                }
            }
            Err(_) if not_utf8 == NotUtf8::Skip => seen.not_utf8 += 1,
            Err(_) => {
                let lossy = String::from_utf8_lossy(word).into_owned();
                return Err(ReadError::NotUtf8 { place, offset: begin, lossy });
            }
        }
    }
    match stated {
        Some(stated) if seen.words < stated.words => {
            Err(ReadError::FewerWords { stated: stated.words, found: seen.words })
        }
        _ if seen.words == 0 => Err(ReadError::Empty),
        _ => Ok(seen),
    }
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// How many numbers the first line of a file without a header has: those at its
/// end, a word before them.
fn count(line: &[u8], place: Place) -> Result<usize, ReadError> {
    let (mut rest, mut found) = (line, 0);
    while let Some((before, last)) = last_of(rest) {
        if parse(last).is_none() {
            break;
        }
        found += 1;
        rest = before;
        if found > MAX_DIMENSIONS {
            return Err(ReadError::TooWide { place });
        }
    }
    match (found, last_of(line)) {
        (0, Some((_, last))) => Err(not_a_number(place, 1, last)),
        (0, None) => Err(ReadError::TooFew { place, found: 0, expected: 1 }),
        (found, _) => Ok(found),
    }
}

/// What stands behind the last space of a line, and what before it.
fn last_of(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = line.iter().rposition(|&byte| is_space(byte))?;
    Some((line[..space].trim_ascii_end(), &line[space + 1..]))
}

fn parse(number: &[u8]) -> Option<f32> {
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn not_a_number(place: Place, position: usize, found: &[u8]) -> ReadError {
    // As much as a person needs to find it.
    let found = String::from_utf8_lossy(&found[..found.len().min(40)]).into_owned();
    ReadError::NotANumber { place, position, found }
}

/// The word of a line; its numbers into `numbers`.
fn split<'a>(
    line: &'a [u8],
    dimensions: usize,
    place: Place,
    numbers: &mut Vec<f32>,
) -> Result<&'a [u8], ReadError> {
    numbers.clear();
    numbers.resize(dimensions, 0.0);
    let mut rest = line;
    for (before, number) in numbers.iter_mut().enumerate().rev() {
        let Some((word, last)) = last_of(rest) else {
            return Err(ReadError::TooFew {
                place,
                found: dimensions - before - 1,
                expected: dimensions,
            });
        };
        let Some(value) = parse(last) else {
            // A word with spaces whose line is short reads as a number that is none.
            return Err(not_a_number(place, before + 1, last));
        };
        if !value.is_finite() {
            return Err(ReadError::NotFinite { place, position: before + 1, value });
        }
        *number = value;
        rest = word;
    }
    if rest.is_empty() || is_space(rest[0]) {
        return Err(ReadError::NoWord { place });
    }
    if rest.len() > MAX_WORD_BYTES {
        return Err(ReadError::TooLong { place });
    }
    match last_of(rest) {
        Some((_, last)) if parse(last).is_some() => {
            Err(ReadError::TooMany { place, expected: dimensions })
        }
        _ => Ok(rest),
    }
}
