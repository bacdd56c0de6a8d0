//! Where things are on this machine: the one place that reads the environment.

use std::env::var_os;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use graft_host::cache::CacheConfig;
use graft_host::catalogue::fetch::{Network, Proxy};
use graft_host::engine::LibrarySearch;
use graft_host::features::Spill;
use graft_host::memory::available;

use crate::args::Global;

/// Features beyond this are removed, those used longest ago first.
const CACHE_LIMIT_BYTES: u64 = 8 << 30;

/// For features, where the system does not say what memory it has.
const UNKNOWN_MEMORY_BYTES: u64 = 1 << 30;

pub struct Locations {
    /// Models that were fetched or added.
    pub data: PathBuf,
    /// Features.
    pub cache: PathBuf,
}

impl Locations {
    /// The folders of the XDG base directory specification.
    pub fn find() -> anyhow::Result<Locations> {
        let folder = |variable: &str, below_home: &str| {
            // The specification says to ignore relative paths.
            let named = var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute());
            named
                .or_else(|| {
                    let home = var_os("HOME").map(PathBuf::from).filter(|p| p.is_absolute())?;
                    Some(home.join(below_home))
                })
                .map(|p| p.join("graft"))
                .with_context(|| {
                    format!(
                        "neither {variable} nor HOME is an absolute path: nowhere to keep models and features"
                    )
                })
        };
        Ok(Locations {
            data: folder("XDG_DATA_HOME", ".local/share")?,
            cache: folder("XDG_CACHE_HOME", ".cache")?,
        })
    }

    pub fn models(&self) -> PathBuf {
        self.data.join("models")
    }

    pub fn features(&self) -> CacheConfig {
        CacheConfig { folder: self.cache.join("features"), limit_bytes: CACHE_LIMIT_BYTES }
    }

    /// Where features go that are too many for memory. A quarter of what there is: a
    /// training has up to three such matrices at once, and is not alone.
    pub fn spill(&self) -> Spill {
        let above_bytes = available().map_or(UNKNOWN_MEMORY_BYTES, |bytes| bytes / 4);
        Spill { folder: self.cache.clone(), above_bytes }
    }

    /// `--ort-lib`, then `ORT_DYLIB_PATH`: what is named must be there. Else the
    /// data folder's and the system's. Never the current folder: whoever can
    /// write there could run anything.
    pub fn onnx_runtime(&self, global: &Global) -> LibrarySearch {
        let named = global
            .ort_lib
            .clone()
            .or_else(|| var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()).map(PathBuf::from));
        if let Some(path) = named {
            return LibrarySearch::Named(path);
        }
        let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
        let folders = [
            self.data.join("onnxruntime"),
            PathBuf::from("/usr/local/lib"),
            PathBuf::from("/usr/lib").join(triple),
            PathBuf::from("/usr/lib64"),
            PathBuf::from("/usr/lib"),
        ];
        LibrarySearch::FirstOf(folders.iter().flat_map(|f| libraries(f)).collect())
    }
}

/// How the network is reached: through the proxy that the customary variables
/// name, trusting the authorities that this machine trusts.
pub fn network() -> Network {
    let named = |names: &[&str]| {
        let values = names.iter().filter_map(|name| std::env::var(name).ok());
        values.into_iter().find(|value| !value.is_empty())
    };
    let except = named(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let proxy = named(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]).map(|url| Proxy {
        url,
        except: except.split(',').map(|host| host.trim().to_owned()).collect(),
    });
    let certificates =
        var_os("SSL_CERT_FILE").filter(|v| !v.is_empty()).map(PathBuf::from).or_else(|| {
            // Where Debian, Red Hat, SUSE and Alpine keep theirs.
            let known = [
                "/etc/ssl/certs/ca-certificates.crt",
                "/etc/pki/tls/certs/ca-bundle.crt",
                "/etc/ssl/ca-bundle.pem",
                "/etc/ssl/cert.pem",
            ];
            known.iter().map(PathBuf::from).find(|path| path.is_file())
        });
    Network { proxy, certificates, ..Network::default() }
}

/// `libonnxruntime.so` of a folder, and after it the versioned names that
/// distributions install without it, the newest first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let version = |path: &PathBuf| -> Option<Vec<u32>> {
        let name = path.file_name()?.to_str()?.strip_prefix("libonnxruntime.so.")?;
        name.split('.').map(|part| part.parse().ok()).collect()
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut versioned: Vec<(Vec<u32>, PathBuf)> =
        entries.map(|e| e.path()).filter_map(|p| Some((version(&p)?, p))).collect();
    versioned.sort();
    let plain = folder.join("libonnxruntime.so");
    [plain].into_iter().chain(versioned.into_iter().rev().map(|(_, path)| path)).collect()
}

/// The folders in which programs are looked for.
fn search_path() -> Vec<PathBuf> {
    // A relative entry would run whatever lies in the current folder.
    let folders = |path| std::env::split_paths(&path).filter(|p| p.is_absolute()).collect();
    var_os("PATH").map(folders).unwrap_or_default()
}

/// A program of that name, in the first of those folders that has it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// What is running.
pub fn this_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the system does not say where this program lies")
}

/// Where files lie that nobody needs afterwards.
pub fn scratch() -> PathBuf {
    std::env::temp_dir()
}
