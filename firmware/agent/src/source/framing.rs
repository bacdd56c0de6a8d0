//! Frames out of a stream of bytes: raw ones by their length, JPEGs by their
//! markers, as `ffmpeg -f mjpeg` and `-f image2pipe` write them, one after
//! another; texts by their line ends.

use std::io::{self, BufRead, Read};

use graft_spec::MAX_TEXT_BYTES;

use crate::job::{Framing, RawLayout};
use crate::mailbox::{Captured, Encoding};

/// Without a limit a stream that never ends its picture would take all memory.
const LONGEST_JPEG: usize = 16 << 20;
/// A bundle may allow less, and then the rest of the text is left out.
const LONGEST_LINE: usize = MAX_TEXT_BYTES as usize;

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Frame,
    /// Bytes that are no frame; what follows may be.
    Broken(Fault),
    End,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the stream ends in the middle of a frame, after {found} bytes")]
    CutShort { found: usize },
    #[error("a JPEG in the stream has a segment of impossible length")]
    Segment,
    #[error("a JPEG in the stream is longer than {LONGEST_JPEG} bytes")]
    TooLong,
    #[error("a text in the stream is longer than {LONGEST_LINE} bytes")]
    LineTooLong,
}

/// Reads the next frame into `frame`, whose buffer is used again.
pub(crate) fn next(
    reader: &mut impl BufRead,
    framing: Framing,
    frame: &mut Captured,
) -> io::Result<Found> {
    match framing {
        Framing::Raw(layout) => {
            frame.encoding = Encoding::Raw(layout);
            raw(reader, layout, &mut frame.bytes)
        }
        Framing::Jpeg => {
            frame.encoding = Encoding::Picture;
            frame.bytes.clear();
            let read = jpeg(reader, &mut frame.bytes);
            found(read, frame)
        }
        Framing::Lines => {
            frame.encoding = Encoding::Text;
            frame.bytes.clear();
            let read = line(reader, &mut frame.bytes);
            found(read, frame)
        }
    }
}

fn found(read: Result<(), Halt>, frame: &Captured) -> io::Result<Found> {
    match read {
        Ok(()) => Ok(Found::Frame),
        Err(Halt::Io(error)) => Err(error),
        Err(Halt::End) if frame.bytes.is_empty() => Ok(Found::End),
        Err(Halt::End) => Ok(Found::Broken(Fault::CutShort { found: frame.bytes.len() })),
        Err(Halt::Fault(fault)) => Ok(Found::Broken(fault)),
    }
}

fn raw(reader: &mut impl Read, layout: RawLayout, bytes: &mut Vec<u8>) -> io::Result<Found> {
    bytes.resize(layout.frame_bytes(), 0);
    let mut found = 0;
    while found < bytes.len() {
        match reader.read(&mut bytes[found..]) {
            Ok(0) if found == 0 => return Ok(Found::End),
            Ok(0) => return Ok(Found::Broken(Fault::CutShort { found })),
            Ok(count) => found += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Found::Frame)
}

/// Reads a line, without its end: LF, or CR LF. The last one may have none. Of one
/// that is too long only the beginning is kept in memory.
fn line(reader: &mut impl BufRead, out: &mut Vec<u8>) -> Result<(), Halt> {
    let mut length = 0;
    let mut begun = false;
    let ended = loop {
        let there = fill(reader)?;
        if there.is_empty() {
            break false;
        }
        begun = true;
        let end = there.iter().position(|&byte| byte == b'\n');
        let part = &there[..end.unwrap_or(there.len())];
        length += part.len();
        // One more, which may be a CR.
        if length <= LONGEST_LINE + 1 {
            out.extend_from_slice(part);
        }
        let read = part.len() + usize::from(end.is_some());
        reader.consume(read);
        if end.is_some() {
            break true;
        }
    };
    if !begun {
        return Err(Halt::End);
    }
    if ended && out.len() == length && out.last() == Some(&b'\r') {
        out.pop();
        length -= 1;
    }
    if length > LONGEST_LINE {
        return Err(Halt::Fault(Fault::LineTooLong));
    }
    Ok(())
}

enum Halt {
    Io(io::Error),
    End,
    Fault(Fault),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        Halt::Io(error)
    }
}

