//! Networks of Caffe answer what OpenCV's reader of Caffe answers, and what the
//! same network gives that others turned into ONNX.

mod command;
mod expected;
mod networks;

use std::path::PathBuf;

/// Where `make setup` puts what may not be committed.
fn deps(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.deps").join(path)
}
