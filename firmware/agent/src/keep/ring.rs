//! A folder with a limit: the oldest files go when a new one needs their room.
//!
//! A file is written beside its name, synced and renamed, so that under its name
//! it is whole or not there, whatever happens to the power.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::KeepError;

const PREFIX: &str = "kept-";
const ENDING: &str = ".png";
const PARTIAL: &str = ".kept.part";

/// The kept files, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    folder: PathBuf,
    max_bytes: u64,
    files: VecDeque<Kept>,
    bytes: u64,
    next: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    number: u64,
    name: String,
    bytes: u64,
}

impl Ring {
    /// Makes the folder if need be, removes what a kill left, and finds out what
    /// is there.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Ring, KeepError> {
        let fail = |act| failed(folder, act);
        fs::create_dir_all(folder).map_err(fail("make the folder"))?;
        let partial = folder.join(PARTIAL);
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&partial, "remove what was left")(error));
            }
            _ => {}
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(fail("list the folder"))? {
            let entry = entry.map_err(fail("list the folder"))?;
            let name = entry.file_name();
            // Other files are somebody else's.
            let Some(name) = name.to_str() else { continue };
            let Some(number) = number(name) else { continue };
            let bytes = entry.metadata().map_err(fail("list the folder"))?.len();
            files.push(Kept { number, name: name.to_owned(), bytes });
        }
        files.sort_unstable();
        let next = files.last().map_or(0, |last| last.number + 1);
        let bytes = files.iter().map(|file| file.bytes).sum();
        let mut ring =
            Ring { folder: folder.to_owned(), max_bytes, files: files.into(), bytes, next };
        // The limit may have been lowered.
        ring.make_room(0)?;
        Ok(ring)
    }

    /// Adds a file.
    pub fn add(&mut self, png: &[u8], guess: &str) -> Result<(), KeepError> {
        let bytes = png.len() as u64;
        if bytes > self.max_bytes {
            let source = std::io::Error::other(format!(
                "it has {bytes} bytes, all of the kept frames may have {}",
                self.max_bytes
            ));
            return Err(failed(&self.folder, "keep a frame")(source));
        }
        self.make_room(bytes)?;
        let name = format!("{PREFIX}{:010}-{}{ENDING}", self.next, in_file_name(guess));
        let (partial, path) = (self.folder.join(PARTIAL), self.folder.join(&name));
        write(&partial, png).map_err(failed(&path, "write"))?;
        fs::rename(&partial, &path).map_err(failed(&path, "write"))?;
        // The name itself is not on the disk before its folder is.
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed(&self.folder, "write"))?;
        self.files.push_back(Kept { number: self.next, name, bytes });
        self.bytes += bytes;
        self.next += 1;
        Ok(())
    }

    fn make_room(&mut self, needed: u64) -> Result<(), KeepError> {
        while self.bytes + needed > self.max_bytes
            && let Some(oldest) = self.files.pop_front()
        {
            self.bytes -= oldest.bytes;
            let path = self.folder.join(&oldest.name);
            match fs::remove_file(&path) {
                // Somebody has taken it away to label it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(failed(&path, "remove"))?,
            }
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn failed(path: &Path, act: &'static str) -> impl FnOnce(std::io::Error) -> KeepError {
    let path = path.to_owned();
    move |source| KeepError { path, act, source }
}

/// The number of a kept file's name.
fn number(name: &str) -> Option<u64> {
    let rest = name.strip_prefix(PREFIX)?.strip_suffix(ENDING)?;
    let (number, _) = rest.split_once('-')?;
    number.parse().ok()
}

/// A label without what file systems mind.
fn in_file_name(label: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    label.chars().map(plain).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(folder.path(), 100).unwrap();
        for guess in ["a", "b/c", "d"] {
            ring.add(&[0; 40], guess).unwrap();
        }
        assert_eq!(names(folder.path()), ["kept-0000000001-b_c.png", "kept-0000000002-d.png"]);
        ring.add(&[0; 100], "e").unwrap();
        assert_eq!(names(folder.path()), ["kept-0000000003-e.png"]);
    }

    #[test]
    fn a_frame_over_the_limit_costs_no_other_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(folder.path(), 100).unwrap();
        ring.add(&[0; 40], "a").unwrap();
        let error = ring.add(&[0; 101], "b").unwrap_err();
        assert!(error.to_string().contains("101 bytes"), "{error}");
        assert_eq!(names(folder.path()), ["kept-0000000000-a.png"]);
    }

    #[test]
    fn a_new_start_goes_on_where_the_last_one_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(folder.path(), 100).unwrap();
        ring.add(&[0; 40], "a").unwrap();
        ring.add(&[0; 40], "b").unwrap();
        drop(ring);
        // What a kill leaves, and what is none of ours.
        fs::write(folder.path().join(PARTIAL), b"half").unwrap();
        fs::write(folder.path().join("notes.txt"), b"mine").unwrap();

        let mut ring = Ring::open(folder.path(), 60).unwrap();
        assert_eq!(names(folder.path()), ["kept-0000000001-b.png", "notes.txt"]);
        ring.add(&[0; 20], "c").unwrap();
        let kept = ["kept-0000000001-b.png", "kept-0000000002-c.png", "notes.txt"];
        assert_eq!(names(folder.path()), kept);
    }

    #[test]
    fn files_that_were_taken_away_are_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(folder.path(), 100).unwrap();
        ring.add(&[0; 60], "a").unwrap();
        fs::remove_file(folder.path().join("kept-0000000000-a.png")).unwrap();
        ring.add(&[0; 60], "b").unwrap();
        assert_eq!(names(folder.path()), ["kept-0000000001-b.png"]);
    }
}
