//! What is read, what is refused, and that gensim answers the same.

mod gensim;
mod properties;
mod reads;
mod refusals;

use std::ops::ControlFlow;

use graft_words::{NotUtf8, ReadError, Reading, Summary, read};

type Rows = Vec<(String, Vec<f32>)>;

fn rows_of(bytes: &[u8], reading: Reading) -> Result<(Summary, Rows), ReadError> {
    let mut rows = Vec::new();
    let summary = read(bytes, &reading, |word, vector| {
        rows.push((word.to_owned(), vector.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok((summary, rows))
}

fn skipping() -> Reading {
    Reading { not_utf8: NotUtf8::Skip, ..Reading::default() }
}

/// As word2vec's C tool writes it, or without its lines' ends as others do.
fn binary(header: &str, rows: &[(&[u8], &[f32])], end: &str) -> Vec<u8> {
    let mut bytes = format!("{header}\n").into_bytes();
    for (word, vector) in rows {
        bytes.extend_from_slice(word);
        bytes.push(b' ');
        bytes.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
