//! The metrics over HTTP, for a scraper on the board or in its network.
//!
//! One request, one answer, and the connection is closed: all that a scraper
//! needs, in less than a server that can do more takes. Requests wait for each
//! other; one that dawdles is cut off.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Metrics;
use crate::stop::{Stop, Wait};

/// For a whole request, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A scraper's request has some hundred bytes.
const LONGEST_REQUEST: usize = 8 << 10;

/// Serves until it is dropped.
pub(crate) struct Serving {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// Serves `GET /metrics`.
pub(crate) fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> io::Result<Serving> {
    let listener = TcpListener::bind(address)?;
    // A client that has gone again must not hold the thread.
    listener.set_nonblocking(true)?;
    // The port may have been left to the system.
    log::info!("metrics on http://{}/metrics", listener.local_addr()?);
    let stop = Stop::new()?;
    let theirs = stop.clone();
    let thread = std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || answer_all(&listener, &metrics, &theirs))?;
    Ok(Serving { stop, thread: Some(thread) })
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.order();
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported where it was.
            let _ = thread.join();
        }
    }
}

fn answer_all(listener: &TcpListener, metrics: &Metrics, stop: &Stop) {
    while let Ok(Wait::Ready) = stop.wait_readable(listener, None) {
        match listener.accept() {
            // Whoever asked may go at any time.
            Ok((stream, _)) => drop(answer(stream, metrics)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // No descriptors are left, for now.
            Err(error) => {
                log::warn!("metrics: {error}");
                stop.sleep(PATIENCE);
            }
        }
    }
}

fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = request(&mut stream)?;
    let (status, text) = match target(&request) {
        Some("/metrics") => ("200 OK", metrics.text()),
        Some(_) => ("404 Not Found", "see /metrics\n".to_owned()),
        None => ("405 Method Not Allowed", "only GET\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}

/// Reads up to the empty line that ends a request's head.
fn request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || request.len() > LONGEST_REQUEST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => request.extend_from_slice(&piece[..count]),
        }
    }
    Ok(request)
}

/// What a GET asks for, without its query.
fn target(request: &[u8]) -> Option<&str> {
    let line = request.split(|&byte| byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version)) if version.starts_with("HTTP/1.") => {
            target.split('?').next()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gets_are_understood() {
        let check = |line: &str, expected| {
            let request = format!("{line}\r\nHost: x\r\n\r\n");
            assert_eq!(target(request.as_bytes()), expected, "{line}");
        };
        check("GET /metrics HTTP/1.1", Some("/metrics"));
        check("GET /metrics?a=b HTTP/1.0", Some("/metrics"));
        check("GET / HTTP/1.1", Some("/"));
        check("POST /metrics HTTP/1.1", None);
        check("GET /metrics", None);
        check("GET /metrics HTTP/2", None);
        check("", None);
    }
}
