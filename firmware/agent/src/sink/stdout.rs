//! Lines on standard output.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::SinkError;
use crate::stop::{Stop, Wait};

/// Standard output without Rust's buffer: a line is one write, so lines of
/// several programs do not mix, and none is lost in a buffer when graftd is
/// killed.
pub(crate) struct Stdout {
    file: File,
    stop: Stop,
}

impl Stdout {
    pub fn open(stop: Stop) -> Result<Stdout, SinkError> {
        let fd = io::stdout().as_fd().try_clone_to_owned();
        let file = fd.map_err(|source| refused("open", source))?.into();
        Ok(Stdout { file, stop })
    }

    /// Waits for whoever reads, but not when it is time to stop: then the line is
    /// given up.
    pub fn write(&mut self, line: &[u8]) -> Result<(), SinkError> {
        let mut rest = line;
        while !rest.is_empty() {
            let waited = self.stop.wait_writable(&self.file);
            if waited.map_err(|source| refused("write", source))? == Wait::Stopped {
                return Ok(());
            }
            match self.file.write(rest) {
                Ok(count) => rest = &rest[count..],
                // Another process may have made the file that we share one that
                // does not wait.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(SinkError::Closed);
                }
                Err(error) => return Err(refused("write", error)),
            }
        }
        Ok(())
    }
}

fn refused(act: &'static str, source: io::Error) -> SinkError {
    SinkError::System { path: PathBuf::from("standard output"), act, source }
}
