//! Lines for everybody who connects to a Unix socket.
//!
//! Nobody is waited for. A client that does not read misses whole lines, never
//! parts of one, and that is counted.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SinkError;
use crate::config;
use crate::counts::Counts;

pub(crate) struct Socket {
    path: PathBuf,
    listener: UnixListener,
    clients: Vec<Client>,
    most: usize,
    counts: Arc<Counts>,
}

struct Client {
    stream: UnixStream,
    /// What is left of a line that did not fit into the socket.
    rest: Vec<u8>,
}

impl Socket {
    pub fn listen(
        path: &Path,
        settings: &config::Socket,
        counts: Arc<Counts>,
    ) -> Result<Socket, SinkError> {
        let fail = |act| move |source| SinkError::System { path: path.to_owned(), act, source };
        clear_away(path)?;
        let listener = UnixListener::bind(path).map_err(fail("listen"))?;
        listener.set_nonblocking(true).map_err(fail("listen"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(settings.mode))
            .map_err(fail("set permissions"))?;
        let most = settings.clients;
        let clients = Vec::with_capacity(most);
        Ok(Socket { path: path.to_owned(), listener, clients, most, counts })
    }

    pub fn write(&mut self, line: &[u8]) {
        self.accept();
        let counts = &self.counts;
        self.clients.retain_mut(|client| match client.write(line) {
            Ok(true) => true,
            Ok(false) => {
                counts.missed_by_sinks.one();
                true
            }
            // It has hung up.
            Err(_) => false,
        });
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() == self.most {
                log::warn!("{}: more than {} clients", self.path.display(), self.most);
            } else if stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client { stream, rest: Vec::new() });
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(&self.path);
    }
}

impl Client {
    /// False if the line did not go: there is no room for it.
    fn write(&mut self, line: &[u8]) -> io::Result<bool> {
        while !self.rest.is_empty() {
            match sent(self.stream.write(&self.rest))? {
                0 => return Ok(false),
                count => drop(self.rest.drain(..count)),
            }
        }
        let count = sent(self.stream.write(line))?;
        if count > 0 {
            self.rest.extend_from_slice(&line[count..]);
        }
        Ok(count > 0)
    }
}

/// A full socket takes nothing, which is no error.
fn sent(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(0)
        }
        other => other,
    }
}

/// Removes the socket of a graftd that was killed, and nothing else.
fn clear_away(path: &Path) -> Result<(), SinkError> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(SinkError::NotASocket { path: path.to_owned() });
    }
    if UnixStream::connect(path).is_ok() {
        return Err(SinkError::InUse { path: path.to_owned() });
    }
    fs::remove_file(path).map_err(|source| SinkError::System {
        path: path.to_owned(),
        act: "remove the socket that was left",
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;

    fn socket(folder: &Path) -> Socket {
        let settings = config::Socket { clients: 2, mode: 0o600 };
        Socket::listen(&folder.join("s"), &settings, Arc::default()).unwrap()
    }

    #[test]
    fn a_client_that_does_not_read_misses_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let mut socket = socket(folder.path());
        let client = UnixStream::connect(folder.path().join("s")).unwrap();
        let text = "x".repeat(3000);
        let sent = 2000;
        for number in 0..sent {
            socket.write(format!("{number} {text}\n").as_bytes());
        }
        let missed = socket.counts.missed_by_sinks.get();
        assert!(missed > 0, "six megabytes do not fit into a socket");
        // Lets the client see the end.
        drop(socket);
        let lines: Vec<String> = BufReader::new(client).lines().collect::<Result<_, _>>().unwrap();
        let (last, whole) = lines.split_last().unwrap();
        for (at, line) in whole.iter().enumerate() {
            assert_eq!(*line, format!("{at} {text}"));
        }
        // What is left of the last one went with the socket.
        assert!(format!("{} {text}", whole.len()).starts_with(last));
        assert_eq!(lines.len() as u64 + missed, sent);
    }

    #[test]
    fn a_client_that_reads_again_gets_the_rest_of_its_line_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut socket = socket(folder.path());
        let mut client = UnixStream::connect(folder.path().join("s")).unwrap();
        let line = format!("{}\n", "y".repeat(99_999)).into_bytes();
        for _ in 0..100 {
            socket.write(&line);
        }
        let mut all = Vec::new();
        let mut piece = [0; 50_000];
        client.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        for _ in 0..40 {
            while let Ok(count @ 1..) = client.read(&mut piece) {
                all.extend_from_slice(&piece[..count]);
                if all.len() >= 1_000_000 {
                    break;
                }
            }
            if all.len() >= 1_000_000 {
                break;
            }
            socket.write(&line);
        }
        assert!(all.chunks_exact(line.len()).all(|chunk| chunk == line));
        assert!(all.len() >= 1_000_000);
    }

    #[test]
    fn clients_over_the_limit_are_turned_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut socket = socket(folder.path());
        let mut clients: Vec<UnixStream> =
            (0..3).map(|_| UnixStream::connect(folder.path().join("s")).unwrap()).collect();
        socket.write(b"a\n");
        drop(socket);
        let mut heard = Vec::new();
        for client in &mut clients {
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            heard.push(text);
        }
        assert_eq!(heard, ["a\n", "a\n", ""]);
    }

    #[test]
    fn only_a_dead_socket_is_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        // Dropping the listener alone leaves its file, as a kill does.
        drop(UnixListener::bind(&path).unwrap());
        let alive = socket(folder.path());
        assert!(matches!(clear_away(&path), Err(SinkError::InUse { .. })));
        drop(alive);
        assert!(!path.exists());
        fs::write(&path, b"precious").unwrap();
        assert!(matches!(clear_away(&path), Err(SinkError::NotASocket { .. })));
    }
}
