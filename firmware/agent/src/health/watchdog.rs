//! The hardware watchdog: a timer that resets the board unless it is fed. See
//! the kernel's `Documentation/watchdog/watchdog-api.rst`.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `WDIOC_SETTIMEOUT`: seconds in, seconds out.
const SET_TIMEOUT: Opcode = opcode::read_write::<i32>(b'W', 6);

/// An open watchdog. It is running from the moment it is opened.
#[derive(Debug)]
pub(crate) struct Watchdog {
    file: File,
    path: PathBuf,
    /// Within which it must be fed; what the device made of what was asked.
    pub timeout: Duration,
}

/// Why there is no watchdog.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot {act} the watchdog: {source}", path.display())]
pub struct WatchdogError {
    /// The device file.
    pub path: PathBuf,
    /// What was to be done.
    pub act: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl Watchdog {
    /// Opens it, which starts it, and sets its time. If that fails it is stopped
    /// again, so that a slip in the configuration does not reset the board.
    pub fn open(path: &Path, timeout: Duration) -> Result<Watchdog, WatchdogError> {
        let fail = |act| move |source| WatchdogError { path: path.to_owned(), act, source };
        let file = File::options().write(true).open(path).map_err(fail("open"))?;
        let mut watchdog = Watchdog { file, path: path.to_owned(), timeout };
        // Checked to fit where the configuration is read.
        let mut seconds = timeout.as_secs() as i32;
        if let Err(source) = set_timeout(&watchdog.file, &mut seconds) {
            watchdog.release();
            return Err(fail("set the time of")(source));
        }
        watchdog.timeout = Duration::from_secs(seconds.max(1) as u64);
        if watchdog.timeout != timeout {
            log::warn!("{}: takes {seconds} s, not {} s", path.display(), timeout.as_secs());
        }
        Ok(watchdog)
    }

    pub fn feed(&mut self) {
        if let Err(error) = self.file.write_all(b"\0") {
            log::error!("{}: cannot feed the watchdog: {error}", self.path.display());
        }
    }

    /// Stops it, if its driver allows that at all: `V` before closing says that
    /// this is meant.
    pub fn release(mut self) {
        if let Err(error) = self.file.write_all(b"V") {
            log::error!("{}: cannot stop the watchdog: {error}", self.path.display());
        }
    }
}

fn set_timeout(device: impl AsFd, seconds: &mut i32) -> io::Result<()> {
    // SAFETY: the operation reads and writes one int, which this is.
    let operation = unsafe { Updater::<SET_TIMEOUT, i32>::new(seconds) };
    // SAFETY: the kernel writes nothing but that int.
    Ok(unsafe { ioctl(device, operation) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the kernel's uapi/linux/watchdog.h: `_IOWR('W', 6, int)`.
    #[test]
    fn the_operation_has_the_kernels_number() {
        assert_eq!(SET_TIMEOUT, 0xc004_5706);
    }

    #[test]
    fn what_is_no_watchdog_is_refused_and_told_to_stop() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Watchdog::open(file.path(), Duration::from_secs(15)).unwrap_err();
        assert!(
            error.to_string().ends_with(
                "cannot set the time of the watchdog: \
            Inappropriate ioctl for device (os error 25)"
            ),
            "{error}"
        );
        assert_eq!(std::fs::read(file.path()).unwrap(), b"V");
    }
}
