//! Answers to wherever they can go on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::*;

const RAW: [&str; 4] = ["--format", "rgb", "--size", "32x32"];

fn replay(folder: &Path, pictures: &[Picture]) -> String {
    format!("replay:{}", write_file(folder, "frames", &raw(pictures)))
}

#[test]
fn clients_of_a_socket_get_the_lines_of_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let sink = format!("socket:{}", socket.display());
    let mut graftd = Graftd::start(
        &[&["--source", "stdin", "--lossless"], &RAW[..], &["--sink", "stdout", "--sink", &sink]]
            .concat(),
    );
    until("the socket", || socket.exists());
    let clients: Vec<UnixStream> = (0..2).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let mut stdin = graftd.child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &raw(&pictures(20))).unwrap();
    drop(stdin);
    let answers = graftd.ends_well();
    assert_eq!(answers.len(), 20);
    for client in clients {
        let heard: Vec<Value> = BufReader::new(client)
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        assert_eq!(heard, answers);
    }
    assert!(!socket.exists(), "it is taken away at the end");
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let (source, sink) =
        (replay(folder.path(), &pictures(20)), format!("socket:{}", socket.display()));
    // Some ten times what a socket takes.
    let mut graftd = Graftd::start(
        &[&["--source", &source, "--repeat", "200"], &RAW[..], &["--sink", &sink]].concat(),
    );
    until("the socket", || socket.exists());
    let client = UnixStream::connect(&socket).unwrap();
    assert_eq!(graftd.ends_well(), [] as [Value; 0]);
    let heard = BufReader::new(client).lines().count();
    assert!((1..4000).contains(&heard), "{heard} of 4000");
}

#[test]
fn the_socket_of_a_killed_graftd_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let sink = format!("socket:{}", socket.display());
    let arguments = [&["--source", "stdin"], &RAW[..], &["--sink", &sink]].concat();
    let mut graftd = Graftd::start(&arguments);
    until("the socket", || socket.exists());
    graftd.signal(Signal::KILL);
    graftd.end();
    assert!(socket.exists());

    let mut next = Graftd::start(&arguments);
    until("somebody listens", || UnixStream::connect(&socket).is_ok());
    // And one that lives is not.
    let mut third = Graftd::start(&arguments);
    assert_eq!(third.end().0.code(), Some(1));
    assert!(third.all_said().contains("somebody listens on this socket already"));
    next.stops();
}

#[test]
fn standard_output_that_is_closed_is_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let source = replay(folder.path(), &pictures(20));
    let mut command =
        Graftd::command(&[&["--source", &source, "--repeat", "0"], &RAW[..]].concat());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert!(child.wait().unwrap().success());
}

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
    let config = write_file(folder.path(), "g.toml", b"[exec]\ntime_limit = 0.5\n");
    let mut graftd = Graftd::start(
        &[
            &["--source", "stdin", "--lossless", "--config", &config],
            &RAW[..],
            &["--sink", "stdout", "--sink", &sink],
        ]
        .concat(),
    );
    let mut stdin = graftd.child.stdin.take().unwrap();
    // Five changes while the first program runs: the last one is told.
    for picture in [&a, &b, &a, &b, &a] {
        std::io::Write::write_all(&mut stdin, picture.rgb()).unwrap();
        graftd.answer();
    }
    graftd.says("ran longer than it may");
    let first_child = fs::read_to_string(folder.path().join("pid")).unwrap();
    until("the second program", || logged(folder.path()).len() == 2);
    graftd.says("ran longer than it may");
    assert_eq!(logged(folder.path()), ["start", "start"], "neither came to its end");
    let state = fs::read_to_string(format!("/proc/{}/stat", first_child.trim()));
    assert!(state.is_err() || state.unwrap().contains(") Z "), "its child is gone too");
    drop(stdin);
    graftd.ends_well();
}

#[test]
fn sinks_that_cannot_be_are_refused_at_the_start() {
    let check = |sink: &str, words: &str| {
        let mut graftd = Graftd::start(&["--source", "stdin", "--sink", sink]);
        let (status, _) = graftd.end();
        assert_eq!(status.code(), Some(1), "{sink}");
        let said = graftd.all_said();
        assert!(said.contains(words), "{said}");
    };
    check("socket:/dev/null", "/dev/null: there is something that is no socket");
    check("socket:/nowhere/socket", "cannot listen: No such file or directory");
    check("exec:/nowhere/program", "cannot find the program");
    let (_, label, _) = known_and_unknown();
    check("gpio:no-such-chip:1=cow", "it has no label \"cow\"");
    check(&format!("gpio:no-such-chip:1={label}"), "/dev/no-such-chip: line 1: ");
}
