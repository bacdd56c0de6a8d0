//! Needs `make device`.

mod answers;
mod bench;
mod demo_bundle;
mod files;
mod sentences;
mod tensors;
mod texts;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use graft_tests::sandbox::repository;

use crate::board_files::{Arch, boards};

/// What `make device` left for one architecture.
#[track_caller]
fn built(arch: Arch, file: &str) -> PathBuf {
    let folder = match std::env::var_os("GRAFT_DEVICE_DIR") {
        Some(folder) => repository().join(folder),
        None => repository().join("target/device"),
    };
    let path = folder.join(arch.folder()).join(file);
    assert!(path.is_file(), "there is no {}: run `make device`", path.display());
    path
}

/// A program for ARM under emulation, on one processor.
fn emulated(arch: Arch, cpu: &str, program: &str) -> Command {
    let emulator = match arch {
        Arch::Aarch64 => "qemu-aarch64-static",
        Arch::Armv7 => "qemu-arm-static",
    };
    let mut command = Command::new(emulator);
    command.args(["-cpu", cpu]).arg(built(arch, program));
    // Whoever has it set has it set on boards too, and graftd has no tables for it.
    command.env("RUST_BACKTRACE", "1");
    command
}

/// The processors of all boards.
fn processors() -> BTreeSet<(Arch, String)> {
    let found: BTreeSet<_> = boards().into_values().map(|board| (board.arch, board.cpu)).collect();
    assert!(found.len() >= 3, "{found:?}");
    found
}
