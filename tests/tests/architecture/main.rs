//! The invariants of the architecture that no compiler holds: who depends on
//! whom, what stays private, what libraries leave alone, and links that lead
//! somewhere. Works on the sources, the manifests and the lock file; needs no
//! network.

mod dependencies;
mod links;
mod signatures;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// All files below `folder` with this extension, sorted; hidden folders and build outputs left out.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the checkout can be read") {
            let path = entry.expect("a folder of the checkout can be read").path();
            let name =
                path.file_name().and_then(|name| name.to_str()).expect("names here are UTF-8");
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The sources of the library crates, by crate: everything but the command line.
fn libraries() -> Vec<(String, Vec<PathBuf>)> {
    let mut crates: Vec<_> = fs::read_dir(root().join("crates"))
        .expect("crates/ can be read")
        .map(|entry| {
            entry
                .expect("crates/ can be read")
                .file_name()
                .into_string()
                .expect("names here are UTF-8")
        })
        .filter(|name| name != "cli")
        .collect();
    crates.sort();
    crates
        .into_iter()
        .map(|name| {
            let sources = files(&root().join("crates").join(&name).join("src"), "rs");
            (name, sources)
        })
        .collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn assert_none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}
