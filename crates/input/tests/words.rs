//! Word tables: what is written is read, whatever is broken is refused, and
//! texts become the rows that a plain reading of the rules makes of them.

use std::collections::HashMap;

use graft_input::words::{
    Counts, MAX_WORD_BYTES, TableError, TablePrecision, TextPreparer, WordTable, synthetic_text,
    tokens, write_table,
};
use graft_spec::{Pooling, Tokeniser, WordsSpec};
use proptest::prelude::*;

use TablePrecision::{F16, F32, I8};

const LOWER: Tokeniser = Tokeniser::Words { lowercase: true };

fn small() -> Vec<u8> {
    let rows = [("the", 0.5, [1.0, -2.0].as_slice()), ("cat", 1.0, &[0.25, 8.0])];
    write_table(rows, 2, F32).unwrap()
}

/// Byte for byte as docs/format.md lays it out.
#[test]
fn the_layout_is_the_documented_one() {
    let bytes = small();
    let mut expected = Vec::new();
    for word in [1_u32, 2, 2, 0, 6, 0, 3, 6] {
        expected.extend(word.to_le_bytes());
    }
    for value in [1.0_f32, 0.5, 0.25, 8.0, 1.0, -2.0] {
        expected.extend(value.to_le_bytes());
    }
    expected.extend(b"catthe");
    assert_eq!(bytes, expected);
    let i8 = write_table([("a", 1.0, [1.0, -127.0, 0.4].as_slice())], 3, I8).unwrap();
    assert_eq!(i8[24..], [1, 0, 0, 0, 0, 0, 128, 63, 0, 0, 128, 63, 1, 129, 0, b'a']);
    let f16 = write_table([("a", 1.0, [1.0, -2.0].as_slice())], 2, F16).unwrap();
    assert_eq!(f16[24..], [1, 0, 0, 0, 0, 0, 128, 63, 0, 0x3C, 0, 0xC0, b'a']);
}

