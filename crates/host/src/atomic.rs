//! Files that are seen whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

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
    let mut source = std::fs::File::open(from).map_err(fail)?;
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

fn beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    // Temporary files are private by default; these are to be shared, so they
    // are opened as any other new file, subject to the umask.
    let open = |path: &Path| std::fs::File::create_new(path);
    tempfile::Builder::new().prefix(&prefix).suffix(".part").make_in(folder, open)
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
}
