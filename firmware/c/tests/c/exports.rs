//! What the shared library shows to a linker.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::install;
use crate::programs::run;

#[test]
fn it_exports_the_headers_functions_alone() {
    let library = install::host().join("lib/libgraft_runtime.so");
    let listed = run(Command::new("nm").args(["--dynamic", "--defined-only"]).arg(library));
    let exported: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.split_whitespace().last()).collect();

    let header = fs::read_to_string(install::host().join("include/graft.h")).unwrap();
    // Declarations stand at the start of a line and in no comment.
    let declared: BTreeSet<&str> = header
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .collect();
    assert_eq!(exported, declared);
    assert!(exported.contains("graft_open_file") && exported.len() == 10, "{exported:?}");
}

#[test]
fn its_name_carries_the_version_of_its_interface() {
    let library = install::host().join("lib/libgraft_runtime.so");
    let dynamic = run(Command::new("readelf").arg("--dynamic").arg(library));
    assert!(dynamic.contains("Library soname: [libgraft_runtime.so.0]"), "{dynamic}");
}
