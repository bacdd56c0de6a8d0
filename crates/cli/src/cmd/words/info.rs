//! What a file of word vectors is: streamed, so that it may be of any size.

use std::ops::ControlFlow;

use graft_host::digest::Digest;
use graft_host::progress::OnEvent;
use graft_host::vectors::VectorsFile;
use serde::Serialize;

use super::Source;

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Info {
    #[serde(flatten)]
    pub source: Source,
    pub licence: String,
    pub file_bytes: u64,
    pub sha256: Digest,
    pub norms: Norms,
    pub first_words: Vec<String>,
}

/// Of the vectors' lengths.
#[derive(Serialize)]
pub struct Norms {
    pub least: f64,
    pub mean: f64,
    pub greatest: f64,
    /// Vectors that are nothing but zeros.
    pub zero: u64,
}

/// The most frequent ones, in most files.
const FIRST: usize = 10;

pub fn look(file: &VectorsFile, on: OnEvent<'_>) -> anyhow::Result<Info> {
    let mut first_words = Vec::new();
    let mut norms = Norms { least: f64::INFINITY, mean: 0.0, greatest: 0.0, zero: 0 };
    let mut seen = 0_u64;
    let summary = file.each(on, |word, vector| {
        if first_words.len() < FIRST {
            first_words.push(word.to_owned());
        }
        let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let norm = square.sqrt();
        seen += 1;
        norms.least = norms.least.min(norm);
        norms.greatest = norms.greatest.max(norm);
        norms.mean += (norm - norms.mean) / seen as f64;
        norms.zero += u64::from(norm == 0.0);
        ControlFlow::Continue(())
    })?;
    Ok(Info {
        source: Source::of(file, &summary),
        licence: file.origin.licence.clone(),
        file_bytes: std::fs::metadata(&file.path)?.len(),
        sha256: file.origin.sha256,
        norms,
        first_words,
    })
}
