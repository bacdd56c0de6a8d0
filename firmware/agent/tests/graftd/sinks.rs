//! Answers to wherever they can go on this machine.

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

#[test]
fn a_reader_that_stands_still_does_not_keep_it_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let sink = format!("socket:{}", socket.display());
    let sinks = ["--sink", &sink, "--sink", "stdout"];
    let mut child =
        Graftd::command(&[&["--source", "stdin", "--lossless"], &RAW[..], &sinks].concat())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    until("the socket", || socket.exists());
    let client = UnixStream::connect(&socket).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    // Frames come only now, so that the client hears the first answer.
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let frames = raw(&pictures(20));
        // Until graftd is gone.
        while std::io::Write::write_all(&mut stdin, &frames).is_ok() {}
    });
    // The socket falls silent when nobody has read standard output for a while: a
    // pipe takes some hundred answers. Before that it is only slow.
    let (mut client, mut heard) = (BufReader::new(client), 0);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut line = String::new();
        match client.read_line(&mut line) {
            Ok(_) => heard += 1,
            Err(_) if heard > 50 => break,
            Err(error) => assert!(Instant::now() < end, "{error}: {heard} lines"),
        }
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let started = Instant::now();
    assert!(child.wait().unwrap().success());
    assert!(started.elapsed() < PATIENCE / 4);
    writer.join().unwrap();
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
    if cfg!(feature = "exec") {
        check("exec:/nowhere/program", "cannot find the program");
    }
    if cfg!(feature = "gpio") {
        let (_, label, _) = known_and_unknown();
        check("gpio:no-such-chip:1=cow", "it has no label \"cow\"");
        check(&format!("gpio:no-such-chip:1={label}"), "/dev/no-such-chip: line 1: ");
    }
}
