//! A file of frames, as fast as they can be answered: every one is.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;
use std::time::Instant;

use super::framing::{self, Found};
use super::{SourceError, Station};
use crate::job::{Framing, Pace};
use crate::mailbox::Captured;

pub(super) fn open(path: &Path) -> Result<File, SourceError> {
    File::open(path).map_err(SourceError::system(path, "open"))
}

pub(super) fn run(
    path: &Path,
    file: File,
    framing: Framing,
    repeat: u64,
    station: &Station,
) -> Result<(), SourceError> {
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut frame = Captured::empty();
    let mut round = 0;
    while repeat == 0 || round < repeat {
        let mut frames = 0_u64;
        loop {
            if station.stop.is_ordered() {
                return Ok(());
            }
            let found = framing::next(&mut reader, framing, &mut frame)
                .map_err(SourceError::system(path, "read"))?;
            match found {
                Found::Frame => {
                    frame.at = Instant::now();
                    frame.name.clear();
                    frames += 1;
                    station.mailbox.put(&mut frame, Pace::Every);
                }
                // Said once, not once a round.
                Found::Broken(fault) => {
                    station.counts.unreadable.one();
                    if round == 0 {
                        log::warn!("{}: {fault}", path.display());
                    }
                }
                Found::End => break,
            }
        }
        if frames == 0 {
            return Err(SourceError::NoFrames { path: path.to_owned() });
        }
        reader.rewind().map_err(SourceError::system(path, "read again"))?;
        round += 1;
    }
    Ok(())
}