#[test]
fn what_is_no_table_is_refused() {
    let check = |at: usize, value: u32, expected: &str| {
        let mut bytes = small();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let error = WordTable::parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    check(0, 2, "version is 2, must be 1 to 1");
    check(4, 0, "words is 0");
    check(4, (1 << 24) + 1, "words is 16777217, must be 1 to 16777216");
    check(4, 3, "has 62 bytes, what is in it needs 78");
    check(8, 0, "dimensions is 0");
    check(8, 4097, "dimensions is 4097, must be 1 to 4096");
    check(12, 3, "precision is 3, must be 0 to 2");
    check(12, 1, "has 62 bytes, what is in it needs 54");
    check(16, 5, "has 62 bytes, what is in it needs 61");
    check(16, u32::MAX, "text_bytes is 4294967295");
    check(20, 1, "reserved is 1, must be 0 to 0");
    check(24, 0, "word 0 of the table has 0 bytes, must have 1 to 255");
    check(24, 6, "word 1 of the table has 0 bytes");
    check(24, 7, "word 0 of the table has 7 bytes");
    check(28, 5, "has 62 bytes, what is in it needs 61");
    check(28, 7, "word 1 of the table has 4 bytes");
    check(58, u32::from_le_bytes(*b"abcd"), "word 1 of the table does not come after");
    check(58, 0xFFFF_FFFF, "word 0 of the table is not UTF-8");
    check(32, f32::NAN.to_bits(), "the weight of word 0 of the table is NaN");
    check(36, (-1.0_f32).to_bits(), "the weight of word 1 of the table is -1");
    let mut scaled = write_table([("a", 1.0, [1.0].as_slice())], 1, I8).unwrap();
    scaled[32..36].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let error = WordTable::parse(scaled).unwrap_err();
    assert_eq!(error, TableError::Factor { what: "the scale", index: 0, found: f32::INFINITY });

    let bytes = small();
    for length in 0..bytes.len() {
        assert!(WordTable::parse(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(WordTable::parse([&bytes[..], b"x"].concat()).is_err());
    // Ends of words inside a letter.
    let mut split =
        write_table([("éé", 1.0, [1.0].as_slice()), ("z", 1.0, &[1.0])], 1, F32).unwrap();
    split[24] = 2;
    assert!(WordTable::parse(split).is_err());
}

#[test]
fn what_may_not_be_written_is_refused() {
    let check = |rows: &[(&str, f32, &[f32])], precision, expected: &str| {
        let error = write_table(rows.iter().copied(), 2, precision).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    let long = "w".repeat(MAX_WORD_BYTES + 1);
    check(&[], F32, "words is 0");
    check(&[("a", 1.0, &[1.0, 2.0]), ("a", 1.0, &[1.0, 2.0])], F32, "\"a\" occurs twice");
    check(&[("", 1.0, &[1.0, 2.0])], F32, "word 0 of the table has 0 bytes");
    check(&[(&long, 1.0, &[1.0, 2.0])], F32, "word 0 of the table has 256 bytes");
    check(&[("a", f32::NAN, &[1.0, 2.0])], F32, "the weight of word 0");
    check(&[("a", 1.0, &[1.0])], F32, "the row of \"a\" has 1 values, the table 2 dimensions");
    check(&[("a", 1.0, &[1.0, f32::INFINITY])], I8, "value 1 of the row of \"a\" is inf");
    check(&[("a", 1.0, &[65520.0, 1.0])], F16, "value 0 of the row of \"a\" is 65520");
    assert!(write_table([("a", 1.0, [].as_slice())], 0, F32).is_err());
    assert!(write_table([("a", 1.0, [1.0; 5000].as_slice())], 5000, F32).is_err());
}

#[test]
fn a_text_becomes_its_rows_pooled() {
    let rows = [
        ("the", 0.5, [1.0, -2.0].as_slice()),
        ("cat", 1.0, &[0.25, 8.0]),
        ("n't", 0.25, &[-1.0, -1.0]),
    ];
    let check = |pooling, text: &str, max_bytes, expected: &[f32], (tokens, known, cut_bytes)| {
        let bytes = write_table(rows, 2, F32).unwrap();
        let spec = WordsSpec { tokens: LOWER, pooling, dimensions: 2, max_bytes };
        let mut preparer = TextPreparer::new(&spec, WordTable::parse(bytes).unwrap()).unwrap();
        let mut features = vec![f32::NAN; spec.feature_length()];
        let counts = preparer.fill(text, &mut features);
        assert_eq!(features, expected, "{text:?} {pooling:?}");
        assert_eq!(counts, Counts { tokens, known, cut_bytes }, "{text:?}");
    };
    use Pooling::{Last, MaxMean, Mean, Weighted};
    check(Mean, "The cat.", 100, &[0.625, 3.0], (3, 2, 0));
    check(Weighted, "The cat.", 100, &[0.375, 3.5], (3, 2, 0));
    check(MaxMean, "The cat.", 100, &[1.0, 8.0, 0.625, 3.0], (3, 2, 0));
    check(MaxMean, "isn't", 100, &[-1.0, -1.0, -1.0, -1.0], (2, 1, 0));
    check(Mean, "", 100, &[0.0, 0.0], (0, 0, 0));
    check(MaxMean, "nothing known", 100, &[0.0; 4], (2, 0, 0));
    check(Mean, "the cat", 3, &[1.0, -2.0], (1, 1, 4));
    // In the middle of a word, and of a character.
    check(Mean, "the catalogue", 7, &[0.625, 3.0], (2, 2, 6));
    check(Mean, "cat é", 5, &[0.25, 8.0], (1, 1, 2));

    // The last word first; a word that is unknown has a place, one that is not there too.
    check(Last(1), "The cat", 100, &[0.25, 8.0], (2, 2, 0));
    check(Last(2), "The cat", 100, &[0.25, 8.0, 1.0, -2.0], (2, 2, 0));
    check(Last(3), "The cat", 100, &[0.25, 8.0, 1.0, -2.0, 0.0, 0.0], (2, 2, 0));
    check(Last(3), "the cat isn't.", 100, &[0.0, 0.0, -1.0, -1.0, 0.0, 0.0], (5, 3, 0));
    check(Last(2), "cat cat cat the", 100, &[1.0, -2.0, 0.25, 8.0], (4, 4, 0));
    check(Last(2), "", 100, &[0.0; 4], (0, 0, 0));
    // The beginning is left out, in the middle of a word and of a character.
    check(Last(2), "the cat", 3, &[0.25, 8.0, 0.0, 0.0], (1, 1, 4));
    check(Last(2), "concat the", 7, &[1.0, -2.0, 0.25, 8.0], (2, 2, 3));
    check(Last(2), "é the", 5, &[1.0, -2.0, 0.0, 0.0], (1, 1, 2));
}

#[test]
fn a_table_of_another_width_is_refused() {
    let spec = WordsSpec { tokens: LOWER, pooling: Pooling::Mean, dimensions: 3, max_bytes: 100 };
    let table = WordTable::parse(small()).unwrap();
    let error = TextPreparer::new(&spec, table).unwrap_err();
    assert_eq!(error, TableError::Dimensions { expected: 3, found: 2 });
}

/// Expected: SplitMix64 in Python, after docs/format.md.
#[test]
fn synthetic_texts_are_the_documented_ones() {
    let table = WordTable::parse(small()).unwrap();
    assert_eq!(synthetic_text(1, 8, &table), SYNTHETIC_1);
    assert_eq!(synthetic_text(2, 8, &table), SYNTHETIC_2);
}

const SYNTHETIC_1: &str = "CAT's cat. cat cat the qe099ec6cd7363ca5-the qcb435c8e74616796 ";
const SYNTHETIC_2: &str = "the's CAT. cat the. the the-CAT THE ";

type Rows = HashMap<String, (f32, Vec<f32>)>;

fn rows() -> impl Strategy<Value = (u32, Rows)> {
    (1..6_u32).prop_flat_map(|dimensions| {
        let row = prop::collection::vec(-100.0..100.0_f32, dimensions as usize);
        let rows = prop::collection::hash_map("[ -~äß☃]{1,9}", (0.0..2.0_f32, row), 1..40);
        (Just(dimensions), rows)
    })
}

fn precision() -> impl Strategy<Value = TablePrecision> {
    prop::sample::select(vec![F32, F16, I8])
}

fn written(dimensions: u32, rows: &Rows, precision: TablePrecision) -> Vec<u8> {
    let rows = rows.iter().map(|(word, (weight, row))| (word.as_str(), *weight, row.as_slice()));
    write_table(rows, dimensions, precision).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read((dimensions, rows) in rows(), precision in precision()) {
        let bytes = written(dimensions, &rows, precision);
        let table = WordTable::parse(&bytes).unwrap();
        prop_assert_eq!(table.len() as usize, rows.len());
        prop_assert_eq!(table.dimensions(), dimensions);
        prop_assert_eq!(table.precision(), precision);
        for (word, (weight, expected)) in &rows {
            let index = table.lookup(word).unwrap();
            prop_assert_eq!(table.word(index), word);
            prop_assert_eq!(table.weight(index), *weight);
            let mut row = vec![f32::NAN; dimensions as usize];
            table.row(index, &mut row);
            let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            for (value, expected) in row.iter().zip(expected) {
                let most = match precision {
                    F32 => 0.0,
                    // Half a unit of the last of eleven bits, or of the smallest.
                    F16 => (expected.abs() / 2048.0).max(3e-8),
                    // Half a step, and the rounding of scale and product.
                    I8 => largest / 127.0 * 0.50001,
                };
                prop_assert!((value - expected).abs() <= most, "{} for {}", value, expected);
            }
        }
    }

    #[test]
    fn lookups_are_those_of_a_map(
        (dimensions, rows) in rows(),
        others in prop::collection::vec("[ -~äß☃]{0,9}", 20),
    ) {
        let table = WordTable::parse(written(dimensions, &rows, I8)).unwrap();
        for word in others {
            prop_assert_eq!(table.lookup(&word).is_some(), rows.contains_key(&word));
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = WordTable::parse(&bytes);
        let mut with_header = small();
        with_header.truncate(24);
        with_header.extend(bytes);
        let _ = WordTable::parse(&with_header);
    }

    /// What is still taken for a table can be used as one.
    #[test]
    fn changed_tables_are_no_panic(
        precision in precision(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        pooling in prop::sample::select(vec![Pooling::MaxMean, Pooling::Last(3)]),
        text in ".{0,60}",
    ) {
        let rows = [("the", 0.5, [1.0, -2.0].as_slice()), ("cat", 1.0, &[0.25, 8.0])];
        let mut bytes = write_table(rows, 2, precision).unwrap();
        for (at, value) in changes {
            *at.get_mut(&mut bytes) = value;
        }
        let Ok(table) = WordTable::parse(&bytes) else { return Ok(()) };
        let spec = WordsSpec {
            tokens: LOWER,
            pooling,
            dimensions: table.dimensions(),
            max_bytes: 50,
        };
        let mut features = vec![0.0; spec.feature_length()];
        let made = synthetic_text(7, 20, &table);
        let mut preparer = TextPreparer::new(&spec, table).unwrap();
        for text in [&text, &made] {
            let counts = preparer.fill(text, &mut features);
            prop_assert!(counts.known <= counts.tokens);
        }
    }

    /// Nothing but white space is lost, and nothing is added.
    #[test]
    fn tokens_are_the_text(text in "(\\PC|[ '.,\\-a-z0-9’]){0,80}") {
        let kept: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        prop_assert_eq!(tokens(&text).collect::<String>(), kept);
    }
}
