//! Signals become orders to the loop.

use std::sync::Arc;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::mailbox::Mailbox;
use crate::stop::Stop;

/// Listens until it is dropped.
pub(crate) struct Listening {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn listen(mailbox: Arc<Mailbox>, stop: Stop) -> std::io::Result<Listening> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => mailbox.reload(),
                _ => {
                    mailbox.stop();
                    stop.order();
                }
            }
        }
    })?;
    Ok(Listening { handle, thread: Some(thread) })
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported where it was.
            let _ = thread.join();
        }
    }
}
