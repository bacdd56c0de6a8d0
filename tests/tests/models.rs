//! Fetching models out of source distributions: what pip is asked, and what not.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

use graft_host::digest::Digest;
use graft_tests::sandbox::{Sandbox, run, tiny_model};

/// An entry `net`, the tiny network in the archive of a package, and the archive.
fn entry(sandbox: &Sandbox) -> Vec<u8> {
    let package = sandbox.path("net-1.0");
    fs::create_dir(&package).unwrap();
    fs::copy(tiny_model().join("tiny.onnx"), package.join("tiny.onnx")).unwrap();
    // What a package's own build would run.
    fs::write(package.join("setup.py"), "open('built', 'w')").unwrap();
    let tar = ["czf", "net-1.0.tar.gz", "net-1.0"];
    assert!(Command::new("tar").args(tar).current_dir(sandbox.work()).status().unwrap().success());
    let archive = fs::read(sandbox.path("net-1.0.tar.gz")).unwrap();

    let text = fs::read_to_string(tiny_model().join("model.toml")).unwrap();
    let text = text.replace("name = \"tiny\"", "name = \"net\"");
    let (text, _) = text.split_once("[fetch]").unwrap_or((&text, ""));
    let folder = sandbox.data().join("models/net");
    fs::create_dir_all(&folder).unwrap();
    let fetch = format!(
        "[fetch]\nkind = \"pip-sdist\"\npackage = \"Net_Models\"\nversion = \"1.0\"\n\
         sdist_sha256 = \"{}\"\nmember = \"net-1.0/tiny.onnx\"\n",
        Digest::of(&archive)
    );
    fs::write(folder.join("model.toml"), format!("{text}\n{fetch}")).unwrap();
    archive
}

#[test]
fn a_file_of_a_source_distribution_is_taken_out_and_nothing_is_built() {
    let sandbox = Sandbox::new();
    let archive = entry(&sandbox);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // PEP 691, with an address from the root of the host.
    let listing = format!(
        "{{\"files\": [{{\"url\": \"/other\", \"hashes\": {{}}}}, \
         {{\"url\": \"/files/net-1.0.tar.gz\", \"hashes\": {{\"sha256\": \"{}\"}}}}]}}",
        Digest::of(&archive)
    );
    let server = std::thread::spawn(move || {
        let answers = [listing.into_bytes(), archive];
        answers.map(|body| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines: Vec<String> =
                lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            lines
        })
    });
    let mut fetch = sandbox.graft_alone(["models", "fetch", "net"]);
    run(fetch.env("PIP_INDEX_URL", format!("http://{address}/simple/"))).done();
    let [listing, archive] = server.join().unwrap();
    assert!(listing[0].starts_with("GET /simple/net-models/ "), "{listing:?}");
    assert!(archive[0].starts_with("GET /files/net-1.0.tar.gz "), "{archive:?}");
    let fetched = fs::read(sandbox.data().join("models/net/tiny.onnx")).unwrap();
    assert_eq!(fetched, fs::read(tiny_model().join("tiny.onnx")).unwrap());
    assert!(!sandbox.path("built").exists() && !sandbox.path("net-1.0/built").exists());
}

/// pip takes a folder for an index; its list of files is none that is read here.
#[test]
fn a_folder_as_index_is_refused_with_its_name() {
    let sandbox = Sandbox::new();
    entry(&sandbox);
    for index in ["file:///srv/wheels", "/srv/wheels", "http://example.com/simple"] {
        let mut fetch = sandbox.graft_alone(["models", "fetch", "net"]);
        let said = run(fetch.env("PIP_INDEX_URL", index)).exits(2);
        for words in ["pip's index", index, "must begin with https://"] {
            assert!(said.stderr.contains(words), "{words:?} is not in {said}");
        }
        assert!(!sandbox.data().join("models/net/tiny.onnx").exists());
    }
}
