use graft_spec::MAX_DIMENSIONS;

use super::half;
use super::table::{
    HEADER, MAX_WORD_BYTES, Places, TableError, TablePrecision, VERSION, check_range, is_factor,
};

/// Writes a word table: of each word its weight and its row. They may come in any
/// order; the same ones give the same bytes.
///
/// # Errors
///
/// What `docs/format.md` does not allow: no words, one that occurs twice, a row
/// of another length, a number that is not finite or that the precision cannot
/// hold.
pub fn write_table<'a>(
    rows: impl IntoIterator<Item = (&'a str, f32, &'a [f32])>,
    dimensions: u32,
    precision: TablePrecision,
) -> Result<Vec<u8>, TableError> {
    check_range("dimensions", dimensions.into(), 1, MAX_DIMENSIONS.into())?;
    let mut rows: Vec<_> = rows.into_iter().collect();
    for (index, &(word, weight, row)) in rows.iter().enumerate() {
        check(index, word, weight, row, dimensions as usize)?;
    }
    rows.sort_unstable_by_key(|&(word, ..)| word);
    if let Some(twice) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(TableError::Twice { word: twice[0].0.to_owned() });
    }
    let text_bytes: u64 = rows.iter().map(|(word, ..)| word.len() as u64).sum();
    let places = Places::new(rows.len() as u64, dimensions.into(), precision, text_bytes)?;

    let mut bytes = Vec::with_capacity(places.end);
    // All three are below 2^31, or there were no places.
    let [words, text_bytes] = [rows.len() as u32, text_bytes as u32];
    for field in [VERSION, words, dimensions, precision.code(), text_bytes, 0] {
        bytes.extend(field.to_le_bytes());
    }
    debug_assert_eq!(bytes.len(), HEADER);
    let mut end = 0;
    for (word, ..) in &rows {
        end += word.len() as u32;
        bytes.extend(end.to_le_bytes());
    }
    bytes.extend(rows.iter().flat_map(|(_, weight, _)| weight.to_le_bytes()));
    if precision == TablePrecision::I8 {
        bytes.extend(rows.iter().flat_map(|(.., row)| scale(row).to_le_bytes()));
    }
    for (word, _, row) in &rows {
        match precision {
            TablePrecision::F32 => bytes.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            TablePrecision::F16 => halves(word, row, &mut bytes)?,
            TablePrecision::I8 => {
                let scale = scale(row);
                bytes.extend(row.iter().map(|value| quantised(*value, scale) as u8));
            }
        }
    }
    bytes.extend(rows.iter().flat_map(|(word, ..)| word.bytes()));
    Ok(bytes)
}

fn check(
    index: usize,
    word: &str,
    weight: f32,
    row: &[f32],
    dimensions: usize,
) -> Result<(), TableError> {
    if !(1..=MAX_WORD_BYTES).contains(&word.len()) {
        return Err(TableError::WordLength { index, found: word.len() });
    }
    if !is_factor(weight) {
        return Err(TableError::Factor { what: "the weight", index, found: weight });
    }
    if row.len() != dimensions {
        let (expected, found) = (dimensions, row.len());
        return Err(TableError::RowLength { word: word.to_owned(), expected, found });
    }
    match row.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &found)) => Err(TableError::Value { word: word.to_owned(), index, found }),
        None => Ok(()),
    }
}

fn halves(word: &str, row: &[f32], bytes: &mut Vec<u8>) -> Result<(), TableError> {
    for (index, &found) in row.iter().enumerate() {
        let value = half::of_single(found);
        if !half::to_single(value).is_finite() {
            return Err(TableError::Value { word: word.to_owned(), index, found });
        }
        bytes.extend(value.to_le_bytes());
    }
    Ok(())
}

/// So that the largest value is 127.
fn scale(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |largest: f32, value| largest.max(value.abs())) / 127.0
}

fn quantised(value: f32, scale: f32) -> i8 {
    if scale == 0.0 {
        return 0;
    }
    (value / scale).round_ties_even().clamp(-127.0, 127.0) as i8
}