/// Reads from one start marker to its end marker. Segments are stepped over by
/// their lengths, so that a thumbnail's end is not taken for the picture's.
fn jpeg(reader: &mut impl BufRead, out: &mut Vec<u8>) -> Result<(), Halt> {
    // Whatever stands between two pictures is no part of either.
    loop {
        while byte(reader)? != 0xff {}
        let mut marker = byte(reader)?;
        while marker == 0xff {
            marker = byte(reader)?;
        }
        if marker == 0xd8 {
            break;
        }
    }
    out.extend([0xff, 0xd8]);
    loop {
        // Samples after a scan's header, or nothing.
        until_ff(reader, out)?;
        let mut marker = byte(reader)?;
        while marker == 0xff {
            out.push(0xff);
            marker = byte(reader)?;
        }
        out.push(marker);
        match marker {
            0xd9 => return Ok(()),
            // A sample of 0xff, a restart, a start: nothing follows.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let length = [byte(reader)?, byte(reader)?];
                out.extend(length);
                let length = usize::from(u16::from_be_bytes(length));
                copy(reader, out, length.checked_sub(2).ok_or(Halt::Fault(Fault::Segment))?)?;
            }
        }
        if out.len() > LONGEST_JPEG {
            return Err(Halt::Fault(Fault::TooLong));
        }
    }
}

fn byte(reader: &mut impl BufRead) -> Result<u8, Halt> {
    let &first = fill(reader)?.first().ok_or(Halt::End)?;
    reader.consume(1);
    Ok(first)
}

/// Copies everything up to and with the next 0xff.
fn until_ff(reader: &mut impl BufRead, out: &mut Vec<u8>) -> Result<(), Halt> {
    loop {
        let there = fill(reader)?;
        if there.is_empty() {
            return Err(Halt::End);
        }
        let found = there.iter().position(|&byte| byte == 0xff);
        let count = found.map_or(there.len(), |at| at + 1);
        out.extend_from_slice(&there[..count]);
        reader.consume(count);
        if found.is_some() {
            return Ok(());
        }
        if out.len() > LONGEST_JPEG {
            return Err(Halt::Fault(Fault::TooLong));
        }
    }
}

fn copy(reader: &mut impl BufRead, out: &mut Vec<u8>, mut count: usize) -> Result<(), Halt> {
    while count > 0 {
        let there = fill(reader)?;
        if there.is_empty() {
            return Err(Halt::End);
        }
        let now = there.len().min(count);
        out.extend_from_slice(&there[..now]);
        reader.consume(now);
        count -= now;
    }
    Ok(())
}

