//! word2vec's binary rows: a word, a space, its numbers, and, from some writers, a
//! line's end.

use std::io::BufRead;
use std::ops::ControlFlow;

use crate::read::{Bytes, NotUtf8, Row, Seen, Stated};
use crate::{MAX_WORD_BYTES, Place, ReadError};

pub(crate) fn read<R: BufRead>(
    bytes: &mut Bytes<R>,
    stated: Stated,
    not_utf8: NotUtf8,
    row: Row<'_>,
) -> Result<Seen, ReadError> {
    let mut seen = Seen { words: 0, dimensions: stated.dimensions, not_utf8: 0 };
    let (mut word, mut numbers) = (Vec::new(), vec![0.0; stated.dimensions]);
    let mut raw = vec![0; 4 * stated.dimensions];
    while seen.words < stated.words {
        // The C tool ends a row with one; other writers don't.
        while bytes.peek()? == Some(b'\n') {
            bytes.skip();
        }
        let begin = bytes.offset;
        word.clear();
        if bytes.until(b' ', MAX_WORD_BYTES + 1, &mut word)? == 0 {
            return Err(ReadError::FewerWords { stated: stated.words, found: seen.words });
        }
        let truncated =
            |offset| ReadError::Truncated { offset, word: seen.words + 1, stated: stated.words };
        if word.pop_if(|&mut last| last == b' ').is_none() {
            return Err(if word.len() > MAX_WORD_BYTES {
                ReadError::TooLong { place: Place::Byte(begin) }
            } else {
                truncated(bytes.offset)
            });
        }
        if word.is_empty() {
            return Err(ReadError::NoWord { place: Place::Byte(begin) });
        }
        let at = bytes.offset;
        if bytes.fill(&mut raw)? < raw.len() {
            return Err(truncated(bytes.offset));
        }
        let (groups, _) = raw.as_chunks::<4>();
        for (position, (number, group)) in numbers.iter_mut().zip(groups).enumerate() {
            *number = f32::from_le_bytes(*group);
            if !number.is_finite() {
                return Err(ReadError::NotFinite {
                    place: Place::Byte(at + 4 * position as u64),
                    position: position + 1,
                    value: *number,
                });
            }
        }
        seen.words += 1;
        match std::str::from_utf8(&word) {
            Ok(word) => {
                if let ControlFlow::Break(()) = row(word, &numbers) {
                    return Ok(seen);
                }
            }
            Err(_) if not_utf8 == NotUtf8::Skip => seen.not_utf8 += 1,
            Err(_) => {
                return Err(ReadError::NotUtf8 {
                    place: Place::Byte(begin),
                    offset: begin,
                    lossy: String::from_utf8_lossy(&word).into_owned(),
                });
            }
        }
    }
    while bytes.peek()? == Some(b'\n') {
        bytes.skip();
    }
    match bytes.peek()? {
        Some(_) => {
            Err(ReadError::MoreWords { stated: stated.words, place: Place::Byte(bytes.offset) })
        }
        None => Ok(seen),
    }
}
