//! On boards: the example and the misuse program, compiled by the cross
//! compilers against what `make device` built, run by qemu.

use std::env;
use std::path::{Path, PathBuf};

use crate::bundles;
use crate::native::{cases, check_answers, check_misuse};
use crate::programs::{Linking, Machine};

/// Another processor's order of additions.
const TOLERANCE: f32 = 1e-5;

struct Board {
    /// The folder below GRAFT_DEVICE_DIR.
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
    let Some(prefix) = device_folder() else {
        println!("not run: {} C programs: GRAFT_DEVICE_DIR names no `make device`", board.arch);
        return;
    };
    let prefix = prefix.join(board.arch);
    let machine = Machine {
        compiler: board.compiler,
        emulator: [board.emulator, "-cpu", board.cpu, "-L", board.sysroot]
            .map(str::to_owned)
            .to_vec(),
    };
    let folder = tempfile::tempdir().unwrap();
    let (cases, arguments) = (cases(folder.path()), bundles::for_misuse(folder.path()));
    for linking in [Linking::Static, Linking::Shared] {
        let package: (&Path, _) = (&prefix, linking);
        let classify = machine.compile("example/classify.c", package, &[], folder.path());
        check_answers(&machine, &classify, &cases, TOLERANCE);
        let misuse = machine.compile("tests/c/misuse.c", package, &[], folder.path());
        check_misuse(&machine, &misuse, &arguments);
    }
}

/// What `tests/run.sh` names after `make device`: with <arch>/ below it.
fn device_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("GRAFT_DEVICE_DIR")?);
    // Tests run in their package's folder, and it may have been named from the
    // root.
    Some(crate::firmware("..").join(folder))
}
