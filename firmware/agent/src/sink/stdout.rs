//! Lines on standard output.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::SinkError;

/// Standard output without Rust's buffer: a line is one write, so lines of
/// several programs do not mix, and none is lost in a buffer when graftd is
/// killed.
pub(crate) struct Stdout(File);

impl Stdout {
    pub fn open() -> Result<Stdout, SinkError> {
        let fd = io::stdout().as_fd().try_clone_to_owned();
        fd.map(|fd| Stdout(fd.into())).map_err(|source| refused("open", source))
    }

    pub fn write(&mut self, line: &[u8]) -> Result<(), SinkError> {
        self.0.write_all(line).map_err(|source| match source.kind() {
            io::ErrorKind::BrokenPipe => SinkError::Closed,
            _ => refused("write", source),
        })
    }
}

fn refused(act: &'static str, source: io::Error) -> SinkError {
    SinkError::System { path: PathBuf::from("standard output"), act, source }
}
