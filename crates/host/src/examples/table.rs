use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Dataset, DatasetError, LineProblem, Named, Split, with_indices};

/// Where a table has what.
pub(crate) struct Columns {
    /// The path, or the text.
    pub(crate) subject: usize,
    pub(crate) label: usize,
    pub(crate) split: Option<usize>,
    pub(crate) group: Option<usize>,
    pub(crate) stratum: Option<usize>,
    pub(crate) unused: Vec<String>,
}

/// A header `path,label[,split][,group][,stratify]` and a line a photo.
pub(super) fn open(table: &Path, delimiter: u8) -> Result<Dataset, DatasetError> {
    let folder = table.parent().unwrap_or(Path::new(""));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_path(table)
        .map_err(|e| wrong(table, e))?;
    let header = reader.headers().map_err(|e| wrong(table, e))?;
    let columns = Columns::of(table, header, "path")?;

    let mut named: Vec<Named> = Vec::new();
    let mut lines: Vec<u64> = Vec::new();
    let mut seen: HashMap<PathBuf, usize> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|e| wrong(table, e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let fail = |problem| DatasetError::Line { path: table.to_path_buf(), line, problem };
        let required = |column: usize, name| match &record[column] {
            "" => Err(fail(LineProblem::Empty(name))),
            value => Ok(value),
        };
        let optional = |column: Option<usize>| column.map(|c| &record[c]).filter(|v| !v.is_empty());
        let label = required(columns.label, "label")?.to_owned();
        let path = folder.join(required(columns.subject, "path")?);
        let split = match optional(columns.split) {
            None => None,
            Some(word) => {
                Some(Split::of(word).ok_or_else(|| fail(LineProblem::Split(word.to_owned())))?)
            }
        };
        if let Some(&first) = seen.get(&path)
            && named[first].label != label
        {
            return Err(fail(LineProblem::TwoLabels {
                path,
                first: named[first].label.clone(),
                second: label,
                first_line: lines[first],
            }));
        }
        seen.insert(path.clone(), named.len());
        lines.push(line);
        named.push(Named {
            path,
            label,
            split,
            group: optional(columns.group).map(str::to_owned),
            stratum: optional(columns.stratum).map(str::to_owned),
        });
    }
    if named.is_empty() {
        return Err(DatasetError::NoRows { path: table.to_path_buf() });
    }
    missing(table, &named, &lines)?;
    Ok(with_indices(named, columns.unused))
}

impl Columns {
    /// `subject` is what an example is: `path` or `text`.
    pub(crate) fn of(
        table: &Path,
        header: &csv::StringRecord,
        subject: &'static str,
    ) -> Result<Columns, DatasetError> {
        // Spreadsheets put a byte order mark before the first name.
        let name = |i: usize| header[i].trim_start_matches('\u{feff}');
        let find = |wanted: &str| (0..header.len()).find(|&i| name(i).eq_ignore_ascii_case(wanted));
        let required = |column: &'static str| {
            find(column).ok_or_else(|| DatasetError::MissingColumn {
                path: table.to_path_buf(),
                column,
                subject,
                found: (0..header.len()).map(name).collect::<Vec<_>>().join(", "),
            })
        };
        let known = [subject, "label", "split", "group", "stratify"];
        Ok(Columns {
            subject: required(subject)?,
            label: required("label")?,
            split: find("split"),
            group: find("group"),
            stratum: find("stratify"),
            unused: (0..header.len())
                .map(name)
                .filter(|n| !known.iter().any(|k| n.eq_ignore_ascii_case(k)))
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// All missing photos at once: a wrong folder shows in the count.
fn missing(table: &Path, named: &[Named], lines: &[u64]) -> Result<(), DatasetError> {
    let missing: Vec<usize> = (0..named.len()).filter(|&i| !named[i].path.exists()).collect();
    match missing.first() {
        None => Ok(()),
        Some(&first) => Err(DatasetError::Missing {
            table: table.to_path_buf(),
            count: missing.len(),
            total: named.len(),
            first: named[first].path.clone(),
            line: lines[first],
        }),
    }
}

pub(crate) fn wrong(table: &Path, error: csv::Error) -> DatasetError {
    let path = table.to_path_buf();
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => DatasetError::Read { path, source },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let problem = LineProblem::Fields { found: len, expected: expected_len };
            DatasetError::Line { path, line, problem }
        }
        csv::ErrorKind::Utf8 { .. } => {
            DatasetError::Line { path, line, problem: LineProblem::Utf8 }
        }
        other => {
            let source = std::io::Error::other(format!("{other:?}"));
            DatasetError::Read { path, source }
        }
    }
}
