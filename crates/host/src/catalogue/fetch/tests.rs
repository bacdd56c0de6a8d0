//! Against a server of this very process that misbehaves as it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;
use crate::catalogue::ModelSpec;

/// The lines of a request, in lower case.
type Request = Vec<String>;

/// Answers one connection each, in order, and then none.
struct Server {
    address: String,
    requests: Receiver<Request>,
    thread: Option<JoinHandle<()>>,
}

type Answer = Box<dyn FnOnce(&Request, &mut TcpStream) + Send>;

impl Server {
    fn new(answers: Vec<Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let lines = lines.map(|l| l.unwrap().to_lowercase());
                let request: Request = lines.take_while(|l| !l.is_empty()).collect();
                sender.send(request.clone()).unwrap();
                answer(&request, &mut stream);
            }
        });
        Server { address, requests, thread: Some(thread) }
    }

    /// What was asked, once all answers were given.
    fn requests(mut self) -> Vec<Request> {
        self.thread.take().unwrap().join().unwrap();
        self.requests.try_iter().collect()
    }
}

fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    // Whoever asked may have hung up, as it should when told to stop.
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}

/// All of it, or its first `sent` bytes, under an entity tag.
fn whole(body: Vec<u8>, sent: usize, etag: &'static str) -> Answer {
    Box::new(move |_, stream| {
        let head = format!("200 OK\r\nContent-Length: {}\r\nETag: {etag}", body.len());
        send(stream, &head, &body[..sent]);
    })
}

/// The rest from `start`.
fn rest(body: Vec<u8>, start: usize, etag: &'static str) -> Answer {
    Box::new(move |_, stream| {
        let head = format!(
            "206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{}\r\nETag: {etag}",
            body.len() - start,
            body.len() - 1,
            body.len()
        );
        send(stream, &head, &body[start..]);
    })
}

fn says(head: &'static str) -> Answer {
    Box::new(move |_, stream| send(stream, &format!("{head}\r\nContent-Length: 0"), b""))
}

/// A model of 300,000 bytes that is to be had from an address.
struct Wanted {
    folder: tempfile::TempDir,
    body: Vec<u8>,
}

impl Wanted {
    fn new() -> Wanted {
        let body = (0..300_000u64).map(|i| ((i * i) >> 7) as u8).collect();
        Wanted { folder: tempfile::tempdir().unwrap(), body }
    }

    fn entry(&self, fetch: &str) -> Entry {
        let text = format!(
            "name = \"net\"\nlicence = \"MIT\"\nfile = \"net.onnx\"\nsha256 = \"{}\"\n\
             [input]\nwidth = 1\nheight = 1\nlayout = \"nchw\"\ncolour = \"grey\"\n\
             fit = \"stretch\"\nscale = 1.0\nmean = [0.0]\nstd = [1.0]\n[fetch]\n{fetch}\n",
            Digest::of(&self.body)
        );
        let spec = ModelSpec::parse(&text, Path::new("model.toml")).unwrap();
        Entry { spec, file: ModelFile::Fetchable(self.folder.path().join("net/net.onnx")) }
    }

    fn by_url(&self, server: &Server) -> Entry {
        self.entry(&format!("kind = \"url\"\nurl = \"{}/net.onnx\"", server.address))
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("net"));
        let names = entries.into_iter().flatten();
        let mut names: Vec<String> =
            names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The file is there, is right, and nothing else is.
    fn assert_here(&self) {
        assert_eq!(self.files(), ["net.onnx"]);
        let bytes = std::fs::read(self.folder.path().join("net/net.onnx")).unwrap();
        assert!(bytes == self.body);
    }
}

