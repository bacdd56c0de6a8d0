//! Texts as they are written, without labels: what comes next is in them.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::examples::{self, DatasetError, LineProblem, Split};
use crate::photos::Skipped;

/// Texts to go on with, in their order.
#[derive(Clone, Debug)]
pub struct RunningTexts {
    /// One at least, none of them empty.
    pub texts: Vec<RunningText>,
    /// What could not be used: what is not UTF-8.
    pub skipped: Vec<Skipped>,
}

/// A text whose words follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningText {
    /// Its file, with a colon and the line that it begins in, if there are several in it.
    pub place: PathBuf,
    /// Not only white space.
    pub text: String,
    /// On which side of the split, if the file says.
    pub split: Option<Split>,
    /// Texts of one group are never in two parts of what is learned from, stops and is
    /// held out.
    pub group: Option<String>,
}

/// Texts that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunningTextsError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A text file that is something else.
    #[error("{}, line {line}: is not UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: usize },
    /// A table without texts.
    #[error("{}: the header has no column \"text\" (found: {found})", path.display())]
    NoColumn { path: PathBuf, found: String },
    /// A line of JSON.
    #[error("{}, line {line}: {problem}", path.display())]
    Line { path: PathBuf, line: u64, problem: LineProblem },
    /// A table that is none.
    #[error("{0}")]
    Table(#[from] DatasetError),
    /// Nothing in it.
    #[error("{} has no text", path.display())]
    Empty { path: PathBuf },
    /// A folder without texts.
    #[error("{} has no .txt files", path.display())]
    NoFiles { path: PathBuf },
    /// All of it is unusable.
    #[error("none of {count} texts can be used, first {}: {}", first.path.display(), first.reason)]
    NoneUsable { count: usize, first: Skipped },
}

const NOT_UTF8: &str = "is not UTF-8";

/// A text, or why there is none.
type Content = Result<RunningText, Skipped>;

impl RunningTexts {
    /// Reads a folder of .txt files, in the order of their paths; a .csv or .tsv with
    /// the column text; a .jsonl with such a field; or any other file as text, whose
    /// paragraphs, between empty lines, are the texts. Tables may have a split and a group
    /// too.
    pub fn open(path: &Path) -> Result<RunningTexts, RunningTextsError> {
        let metadata = std::fs::metadata(path)
            .map_err(|source| RunningTextsError::Read { path: path.to_path_buf(), source })?;
        let contents = if metadata.is_dir() {
            folder(path)?
        } else {
            let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
            match extension.as_deref() {
                Some("csv") => table(path, b',')?,
                Some("tsv") => table(path, b'\t')?,
                Some("jsonl" | "ndjson") => lines(path)?,
                _ => paragraphs(path, &text_of(path)?).map(Ok).collect(),
            }
        };
        let (mut texts, mut skipped) = (Vec::new(), Vec::new());
        for content in contents {
            match content {
                Ok(text) if text.text.trim().is_empty() => {}
                Ok(text) => texts.push(text),
                Err(unusable) => skipped.push(unusable),
            }
        }
        match (texts.is_empty(), skipped.first()) {
            (false, _) => Ok(RunningTexts { texts, skipped }),
            (true, Some(first)) => {
                let first = first.clone();
                Err(RunningTextsError::NoneUsable { count: skipped.len(), first })
            }
            (true, None) => Err(RunningTextsError::Empty { path: path.to_path_buf() }),
        }
    }

    /// Only the texts on one side of the split; `None` if there are none.
    pub fn only(self, split: Split) -> Option<RunningTexts> {
        let RunningTexts { mut texts, skipped } = self;
        texts.retain(|text| text.split == Some(split));
        (!texts.is_empty()).then_some(RunningTexts { texts, skipped })
    }
}

fn place(file: &Path, line: usize) -> PathBuf {
    let mut place = file.as_os_str().to_owned();
    place.push(format!(":{line}"));
    place.into()
}

fn text_of(path: &Path) -> Result<String, RunningTextsError> {
    let bytes = std::fs::read(path)
        .map_err(|source| RunningTextsError::Read { path: path.to_path_buf(), source })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        RunningTextsError::NotUtf8 { path: path.to_path_buf(), line }
    })
}

