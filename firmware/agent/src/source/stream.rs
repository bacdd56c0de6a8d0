//! Frames that somebody writes to standard input or into a fifo.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{Mode, OFlags};

use super::framing::{self, Found};
use super::{SourceError, Station};
use crate::job::{Framing, Pace, Stream};
use crate::mailbox::Captured;
use crate::stop::{Stop, Wait};

/// A stream whose reading end is open.
pub(super) struct Opened {
    file: File,
    /// Where to open it again once its writer has gone.
    fifo: Option<PathBuf>,
}

impl Opened {
    pub(super) fn open(from: Stream) -> Result<Opened, SourceError> {
        match from {
            Stream::Stdin => {
                let path = Path::new("standard input");
                let fd = io::stdin()
                    .as_fd()
                    .try_clone_to_owned()
                    .map_err(SourceError::system(path, "open"))?;
                Ok(Opened { file: fd.into(), fifo: None })
            }
            Stream::Fifo(path) => {
                let kind = std::fs::metadata(&path).map_err(SourceError::system(&path, "open"))?;
                if !kind.file_type().is_fifo() {
                    return Err(SourceError::Kind { path, expected: "fifo: make one with mkfifo" });
                }
                Ok(Opened { file: open_fifo(&path)?.into(), fifo: Some(path) })
            }
        }
    }

    fn name(&self) -> String {
        let path = self.fifo.as_ref();
        path.map_or("standard input".to_owned(), |path| path.display().to_string())
    }
}

/// Without waiting for a writer: that is done where stopping is possible.
fn open_fifo(path: &Path) -> Result<OwnedFd, SourceError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| SourceError::system(path, "open")(error.into()))
}

/// Reads a file, and its end once it is time to stop.
struct Stoppable<'a> {
    file: File,
    stop: &'a Stop,
    is_fifo: bool,
    /// Something has come from a fifo since it was opened. A writer that came and went
    /// before that has left its frames, and no hang-up to wait for: only reading shows
    /// the end behind them.
    begun: bool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let stopped = match self.begun {
                true => self.stop.is_ordered(),
                false => self.stop.wait_readable(&self.file, None)? == Wait::Stopped,
            };
            if stopped {
                return Ok(0);
            }
            match self.file.read(buffer) {
                // Nothing yet, or somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.begun = false,
                Ok(count) => {
                    self.begun = self.is_fifo && count > 0;
                    return Ok(count);
                }
                other => return other,
            }
        }
    }
}

pub(super) fn run(
    stream: Opened,
    framing: Framing,
    pace: Pace,
    station: &Station,
) -> Result<(), SourceError> {
    let name = stream.name();
    let fail = SourceError::system;
    let stoppable = Stoppable {
        file: stream.file,
        stop: &station.stop,
        is_fifo: stream.fifo.is_some(),
        begun: false,
    };
    let mut reader = BufReader::with_capacity(64 << 10, stoppable);
    let mut frame = Captured::empty();
    loop {
        let found = framing::next(&mut reader, framing, &mut frame)
            .map_err(fail(Path::new(&name), "read"))?;
        if station.stop.is_ordered() {
            return Ok(());
        }
        match found {
            Found::Frame => {
                frame.at = Instant::now();
                frame.name.clear();
                station.mailbox.put(&mut frame, pace);
                continue;
            }
            Found::Broken(fault) => {
                station.counts.unreadable.one();
                log::warn!("{name}: {fault}");
                if !matches!(fault, framing::Fault::CutShort { .. }) {
                    continue;
                }
            }
            Found::End => {}
        }
        let Some(path) = stream.fifo.as_deref().filter(|_| !station.once) else {
            return Ok(());
        };
        // The new end before the old one goes: what a next writer has put in
        // already is lost when nobody has the fifo open.
        reader.get_mut().file = open_fifo(path)?.into();
        reader.get_mut().begun = false;
        station.counts.reopened.one();
        log::debug!("{name}: the writer has gone, waiting for the next");
    }
}
