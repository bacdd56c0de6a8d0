use std::path::{Path, PathBuf};

use anyhow::Context as _;
use graft_host::backbone::{Backbone, Pool, Pretrained, open_entry};
use graft_host::catalogue;
use graft_host::engine::{Engine, LibrarySearch};

/// What all comparisons share.
pub struct Setting {
    pub engine: Engine,
    pub backbone: Backbone,
    /// Cores that this process may use.
    pub threads: usize,
}

impl Setting {
    pub fn open() -> anyhow::Result<Setting> {
        Ok(Setting {
            engine: Engine::load(&LibrarySearch::Named(library()?))?,
            backbone: backbone()?,
            threads: std::thread::available_parallelism()?.get(),
        })
    }
}

pub fn library() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("ORT_DYLIB_PATH")
        .context("ORT_DYLIB_PATH names no ONNX Runtime library; make bench sets it")?;
    Ok(PathBuf::from(path))
}

pub fn backbone() -> anyhow::Result<Backbone> {
    Ok(pretrained()?.cut(None, Pool::Mean)?)
}

/// The one that is built in, without looking at a person's own models.
pub fn pretrained() -> anyhow::Result<Pretrained> {
    let entry = catalogue::find(Path::new("no models of a person's own"), "mobilenet_v2")?;
    Ok(open_entry(&entry)?)
}
