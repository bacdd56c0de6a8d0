//! Who may depend on whom.
//!
//! The workspace's own edges come from `cargo metadata --no-deps`; what lies
//! below a foreign crate comes from Cargo.lock. The lock file knows every target
//! and every feature that any member turns on, so the closures here are larger
//! than those of one build: what they lack, no build links. (`cargo metadata`
//! with dependencies would have to download those of all targets.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::{assert_none, root};

/// The arrows of ARCHITECTURE.md: a crate, and the crates of ours it may build on.
const ARROWS: &[(&str, &[&str])] = &[
    ("graft-spec", &[]),
    ("graft-onnx", &[]),
    ("graft-words", &[]),
    ("graft-bundle", &["graft-spec"]),
    ("graft-input", &["graft-spec"]),
    ("graft-learn", &["graft-spec"]),
    ("graft-runtime", &["graft-bundle", "graft-input", "graft-spec"]),
    ("graft-agent", &["graft-bundle", "graft-input", "graft-runtime", "graft-spec"]),
    ("graft-c", &["graft-bundle", "graft-input", "graft-runtime", "graft-spec"]),
    (
        "graft-host",
        &[
            "graft-bundle",
            "graft-input",
            "graft-learn",
            "graft-onnx",
            "graft-runtime",
            "graft-spec",
            "graft-words",
        ],
    ),
    (
        "graft-cli",
        &[
            "graft-bundle",
            "graft-host",
            "graft-learn",
            "graft-onnx",
            "graft-runtime",
            "graft-spec",
            "graft-words",
        ],
    ),
];

/// What ends up in a device's binary.
const DEVICE: &[&str] = &["graft-runtime", "graft-agent", "graft-c"];

/// What a device's binary never links.
const NOT_ON_A_DEVICE: &[&str] = &[
    "ort",
    "ort-sys",
    "libloading",
    "clap",
    "graft-host",
    "graft-cli",
    "graft-learn",
    "graft-onnx",
    "graft-words",
    // Ways to a GPU.
    "ash",
    "cudarc",
    "cust",
    "metal",
    "ocl",
    "opencl3",
    "objc2-metal",
    "vulkano",
    "wgpu",
    // A device asks nobody.
    "openssl-sys",
    "reqwest",
    "rustls",
    "ureq",
];

/// Crates that only one of ours may name.
const SOLE_USERS: &[(&str, &str)] = &[
    ("ort", "graft-host"),
    ("tract", "graft-runtime"),
    ("tokenizers", "graft-input"),
    ("clap", "graft-cli"),
];

#[test]
fn crates_depend_along_the_arrows() {
    let crates = shipped_crates();
    let drawn: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let exist: BTreeSet<_> = crates.keys().cloned().collect();
    assert_eq!(exist, drawn, "the workspace and the arrows name different crates");

    let mut against = Vec::new();
    for (name, allowed) in ARROWS {
        for dependency in crates[*name].iter().filter(|dependency| dependency.starts_with("graft-"))
        {
            if !allowed.contains(&dependency.as_str()) {
                against.push(format!("{name} -> {dependency}"));
            }
        }
    }
    assert_none(against, "not an arrow of ARCHITECTURE.md");
}

#[test]
fn the_spec_builds_on_serde_alone() {
    assert_eq!(shipped_crates()["graft-spec"], BTreeSet::from(["serde".to_owned()]));
}

#[test]
fn engines_and_clap_have_one_user_each() {
    let mut strays = Vec::new();
    for (name, dependencies) in shipped_crates() {
        for dependency in &dependencies {
            for (engine, user) in SOLE_USERS {
                let is_of = dependency == engine || dependency.starts_with(&format!("{engine}-"));
                if is_of && name != *user {
                    strays.push(format!("{name} depends on {dependency}, which is {user}'s"));
                }
            }
        }
    }
    assert_none(strays, "a crate uses what belongs to another");
}

#[test]
fn the_device_links_no_host_engine() {
    let below = Below::read();
    for device in DEVICE {
        let closure = below.closure(device);
        assert!(
            closure.contains("tract-onnx"),
            "the closure of {device} lacks its own engine: {closure:?}"
        );
        let found: Vec<_> = NOT_ON_A_DEVICE
            .iter()
            .filter(|name| closure.contains(**name))
            .map(|name| below.path(device, name).join(" -> "))
            .collect();
        assert_none(found, "a device's binary would link");
    }
}

/// That the search finds what is there: the host does link what the device may not.
#[test]
fn the_host_links_onnx_runtime() {
    let closure = Below::read().closure("graft-cli");
    for name in ["ort", "ort-sys", "libloading", "clap"] {
        assert!(closure.contains(name), "{name} was not found below graft-cli");
    }
}

/// The crates of crates/ with their direct dependencies, development ones left out.
fn shipped_crates() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").expect("cargo sets CARGO for tests");
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    metadata["packages"]
        .as_array()
        .expect("packages is an array")
        .iter()
        .filter(|package| text(&package["name"]) != "graft-tests")
        .map(|package| {
            let dependencies =
                package["dependencies"].as_array().expect("dependencies is an array");
            // `kind` is null for a normal dependency.
            let shipped = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
            (text(&package["name"]), shipped.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

/// What stands directly below each crate of the graph.
struct Below(BTreeMap<String, BTreeSet<String>>);

impl Below {
    fn read() -> Below {
        let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock can be read");
        let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
        let mut below = BTreeMap::<String, BTreeSet<String>>::new();
        for package in lock["package"].as_array().expect("package is an array") {
            // Versions of one crate are taken together: names are what is forbidden.
            let entry =
                below.entry(package["name"].as_str().expect("a string").to_owned()).or_default();
            for dependency in
                package.get("dependencies").and_then(|list| list.as_array()).into_iter().flatten()
            {
                // "name", "name version" or "name version (source)".
                let name = dependency
                    .as_str()
                    .expect("a string")
                    .split(' ')
                    .next()
                    .expect("split gives one");
                entry.insert(name.to_owned());
            }
        }
        // The lock file mixes in development dependencies; ours are known better.
        below.extend(shipped_crates());
        Below(below)
    }

    fn closure(&self, of: &str) -> BTreeSet<String> {
        self.parents(of).into_keys().collect()
    }

    /// The shortest way from a crate down to another, both named.
    fn path(&self, from: &str, to: &str) -> Vec<String> {
        let parents = self.parents(from);
        let mut path = vec![to.to_owned()];
        while let Some(parent) = parents.get(path.last().expect("it starts with one")) {
            path.push(parent.clone());
        }
        path.reverse();
        path
    }

    /// Everything below a crate, each with the crate through which it was first reached.
    fn parents(&self, of: &str) -> BTreeMap<String, String> {
        let mut parents = BTreeMap::new();
        let mut level = vec![of.to_owned()];
        while !level.is_empty() {
            let mut next = Vec::new();
            for name in &level {
                for dependency in self.0.get(name).into_iter().flatten() {
                    if dependency != of && !parents.contains_key(dependency) {
                        parents.insert(dependency.clone(), name.clone());
                        next.push(dependency.clone());
                    }
                }
            }
            level = next;
        }
        parents
    }
}
