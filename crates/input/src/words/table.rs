use super::half;
use graft_spec::MAX_DIMENSIONS;

/// The most words of a table.
pub const MAX_WORDS: u32 = 1 << 24;
/// The longest word, in bytes of UTF-8.
pub const MAX_WORD_BYTES: usize = 255;
/// The most bytes of a table.
pub(super) const MAX_BYTES: u64 = (1 << 31) - 1;
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER: usize = 24;

/// Words, each with a weight and a row of numbers: a bundle's `WORD` section.
///
/// It reads from the bytes that it was given and copies nothing, so they may be a
/// mapped file; they must stay as they are while it lives.
#[derive(Clone, Copy)]
pub struct WordTable<B> {
    bytes: B,
    places: Places,
}

/// How the numbers of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TablePrecision {
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// A byte from -127 to 127 each, times the row's scale.
    I8,
}

/// Why bytes are not a word table, or words cannot become one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    /// A number of the table is out of its range.
    #[error("the word table's {field} is {found}, must be {least} to {most}")]
    OutOfRange {
        /// The field, in the words of `docs/format.md`.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The smallest that is allowed.
        least: u64,
        /// The largest that is allowed.
        most: u64,
    },
    /// It is longer or shorter than what is in it.
    #[error("the word table has {found} bytes, what is in it needs {expected}")]
    Length {
        /// Bytes that its words and rows need.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// A word is empty or too long.
    #[error("word {index} of the table has {found} bytes, must have 1 to {MAX_WORD_BYTES}")]
    WordLength {
        /// Which, from 0, in the table's order or, while one is written, the given one.
        index: usize,
        /// Its bytes; 0 too if it ends before it begins.
        found: usize,
    },
    /// A word is not text.
    #[error("word {index} of the table is not UTF-8")]
    NotUtf8 {
        /// Which, from 0.
        index: usize,
    },
    /// Words are not in the order of their bytes.
    #[error("word {index} of the table does not come after the one before it")]
    Order {
        /// Which, from 0.
        index: usize,
    },
    /// A word is there twice.
    #[error("{word:?} occurs twice among the words")]
    Twice {
        /// Which.
        word: String,
    },
    /// A weight or a scale is not a finite number, or below 0.
    #[error("{what} of word {index} of the table is {found}, must be finite and not below 0")]
    Factor {
        /// The weight or the scale.
        what: &'static str,
        /// Of which word, from 0, as for [`TableError::WordLength`].
        index: usize,
        /// Its value.
        found: f32,
    },
    /// A row has another length than the table.
    #[error("the row of {word:?} has {found} values, the table {expected} dimensions")]
    RowLength {
        /// Of which word.
        word: String,
        /// The table's.
        expected: usize,
        /// The row's.
        found: usize,
    },
    /// A value of a row is infinite or not a number, or would be in this precision.
    #[error("value {index} of the row of {word:?} is {found}, which the table cannot hold")]
    Value {
        /// Of which word.
        word: String,
        /// Which value, from 0.
        index: usize,
        /// It.
        found: f32,
    },
    /// The table is not the one that the spec speaks of.
    #[error("the word table has {found} dimensions, the manifest {expected}")]
    Dimensions {
        /// The spec's.
        expected: u32,
        /// The table's.
        found: u32,
    },
    /// The spec itself.
    #[error(transparent)]
    Spec(#[from] graft_spec::SpecError),
}

/// Where the parts of a table begin, counted from its first byte; words' ends are
/// behind the header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) words: usize,
    pub(super) dimensions: usize,
    pub(super) precision: TablePrecision,
    pub(super) weights: usize,
    /// Only if the precision has scales.
    pub(super) scales: usize,
    pub(super) rows: usize,
    pub(super) text: usize,
    pub(super) end: usize,
}

impl TablePrecision {
    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            TablePrecision::F32 => 4,
            TablePrecision::F16 => 2,
            TablePrecision::I8 => 1,
        }
    }

    pub(super) fn code(self) -> u32 {
        match self {
            TablePrecision::F32 => 0,
            TablePrecision::F16 => 1,
            TablePrecision::I8 => 2,
        }
    }

    fn of_code(code: u32) -> Result<TablePrecision, TableError> {
        match code {
            0 => Ok(TablePrecision::F32),
            1 => Ok(TablePrecision::F16),
            2 => Ok(TablePrecision::I8),
            code => Err(out_of_range("precision", code.into(), 0, 2)),
        }
    }
}

