//! Needs `make device`. The example and the misuse program, compiled by the cross
//! compilers against what it built, run by qemu's user-mode emulation.

use std::env;
use std::path::PathBuf;

use crate::bundles;
use crate::exports::check_stack;
use crate::native::{cases, check_answers, check_misuse};
use crate::programs::{Linking, Machine};

/// Another processor's order of additions.
const TOLERANCE: f32 = 1e-5;

struct Board {
    /// The folder below target/device/.
    arch: &'static str,
    compiler: &'static str,
    emulator: &'static str,
    cpu: &'static str,
    /// Where the cross compiler's shared C library is.
    sysroot: &'static str,
}

#[test]
fn aarch64_answers_as_this_machine_does() {
    check(&Board {
        arch: "aarch64",
        compiler: "aarch64-linux-gnu-gcc",
        emulator: "qemu-aarch64-static",
        cpu: "cortex-a53",
        sysroot: "/usr/aarch64-linux-gnu",
    });
}

#[test]
fn armv7_answers_as_this_machine_does() {
    check(&Board {
        arch: "armv7",
        compiler: "arm-linux-gnueabihf-gcc",
        emulator: "qemu-arm-static",
        cpu: "cortex-a7",
        sysroot: "/usr/arm-linux-gnueabihf",
    });
}

fn check(board: &Board) {
    let prefix = built(board.arch);
    let machine = Machine {
        compiler: board.compiler,
        emulator: [board.emulator, "-cpu", board.cpu, "-L", board.sysroot]
            .map(str::to_owned)
            .to_vec(),
    };
    let folder = tempfile::tempdir().unwrap();
    let (cases, arguments) = (cases(folder.path()), bundles::for_misuse(folder.path()));
    check_stack(&prefix.join("lib/libgraft_runtime.so"));
    for linking in [Linking::Static, Linking::Shared] {
        let package = (prefix.as_path(), linking);
        let classify = machine.compile("example/classify.c", package, &[], folder.path());
        check_stack(&classify);
        check_answers(&machine, &classify, &cases, TOLERANCE);
        let misuse = machine.compile("tests/c/misuse.c", package, &[], folder.path());
        check_misuse(&machine, &misuse, &arguments);
    }
}

/// What `make device` left for one architecture: include/, lib/, lib/pkgconfig/.
fn built(arch: &str) -> PathBuf {
    let folder = env::var_os("GRAFT_DEVICE_DIR").unwrap_or_else(|| "target/device".into());
    let prefix = crate::firmware("..").join(folder).join(arch);
    let package = prefix.join("lib/pkgconfig/graft.pc");
    assert!(package.is_file(), "there is no {}: run `make device`", package.display());
    prefix
}
