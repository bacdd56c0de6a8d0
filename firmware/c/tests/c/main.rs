//! The C interface from C: the example and a program that misuses it, compiled
//! by the system's compiler and by those for boards, against both libraries.

mod bundles;
mod cross;
mod exports;
mod header;
mod install;
mod native;
mod programs;

use std::path::PathBuf;

/// A path below `firmware/`.
fn firmware(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}
