//! Rows of features in one piece: in memory, or, where they are too many for it, in a
//! file without a name that is mapped. The system then keeps in memory what is used
//! and has room.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array2, ArrayView2};

/// Where rows go that are too many for memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// Made if it isn't there.
    pub folder: PathBuf,
    /// What may be in memory, in bytes of one matrix. A training run has two to three
    /// of them.
    pub above_bytes: u64,
}

/// A matrix of features, a row an example.
#[derive(Debug)]
pub struct Rows {
    count: usize,
    width: usize,
    values: Values,
    spill: Option<Spill>,
}

#[derive(Debug)]
enum Values {
    Memory(Vec<f32>),
    /// Of a file that nobody else has, and that is not written any more. Without rows
    /// there is nothing to map.
    Mapped(Option<Mmap>),
}

/// Rows that are too many for memory can't be kept in a file.
#[derive(Debug, thiserror::Error)]
#[error(
    "the features do not fit into memory, and cannot be kept in a file in {}", folder.display()
)]
pub struct SpillError {
    pub folder: PathBuf,
    pub source: std::io::Error,
}

/// Rows that come one by one, in any order.
pub(super) struct Writer {
    width: usize,
    to: To,
    spill: Option<Spill>,
}

enum To {
    Memory(Vec<f32>),
    File { file: File, folder: PathBuf },
}

impl Writer {
    /// Of at most `count` rows of `width` features.
    pub(super) fn new(
        count: usize,
        width: usize,
        spill: Option<&Spill>,
    ) -> Result<Writer, SpillError> {
        let values = count * width;
        let to = match spill {
            Some(Spill { folder, above_bytes }) if 4 * values as u64 > *above_bytes => {
                let file = std::fs::create_dir_all(folder).and_then(|()| unnamed(folder));
                let file = file.map_err(fail(folder))?;
                To::File { file, folder: folder.clone() }
            }
            // Zeros that nobody wrote take no memory yet.
            _ => To::Memory(vec![0.0; values]),
        };
        Ok(Writer { width, to, spill: spill.cloned() })
    }

    /// Writes the row of that index.
    pub(super) fn put(&mut self, index: usize, row: &[f32]) -> Result<(), SpillError> {
        match &mut self.to {
            To::Memory(values) => {
                values[index * self.width..][..self.width].copy_from_slice(row);
                Ok(())
            }
            // Not through a map: a full disk is then an error, and no signal.
            To::File { file, folder } => {
                let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_ne_bytes()).collect();
                file.write_all_at(&bytes, (index * bytes.len()) as u64).map_err(fail(folder))
            }
        }
    }

    /// The rows of these indices, which rise and were all written.
    pub(super) fn finish(self, indices: &[usize]) -> Result<Rows, SpillError> {
        let Writer { width, to, spill } = self;
        let moves = (0..).zip(indices).filter(|(to, from)| to != *from);
        let values = match to {
            To::Memory(mut values) => {
                for (to, &from) in moves {
                    values.copy_within(from * width..(from + 1) * width, to * width);
                }
                values.truncate(indices.len() * width);
                Values::Memory(values)
            }
            To::File { file, folder } => {
                let fail = fail(&folder);
                let mut row = vec![0; 4 * width];
                for (to, &from) in moves {
                    let at = |index: usize| (index * row.len()) as u64;
                    let (to, from) = (at(to), at(from));
                    file.read_exact_at(&mut row, from)
                        .and_then(|()| file.write_all_at(&row, to))
                        .map_err(&fail)?;
                }
                Values::Mapped(mapped(&file, indices.len() * row.len()).map_err(fail)?)
            }
        };
        Ok(Rows { count: indices.len(), width, values, spill })
    }
}

impl Rows {
    /// `[examples, features]`.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        let values = match &self.values {
            Values::Memory(values) => values.as_slice(),
            Values::Mapped(None) => &[],
            Values::Mapped(Some(map)) => {
                // SAFETY: any bits are an f32.
                let (before, values, after) = unsafe { map.align_to::<f32>() };
                assert!(before.is_empty() && after.is_empty(), "a map begins with a page");
                values
            }
        };
        ArrayView2::from_shape((self.count, self.width), values)
            .expect("as many values as were written")
    }

    /// Some of them, in this order; in memory or in a file, as they all are.
    pub fn select(&self, indices: &[usize]) -> Result<Rows, SpillError> {
        let view = self.view();
        let mut writer = Writer::new(indices.len(), self.width, self.spill.as_ref())?;
        for (to, &from) in indices.iter().enumerate() {
            let row = view.row(from);
            writer.put(to, row.as_slice().expect("rows are contiguous"))?;
        }
        let all: Vec<usize> = (0..indices.len()).collect();
        writer.finish(&all)
    }

    /// Whether they are in a file.
    pub fn is_spilled(&self) -> bool {
        matches!(self.values, Values::Mapped(_))
    }
}

impl From<Array2<f32>> for Rows {
    fn from(rows: Array2<f32>) -> Rows {
        let (count, width) = rows.dim();
        let rows = rows.as_standard_layout().into_owned();
        let values = Values::Memory(rows.into_raw_vec_and_offset().0);
        Rows { count, width, values, spill: None }
    }
}

/// A file in the folder that has no name: it is gone with the process, however that
/// ends.
fn unnamed(folder: &Path) -> std::io::Result<File> {
    tempfile::tempfile_in(folder)
}

fn mapped(file: &File, bytes: usize) -> std::io::Result<Option<Mmap>> {
    if bytes == 0 {
        return Ok(None);
    }
    // What was skipped is cut off.
    file.set_len(bytes as u64)?;
    // SAFETY: nobody else can open a file without a name, and it is not written again.
    unsafe { Mmap::map(file) }.map(Some)
}

fn fail(folder: &Path) -> impl Fn(std::io::Error) -> SpillError {
    move |source| SpillError { folder: folder.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_in_a_file_are_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill { folder: folder.path().join("rows"), above_bytes: 0 };
        for spill in [None, Some(&spill)] {
            let mut writer = Writer::new(5, 2, spill).unwrap();
            // In any order, and the second never comes.
            for index in [4, 0, 3, 2] {
                writer.put(index, &[index as f32, -1.5]).unwrap();
            }
            let rows = writer.finish(&[0, 2, 3, 4]).unwrap();
            assert_eq!(rows.is_spilled(), spill.is_some());
            assert_eq!(rows.view(), array![[0.0, -1.5], [2.0, -1.5], [3.0, -1.5], [4.0, -1.5]]);
            let some = rows.select(&[3, 1, 1]).unwrap();
            assert_eq!(some.is_spilled(), spill.is_some());
            assert_eq!(some.view(), array![[4.0, -1.5], [2.0, -1.5], [2.0, -1.5]]);
            assert_eq!(rows.select(&[]).unwrap().view().dim(), (0, 2));
        }
        let left: Vec<_> = std::fs::read_dir(&spill.folder).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn what_fits_stays_in_memory() {
        let spill = Spill { folder: "/nowhere".into(), above_bytes: 4 * 10 };
        let all = |count: usize| (0..count).collect::<Vec<_>>();
        assert!(!Writer::new(5, 2, Some(&spill)).unwrap().finish(&all(5)).unwrap().is_spilled());
        let rows: Rows = Array2::from_elem((2, 3), 1.0).into();
        assert!(!rows.select(&all(2)).unwrap().is_spilled());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let spill = Spill { folder: file.path().to_path_buf(), above_bytes: 0 };
        let error = Writer::new(1, 1, Some(&spill)).err().unwrap();
        assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
    }
}
