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

impl WriteError {
    fn new(path: &Path, error: std::io::Error) -> WriteError {
        // The library behind this wraps the system's error to add the temporary
        // file's name, of which nobody has heard.
        let wrapped = error
            .get_ref()
            .and_then(|e| e.source()?.downcast_ref::<std::io::Error>()?.raw_os_error());
        let source = match wrapped {
            Some(code) => std::io::Error::from_raw_os_error(code),
            None => error,
        };
        WriteError { path: path.to_path_buf(), source }
    }
}

/// Writes `bytes` beside `path`, syncs, and renames: whoever opens `path` finds
/// the old file or the new one, whole. On an error nothing is left behind.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let fail = |error| WriteError::new(path, error);
    let mut file = beside(path).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Finds out now, before hours of work, whether `path` can be written later.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    let fail = |error| WriteError::new(path, error);
    if path.is_dir() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    beside(path).map_err(fail).map(drop)
}

fn beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    // Temporary files are private by default; these are to be shared. The mode
    // is subject to the umask, as any other new file's.
    tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".part")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
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
