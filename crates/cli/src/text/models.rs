use std::fmt::Write;

use graft_host::catalogue::Seen;

use super::{bytes, count, table};
use crate::cmd::models::{FetchReport, ListReport, Model, RemoveReport};

pub fn list(r: &ListReport) -> String {
    let rows: Vec<Vec<String>> = r
        .models
        .iter()
        .map(|m| {
            vec![
                m.name.clone(),
                m.file_bytes.map_or(String::new(), bytes),
                m.multiply_adds.map_or(String::new(), count),
                m.parameters.map_or(String::new(), count),
                input(m),
                here(m).to_owned(),
                m.licence.clone(),
            ]
        })
        .collect();
    let header = ["model", "size", "mult-adds", "parameters", "input", "here", "licence"];
    let mut text = table(&header, &rows);
    for m in r.models.iter().filter(|m| !m.title.is_empty()) {
        let _ = write!(text, "\n  {}: {}", m.name, m.title);
    }
    text.push('\n');
    for b in &r.broken {
        let _ = write!(
            text,
            "\n  {} is broken: {}\n  correct the file, or remove it with `graft models remove {}`\n",
            b.name, b.error, b.name
        );
    }
    text
}

pub fn fetched(r: &FetchReport) -> String {
    let what = if r.downloaded { "fetched" } else { "was here already" };
    format!("{} {what}: {}, licence {}\n", r.model.name, place(&r.model), r.model.licence)
}

pub fn added(m: &Model) -> String {
    format!("added {}: {}\n", m.name, place(m))
}

pub fn removed(r: &RemoveReport) -> String {
    format!("removed {}: {}\n", r.name, r.removed.display())
}

/// What a graph shows of its input, and what it seems to do with it.
pub fn seen(seen: &Seen, cut_open: bool) -> String {
    let mut text = String::from("What the graph shows:\n");
    for input in &seen.inputs {
        let _ = writeln!(text, "  input   {} {}", input.name, input.shape);
        let _ = match input.arithmetic.as_slice() {
            [] => writeln!(text, "  pixels  go into the first layer as they are given"),
            steps => writeln!(
                text,
                "  pixels  go through {} first: the graph prepares them, or a part of it",
                steps.join(", ")
            ),
        };
    }
    if cut_open {
        let _ = match &seen.classifier {
            Ok(c) => writeln!(
                text,
                "  cut     at {} ({} features), before the last dense layer ({} classes)",
                c.features, c.feature_length, c.classes
            ),
            Err(problem) => writeln!(text, "  cut     {problem}"),
        };
    }
    text
}

fn input(m: &Model) -> String {
    match (&m.input, &m.words, &m.encoder) {
        (Some(image), ..) => format!("{}×{}", image.width, image.height),
        (None, Some(words), _) => format!("{} words", count(words.count)),
        (None, None, Some(encoder)) => format!("{} tokens", encoder.max_tokens),
        (None, None, None) => String::new(),
    }
}

fn here(m: &Model) -> &'static str {
    match (&m.path, m.here, m.fetch) {
        (Some(_), true, _) => "yes",
        (None, true, _) => "in graft",
        (_, false, Some("file")) => "by hand",
        (_, false, Some(_)) => "to fetch",
        (_, false, None) => "missing",
    }
}

fn place(m: &Model) -> String {
    match (&m.path, m.here) {
        (Some(path), true) => path.display().to_string(),
        (None, true) => "in this program".to_owned(),
        (_, false) => "not here".to_owned(),
    }
}
