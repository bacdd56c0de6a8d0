//! The program that is run when the steady answer changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::*;

const RAW: [&str; 4] = ["--format", "rgb", "--size", "32x32"];

/// A program that writes what it is told into a file, a line each time.
fn program(folder: &Path, rest: &str) -> String {
    let text = format!(
        "#!/bin/sh\n\
         echo \"start\" >> {log}\n{rest}\n\
         echo \"[$GRAFT_PREVIOUS] [$GRAFT_LABEL] $GRAFT_PROBABILITY $GRAFT_SEQUENCE\" >> {log}\n",
        log = folder.join("log").display()
    );
    let path = write_file(folder, "program", text.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn logged(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_program_is_told_each_change() {
    let folder = tempfile::tempdir().unwrap();
    let (a, label, b) = known_and_unknown();
    let sink = format!("exec:{}", program(folder.path(), ""));
    let mut graftd = Graftd::start(
        &[&["--source", "stdin", "--lossless"], &RAW[..], &["--sink", "stdout", "--sink", &sink]]
            .concat(),
    );
    let mut stdin = graftd.child.stdin.take().unwrap();
    let mut show = |graftd: &mut Graftd, picture: &Picture| {
        std::io::Write::write_all(&mut stdin, picture.rgb()).unwrap();
        graftd.answer()
    };
    let mut expected = Vec::new();
    let mut previous = String::new();
    // An unknown answer is an empty label.
    for (picture, label) in [(&a, label.as_str()), (&b, ""), (&a, label.as_str())] {
        let first = show(&mut graftd, picture);
        assert_eq!(first["changed"], true);
        assert_eq!(first["stable"].as_str().unwrap_or_default(), label);
        let again = show(&mut graftd, picture);
        assert_eq!(again["changed"], false);
        expected.push("start".to_owned());
        expected.push(format!(
            "[{previous}] [{label}] {} {}",
            found(&first).probability,
            first["sequence"]
        ));
        until("the program ran", || logged(folder.path()).len() == expected.len());
        label.clone_into(&mut previous);
    }
    assert_eq!(logged(folder.path()), expected);
    drop(stdin);
    graftd.ends_well();
}

#[test]
fn a_program_that_takes_too_long_is_killed_and_only_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (a, _, b) = known_and_unknown();
    // With a child of its own, which must go with it.
    let rest = format!("sleep 100 & echo $! > {}; wait", folder.path().join("pid").display());
    let sink = format!("exec:{}", program(folder.path(), &rest));
    // Long enough for a shell to begin on a busy machine, twice.
    let config = write_file(folder.path(), "g.toml", b"[exec]\ntime_limit = 3\n");
    let mut graftd = Graftd::start(
        &[
            &["--source", "stdin", "--lossless", "--config", &config],
            &RAW[..],
            &["--sink", "stdout", "--sink", &sink],
        ]
        .concat(),
    );
    let mut stdin = graftd.child.stdin.take().unwrap();
    let mut show = |graftd: &mut Graftd, picture: &Picture| {
        std::io::Write::write_all(&mut stdin, picture.rgb()).unwrap();
        graftd.answer();
    };
    show(&mut graftd, &a);
    until("the first program", || logged(folder.path()).len() == 1);
    // Four changes while it runs: the last one is told.
    for picture in [&b, &a, &b, &a] {
        show(&mut graftd, picture);
    }
    graftd.says("ran longer than it may");
    let first_child = fs::read_to_string(folder.path().join("pid")).unwrap();
    until("the second program", || logged(folder.path()).len() == 2);
    graftd.says("ran longer than it may");
    assert_eq!(logged(folder.path()), ["start", "start"], "neither came to its end");
    // Dead and not yet seen to by its new parent, or gone.
    until("its child is gone too", || {
        let state = fs::read_to_string(format!("/proc/{}/stat", first_child.trim()));
        state.is_err() || state.unwrap().contains(") Z ")
    });
    drop(stdin);
    graftd.ends_well();
}