fn paragraphs<'a>(path: &'a Path, text: &'a str) -> impl Iterator<Item = RunningText> {
    let mut found: Vec<RunningText> = Vec::new();
    let mut is_open = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            is_open = false;
            continue;
        }
        match found.last_mut() {
            Some(last) if is_open => {
                last.text.push('\n');
                last.text.push_str(line);
            }
            _ => found.push(RunningText {
                place: place(path, number),
                text: line.to_owned(),
                split: None,
                group: None,
            }),
        }
        is_open = true;
    }
    found.into_iter()
}

fn folder(root: &Path) -> Result<Vec<Content>, RunningTextsError> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(root).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_path_buf();
            RunningTextsError::Read { path, source: error.into() }
        })?;
        let is_text = entry.path().extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"));
        if entry.file_type().is_file() && is_text {
            files.push(entry.into_path());
        }
    }
    if files.is_empty() {
        return Err(RunningTextsError::NoFiles { path: root.to_path_buf() });
    }
    let mut contents = Vec::new();
    for path in files {
        match text_of(&path) {
            Ok(text) => contents.extend(paragraphs(&path, &text).map(Ok)),
            Err(RunningTextsError::NotUtf8 { path, line }) => {
                let reason = format!("line {line} {NOT_UTF8}");
                contents.push(Err(Skipped { path, reason }));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(contents)
}

fn table(path: &Path, delimiter: u8) -> Result<Vec<Content>, RunningTextsError> {
    let wrong = |error| examples::wrong(path, error);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(wrong)?;
    let header = reader.headers().map_err(wrong)?;
    let column = |name: &str| header.iter().position(|found| found == name);
    let Some(text) = column("text") else {
        let found = header.iter().collect::<Vec<_>>().join(", ");
        return Err(RunningTextsError::NoColumn { path: path.to_path_buf(), found });
    };
    let (split, group) = (column("split"), column("group"));
    let mut contents = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fail = |problem| RunningTextsError::Line { path: path.to_path_buf(), line, problem };
        let place = place(path, line as usize);
        let optional = |column: Option<usize>| match column {
            None => Ok(None),
            Some(column) => match std::str::from_utf8(&record[column]) {
                Ok("") => Ok(None),
                Ok(word) => Ok(Some(word)),
                Err(_) => Err(fail(LineProblem::Utf8)),
            },
        };
        let split = optional(split)?.map(side).transpose().map_err(fail)?;
        let group = optional(group)?.map(str::to_owned);
        contents.push(match std::str::from_utf8(&record[text]) {
            Ok(text) => Ok(RunningText { place, text: text.to_owned(), split, group }),
            Err(_) => Err(Skipped { path: place, reason: NOT_UTF8.to_owned() }),
        });
    }
    Ok(contents)
}

fn side(word: &str) -> Result<Split, LineProblem> {
    Split::of(word).ok_or_else(|| LineProblem::Split(word.to_owned()))
}

fn lines(path: &Path) -> Result<Vec<Content>, RunningTextsError> {
    let fail = |source| RunningTextsError::Read { path: path.to_path_buf(), source };
    let file = std::io::BufReader::new(std::fs::File::open(path).map_err(fail)?);
    let mut contents = Vec::new();
    for (number, line) in (1..).zip(file.split(b'\n')) {
        let line = line.map_err(fail)?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = place(path, number as usize);
        let wrong =
            |problem| RunningTextsError::Line { path: path.to_path_buf(), line: number, problem };
        contents.push(match std::str::from_utf8(&line) {
            Ok(line) => {
                let Object { text, split, group } = object(line).map_err(wrong)?;
                Ok(RunningText { place, text, split, group })
            }
            Err(_) => Err(Skipped { path: place, reason: NOT_UTF8.to_owned() }),
        });
    }
    Ok(contents)
}

struct Object {
    text: String,
    split: Option<Split>,
    group: Option<String>,
}

fn object(line: &str) -> Result<Object, LineProblem> {
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| LineProblem::Json(error.to_string()))?;
    let string = |name: &'static str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        // Somebody who wrote a number wrote a text.
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(_) => Err(LineProblem::NotAString(name)),
    };
    let text = string("text")?.ok_or(LineProblem::Missing("text"))?;
    let split = match string("split")?.as_deref() {
        None | Some("") => None,
        Some(word) => Some(side(word)?),
    };
    let group = string("group")?.filter(|group| !group.is_empty());
    Ok(Object { text, split, group })
}
