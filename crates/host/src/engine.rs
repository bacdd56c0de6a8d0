//! ONNX Runtime: finding its library, loading it once, and running networks.

use std::path::{Path, PathBuf};

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;

use crate::provider::Provider;

mod library;
mod network;
mod step;

pub use network::{Network, NetworkError};
pub(crate) use step::{Batch, Step};

/// The oldest ONNX Runtime 1.x that works: what the crate `ort` was built for.
pub const OLDEST_MINOR: u32 = ort::MINOR_VERSION;

/// ONNX Runtime, loaded. One a process; make it when a network is first needed.
pub struct Engine {
    environment: ort::environment::Environment,
    library: PathBuf,
    version: String,
}

/// ONNX Runtime is not there, or not usable.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// None in any place that was searched.
    #[error(
        "no ONNX Runtime library (libonnxruntime.so, 1.{OLDEST_MINOR} or newer) found; searched {}",
        list(searched)
    )]
    NotFound { searched: Vec<PathBuf> },
    /// The one that was named isn't there.
    #[error("no ONNX Runtime library at {}", path.display())]
    NamedNotFound { path: PathBuf, source: std::io::Error },
    /// The system's loader refused it.
    #[error("cannot load {} as a library: {reason}", path.display())]
    NotLoadable { path: PathBuf, reason: String },
    /// A library, but another one.
    #[error("{} is not ONNX Runtime: it has no OrtGetApiBase", path.display())]
    NotOnnxRuntime { path: PathBuf },
    /// Too old, or a 2.x that we know nothing of.
    #[error("{} is ONNX Runtime {version}; 1.{OLDEST_MINOR} or newer is needed", path.display())]
    Version { path: PathBuf, version: String },
    /// It loaded, but did not start.
    #[error("ONNX Runtime {version} at {} does not start: {reason}", path.display())]
    Start { path: PathBuf, version: String, reason: String },
}

/// Where the library may be.
#[derive(Clone, Debug)]
pub enum LibrarySearch {
    /// Here, or it is an error.
    Named(PathBuf),
    /// The first that exists of these absolute paths.
    FirstOf(Vec<PathBuf>),
}

impl LibrarySearch {
    /// The library's absolute path.
    pub fn find(&self) -> Result<PathBuf, EngineError> {
        match self {
            // An absolute path keeps the system's loader from searching for it.
            LibrarySearch::Named(path) => std::fs::canonicalize(path)
                .map_err(|source| EngineError::NamedNotFound { path: path.clone(), source }),
            LibrarySearch::FirstOf(paths) => paths
                .iter()
                .filter(|p| p.is_absolute())
                .find_map(|p| std::fs::canonicalize(p).ok())
                .ok_or_else(|| EngineError::NotFound { searched: paths.clone() }),
        }
    }
}

impl Engine {
    /// Loads the library that `search` finds. A library that was loaded once in
    /// this process stays; asking for another one later is a bug of the caller.
    pub fn load(search: &LibrarySearch) -> Result<Engine, EngineError> {
        let library = search.find()?;
        let version = library::version(&library)?;
        let start = |reason: String| EngineError::Start {
            path: library.clone(),
            version: version.clone(),
            reason,
        };
        let environment = ort::init_from(&library)
            .map_err(|e| start(format!("{e:?}")))?
            .with_telemetry(false)
            .build()
            .map_err(|e| start(format!("{e:?}")))?;
        Ok(Engine { environment, library, version })
    }

    /// The library's version, such as `1.32.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library's absolute path.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Whether a provider can be used: makes a session with it, since being
    /// compiled in says nothing about the libraries it needs.
    pub fn try_provider(&self, provider: &Provider, model: &[u8]) -> Result<(), NetworkError> {
        Network::open(self, model, provider, 1).map(drop)
    }

    fn session(
        &self,
        model: &[u8],
        provider: &Provider,
        threads: usize,
        waiting: Waiting,
    ) -> Result<Session, NetworkError> {
        if !provider.is_compiled_in() {
            return Err(NetworkError::ProviderMissing {
                provider: provider.name(),
                library: self.library.clone(),
            });
        }
        if let Provider::TensorRt { cache, .. } = provider {
            std::fs::create_dir_all(cache).map_err(|e| NetworkError::Provider {
                provider: provider.name(),
                reason: format!("cannot make the folder {} for its engines: {e}", cache.display()),
            })?;
        }
        let build = || -> Result<Session, String> {
            fn text<E: std::fmt::Debug>(error: E) -> String {
                // Only Debug carries the loader's reason.
                format!("{error:?}")
            }
            let mut builder = Session::builder(&self.environment)
                .map_err(text)?
                // All of the gain comes with the blocked layouts of this level.
                .with_optimization_level(GraphOptimizationLevel::All)
                .map_err(text)?
                .with_intra_threads(threads)
                .map_err(text)?
                .with_intra_op_spinning(waiting == Waiting::Spinning)
                .map_err(text)?;
            if let Some(dispatch) = provider.dispatch() {
                builder = builder.with_execution_providers([dispatch]).map_err(text)?;
            }
            builder.commit_from_memory(model).map_err(text)
        };
        build().map_err(|reason| match provider {
            Provider::Cpu => NetworkError::Open { reason },
            _ => NetworkError::Provider { provider: provider.name(), reason },
        })
    }
}

/// What threads of a session do between two pieces of work.
#[derive(Clone, Copy, PartialEq)]
enum Waiting {
    /// Sleep. Sessions share the cores with decoding and with each other; a
    /// spinning thread of one is a missing core of another.
    Blocked,
    /// Look for work. A session that has the machine to itself and small pieces
    /// of work, as a training step has, gains a third by it.
    Spinning,
}

/// The instruction sets that decide which kernels run, and so the last bits of
/// results.
pub fn cpu_features() -> String {
    let mut found: Vec<&str> = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! note {
            ($($name:tt),*) => { $(if std::arch::is_x86_feature_detected!($name) { found.push($name); })* };
        }
        note!("avx", "fma", "avx2", "avx512f", "avx512vnni");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! note {
            ($($name:tt),*) => { $(if std::arch::is_aarch64_feature_detected!($name) { found.push($name); })* };
        }
        note!("neon", "fp16", "dotprod", "i8mm", "sve");
    }
    found.join(" ")
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The one engine that all tests of a process share: there can be no second.
#[cfg(test)]
pub(crate) fn of_tests() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| {
        let there = || {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            root.join(".deps/onnxruntime/libonnxruntime.so")
        };
        let library = std::env::var_os("ORT_DYLIB_PATH").map_or_else(there, PathBuf::from);
        Engine::load(&LibrarySearch::Named(library)).expect("`make setup` fetched ONNX Runtime")
    })
}
