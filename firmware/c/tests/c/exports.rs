//! What a linker and a loader see.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
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
    assert!(exported.contains("graft_open_file") && exported.len() == 12, "{exported:?}");
}

#[test]
fn its_name_carries_the_version_of_its_interface() {
    let library = install::host().join("lib/libgraft_runtime.so");
    let dynamic = run(Command::new("readelf").arg("--dynamic").arg(library));
    assert!(dynamic.contains("Library soname: [libgraft_runtime.so.0]"), "{dynamic}");
}

#[test]
fn its_stack_is_not_executable() {
    check_stack(&install::host().join("lib/libgraft_runtime.so"));
}

/// One object of assembly that does not ask for a plain stack makes that of the
/// whole program executable.
pub fn check_stack(file: &Path) {
    let segments = run(Command::new("readelf").args(["--segments", "--wide"]).arg(file));
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).map(str::to_owned);
    assert!(
        stack.as_ref().is_some_and(|stack| stack.contains(" RW ")),
        "{}: {stack:?}",
        file.display()
    );
}
