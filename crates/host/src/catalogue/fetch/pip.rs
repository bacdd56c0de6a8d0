//! Files of Python packages. Wheels are pip's work, which knows the person's
//! indexes and mirrors. Source distributions are not: pip would run the package's
//! own build script to learn its metadata, so only the index is asked of pip.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use super::super::source::{Sdist, Wheel};
use super::http::{HttpError, Network, agent, check_url};

/// Has pip say where it looks if it isn't told.
const ASK_FOR_INDEX: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";

/// The list of a package's files, PEP 691.
const LISTING: &str = "application/vnd.pypi.simple.v1+json";
const LARGEST_LISTING: u64 = 64 << 20;

/// A package that could not be got.
#[derive(Debug, thiserror::Error)]
pub enum PipError {
    /// No Python, or no pip.
    #[error("cannot run `python3 -m pip`, which fetches packages: install python3 and pip")]
    NoPip { source: std::io::Error },
    /// pip said no.
    #[error("pip cannot download {package} {version}: {reason}")]
    Failed { package: String, version: String, reason: String },
    /// pip doesn't say which index it asks.
    #[error(
        "pip does not say which index it asks: name one with `pip config set global.index-url ADDRESS`"
    )]
    NoIndex,
    /// pip's index can't be asked here.
    #[error("pip's index {index:?} {problem}")]
    Index { index: String, problem: super::UrlProblem },
    /// It answers in no form that is read here.
    #[error("{url} is not a package's list of files as PEP 691 describes it")]
    Listing { url: String },
    /// No such file.
    #[error("the index lists no file of {package} with sha256 {sha256}, which {version} should be")]
    Absent { package: String, version: String, sha256: String },
    /// The list could not be got.
    #[error("{0}")]
    Http(#[from] HttpError),
}

/// Gets a wheel into `folder`.
pub(super) fn download(wheel: &Wheel, folder: &Path) -> Result<PathBuf, PipError> {
    let Wheel { package, version, .. } = wheel;
    let output = pip(|pip| {
        pip.args(["download", "--quiet", "--disable-pip-version-check"])
            .args(["--no-deps", "--only-binary=:all:", "--dest"])
            .arg(folder)
            .arg(format!("{package}=={version}"))
    })?;
    let fail = |reason: String| PipError::Failed {
        package: package.clone(),
        version: version.clone(),
        reason,
    };
    if !output.status.success() {
        return Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    std::fs::read_dir(folder)
        .map_err(|error| fail(error.to_string()))?
        .filter_map(|e| Some(e.ok()?.path()))
        .find(|p| p.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| fail("it left no wheel".to_owned()))
}

/// Where the index says that the archive with this digest lies.
pub(super) fn sdist_url(sdist: &Sdist, network: &Network) -> Result<String, PipError> {
    let output = pip(|pip| pip.args(["config", "list"]))?;
    let index = match index_of(&String::from_utf8_lossy(&output.stdout)) {
        Some(index) => index,
        None => default_index()?,
    };
    check_url(&index).map_err(|problem| PipError::Index { index: index.clone(), problem })?;
    let url = format!("{}/{}/", index.trim_end_matches('/'), normalized(&sdist.package));
    let unreachable =
        |error: ureq::Error| HttpError::Unreachable { url: url.clone(), source: Box::new(error) };
    let mut response =
        agent(network, &url)?.get(&url).header("Accept", LISTING).call().map_err(unreachable)?;
    if response.status() != 200 {
        return Err(HttpError::Status { url, status: response.status().as_u16() }.into());
    }
    let text = response.body_mut().with_config().limit(LARGEST_LISTING).read_to_string();
    let text = text.map_err(unreachable)?;
    let listing = serde_json::from_str::<Listing>(&text).ok();
    let listing = listing.ok_or_else(|| PipError::Listing { url: url.clone() })?;
    let found = listing.files.into_iter().find(|f| {
        f.hashes.sha256.as_ref().is_some_and(|s| s.eq_ignore_ascii_case(&sdist.sdist_sha256))
    });
    let Some(file) = found else {
        return Err(PipError::Absent {
            package: sdist.package.clone(),
            version: sdist.version.clone(),
            sha256: sdist.sdist_sha256.clone(),
        });
    };
    let file = absolute(&url, &file.url).ok_or(PipError::Listing { url })?;
    check_url(&file).map_err(|problem| PipError::Index { index: file.clone(), problem })?;
    Ok(file)
}

#[derive(Deserialize)]
struct Listing {
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    url: String,
    hashes: Hashes,
}

#[derive(Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

fn pip(arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<Output, PipError> {
    let mut command = Command::new("python3");
    arguments(command.args(["-m", "pip"])).output().map_err(|source| PipError::NoPip { source })
}

/// What pip asks if nobody names an index.
fn default_index() -> Result<String, PipError> {
    let output = Command::new("python3").args(["-c", ASK_FOR_INDEX]).output();
    let output = output.map_err(|source| PipError::NoPip { source })?;
    let index = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !index.is_empty() { Ok(index) } else { Err(PipError::NoIndex) }
}

/// Of `pip config list`: what the environment says, else the files for downloads,
/// else the files for everything.
fn index_of(config: &str) -> Option<String> {
    let said = |section: &str| {
        let value =
            config.lines().find_map(|l| l.strip_prefix(section)?.strip_prefix(".index-url="));
        value.map(|v| v.trim().trim_matches(['\'', '"']).to_owned())
    };
    [":env:", "download", "global"].into_iter().find_map(said)
}

/// PEP 503: how an index writes a package's name.
fn normalized(package: &str) -> String {
    let parts = package.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

/// An address in a list is whole, or begins at the root of its host.
fn absolute(listing: &str, file: &str) -> Option<String> {
    if file.contains("://") {
        return Some(file.to_owned());
    }
    let host = listing.find("://").map(|i| i + 3)?;
    let root = listing[host..].find('/').map_or(listing.len(), |i| host + i);
    file.starts_with('/').then(|| format!("{}{file}", &listing[..root]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_one_that_pip_would_ask() {
        let check = |config: &str, index: Option<&str>| {
            assert_eq!(index_of(config).as_deref(), index, "{config}");
        };
        check("", None);
        check("global.timeout='60'\n", None);
        check("global.index-url='https://a.example/simple'\n", Some("https://a.example/simple"));
        let both =
            "global.index-url='https://a.example/s'\n:env:.index-url='https://b.example/s/'\n";
        check(both, Some("https://b.example/s/"));
        assert!(default_index().unwrap().starts_with("https://"));
    }

    #[test]
    fn names_and_addresses_are_as_the_standards_say() {
        // The example of PEP 503.
        assert_eq!(normalized("Friendly._-.Bard"), "friendly-bard");
        let absolute = |file| absolute("https://a.example/simple/net/", file);
        assert_eq!(absolute("https://b.example/f").as_deref(), Some("https://b.example/f"));
        assert_eq!(absolute("/files/f").as_deref(), Some("https://a.example/files/f"));
        assert_eq!(absolute("files/f"), None);
    }
}
