//! Data sets of texts.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use graft_spec::Labels;
use serde_json::{Map, Value};

use crate::examples::{self, Columns, Dataset, DatasetError, LineProblem, Named, Split};
use crate::photos::Skipped;

/// Labelled texts.
#[derive(Clone, Debug)]
pub struct Texts {
    /// The examples; the path of one is its file or, in a table, the table's with a
    /// colon and the line.
    pub dataset: Dataset,
    /// The text of each.
    pub texts: Vec<String>,
    /// What could not be used: what is empty or not UTF-8.
    pub skipped: Vec<Skipped>,
}

const EMPTY: &str = "is empty";
const NOT_UTF8: &str = "is not UTF-8";

/// A text, or why there is none.
type Content = Result<String, &'static str>;

impl Texts {
    /// Reads a folder with a sub-folder of text files a class, a .csv or .tsv with
    /// the columns text and label, or .jsonl with such fields.
    pub fn open(path: &Path) -> Result<Texts, DatasetError> {
        let metadata = std::fs::metadata(path)
            .map_err(|source| DatasetError::Read { path: path.to_path_buf(), source })?;
        if metadata.is_dir() {
            return folder(path);
        }
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => table(path, b','),
            Some("tsv") => table(path, b'\t'),
            Some("jsonl" | "ndjson") => lines(path),
            _ => Err(DatasetError::NotTexts { path: path.to_path_buf() }),
        }
    }

    /// Only the examples on one side of the split.
    pub fn only(self, split: Split) -> Texts {
        let Texts { dataset, texts, skipped } = self;
        let on: Vec<bool> = dataset.examples.iter().map(|e| e.split == Some(split)).collect();
        let texts = texts.into_iter().zip(on).filter_map(|(text, on)| on.then_some(text));
        Texts { texts: texts.collect(), dataset: dataset.only(split), skipped }
    }

    /// The same with the labels of a bundle: see [`Dataset::with_labels`].
    pub fn with_labels(self, labels: &Labels) -> Result<Texts, String> {
        Ok(Texts { dataset: self.dataset.with_labels(labels)?, ..self })
    }

    /// Labels are of all examples, so that a class that lost all of them is missed.
    fn of(mut dataset: Dataset, contents: Vec<Content>) -> Texts {
        let (mut texts, mut skipped, mut examples) = (Vec::new(), Vec::new(), Vec::new());
        for (example, content) in dataset.examples.drain(..).zip(contents) {
            let content = content.and_then(|text| match text.trim() {
                "" => Err(EMPTY),
                _ => Ok(text),
            });
            match content {
                Ok(text) => {
                    texts.push(text);
                    examples.push(example);
                }
                Err(reason) => {
                    skipped.push(Skipped { path: example.path, reason: reason.to_owned() });
                }
            }
        }
        dataset.examples = examples;
        Texts { dataset, texts, skipped }
    }
}

/// Whether a data set is of texts, as far as it shows before it is read: JSON lines; a
/// table with a column text and none of paths; or folders whose first file is a .txt.
/// What can't be read is said by who opens it.
pub fn are_texts(path: &Path) -> bool {
    let extension = |path: &Path| {
        path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).unwrap_or_default()
    };
    if path.is_dir() {
        let files = walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name();
        let first = files.into_iter().flatten().find(|entry| {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            entry.file_type().is_file() && entry.depth() > 1 && !hidden
        });
        return first.is_some_and(|entry| extension(entry.path()) == "txt");
    }
    let delimiter = match extension(path).as_str() {
        "jsonl" | "ndjson" => return true,
        "csv" => b',',
        "tsv" => b'\t',
        _ => return false,
    };
    let reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_path(path);
    let Ok(mut reader) = reader else { return false };
    let has = |header: &csv::StringRecord, name| header.iter().any(|column| column == name);
    reader.headers().is_ok_and(|header| has(header, "text") && !has(header, "path"))
}

fn folder(root: &Path) -> Result<Texts, DatasetError> {
    let dataset = Dataset::open(root)?;
    let read = |path: &PathBuf| match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).map_err(|_| NOT_UTF8)),
        Err(source) => Err(DatasetError::Read { path: path.clone(), source }),
    };
    let contents = dataset.examples.iter().map(|e| read(&e.path)).collect::<Result<_, _>>()?;
    Ok(Texts::of(dataset, contents))
}

