//! A folder of pictures: those that are there, then those that come.
//!
//! A picture counts as complete when its writer closes it or renames it into
//! place. Each is answered before anything is done with it, so one that was
//! being answered when the power went is answered again.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::{SourceError, Station};
use crate::job::{Disposal, Pace};
use crate::mailbox::{Captured, Encoding, Fate};
use crate::stop::Wait;

/// Names of picture files. Others, such as `.part` files of a download, are not
/// looked at.
const ENDINGS: [&str; 9] = ["jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp", "jfif"];

/// A folder whose news are being collected.
pub(super) struct Watched {
    folder: PathBuf,
    after: Disposal,
    max_bytes: u64,
    news: OwnedFd,
    /// Pictures that wait, first come first served.
    pending: VecDeque<OsString>,
    /// The same names, so that one that is reported twice waits once.
    waiting: HashSet<OsString>,
}

impl Watched {
    pub(super) fn open(
        folder: &Path,
        after: Disposal,
        max_bytes: u64,
    ) -> Result<Watched, SourceError> {
        let real = fs::canonicalize(folder).map_err(SourceError::system(folder, "open"))?;
        if let Disposal::MoveTo(to) = &after {
            fs::create_dir_all(to).map_err(SourceError::system(to, "make the folder"))?;
            if fs::canonicalize(to).map_err(SourceError::system(to, "open"))? == real {
                return Err(SourceError::SameFolder { path: to.clone() });
            }
        }
        let watch = || {
            let news = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let wanted = WatchFlags::CLOSE_WRITE
                | WatchFlags::MOVED_TO
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            inotify::add_watch(&news, folder, wanted)?;
            Ok::<_, Errno>(news)
        };
        let news = watch()
            .map_err(|error| SourceError::system(folder, "watch the folder")(error.into()))?;
        let mut watched = Watched {
            folder: folder.to_owned(),
            after,
            max_bytes,
            news,
            pending: VecDeque::new(),
            waiting: HashSet::new(),
        };
        // After the watch began, so that nothing falls in between.
        watched.list()?;
        Ok(watched)
    }

    pub(super) fn run(&mut self, station: &Station) -> Result<(), SourceError> {
        let mut frame = Captured::empty();
        loop {
            self.read_news()?;
            let Some(name) = self.pending.pop_front() else {
                if station.once {
                    return Ok(());
                }
                let waited = station
                    .stop
                    .wait_readable(&self.news, None)
                    .map_err(SourceError::system(&self.folder, "watch the folder"))?;
                if waited == Wait::Stopped {
                    return Ok(());
                }
                continue;
            };
            self.waiting.remove(&name);
            if station.stop.is_ordered() {
                return Ok(());
            }
            let path = self.folder.join(&name);
            match self.load(&path, &mut frame.bytes) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(reason) => {
                    station.counts.unreadable.one();
                    log::warn!("{}: {reason}", path.display());
                    continue;
                }
            }
            frame.encoding = Encoding::Picture;
            frame.at = Instant::now();
            frame.name.clear();
            frame.name.push_str(&name.to_string_lossy());
            station.mailbox.put(&mut frame, Pace::Every);
            match station.mailbox.wait_until_done() {
                Fate::Answered => self.dispose(&path, &name),
                // It stays where it is, for somebody to look at.
                Fate::Refused => {}
                Fate::Lost => return Ok(()),
            }
        }
    }

    /// Reads a picture's bytes; false if it has gone, or is no file.
    fn load(&self, path: &Path, bytes: &mut Vec<u8>) -> Result<bool, String> {
        let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if gone(&error) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        };
        let about = file.metadata().map_err(|error| error.to_string())?;
        if !about.is_file() {
            return Ok(false);
        }
        bytes.clear();
        let limit = self.max_bytes.saturating_add(1);
        let read = file.take(limit).read_to_end(bytes).map_err(|error| error.to_string())?;
        if read as u64 > self.max_bytes {
            return Err(format!("it has more than the {} bytes that are allowed", self.max_bytes));
        }
        Ok(true)
    }

    fn dispose(&self, path: &Path, name: &OsStr) {
        let done = match &self.after {
            Disposal::Keep => Ok(()),
            Disposal::Delete => fs::remove_file(path),
            Disposal::MoveTo(folder) => fs::rename(path, free_name(folder, name)),
        };
        // It was answered all the same; somebody else may have taken it away.
        if let Err(error) = done {
            log::warn!("{}: answered, but it stays: {error}", path.display());
        }
    }

    /// Takes what the kernel has to say about the folder.
    fn read_news(&mut self) -> Result<(), SourceError> {
        // The longest name and its header, some times.
        let mut buffer = [MaybeUninit::uninit(); 8 << 10];
        let mut overflow = false;
        let mut reader = inotify::Reader::new(&self.news, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => continue,
                Err(error) => {
                    return Err(SourceError::system(&self.folder, "watch the folder")(
                        error.into(),
                    ));
                }
            };
            let what = event.events();
            let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT;
            if what.intersects(gone) {
                return Err(SourceError::Gone { path: self.folder.clone() });
            }
            overflow |= what.contains(ReadFlags::QUEUE_OVERFLOW);
            if let Some(name) = event.file_name()
                && !what.contains(ReadFlags::ISDIR)
            {
                let name = OsStr::from_bytes(name.to_bytes());
                if is_picture(name) && self.waiting.insert(name.to_owned()) {
                    self.pending.push_back(name.to_owned());
                }
            }
        }
        if overflow {
            log::warn!("{}: too much at once, reading it anew", self.folder.display());
            self.list()?;
        }
        Ok(())
    }

    /// Adds every picture in the folder, in the order of names.
    fn list(&mut self) -> Result<(), SourceError> {
        let fail = |error| SourceError::system(&self.folder, "list the folder")(error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            if is_picture(&name) && self.waiting.insert(name.clone()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        self.pending.extend(names);
        Ok(())
    }
}

fn is_picture(name: &OsStr) -> bool {
    let ending = Path::new(name).extension().and_then(OsStr::to_str);
    let known = |ending: &str| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending));
    !name.as_bytes().starts_with(b".") && ending.is_some_and(known)
}

/// A name in `folder` that overwrites nothing.
fn free_name(folder: &Path, name: &OsStr) -> PathBuf {
    let first = folder.join(name);
    let mut path = first.clone();
    let mut number = 1;
    while fs::symlink_metadata(&path).is_ok() {
        let mut stem = first.file_stem().unwrap_or_default().to_owned();
        stem.push(format!("-{number}."));
        stem.push(first.extension().unwrap_or_default());
        path = folder.join(stem);
        number += 1;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_names() {
        for name in ["a.jpg", "A.JPEG", "b.c.png", "ä.webp"] {
            assert!(is_picture(OsStr::new(name)), "{name}");
        }
        for name in [".a.jpg", "a.jpg.part", "jpg", "a.txt", "a.jpg~", ""] {
            assert!(!is_picture(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_moved_picture_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let free = || free_name(folder.path(), OsStr::new("a.b.jpg"));
        for expected in ["a.b.jpg", "a.b-1.jpg", "a.b-2.jpg"] {
            assert_eq!(free(), folder.path().join(expected));
            fs::write(free(), b"").unwrap();
        }
    }
}