impl Places {
    /// Checks the sizes; positions fit, because the last does.
    pub(super) fn new(
        words: u64,
        dimensions: u64,
        precision: TablePrecision,
        text_bytes: u64,
    ) -> Result<Places, TableError> {
        check_range("words", words, 1, MAX_WORDS.into())?;
        check_range("dimensions", dimensions, 1, MAX_DIMENSIONS.into())?;
        check_range("text_bytes", text_bytes, 1, MAX_BYTES)?;
        let weights = HEADER as u64 + 4 * words;
        let scales = weights + 4 * words;
        let rows = match precision {
            TablePrecision::I8 => scales + 4 * words,
            TablePrecision::F32 | TablePrecision::F16 => scales,
        };
        // At most 2^24 * 2^12 * 4, and 2^31 more: no overflow.
        let text = rows + words * dimensions * precision.bytes() as u64;
        let end = text + text_bytes;
        check_range("length", end, 1, MAX_BYTES)?;
        // Below 2^31, which every usize here holds.
        let [words, dimensions, weights, scales, rows, text, end] =
            [words, dimensions, weights, scales, rows, text, end].map(|v| v as usize);
        Ok(Places { words, dimensions, precision, weights, scales, rows, text, end })
    }
}

impl<B: AsRef<[u8]>> WordTable<B> {
    /// Checks all that `docs/format.md` binds a reader to, but for the values of
    /// the rows, which are not looked at: a text with one that is not finite has
    /// features that are not, and no label. It takes any bytes and never panics.
    ///
    /// # Errors
    ///
    /// The first broken rule.
    pub fn parse(bytes: B) -> Result<WordTable<B>, TableError> {
        let all = bytes.as_ref();
        let short = |expected: usize| TableError::Length {
            expected: expected as u64,
            found: all.len() as u64,
        };
        let header = all.first_chunk::<HEADER>().ok_or_else(|| short(HEADER))?;
        let field = |index: usize| u32_at(header, 4 * index);
        let [version, words, dimensions, code, text_bytes, reserved] = std::array::from_fn(field);
        check_range("version", version.into(), VERSION.into(), VERSION.into())?;
        check_range("reserved", reserved.into(), 0, 0)?;
        let precision = TablePrecision::of_code(code)?;
        let places = Places::new(words.into(), dimensions.into(), precision, text_bytes.into())?;
        if all.len() != places.end {
            return Err(short(places.end));
        }
        let table = WordTable { bytes, places };
        table.check_words()?;
        table.check_factors("the weight", places.weights)?;
        if precision == TablePrecision::I8 {
            table.check_factors("the scale", places.scales)?;
        }
        Ok(table)
    }

    /// Each is text, within the table's, and comes after the one before.
    fn check_words(&self) -> Result<(), TableError> {
        let Places { words, text, end, .. } = self.places;
        let length = end - text;
        let all = &self.bytes.as_ref()[text..];
        let mut start = 0;
        let mut before: &[u8] = &[];
        for index in 0..words {
            let stop = self.word_end(index);
            let found = stop.saturating_sub(start);
            if !(1..=MAX_WORD_BYTES).contains(&found) || stop > length {
                return Err(TableError::WordLength { index, found });
            }
            let word = &all[start..stop];
            if std::str::from_utf8(word).is_err() {
                return Err(TableError::NotUtf8 { index });
            }
            if word <= before {
                return Err(TableError::Order { index });
            }
            (before, start) = (word, stop);
        }
        if start == length {
            Ok(())
        } else {
            Err(TableError::Length { expected: (text + start) as u64, found: end as u64 })
        }
    }

    fn check_factors(&self, what: &'static str, place: usize) -> Result<(), TableError> {
        let factors = &self.bytes.as_ref()[place..place + 4 * self.places.words];
        let factors = factors.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        match factors.enumerate().find(|(_, factor)| !is_factor(*factor)) {
            Some((index, found)) => Err(TableError::Factor { what, index, found }),
            None => Ok(()),
        }
    }

    /// How many words there are.
    #[expect(clippy::len_without_is_empty, reason = "it has one word at least")]
    pub fn len(&self) -> u32 {
        self.places.words as u32
    }

