//! Data sets: a folder a class, or a table with a header.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use graft_spec::{Labels, SpecError};

mod folder;
mod table;

pub(crate) use table::{Columns, wrong};

/// Labelled photos, not yet opened, or the labels of texts.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Names of the classes, sorted. One alone can be judged, not learned from.
    pub labels: Vec<String>,
    /// In the order of the table, or sorted by path.
    pub examples: Vec<Example>,
    /// Columns of the table that mean nothing to us.
    pub unused_columns: Vec<String>,
}

/// One labelled photo or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Where it is: a file, or a table, a colon and a line.
    pub path: PathBuf,
    /// Index into the labels.
    pub label: usize,
    /// On which side of the split, if the data set says.
    pub split: Option<Split>,
    /// Examples of one group are never on both sides of a split.
    pub group: Option<String>,
    /// What a split keeps in proportion; the label if absent.
    pub stratum: Option<String>,
}

/// A side of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The head learns from it.
    Train,
    /// Held out.
    Test,
}

/// A data set that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not texts.
    #[error("{} is neither a folder with a sub-folder a class nor a .csv, .tsv or .jsonl table", path.display())]
    NotTexts { path: PathBuf },
    /// Neither a folder nor a table.
    #[error("{} is neither a folder with a sub-folder a class nor a .csv or .tsv table", path.display())]
    NotADataset { path: PathBuf },
    /// No sub-folders.
    #[error("{} has no sub-folders: a data set is a folder with a sub-folder of photos a class", path.display())]
    NoClasses { path: PathBuf },
    /// A class without photos.
    #[error("class folder {} is empty: put photos of the class there or remove it", path.display())]
    EmptyClass { path: PathBuf },
    /// Learning to tell apart takes two.
    #[error("{} has one class only, {label:?}: at least two are needed to learn to tell them apart", path.display())]
    OneClass { path: PathBuf, label: String },
    /// The table has no rows.
    #[error("{} has a header but no rows", path.display())]
    NoRows { path: PathBuf },
    /// The header lacks a column.
    #[error("{}: the header has no column {column:?}; it must name {subject} and label, and may name split, group and stratify (found: {found})", path.display())]
    MissingColumn { path: PathBuf, column: &'static str, subject: &'static str, found: String },
    /// A line of the table.
    #[error("{}, line {line}: {problem}", path.display())]
    Line { path: PathBuf, line: u64, problem: LineProblem },
    /// Files named by the table that aren't there.
    #[error("{}: {count} of {total} photos are not there, first {} (line {line}); paths are relative to the table's folder", table.display(), first.display())]
    Missing { table: PathBuf, count: usize, total: usize, first: PathBuf, line: u64 },
    /// A label that can't stand in a bundle.
    #[error("{}", path.display())]
    Labels { path: PathBuf, source: SpecError },
}

/// What is wrong with a line of a table.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// Too few or too many fields.
    #[error("has {found} field{}, the header has {expected}", if *found == 1 { "" } else { "s" })]
    Fields { found: u64, expected: u64 },
    /// Not UTF-8.
    #[error("is not UTF-8")]
    Utf8,
    /// An empty path or label.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Neither train nor test.
    #[error("split is {0:?}, must be train, test or empty")]
    Split(String),
    /// Not a JSON object.
    #[error("is no JSON object: {0}")]
    Json(String),
    /// An object that lacks a field.
    #[error("has no {0:?}")]
    Missing(&'static str),
    /// A field of another type.
    #[error("{0:?} is neither a string nor a number")]
    NotAString(&'static str),
    /// The same photo twice with two labels.
    #[error("{} has label {second:?} here and {first:?} on line {first_line}", path.display())]
    TwoLabels { path: PathBuf, first: String, second: String, first_line: u64 },
}

impl Dataset {
    /// Reads a folder or a table. Photos are not opened yet.
    pub fn open(path: &Path) -> Result<Dataset, DatasetError> {
        let metadata = std::fs::metadata(path)
            .map_err(|source| DatasetError::Read { path: path.to_path_buf(), source })?;
        if metadata.is_dir() {
            return folder::open(path);
        }
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => table::open(path, b','),
            Some("tsv") => table::open(path, b'\t'),
            _ => Err(DatasetError::NotADataset { path: path.to_path_buf() }),
        }
    }

    /// Only the examples on one side of the split.
    pub fn only(mut self, split: Split) -> Dataset {
        self.examples.retain(|e| e.split == Some(split));
        self
    }

    /// The labels as a bundle has them: at least two, and names that can stand
    /// there. `path` is for messages.
    pub fn checked_labels(&self, path: &Path) -> Result<Labels, DatasetError> {
        let path = || path.to_path_buf();
        if let [only] = self.labels.as_slice() {
            return Err(DatasetError::OneClass { path: path(), label: only.clone() });
        }
        Labels::new(self.labels.clone())
            .map_err(|source| DatasetError::Labels { path: path(), source })
    }

    /// The same examples with the labels of a bundle, which may have more
    /// classes than this data set. Answers the first unknown label otherwise.
    pub fn with_labels(mut self, labels: &Labels) -> Result<Dataset, String> {
        for example in &mut self.examples {
            let name = &self.labels[example.label];
            example.label = labels.index_of(name).ok_or_else(|| name.clone())?;
        }
        self.labels = labels.names().to_vec();
        Ok(self)
    }
}

impl Split {
    /// As a table names it.
    pub(crate) fn of(word: &str) -> Option<Split> {
        match word {
            "train" => Some(Split::Train),
            "test" => Some(Split::Test),
            _ => None,
        }
    }
}

/// An example whose label is still a name.
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    pub(crate) label: String,
    pub(crate) split: Option<Split>,
    pub(crate) group: Option<String>,
    pub(crate) stratum: Option<String>,
}

pub(crate) fn with_indices(named: Vec<Named>, unused_columns: Vec<String>) -> Dataset {
    let mut indices: BTreeMap<&str, usize> = named.iter().map(|e| (e.label.as_str(), 0)).collect();
    for (index, value) in indices.values_mut().enumerate() {
        *value = index;
    }
    let labels: Vec<String> = indices.keys().map(|&name| name.to_owned()).collect();
    let wanted: Vec<usize> = named.iter().map(|e| indices[e.label.as_str()]).collect();
    let examples = named
        .into_iter()
        .zip(wanted)
        .map(|(e, label)| Example {
            path: e.path,
            label,
            split: e.split,
            group: e.group,
            stratum: e.stratum,
        })
        .collect();
    Dataset { labels, examples, unused_columns }
}
