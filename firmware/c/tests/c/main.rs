//! The C interface from C: the example and a program that misuses it, compiled
//! by the system's compiler and by those for boards, against both libraries.

mod bundles;
mod exports;
mod guide;
mod header;
mod install;
mod native;
mod on_arm;
mod programs;

use std::path::PathBuf;

/// A path below `firmware/`.
fn firmware(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}