    /// Values of a row.
    pub fn dimensions(&self) -> u32 {
        self.places.dimensions as u32
    }

    /// How they are written.
    pub fn precision(&self) -> TablePrecision {
        self.places.precision
    }

    /// The index of a word.
    pub fn lookup(&self, word: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.places.words);
        while low < high {
            let middle = low.midpoint(high);
            match self.word_bytes(middle).cmp(word.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle as u32),
            }
        }
        None
    }

    /// A word.
    ///
    /// # Panics
    ///
    /// As all that take an index, if there are not so many words.
    pub fn word(&self, index: u32) -> &str {
        let bytes = self.word_bytes(self.at(index));
        std::str::from_utf8(bytes).expect("invariant: the words were checked")
    }

    /// The weight of a word: 1, or that of its frequency.
    pub fn weight(&self, index: u32) -> f32 {
        f32_at(self.bytes.as_ref(), self.places.weights + 4 * self.at(index))
    }

    /// Copies a row.
    ///
    /// # Panics
    ///
    /// If `row` has not as many values as the table dimensions.
    pub fn row(&self, index: u32, row: &mut [f32]) {
        self.visit(index, row, |to, value| *to = value);
    }

    /// Adds a row, times a weight.
    ///
    /// # Panics
    ///
    /// As [`WordTable::row`].
    pub fn add_row(&self, index: u32, weight: f32, sum: &mut [f32]) {
        self.visit(index, sum, |to, value| *to += weight * value);
    }

    /// Keeps the larger of each value and the row's.
    ///
    /// # Panics
    ///
    /// As [`WordTable::row`].
    pub fn max_row(&self, index: u32, largest: &mut [f32]) {
        // Not `f32::max`, which leaves open what becomes of -0 and 0.
        self.visit(index, largest, |to, value| {
            if value > *to {
                *to = value;
            }
        });
    }

    fn visit(&self, index: u32, to: &mut [f32], mut each: impl FnMut(&mut f32, f32)) {
        let Places { dimensions, precision, scales, rows, .. } = self.places;
        assert_eq!(to.len(), dimensions, "a row of {dimensions} values");
        let index = self.at(index);
        let all = self.bytes.as_ref();
        let bytes = dimensions * precision.bytes();
        let row = &all[rows + index * bytes..][..bytes];
        match precision {
            TablePrecision::F32 => {
                for (to, value) in to.iter_mut().zip(row.as_chunks().0) {
                    each(to, f32::from_le_bytes(*value));
                }
            }
            TablePrecision::F16 => {
                for (to, value) in to.iter_mut().zip(row.as_chunks().0) {
                    each(to, half::to_single(u16::from_le_bytes(*value)));
                }
            }
            TablePrecision::I8 => {
                let scale = f32_at(all, scales + 4 * index);
                for (to, value) in to.iter_mut().zip(row) {
                    each(to, scale * f32::from(*value as i8));
                }
            }
        }
    }

    fn at(&self, index: u32) -> usize {
        let Places { words, .. } = self.places;
        let index = index as usize;
        assert!(index < words, "word {index} of {words}");
        index
    }

    fn word_bytes(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.word_end(before));
        &self.bytes.as_ref()[self.places.text..][start..self.word_end(index)]
    }

    /// Where a word ends, counted from the beginning of all words.
    fn word_end(&self, index: usize) -> usize {
        u32_at(self.bytes.as_ref(), HEADER + 4 * index) as usize
    }
}

impl<B> std::fmt::Debug for WordTable<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Places { words, dimensions, precision, .. } = &self.places;
        let mut debug = f.debug_struct("WordTable");
        debug.field("words", words).field("dimensions", dimensions);
        debug.field("precision", precision).finish_non_exhaustive()
    }
}

/// Whether a number may be a weight or a scale.
pub(super) fn is_factor(value: f32) -> bool {
    value.is_finite() && value >= 0.0
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("invariant: the length was checked"))
}

fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_bits(u32_at(bytes, at))
}

pub(super) fn check_range(
    field: &'static str,
    found: u64,
    least: u64,
    most: u64,
) -> Result<(), TableError> {
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(out_of_range(field, found, least, most)),
    }
}

fn out_of_range(field: &'static str, found: u64, least: u64, most: u64) -> TableError {
    TableError::OutOfRange { field, found, least, most }
}
