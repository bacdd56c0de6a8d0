use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::ops::ControlFlow;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::kind::{Header, Kind, told_by};
use crate::{MAX_DIMENSIONS, ReadError, binary, text};

/// How a file is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// `None`: as its beginning tells.
    pub kind: Option<Kind>,
    /// What becomes of words in another encoding.
    pub not_utf8: NotUtf8,
}

/// What becomes of words that are not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotUtf8 {
    /// The file is refused.
    #[default]
    Refuse,
    /// They are left out, and counted.
    Skip,
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How it is written.
    pub kind: Kind,
    /// It is compressed with gzip.
    pub compressed: bool,
    /// Words that were read, those that were skipped included.
    pub words: u64,
    /// Numbers a word.
    pub dimensions: usize,
    /// Words that were skipped because they are not UTF-8.
    pub not_utf8: u64,
}

/// Enough to tell the kind: a header, a word, and a row of the widest binary.
const BEGINNING: u64 = 64 << 10;

/// What is read at a time.
const BUFFER: usize = 256 << 10;

/// Streams a file, as [`read`] does.
pub fn read_file(
    path: &Path,
    reading: &Reading,
    row: impl FnMut(&str, &[f32]) -> ControlFlow<()>,
) -> Result<Summary, ReadError> {
    let file =
        File::open(path).map_err(|source| ReadError::Open { path: path.to_path_buf(), source })?;
    read(file, reading, row)
}

/// Gives every word and its vector to `row`, in the file's order, until it says
/// that it has enough. One row is in memory at a time. A word that occurs twice is
/// given twice: it takes memory to know.
///
/// # Errors
///
/// The first thing that is wrong, by its line, or in a binary file by its offset.
/// What came before was given.
pub fn read(
    source: impl Read,
    reading: &Reading,
    mut row: impl FnMut(&str, &[f32]) -> ControlFlow<()>,
) -> Result<Summary, ReadError> {
    let mut source = BufReader::with_capacity(BUFFER, source);
    let compressed = match source.fill_buf() {
        Ok(bytes) => bytes.starts_with(&[0x1f, 0x8b]),
        Err(source) => return Err(ReadError::Read { source }),
    };
    if compressed {
        let plain = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(source));
        read_plain(plain, true, reading, &mut row)
    } else {
        read_plain(source, false, reading, &mut row)
    }
}

fn read_plain(
    mut source: impl BufRead,
    compressed: bool,
    reading: &Reading,
    row: Row<'_>,
) -> Result<Summary, ReadError> {
    let mut beginning = Vec::new();
    if let Err(e) = source.by_ref().take(BEGINNING).read_to_end(&mut beginning) {
        return Err(failed(compressed, beginning.len() as u64, e));
    }
    let kind = reading.kind.unwrap_or_else(|| told_by(&beginning));
    let header = match kind {
        Kind::Glove => None,
        Kind::Word2vecBinary | Kind::Word2vecText => {
            Some(Header::of(&beginning).ok_or(ReadError::NoHeader)?)
        }
    };
    let stated = header.map(Stated::new).transpose()?;
    let skipped = header.map_or(0, |header| header.bytes);
    let mut rest = Cursor::new(&beginning).chain(source);
    rest.consume(skipped);
    let mut bytes = Bytes { source: rest, offset: skipped as u64, compressed };
    let seen = match (kind, stated) {
        (Kind::Word2vecBinary, Some(stated)) => {
            binary::read(&mut bytes, stated, reading.not_utf8, row)
        }
        (_, stated) => text::read(&mut bytes, stated, reading.not_utf8, row),
    }?;
    let Seen { words, dimensions, not_utf8 } = seen;
    Ok(Summary { kind, compressed, words, dimensions, not_utf8 })
}

pub(crate) type Row<'a> = &'a mut dyn FnMut(&str, &[f32]) -> ControlFlow<()>;

/// What a header says, once that can be.
#[derive(Clone, Copy)]
pub(crate) struct Stated {
    pub(crate) words: u64,
    pub(crate) dimensions: usize,
}

impl Stated {
    fn new(header: Header) -> Result<Stated, ReadError> {
        let dimensions = usize::try_from(header.dimensions)
            .ok()
            .filter(|dimensions| (1..=MAX_DIMENSIONS).contains(dimensions))
            .ok_or(ReadError::Dimensions { stated: header.dimensions })?;
        if header.count == 0 {
            return Err(ReadError::Empty);
        }
        Ok(Stated { words: header.count, dimensions })
    }
}

/// What the rows turned out to be.
pub(crate) struct Seen {
    pub(crate) words: u64,
    pub(crate) dimensions: usize,
    pub(crate) not_utf8: u64,
}

/// The decompressed bytes, and where among them.
pub(crate) struct Bytes<R> {
    source: R,
    pub(crate) offset: u64,
    compressed: bool,
}

impl<R: BufRead> Bytes<R> {
    /// Appends bytes to `into`, up to and with `end`, and at most `limit`. How
    /// many there were; 0 at the end of the file.
    pub(crate) fn until(
        &mut self,
        end: u8,
        limit: usize,
        into: &mut Vec<u8>,
    ) -> Result<usize, ReadError> {
        let read = (&mut self.source).take(limit as u64).read_until(end, into);
        let read = read.map_err(|e| self.fail(e))?;
        self.offset += read as u64;
        Ok(read)
    }

    /// Fills `into`, as far as there are bytes.
    pub(crate) fn fill(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while filled < into.len() {
            match self.source.read(&mut into[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.fail(e)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    /// The next byte, which stays.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        match self.source.fill_buf() {
            Ok(bytes) => Ok(bytes.first().copied()),
            Err(e) => Err(self.fail(e)),
        }
    }

    pub(crate) fn skip(&mut self) {
        self.source.consume(1);
        self.offset += 1;
    }

    fn fail(&self, source: io::Error) -> ReadError {
        failed(self.compressed, self.offset, source)
    }
}

fn failed(compressed: bool, offset: u64, source: io::Error) -> ReadError {
    match source.kind() {
        // A disk that fails below gzip is no damaged stream.
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::Other
            if compressed =>
        {
            ReadError::Gzip { offset, source }
        }
        _ => ReadError::Read { source },
    }
}
