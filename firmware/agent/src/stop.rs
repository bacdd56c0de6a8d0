//! Waiting for a file descriptor without missing the order to stop.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// An order to stop, once given never taken back.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    // Readable from the moment the order is given.
    event: Arc<OwnedFd>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Ready,
    TimedOut,
    Stopped,
}

impl Stop {
    pub fn new() -> io::Result<Stop> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Stop { event: Arc::new(event) })
    }

    pub fn order(&self) {
        // It fails only when the counter is full, and then it is readable.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    pub fn is_ordered(&self) -> bool {
        matches!(self.sleep(Duration::ZERO), Wait::Stopped)
    }

    /// Waits until `fd` can be read, or has an error to be read. An order to stop
    /// comes first: a source may have something to read for ever.
    pub fn wait_readable(&self, fd: impl AsFd, patience: Option<Duration>) -> io::Result<Wait> {
        let mut fds = [PollFd::new(&self.event, PollFlags::IN), PollFd::new(&fd, PollFlags::IN)];
        let ready = wait(&mut fds, patience)?;
        Ok(match ready {
            _ if !fds[0].revents().is_empty() => Wait::Stopped,
            0 => Wait::TimedOut,
            _ => Wait::Ready,
        })
    }

    /// Waits until `fd` can be written to, or has an error to be found. An order
    /// to stop comes second: what is to be said last can be, if that takes no
    /// waiting.
    pub fn wait_writable(&self, fd: impl AsFd) -> io::Result<Wait> {
        let mut fds = [PollFd::new(&self.event, PollFlags::IN), PollFd::new(&fd, PollFlags::OUT)];
        wait(&mut fds, None)?;
        Ok(if fds[1].revents().is_empty() { Wait::Stopped } else { Wait::Ready })
    }

    /// Sleeps, unless it is time to stop.
    pub fn sleep(&self, span: Duration) -> Wait {
        let mut fds = [PollFd::new(&self.event, PollFlags::IN)];
        match wait(&mut fds, Some(span)) {
            Ok(0) => Wait::TimedOut,
            // An error of poll here is one of the system's memory.
            _ => Wait::Stopped,
        }
    }
}

fn wait(fds: &mut [PollFd<'_>], patience: Option<Duration>) -> io::Result<usize> {
    let timeout = patience.map(|span| Timespec {
        tv_sec: span.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    });
    loop {
        match poll(fds, timeout.as_ref()) {
            // Signals are handled elsewhere; waiting a little longer is no harm.
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_ends_every_wait() {
        let stop = Stop::new().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        assert!(!stop.is_ordered());
        assert_eq!(stop.wait_readable(&reader, Some(Duration::ZERO)).unwrap(), Wait::TimedOut);
        drop(writer);
        assert_eq!(stop.wait_readable(&reader, None).unwrap(), Wait::Ready);
        stop.order();
        assert!(stop.is_ordered());
        assert_eq!(stop.wait_readable(&reader, None).unwrap(), Wait::Stopped);
        assert_eq!(stop.sleep(Duration::from_secs(60)), Wait::Stopped);

        let (_reader, mut writer) = io::pipe().unwrap();
        assert_eq!(stop.wait_writable(&writer).unwrap(), Wait::Ready);
        // As much as Linux puts into a pipe.
        io::Write::write_all(&mut writer, &[0; 65_536]).unwrap();
        assert_eq!(stop.wait_writable(&writer).unwrap(), Wait::Stopped);
    }
}
