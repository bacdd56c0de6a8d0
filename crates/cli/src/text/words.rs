use std::fmt::Write;

use graft_host::vectors::Format;

use super::{bytes, table};
use crate::cmd::words::info::Info;
use crate::cmd::words::{Answer, Source};

pub fn answer(a: &Answer) -> String {
    let question = match a.terms.as_slice() {
        [from, to, other] => format!("{other} + {to} - {from}"),
        terms => terms.join(" "),
    };
    let mut text = format!("{question}, in {}\n\n", source(&a.source));
    let rows: Vec<Vec<String>> = a
        .neighbours
        .iter()
        .map(|near| vec![near.word.clone(), format!("{:.3}", near.similarity)])
        .collect();
    text += &table(&["word", "similarity"], &rows);
    if a.duplicates > 0 {
        let _ = writeln!(
            text,
            "\n  {} words come again in the file; the first vector of each counts",
            a.duplicates
        );
    }
    text += &left_out(&a.source);
    text
}

pub fn info(i: &Info) -> String {
    let s = &i.source;
    let mut text = format!("{}\n\n", source(s));
    let gzip = if s.compressed { ", compressed with gzip" } else { "" };
    let _ = writeln!(text, "  written    as {}{gzip}", format(s.format));
    let _ = writeln!(
        text,
        "  file       {}, {}, sha256 {}",
        s.path.display(),
        bytes(i.file_bytes),
        i.sha256
    );
    let _ = writeln!(text, "  licence    {}", i.licence);
    let _ = writeln!(
        text,
        "  lengths    {:.2} to {:.2}, {:.2} on average{}",
        i.norms.least,
        i.norms.greatest,
        i.norms.mean,
        match i.norms.zero {
            0 => String::new(),
            n => format!("; {n} are zero"),
        }
    );
    let _ = writeln!(text, "  begins     {}", i.first_words.join(" "));
    text += &left_out(s);
    text
}

fn source(s: &Source) -> String {
    format!("{}: {} words of {} numbers", s.name, s.words, s.dimensions)
}

fn left_out(s: &Source) -> String {
    match s.not_utf8 {
        0 => String::new(),
        n => format!("\n  {n} words are not UTF-8 and were left out\n"),
    }
}

fn format(format: Format) -> &'static str {
    match format {
        Format::Glove => "GloVe's text",
        Format::Word2vecText => "word2vec's text",
        Format::Word2vecBinary => "word2vec's binary",
    }
}
