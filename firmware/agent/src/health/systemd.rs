//! The service manager, see `sd_notify(3)`. Without one nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;

/// What the manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The bundle is verified and the loop begins, or a reload is over.
    Ready,
    /// A bundle is being opened beside the running one.
    Reloading,
    Stopping,
}

/// The service manager that started graftd, if one did.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Within which it wants to hear of us.
    pub watchdog: Option<Duration>,
}

impl Manager {
    pub fn find() -> Manager {
        Manager { watchdog: sd_notify::watchdog_enabled().filter(|span| !span.is_zero()) }
    }

    pub fn tell(&self, state: State) {
        match state {
            State::Ready => notify(&[NotifyState::Ready]),
            State::Stopping => notify(&[NotifyState::Stopping]),
            // Since systemd 253 the time must stand beside it.
            State::Reloading => match NotifyState::monotonic_usec_now() {
                Ok(now) => notify(&[NotifyState::Reloading, now]),
                Err(error) => log::warn!("the service manager is not told: {error}"),
            },
        }
    }

    pub fn feed(&self) {
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("the service manager is not told: {error}");
    }
}
