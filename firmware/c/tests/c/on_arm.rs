//! Needs `make device`. The example and the misuse program, compiled by the cross
//! compilers against what it built, run by qemu's user-mode emulation.

use std::env;
use std::path::{Path, PathBuf};

use crate::bundles;
use crate::exports::check_stack;
use crate::native::{cases, check_answers, check_misuse, sentences};
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
        check_sentences_are_refused(&machine, &classify, folder.path());
        let misuse = machine.compile("tests/c/misuse.c", package, &[], folder.path());
        check_misuse(&machine, &misuse, &arguments);
    }
}

/// What `make device` builds is without what a tokenizer takes, and says so.
fn check_sentences_are_refused(machine: &Machine, classify: &Path, folder: &Path) {
    for case in sentences(folder) {
        let output = machine.start(classify, &case.arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("build it with the feature \"tokens\""), "{said}");
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
