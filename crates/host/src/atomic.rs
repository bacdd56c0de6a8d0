//! Files that are seen whole or not at all.
//!
//! They are written under a temporary name and renamed. A process that is killed in
//! between leaves that temporary file; whoever writes there next takes it away. It is
//! known to be nobody's any more by its lock, which ends with the process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct WriteError {
    /// The file's final name.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// Writes `bytes` beside `path`, syncs, and renames: whoever opens `path` finds
/// the old file or the new one, whole. On an error nothing is left behind.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let fail = |source| WriteError { path: path.to_path_buf(), source };
    let mut file = beside(path).map_err(fail)?;
    // Through the file itself: the wrapper adds the temporary file's name to the
    // system's words, of which nobody has heard.
    file.as_file_mut().write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Copies a file as [`write_whole`] writes one, whatever its size.
pub fn copy_whole(from: &Path, to: &Path) -> Result<(), WriteError> {
    let fail = |source| WriteError { path: to.to_path_buf(), source };
    let mut source = File::open(from).map_err(fail)?;
    let mut file = beside(to).map_err(fail)?;
    std::io::copy(&mut source, file.as_file_mut()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(to).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Finds out now, before hours of work, whether `path` can be written later.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    let fail = |source| WriteError { path: path.to_path_buf(), source };
    if path.is_dir() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    beside(path).map_err(fail).map(drop)
}

fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Temporary files are private by default; these are to be shared, so they
    // are opened as any other new file, subject to the umask.
    temporary(folder, path.file_name().unwrap_or_default(), |path| File::create_new(path))
}

const ENDING: &[u8] = b".part";
/// Letters and digits between the name and its ending.
const RANDOM: usize = 6;

/// A new file of a temporary name in `folder`, for one that is to be called `name`.
/// `open` makes it.
pub(crate) fn temporary(
    folder: &Path,
    name: &OsStr,
    open: fn(&Path) -> std::io::Result<File>,
) -> std::io::Result<NamedTempFile> {
    remove_left(folder, name);
    let prefix = prefix(name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(OsStr::from_bytes(ENDING)).rand_bytes(RANDOM);
    loop {
        let file = builder.make_in(folder, open)?;
        // A file system without locks has nobody who would look for one.
        if file.as_file().lock().is_err() || file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
        // Somebody took it for one that was left, before it was locked.
    }
}

/// Removes temporary files of `name` that killed processes left in `folder`. What
/// cannot be removed is in nobody's way.
pub(crate) fn remove_left(folder: &Path, name: &OsStr) {
    let prefix = prefix(name);
    // Where a folder cannot be read, it may be written all the same.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_temporary(&entry.file_name(), &prefix)
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // Still locked: who has just made it sees that it is gone, and makes another.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix
}

fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let between = name.as_bytes().strip_prefix(prefix.as_bytes());
    let between = between.and_then(|rest| rest.strip_suffix(ENDING));
    between.is_some_and(|b| b.len() == RANDOM && b.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(check_writable(&path).is_err());
        let error = write_whole(&path, b"one").unwrap_err();
        assert_eq!(error.path, path);
        // In the system's own words, without a temporary file's name.
        let within = check_writable(&folder.path().join("nowhere/file")).unwrap_err();
        assert_eq!(within.source.raw_os_error(), Some(2), "ENOENT, not {}", within.source);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        let living = beside(&path).unwrap();
        let others = [".out.bin.part", ".out.binabcdef", ".out.bin.1.part", ".outabcdef.part"];
        let left = [".out.binabcdef.part", ".out.bin012345.part"];
        for name in others.iter().chain(&left) {
            std::fs::write(folder.path().join(name), b"half").unwrap();
        }
        write_whole(&path, b"whole").unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        assert!(living.path().exists());
        assert!(others.iter().all(|name| there(name)));
        assert!(!left.iter().any(|name| there(name)));
        // Whoever looks whether a place can be written sweeps it, too.
        drop(living.keep().unwrap());
        check_writable(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1 + others.len());
    }
}