/// Where a line of a table is, as compilers say it.
fn place(table: &Path, line: u64) -> PathBuf {
    let mut place = table.as_os_str().to_owned();
    place.push(format!(":{line}"));
    place.into()
}

fn table(path: &Path, delimiter: u8) -> Result<Texts, DatasetError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|e| examples::wrong(path, e))?;
    let header = reader.headers().map_err(|e| examples::wrong(path, e))?;
    let columns = Columns::of(path, header, "text")?;
    let (mut named, mut contents) = (Vec::new(), Vec::new());
    for record in reader.byte_records() {
        let record = record.map_err(|e| examples::wrong(path, e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let fail = |problem| DatasetError::Line { path: path.to_path_buf(), line, problem };
        let content = match std::str::from_utf8(&record[columns.subject]) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(NOT_UTF8),
        };
        // The other fields decide on which side of a split others are.
        let field = |column: usize| {
            std::str::from_utf8(&record[column]).map_err(|_| fail(LineProblem::Utf8))
        };
        let optional = |column: Option<usize>| match column.map(field).transpose()? {
            None | Some("") => Ok(None),
            Some(value) => Ok(Some(value.to_owned())),
        };
        named.push(Named {
            path: place(path, line),
            label: match field(columns.label)? {
                "" => return Err(fail(LineProblem::Empty("label"))),
                label => label.to_owned(),
            },
            split: optional(columns.split)?.map(|s| side(&s)).transpose().map_err(fail)?,
            group: optional(columns.group)?,
            stratum: optional(columns.stratum)?,
        });
        contents.push(content);
    }
    if named.is_empty() {
        return Err(DatasetError::NoRows { path: path.to_path_buf() });
    }
    Ok(Texts::of(examples::with_indices(named, columns.unused), contents))
}

fn side(word: &str) -> Result<Split, LineProblem> {
    Split::of(word).ok_or_else(|| LineProblem::Split(word.to_owned()))
}

const FIELDS: [&str; 5] = ["text", "label", "split", "group", "stratify"];

fn lines(path: &Path) -> Result<Texts, DatasetError> {
    let fail = |source| DatasetError::Read { path: path.to_path_buf(), source };
    let file = std::io::BufReader::new(std::fs::File::open(path).map_err(fail)?);
    let (mut named, mut contents) = (Vec::new(), Vec::new());
    let mut unused = BTreeSet::new();
    let mut labels_of_broken = Vec::new();
    for (number, line) in (1..).zip(file.split(b'\n')) {
        let line = line.map_err(fail)?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(line) = std::str::from_utf8(&line) else {
            // Nothing of it can be told, its label neither.
            labels_of_broken
                .push(Skipped { path: place(path, number), reason: NOT_UTF8.to_owned() });
            continue;
        };
        let wrong =
            |problem| DatasetError::Line { path: path.to_path_buf(), line: number, problem };
        let object: Map<String, Value> =
            serde_json::from_str(line).map_err(|e| wrong(LineProblem::Json(e.to_string())))?;
        let (example, text) = object_example(&object, place(path, number)).map_err(wrong)?;
        unused.extend(object.into_iter().map(|(key, _)| key));
        named.push(example);
        contents.push(Ok(text));
    }
    if named.is_empty() {
        return Err(DatasetError::NoRows { path: path.to_path_buf() });
    }
    let unused = unused.into_iter().filter(|key| !FIELDS.contains(&key.as_str())).collect();
    let mut texts = Texts::of(examples::with_indices(named, unused), contents);
    texts.skipped.extend(labels_of_broken);
    Ok(texts)
}

fn object_example(
    object: &Map<String, Value>,
    path: PathBuf,
) -> Result<(Named, String), LineProblem> {
    let string = |name: &'static str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        // Labels are numbers in many data sets.
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(_) => Err(LineProblem::NotAString(name)),
    };
    let required = |name| string(name)?.ok_or(LineProblem::Missing(name));
    let label = required("label")?.trim().to_owned();
    if label.is_empty() {
        return Err(LineProblem::Empty("label"));
    }
    let split = match string("split")?.as_deref() {
        None | Some("") => None,
        Some(word) => Some(side(word)?),
    };
    let (group, stratum) = (string("group")?, string("stratify")?);
    Ok((Named { path, label, split, group, stratum }, required("text")?))
}