fn get(entry: &Entry) -> Result<bool, FetchError> {
    fetch(entry, None, &Network::default(), &mut |_| ControlFlow::Continue(()))
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.iter().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_file_arrives_under_its_name_and_progress_is_told() {
    let wanted = Wanted::new();
    let server = Server::new(vec![whole(wanted.body.clone(), 300_000, "\"a\"")]);
    let (mut total, mut last, mut ended) = (None, 0, false);
    let fetched = fetch(&wanted.by_url(&server), None, &Network::default(), &mut |event| {
        match event {
            Event::Begin { total: all, .. } => total = all,
            Event::Advance { done } => last = done,
            Event::End => ended = true,
            Event::Source { .. } | Event::Skipped { .. } | Event::Epoch { .. } | Event::Note(_) => {
            }
        }
        ControlFlow::Continue(())
    });
    assert!(fetched.unwrap());
    assert_eq!((total, last, ended), (Some(300_000), 300_000, true));
    wanted.assert_here();
    let requests = server.requests();
    assert!(requests[0][0].starts_with("get /net.onnx http/1.1"), "{requests:?}");
    assert_eq!(header(&requests[0], "accept-encoding"), Some("identity"));
    assert_eq!(header(&requests[0], "range"), None);
}

#[test]
fn a_cut_connection_is_taken_up_where_it_broke() {
    let wanted = Wanted::new();
    let body = &wanted.body;
    let server = Server::new(vec![
        whole(body.clone(), 100_000, "\"a\""),
        rest(body.clone(), 100_000, "\"a\""),
    ]);
    assert!(get(&wanted.by_url(&server)).unwrap());
    wanted.assert_here();
    let requests = server.requests();
    assert_eq!(header(&requests[1], "range"), Some("bytes=100000-"));
    assert_eq!(header(&requests[1], "if-range"), Some("\"a\""));
}

#[test]
fn a_stopped_download_is_kept_and_resumed_by_the_next_call() {
    let wanted = Wanted::new();
    let body = &wanted.body;
    let server = Server::new(vec![
        whole(body.clone(), 300_000, "\"a\""),
        Box::new({
            let body = body.clone();
            move |request: &Request, stream: &mut TcpStream| {
                let range = header(request, "range").unwrap();
                let start = range.trim_start_matches("bytes=").trim_end_matches('-');
                rest(body, start.parse().unwrap(), "\"a\"")(request, stream);
            }
        }),
    ]);
    let entry = wanted.by_url(&server);
    let stopped = fetch(&entry, None, &Network::default(), &mut |event| match event {
        Event::Advance { done } if done > 0 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(stopped, Err(FetchError::Http(HttpError::Cancelled))), "{stopped:?}");
    assert_eq!(wanted.files(), ["net.onnx.part", "net.onnx.part-of"]);
    assert!(get(&entry).unwrap());
    wanted.assert_here();
    let requests = server.requests();
    assert_ne!(header(&requests[1], "range"), Some("bytes=0-"));
}

#[test]
fn a_server_without_ranges_or_with_another_version_begins_anew() {
    for second in ["\"a\"", "\"b\""] {
        let wanted = Wanted::new();
        let body = &wanted.body;
        let server = Server::new(vec![
            whole(vec![7; 200_000], 100_000, "\"a\""),
            whole(body.clone(), 300_000, second),
        ]);
        assert!(get(&wanted.by_url(&server)).unwrap());
        wanted.assert_here();
        server.requests();
    }
}

#[test]
fn a_part_longer_than_the_file_begins_anew() {
    let wanted = Wanted::new();
    let body = &wanted.body;
    let server = Server::new(vec![
        whole(vec![7; 900_000], 500_000, "\"a\""),
        says("416 Range Not Satisfiable\r\nContent-Range: bytes */300000"),
        whole(body.clone(), 300_000, "\"b\""),
    ]);
    assert!(get(&wanted.by_url(&server)).unwrap());
    wanted.assert_here();
    let requests = server.requests();
    assert_eq!(header(&requests[2], "range"), None);
}

#[test]
fn without_a_strong_tag_nothing_is_resumed() {
    for tag in ["W/\"a\"", "a", ""] {
        let wanted = Wanted::new();
        let body = &wanted.body;
        let server =
            Server::new(vec![whole(body.clone(), 100_000, tag), whole(body.clone(), 300_000, tag)]);
        let entry = wanted.by_url(&server);
        let cut = get(&entry).unwrap_err();
        assert!(
            matches!(
                cut,
                FetchError::Http(HttpError::Cut { done: 100_000, total: Some(300_000), .. })
            ),
            "{cut}"
        );
        assert!(get(&entry).unwrap());
        wanted.assert_here();
        let requests = server.requests();
        assert_eq!(header(&requests[1], "range"), None);
    }
}

#[test]
fn a_connection_that_gets_nowhere_is_not_taken_up_for_ever() {
    let wanted = Wanted::new();
    let body = &wanted.body;
    let server = Server::new(vec![
        whole(body.clone(), 100_000, "\"a\""),
        Box::new(|_, stream| {
            let head = "206 Partial Content\r\nContent-Length: 200000\r\nContent-Range: bytes 100000-299999/300000";
            send(stream, head, b"");
        }),
    ]);
    let cut = get(&wanted.by_url(&server)).unwrap_err();
    assert!(matches!(cut, FetchError::Http(HttpError::Cut { done: 100_000, .. })), "{cut}");
    assert_eq!(wanted.files(), ["net.onnx.part", "net.onnx.part-of"]);
    server.requests();
}

#[test]
fn another_file_is_not_kept() {
    let wanted = Wanted::new();
    let server = Server::new(vec![whole(vec![7; 300_000], 300_000, "\"a\"")]);
    let wrong = get(&wanted.by_url(&server)).unwrap_err();
    assert!(matches!(wrong, FetchError::Digest { .. }), "{wrong}");
    assert!(wanted.files().is_empty(), "{:?}", wanted.files());
    server.requests();
}

#[test]
fn another_part_than_was_asked_for_is_refused() {
    let wanted = Wanted::new();
    let body = &wanted.body;
    for second in [rest(body.clone(), 50_000, "\"a\""), rest(body.clone(), 100_000, "\"b\"")] {
        let server = Server::new(vec![whole(body.clone(), 100_000, "\"a\""), second]);
        let wrong = get(&wanted.by_url(&server)).unwrap_err();
        assert!(matches!(wrong, FetchError::Http(HttpError::Range { .. })), "{wrong}");
        assert!(!wanted.files().contains(&"net.onnx".to_owned()));
        server.requests();
    }
}

#[test]
fn what_is_no_file_is_an_error_with_its_status() {
    for (head, expected) in [
        ("404 Not Found", 404),
        ("403 Forbidden", 403),
        ("500 Internal Server Error", 500),
        ("204 No Content", 204),
        // Not asked for.
        ("206 Partial Content\r\nContent-Range: bytes 0-0/1", 206),
        ("416 Range Not Satisfiable", 416),
    ] {
        let wanted = Wanted::new();
        let server = Server::new(vec![says(head)]);
        match get(&wanted.by_url(&server)).unwrap_err() {
            FetchError::Http(HttpError::Status { status, url }) => {
                assert_eq!(status, expected);
                assert!(url.ends_with("/net.onnx"));
            }
            other => panic!("{head}: {other}"),
        }
        assert!(!wanted.files().contains(&"net.onnx".to_owned()));
        server.requests();
    }
}

#[test]
fn a_redirect_is_followed_but_not_for_ever() {
    let wanted = Wanted::new();
    let to = |path: &'static str| -> Answer {
        Box::new(move |_, stream| {
            send(stream, &format!("302 Found\r\nLocation: {path}\r\nContent-Length: 0"), b"");
        })
    };
    let server = Server::new(vec![to("/elsewhere"), whole(wanted.body.clone(), 300_000, "\"a\"")]);
    assert!(get(&wanted.by_url(&server)).unwrap());
    wanted.assert_here();
    assert!(server.requests()[1][0].starts_with("get /elsewhere "));

    let wanted = Wanted::new();
    let server = Server::new((0..6).map(|_| to("/round")).collect());
    let round = get(&wanted.by_url(&server)).unwrap_err();
    assert!(matches!(round, FetchError::Http(HttpError::Unreachable { .. })), "{round}");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn more_than_a_model_can_be_is_refused_before_it_is_sent() {
    let wanted = Wanted::new();
    let server = Server::new(vec![Box::new(|_, stream| {
        send(stream, "200 OK\r\nContent-Length: 2147483649", b"the beginning");
    })]);
    let large = get(&wanted.by_url(&server)).unwrap_err();
    assert!(matches!(large, FetchError::Http(HttpError::TooLarge { .. })), "{large}");
    assert!(wanted.files().is_empty(), "{:?}", wanted.files());
    server.requests();
}

#[test]
fn nobody_there_is_said() {
    let wanted = Wanted::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let entry = wanted.entry(&format!("kind = \"url\"\nurl = \"http://{closed}/net.onnx\""));
    let error = get(&entry).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::Unreachable { .. })), "{error}");
}

