//! Feeding the watchdogs, as long as frames are really answered.

use std::time::{Duration, Instant};

use super::{Manager, Watchdog};

/// What the loop has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A frame was answered.
    Answered,
    /// There was no frame, or none that could be read.
    Idle,
    /// The engine gave up on a frame.
    Failed,
}

/// The watchdogs, and when they are fed next.
#[derive(Debug)]
pub(crate) struct Pulse {
    manager: Manager,
    watchdog: Option<Watchdog>,
    judge: Judge,
    every: Option<Duration>,
    last_fed: Instant,
}

/// Whether graftd does its work.
#[derive(Clone, Copy, Debug)]
struct Judge {
    /// A source that may be quiet has no limit.
    quiet_limit: Option<Duration>,
    last_answer: Instant,
    failing: bool,
}

impl Pulse {
    /// `quiet_limit`: how long a source may give no frame before that counts as
    /// a fault. The first feeding is at once.
    pub fn start(
        manager: Manager,
        watchdog: Option<Watchdog>,
        quiet_limit: Option<Duration>,
        now: Instant,
    ) -> Pulse {
        let limits = [manager.watchdog, watchdog.as_ref().map(|watchdog| watchdog.timeout)];
        let mut pulse = Pulse {
            // A third, so that one feeding may be late.
            every: limits.into_iter().flatten().min().map(|limit| limit / 3),
            judge: Judge { quiet_limit, last_answer: now, failing: false },
            last_fed: now,
            manager,
            watchdog,
        };
        pulse.feed(now);
        pulse
    }

    /// How long the loop may wait for a frame before it must come by.
    pub fn patience(&self) -> Duration {
        let longest = Duration::from_millis(500);
        self.every.map_or(longest, |every| (every / 2).min(longest))
    }

    /// Feeds the watchdogs if it is time and all is well.
    pub fn beat(&mut self, sign: Sign, now: Instant) {
        let well = self.judge.is_well(sign, now);
        if well && self.every.is_some_and(|every| now.duration_since(self.last_fed) >= every) {
            self.feed(now);
        }
    }

    fn feed(&mut self, now: Instant) {
        self.last_fed = now;
        if self.manager.watchdog.is_some() {
            self.manager.feed();
        }
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.feed();
        }
    }

    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Lets the hardware know that graftd stops on purpose.
    pub fn release(self) {
        if let Some(watchdog) = self.watchdog {
            watchdog.release();
        }
    }
}

impl Judge {
    fn is_well(&mut self, sign: Sign, now: Instant) -> bool {
        match sign {
            Sign::Answered => {
                self.last_answer = now;
                self.failing = false;
            }
            Sign::Failed => self.failing = true,
            Sign::Idle => {}
        }
        let quiet = now.duration_since(self.last_answer);
        !self.failing && self.quiet_limit.is_none_or(|limit| quiet < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn judge(quiet_limit: Option<Duration>, last_answer: Instant) -> Judge {
        Judge { quiet_limit, last_answer, failing: false }
    }

    #[test]
    fn a_camera_that_hangs_is_a_fault_and_an_empty_folder_is_none() {
        let start = Instant::now();
        let mut camera = judge(Some(10 * SECOND), start);
        let mut folder = judge(None, start);
        let mut check = |seconds, sign, camera_is, folder_is| {
            let now = start + seconds * SECOND;
            assert_eq!(camera.is_well(sign, now), camera_is, "camera at {seconds}");
            assert_eq!(folder.is_well(sign, now), folder_is, "folder at {seconds}");
        };
        check(1, Sign::Answered, true, true);
        check(10, Sign::Idle, true, true);
        check(11, Sign::Idle, false, true);
        check(12, Sign::Answered, true, true);
    }

    #[test]
    fn an_engine_that_fails_is_a_fault_until_it_answers() {
        let start = Instant::now();
        let mut folder = judge(None, start);
        assert!(!folder.is_well(Sign::Failed, start));
        assert!(!folder.is_well(Sign::Idle, start + SECOND));
        assert!(folder.is_well(Sign::Answered, start + SECOND));
    }
}
