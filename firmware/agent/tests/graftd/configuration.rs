//! Flags, the configuration file, and the bundle at the start.

use std::process::Output;

use crate::*;

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_graftd")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Refused with this status and these words, and nothing answered.
fn check(arguments: &[&str], status: i32, words: &[&str]) {
    let (code, stdout, stderr) = output(arguments);
    assert_eq!(code, Some(status), "{arguments:?}: {stderr}");
    assert_eq!(stdout, "", "{arguments:?}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in {stderr}");
    }
}

#[test]
fn wrong_flags_and_files_end_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_file(folder.path(), "g.toml", b"top = 2\n[smooth]\nwindows = 3\n");
    check(&["--config", &file], 2, &["g.toml", "line 3, column 1", "unknown field `windows`"]);
    check(&["--config", "/nowhere.toml"], 2, &["cannot read", "/nowhere.toml"]);
    check(&["--bundel", TINY], 2, &["--bundel", "--help"]);
    check(&["--source", "webcam"], 2, &["--source", "v4l2:DEVICE"]);
    check(&["--format", "h264"], 2, &["h264", "mjpeg"]);
    check(&["--size", "640"], 2, &["WIDTHxHEIGHT"]);
    check(&["--top", "many"], 2, &["many"]);
    check(&["--source", "stdin"], 2, &["no bundle is given", "--bundle"]);
    check(&["--bundle", TINY], 2, &["no source is given"]);
    check(
        &["--bundle", TINY, "--source", "stdin", "--format", "rgb"],
        2,
        &["raw frames need a size", "--size"],
    );
}

#[test]
fn the_file_of_defaults_needs_only_what_has_none() {
    let defaults = concat!(env!("CARGO_MANIFEST_DIR"), "/graftd.toml");
    check(&["--config", defaults, "--check-config"], 2, &["no bundle is given"]);
    let arguments = ["--config", defaults, "--check-config", "--bundle", "b", "--source", "stdin"];
    let (code, stdout, _) = output(&arguments);
    assert_eq!((code, stdout.as_str()), (Some(0), "graftd: flags and configuration are right\n"));
}

#[test]
fn help_and_version_are_on_standard_output() {
    let (code, stdout, stderr) = output(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("graftd: ") && stdout.contains("--bundle FILE"));
    let (code, stdout, _) = output(&["--version", "--nonsense"]);
    assert_eq!(code, Some(0));
    assert_eq!(stdout, concat!("graftd ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn flags_win_over_the_file_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let frames = write_file(folder.path(), "f", &raw(&pictures(1)));
    let settings = format!(
        "bundle = {TINY:?}\nsource = \"replay:{frames}\"\ntop = 1\n\
         [frames]\nformat = \"rgb\"\nwidth = 32\nheight = 32\n"
    );
    let file = write_file(folder.path(), "g.toml", settings.as_bytes());
    let listed = |arguments: &[&str]| {
        let (code, stdout, stderr) = output(arguments);
        assert_eq!(code, Some(0), "{stderr}");
        let line: Value = serde_json::from_str(&stdout).unwrap();
        line["top"].as_array().unwrap().len()
    };
    assert_eq!(listed(&["--config", &file]), 1);
    assert_eq!(listed(&["--top", "4", "--config", &file]), 4);
    // There are four labels.
    assert_eq!(listed(&["--config", &file, "--top", "9"]), 4);
}

#[test]
fn a_bundle_that_does_not_hold_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let frames = write_file(folder.path(), "f", &raw(&pictures(1)));
    let source = format!("replay:{frames}");
    let refused = |bundle: &str, words: &[&str]| {
        let arguments =
            ["--bundle", bundle, "--source", &source, "--format", "rgb", "--size", "32x32"];
        check(&arguments, 1, words);
    };
    refused("/nowhere.graft", &["/nowhere.graft", "cannot read the bundle"]);

    let mut damaged = std::fs::read(TINY).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    refused(&write_file(folder.path(), "damaged", &damaged), &["does not match its digest"]);

    let other = changed(|contents| contents.models[0].references.items[1].logits[2] += 0.5);
    refused(
        &write_file(folder.path(), "other", &other),
        &["does not answer here as it did on the host", "reference 1 gives logit"],
    );
}

#[test]
fn a_bundle_can_be_checked_alone() {
    let (code, stdout, stderr) = output(&["--check-bundle", "--bundle", TINY]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    assert!(stderr.contains("3 references hold"), "{stderr}");
    check(&["--check-bundle", "--bundle", "/nowhere.graft"], 1, &["cannot read the bundle"]);
    check(&["--check-bundle"], 2, &["no bundle is given"]);
}

/// What was asked for and cannot be is said, and graftd runs all the same.
#[test]
fn weights_that_stay_in_memory_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let picture = synthetic(1, 32, 32);
    let weights = ["--weights", folder.path().to_str().unwrap()];
    let frames = ["--source", "stdin", "--lossless", "--format", "rgb", "--size", "32x32"];
    let mut graftd = Graftd::start(&[&frames[..], &weights].concat());
    graftd.says("weights are in memory: the bundle has no NNEF form");
    let mut stdin = graftd.child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, picture.rgb()).unwrap();
    assert_eq!(graftd.answer()["sequence"], 0);
    drop(stdin);
    graftd.ends_well();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_demand_for_a_signature_is_met_or_refused() {
    const SIGNED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/signed.graft");
    let key = include_str!("../fixtures/minisign.pub").lines().nth(1).unwrap();
    let start = ["--source", "stdin", "--require-signature", key, "--bundle"];
    check(&[&start[..], &[TINY]].concat(), 1, &["is not signed", "require_signature"]);

    let mut changed = std::fs::read(SIGNED).unwrap();
    changed[100] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let changed = write_file(folder.path(), "changed", &changed);
    check(&[&start[..], &[&changed]].concat(), 1, &["does not hold for this public key"]);

    // Standard input that has ended already.
    let arguments = [&start[..], &[SIGNED]].concat();
    let status =
        Command::new(env!("CARGO_BIN_EXE_graftd")).args(arguments).stdin(Stdio::null()).status();
    assert!(status.unwrap().success());
}

/// A build without a feature says so, instead of answering nowhere.
#[cfg(not(feature = "mqtt"))]
#[test]
fn a_sink_that_was_left_out_is_refused() {
    check(
        &["--bundle", TINY, "--source", "stdin", "--sink", "mqtt:broker/t"],
        2,
        &["needs a graftd built with the feature \"mqtt\""],
    );
}