/// The host is never asked: what leaves this machine goes through the proxy or not
/// at all.
#[test]
fn a_proxy_that_fails_is_an_error_and_not_gone_around() {
    let wanted = Wanted::new();
    let entry = wanted.entry("kind = \"url\"\nurl = \"https://models.invalid:8443/net.onnx\"");
    let through = |url: &str| {
        let proxy = Some(Proxy { url: url.to_owned(), except: Vec::new() });
        let network = Network { proxy, ..Network::default() };
        let error = fetch(&entry, None, &network, &mut |_| ControlFlow::Continue(()));
        match error.unwrap_err() {
            FetchError::Http(HttpError::Unreachable { url, source }) => {
                assert_eq!(url, "https://models.invalid:8443/net.onnx");
                source.to_string()
            }
            other => panic!("{other}"),
        }
    };
    for head in ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"] {
        let server = Server::new(vec![says(head)]);
        let said = through(&server.address);
        assert!(said.contains("proxy"), "{head}: {said}");
        let requests = server.requests();
        assert!(requests[0][0].starts_with("connect models.invalid:8443 "), "{requests:?}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = through(&format!("http://{closed}"));
    assert!(said.contains("refused"), "{said}");
    assert!(!wanted.files().contains(&"net.onnx".to_owned()));
}

/// Before its first word, and in the middle of the file; the connections stay open.
#[test]
fn a_server_that_falls_silent_is_not_waited_for_for_ever() {
    let network = Network { silence: Duration::from_millis(200), ..Network::default() };
    let waits = |stream: &mut TcpStream| drop(stream.read(&mut [0]));
    let silent = |entry: &Entry| {
        let started = Instant::now();
        let error = fetch(entry, None, &network, &mut |_| ControlFlow::Continue(()));
        assert!(started.elapsed() < Duration::from_secs(10));
        error.unwrap_err()
    };
    let wanted = Wanted::new();
    let server = Server::new(vec![Box::new(move |_, stream| waits(stream))]);
    let error = silent(&wanted.by_url(&server));
    assert!(matches!(error, FetchError::Http(HttpError::Unreachable { .. })), "{error}");
    server.requests();

    // Without a tag it can't be taken up; what is known of it is said.
    let body = wanted.body.clone();
    let server = Server::new(vec![Box::new(move |request: &Request, stream: &mut TcpStream| {
        whole(body, 100_000, "")(request, stream);
        waits(stream);
    })]);
    let error = silent(&wanted.by_url(&server));
    let cut = matches!(
        error,
        FetchError::Http(HttpError::Cut { done: 100_000, total: Some(300_000), .. })
    );
    assert!(cut, "{error}");
    server.requests();
}

#[test]
fn two_do_not_write_into_one_part() {
    let wanted = Wanted::new();
    let server = Server::new(vec![whole(wanted.body.clone(), 300_000, "\"a\"")]);
    let entry = wanted.by_url(&server);
    let mut second = None;
    let first = fetch(&entry, None, &Network::default(), &mut |event| {
        if matches!(event, Event::Advance { done } if done > 0) && second.is_none() {
            second = Some(get(&entry));
        }
        ControlFlow::Continue(())
    });
    assert!(first.unwrap());
    let second = second.unwrap();
    assert!(matches!(second, Err(FetchError::Http(HttpError::Busy { .. }))), "{second:?}");
    wanted.assert_here();
    server.requests();
}

fn zip_of(body: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("net-1/net.onnx", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(body).unwrap();
    zip.finish().unwrap().into_inner()
}

fn in_archive(address: &str, archive: &[u8]) -> String {
    format!(
        "kind = \"url-archive\"\nurl = \"{address}/net.zip\"\narchive_sha256 = \"{}\"\n\
         member = \"net-1/net.onnx\"",
        Digest::of(archive)
    )
}

#[test]
fn an_archive_is_checked_opened_and_not_kept() {
    let wanted = Wanted::new();
    let zip = zip_of(&wanted.body);
    let server = Server::new(vec![whole(zip.clone(), zip.len(), "\"a\"")]);
    let entry = wanted.entry(&in_archive(&server.address, &zip));
    assert!(get(&entry).unwrap());
    wanted.assert_here();
    server.requests();

    // The right archive with the wrong model in it, and another archive.
    for (sent, stated) in [(zip_of(b"other"), zip_of(b"other")), (zip_of(b"other"), zip)] {
        let wanted = Wanted::new();
        let server = Server::new(vec![whole(sent.clone(), sent.len(), "\"a\"")]);
        let entry = wanted.entry(&in_archive(&server.address, &stated));
        let wrong = get(&entry).unwrap_err();
        assert!(matches!(wrong, FetchError::Digest { .. }), "{wrong}");
        assert!(wanted.files().is_empty(), "{:?}", wanted.files());
        server.requests();
    }
}

#[test]
fn a_file_of_a_person_is_taken_if_it_is_the_one() {
    let from = |wanted: &Wanted, fetch_table: &str, bytes: &[u8]| {
        let path = wanted.folder.path().join("got.bin");
        std::fs::write(&path, bytes).unwrap();
        let entry = wanted.entry(fetch_table);
        fetch(&entry, Some(&path), &Network::default(), &mut |_| ControlFlow::Continue(()))
    };
    let wanted = Wanted::new();
    let by_hand = "kind = \"file\"\ninstructions = \"ask its makers\"";
    match get(&wanted.entry(by_hand)).unwrap_err() {
        FetchError::ByHand { instructions, .. } => assert_eq!(instructions, "ask its makers"),
        other => panic!("{other}"),
    }
    let other = from(&wanted, by_hand, b"another").unwrap_err();
    assert!(matches!(other, FetchError::OtherFile { .. }), "{other}");
    assert!(wanted.files().is_empty());
    assert!(from(&wanted, by_hand, &wanted.body).unwrap());
    wanted.assert_here();

    // Of a model that lies in an archive, the archive will do.
    let wanted = Wanted::new();
    let zip = zip_of(&wanted.body);
    assert!(from(&wanted, &in_archive("https://example.com", &zip), &zip).unwrap());
    wanted.assert_here();
}
