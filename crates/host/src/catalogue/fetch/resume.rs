//! Downloads that go on where they were cut.
//!
//! What was got lies in a `.part` file, and beside it which address and which
//! version of the file it is of. Only with a strong validator (RFC 9110, section
//! 8.8.1) can a server say whether its file is still that one; without one, a
//! download begins anew.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, header};
use ureq::{Agent, Body};

use super::http::{HttpError, Network, agent};
use crate::atomic::{WriteError, write_whole};
use crate::progress::{Event, OnEvent, Stage};

/// How often a broken connection is taken up again, each time having got on.
const TAKEN_UP: usize = 5;

/// What a `.part` file is a part of.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    url: String,
    /// A strong entity tag, quotes included.
    etag: String,
}

/// How one connection ended.
enum End {
    Whole,
    Cut {
        done: u64,
        total: Option<u64>,
    },
    /// The server has less than the part.
    Anew,
}

/// Gets all of `url` into `part`, going on from what is in it.
pub(super) fn download(
    url: &str,
    part: &Path,
    network: &Network,
    limit: u64,
    on_event: OnEvent<'_>,
) -> Result<(), HttpError> {
    let agent = agent(network, url)?;
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(part)
        .map_err(wrong(part))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(HttpError::Busy { path: part.to_path_buf() }),
        Err(TryLockError::Error(source)) => return Err(wrong(part)(source)),
    }
    let mut job = Job { url, part, limit, file: &mut file };
    let mut taken_up = 0;
    loop {
        let before = job.resumable().map_or(0, |(have, _)| have);
        let end = job.connect(&agent, on_event);
        if matches!(end, Err(HttpError::TooLarge { .. })) {
            let _ = std::fs::remove_file(part);
            forget(part);
        }
        match end? {
            End::Whole => return file.sync_all().map_err(wrong(part)),
            End::Anew if taken_up < TAKEN_UP => {}
            End::Anew => return Err(HttpError::Range { url: url.to_owned() }),
            End::Cut { done, .. }
                if done > before && taken_up < TAKEN_UP && job.resumable().is_some() => {}
            End::Cut { done, total } => {
                return Err(HttpError::Cut { url: url.to_owned(), done, total });
            }
        }
        taken_up += 1;
    }
}

/// Removes what says of which file `part` is a part.
pub(super) fn forget(part: &Path) {
    let _ = std::fs::remove_file(identity_of(part));
}

struct Job<'a> {
    url: &'a str,
    part: &'a Path,
    limit: u64,
    file: &'a mut File,
}

impl Job<'_> {
    /// How much is there, and the tag of the file that it is a part of.
    fn resumable(&self) -> Option<(u64, String)> {
        let text = std::fs::read(identity_of(self.part)).ok()?;
        let identity: Identity = serde_json::from_slice(&text).ok()?;
        let have = self.file.metadata().ok()?.len();
        (identity.url == self.url && have > 0 && have <= self.limit)
            .then_some((have, identity.etag))
    }

    fn connect(&mut self, agent: &Agent, on_event: OnEvent<'_>) -> Result<End, HttpError> {
        let resumable = self.resumable();
        let mut request = agent.get(self.url);
        if let Some((have, etag)) = &resumable {
            request = request
                .header(header::RANGE, format!("bytes={have}-"))
                .header(header::IF_RANGE, etag);
        }
        let response = request.call().map_err(|error| HttpError::Unreachable {
            url: self.url.to_owned(),
            source: Box::new(error),
        })?;
        let status = response.status().as_u16();
        let (head, mut body) = response.into_parts();
        let done = match (status, resumable) {
            (200, _) => {
                self.begin_anew(&head.headers)?;
                0
            }
            (206, Some((have, etag))) => {
                let same = strong_etag(&head.headers).is_none_or(|now| now == etag);
                if !same || range_start(&head.headers) != Some(have) {
                    return Err(HttpError::Range { url: self.url.to_owned() });
                }
                have
            }
            (416, Some(_)) => {
                self.begin_anew(&HeaderMap::new())?;
                return Ok(End::Anew);
            }
            (status, _) => return Err(HttpError::Status { url: self.url.to_owned(), status }),
        };
        let total = body.content_length().map(|rest| done.saturating_add(rest));
        if total.is_some_and(|total| total > self.limit) {
            return Err(self.too_large());
        }
        let _ = on_event(Event::Begin { stage: Stage::Download, total });
        let end = self.receive(&mut body, done, total, on_event);
        let _ = on_event(Event::End);
        end
    }

    fn receive(
        &mut self,
        body: &mut Body,
        mut done: u64,
        total: Option<u64>,
        on_event: OnEvent<'_>,
    ) -> Result<End, HttpError> {
        self.file.seek(SeekFrom::Start(done)).map_err(wrong(self.part))?;
        let mut reader = body.as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            if on_event(Event::Advance { done }).is_break() {
                return Err(HttpError::Cancelled);
            }
            let count = match reader.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(End::Cut { done, total }),
            };
            if count == 0 {
                let whole = total.is_none_or(|total| total == done);
                return Ok(if whole { End::Whole } else { End::Cut { done, total } });
            }
            done += count as u64;
            if done > self.limit {
                return Err(self.too_large());
            }
            self.file.write_all(&buffer[..count]).map_err(wrong(self.part))?;
        }
    }

    fn begin_anew(&mut self, headers: &HeaderMap) -> Result<(), HttpError> {
        // The old identity first: it must never stand beside another file's bytes.
        forget(self.part);
        self.file.set_len(0).map_err(wrong(self.part))?;
        if let Some(etag) = strong_etag(headers) {
            let identity = Identity { url: self.url.to_owned(), etag };
            let text = serde_json::to_vec(&identity).expect("two strings are JSON");
            write_whole(&identity_of(self.part), &text)?;
        }
        Ok(())
    }

    fn too_large(&self) -> HttpError {
        HttpError::TooLarge { url: self.url.to_owned(), limit: self.limit }
    }
}

fn strong_etag(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(header::ETAG)?.to_str().ok()?;
    (etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')).then(|| etag.to_owned())
}

/// Of `Content-Range: bytes 100-199/200`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

fn identity_of(part: &Path) -> PathBuf {
    let mut path = part.as_os_str().to_owned();
    path.push("-of");
    path.into()
}

fn wrong(path: &Path) -> impl Fn(std::io::Error) -> HttpError {
    move |source| WriteError { path: path.to_path_buf(), source }.into()
}
