//! What kind of files `make device` makes, as binutils sees them.

use std::path::Path;
use std::process::Command;

use graft_tests::sandbox::run;

use super::built;
use crate::board_files::{Arch, boards};

fn readelf(flags: &str, file: &Path) -> String {
    run(Command::new("readelf").args(["--wide", flags]).arg(file)).done().stdout
}

/// The names that a library offers, by `nm`.
fn offered(arch: Arch, flags: &[&str], file: &str) -> Vec<String> {
    let nm = match arch {
        Arch::Aarch64 => "aarch64-linux-gnu-nm",
        Arch::Armv7 => "arm-linux-gnueabihf-nm",
    };
    let said = run(Command::new(nm).args(flags).arg(built(arch, file))).done();
    let symbols = said.stdout.lines().filter_map(|line| line.split_whitespace().nth(2));
    symbols.map(str::to_owned).collect()
}

#[test]
fn graftd_is_static_stripped_and_of_its_processor() {
    for arch in Arch::ALL {
        let file = built(arch, "graftd");
        let header = readelf("--file-header", &file);
        let machine = match arch {
            Arch::Aarch64 => "AArch64",
            Arch::Armv7 => "ARM",
        };
        let line = format!("Machine:                           {machine}\n");
        assert!(header.contains(&line), "{header}");
        let segments = readelf("--segments", &file);
        assert!(!segments.contains("INTERP"), "{arch:?}: it wants a loader: {segments}");
        let dynamic = readelf("--dynamic", &file);
        assert!(!dynamic.contains("NEEDED"), "{arch:?}: it wants libraries: {dynamic}");
        let sections = readelf("--sections", &file);
        for left in [".symtab", ".debug_info"] {
            assert!(!sections.contains(left), "{arch:?}: it is not stripped: {sections}");
        }
    }
    let attributes = readelf("--arch-specific", &built(Arch::Armv7, "graftd"));
    for wanted in ["Tag_CPU_arch: v7", "Tag_ABI_VFP_args: VFP registers"] {
        assert!(attributes.contains(wanted), "{attributes}");
    }
}

#[test]
fn graftd_is_within_the_budget_of_every_board() {
    for (file, board) in boards() {
        for (program, budget) in [
            ("graftd", board.budget.graftd_bytes),
            ("tokens/graftd", board.budget.graftd_tokens_bytes),
        ] {
            let path = built(board.arch, program);
            let size = path.metadata().expect("the program can be looked at").len();
            assert!(size <= budget, "{file}: {program} is {size} bytes, the budget is {budget}");
        }
    }
}

#[test]
fn the_c_library_offers_its_interface_and_nothing_else() {
    for arch in Arch::ALL {
        let names = offered(arch, &["--dynamic", "--defined-only"], "lib/libgraft_runtime.so");
        let foreign: Vec<_> = names.iter().filter(|name| !name.starts_with("graft_")).collect();
        assert!(foreign.is_empty(), "{arch:?}: {foreign:?}");
        assert!(!names.is_empty(), "{arch:?}: the library offers nothing");
        let archived = offered(arch, &["--defined-only"], "lib/libgraft_runtime.a");
        for name in names {
            assert!(archived.contains(&name), "{arch:?}: {name} is not in the archive");
        }
    }
}