fn fill(reader: &mut impl BufRead) -> Result<&[u8], Halt> {
    // Twice, because a borrow that is returned from a loop is too long for the
    // borrow checker: the second call does not read.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
    Ok(reader.fill_buf()?)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use graft_input::PixelFormat;
    use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
    use proptest::prelude::*;

    use super::*;

    /// A real JPEG, from another crate's encoder.
    fn encoded(seed: u64) -> Vec<u8> {
        let picture = graft_input::synthetic(seed, 40, 30);
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes)
            .encode(picture.rgb(), 40, 30, ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    /// A JPEG with a thumbnail, markers of its own and all, in its EXIF data.
    fn with_thumbnail(seed: u64) -> Vec<u8> {
        let (bytes, thumbnail) = (encoded(seed), encoded(seed + 1));
        let length = (thumbnail.len() as u16 + 2).to_be_bytes();
        [&bytes[..2], &[0xff, 0xe1], &length, &thumbnail, &bytes[2..]].concat()
    }

    fn read_all(bytes: &[u8], framing: Framing, buffer: usize) -> (Vec<Vec<u8>>, Vec<Fault>) {
        let mut reader = BufReader::with_capacity(buffer, bytes);
        let (mut frames, mut faults) = (Vec::new(), Vec::new());
        let mut frame = Captured::empty();
        loop {
            match next(&mut reader, framing, &mut frame).unwrap() {
                Found::Frame => frames.push(frame.bytes.clone()),
                Found::Broken(fault) => faults.push(fault),
                Found::End => return (frames, faults),
            }
        }
    }

    #[test]
    fn jpegs_are_told_apart_whatever_lies_between() {
        let pictures = [encoded(1), with_thumbnail(2), encoded(3)];
        let between = [b"--boundary\r\n".as_slice(), &[0xff], &[0, 0xff, 0xff]];
        let mut stream = Vec::new();
        for (picture, rest) in pictures.iter().zip(between) {
            stream.extend_from_slice(picture);
            stream.extend_from_slice(rest);
        }
        // A last 0xff is a start that never came.
        for buffer in [1, 2, 3, 7, 4096] {
            let (frames, faults) = read_all(&stream, Framing::Jpeg, buffer);
            assert_eq!(frames, pictures, "in pieces of {buffer}");
            assert_eq!(faults, []);
        }
    }

    #[test]
    fn a_stream_that_breaks_off_is_said_so() {
        let picture = encoded(1);
        let cut = &picture[..picture.len() - 1];
        let (frames, faults) = read_all(&[&picture, cut].concat(), Framing::Jpeg, 64);
        let fault = Fault::CutShort { found: cut.len() };
        assert_eq!((frames, faults), (vec![picture.clone()], vec![fault]));
    }

    #[test]
    fn after_a_broken_picture_the_next_one_is_found() {
        let picture = encoded(1);
        let stream = [&[0xff, 0xd8, 0xff, 0xe0, 0, 1, 9, 9], picture.as_slice()].concat();
        let (frames, faults) = read_all(&stream, Framing::Jpeg, 64);
        assert_eq!((frames, faults), (vec![picture], vec![Fault::Segment]));
    }

    #[test]
    fn raw_frames_are_told_apart_by_length() {
        let layout = RawLayout { format: PixelFormat::Nv12, width: 3, height: 3, stride: 6 };
        // Three rows of luma, two of chroma.
        let bytes: Vec<u8> = (0..65).collect();
        let (frames, faults) = read_all(&bytes, Framing::Raw(layout), 7);
        assert_eq!(frames, [&bytes[..30], &bytes[30..60]]);
        assert_eq!(faults, [Fault::CutShort { found: 5 }]);
    }

    #[test]
    fn texts_are_told_apart_by_line_ends() {
        let check = |stream: &[u8], expected: &[&[u8]]| {
            for buffer in [1, 2, 3, 4096] {
                let (lines, faults) = read_all(stream, Framing::Lines, buffer);
                assert_eq!(lines, expected, "in pieces of {buffer}");
                assert_eq!(faults, []);
            }
        };
        check(b"", &[]);
        check(b"\n", &[b""]);
        check(b"a b\nc", &[b"a b", b"c"]);
        check(b"a\r\n\r\nb\rc\n", &[b"a", b"", b"b\rc"]);
        check(b"a\r", &[b"a\r"]);
        check(b"\xff\n", &[b"\xff"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let longest = vec![b'x'; LONGEST_LINE];
        let lines = [&longest[..], b"\r\n", &longest, b"x\nnext\n", &longest, b"xyz"].concat();
        let (lines, faults) = read_all(&lines, Framing::Lines, 4096);
        assert_eq!(lines, [longest.as_slice(), b"next"]);
        assert_eq!(faults, [Fault::LineTooLong, Fault::LineTooLong]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(
            prop_oneof![Just(0xff_u8), Just(0xd8), Just(0xd9), Just(0xe0), any::<u8>()], 0..400,
        )) {
            read_all(&bytes, Framing::Jpeg, 16);
        }
    }
}
