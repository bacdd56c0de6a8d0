//! A slot for one frame between the thread that gets frames and the thread that
//! answers them.
//!
//! Not a queue: a camera's older frame gives way to its newer one. Frames are
//! swapped in and out, so three buffers go round for ever and nothing is
//! allocated.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::job::{Pace, RawLayout};

/// A frame as its source gives it.
#[derive(Debug)]
pub(crate) struct Captured {
    pub bytes: Vec<u8>,
    pub encoding: Encoding,
    /// The file that it was; empty if it was none.
    pub name: String,
    /// When it was there as a whole.
    pub at: Instant,
}

/// What the bytes of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// A picture file in a format that tells itself.
    Picture,
    Raw(RawLayout),
    /// UTF-8, if its writer kept to it.
    Text,
}

/// What the answering thread woke up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Frame,
    /// Nothing came in time.
    Nothing,
    /// Nothing will come any more.
    End,
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// What became of the frames that were put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// Taken, but it gave no answer.
    Refused,
    /// Never taken: graftd stops.
    Lost,
}

/// The slot, and what else must wake the answering thread.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inside {
    slot: Captured,
    full: bool,
    /// Frames that were taken out, and those of them that were dealt with.
    taken: u64,
    done: u64,
    /// Of the frame that was taken last.
    refused: bool,
    dropped: u64,
    ended: bool,
    stop: bool,
    reload: bool,
    /// Nobody takes frames any more.
    abandoned: bool,
}

impl Captured {
    pub fn empty() -> Captured {
        Captured {
            bytes: Vec::new(),
            encoding: Encoding::Picture,
            name: String::new(),
            at: Instant::now(),
        }
    }
}

impl Mailbox {
    pub fn new() -> Mailbox {
        Mailbox {
            inside: Mutex::new(Inside {
                slot: Captured::empty(),
                full: false,
                taken: 0,
                done: 0,
                refused: false,
                dropped: 0,
                ended: false,
                stop: false,
                reload: false,
                abandoned: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts a frame in and gives another buffer back in its place. With
    /// [`Pace::Every`] it waits until the slot is free.
    pub fn put(&self, frame: &mut Captured, pace: Pace) {
        let mut inside = self.lock();
        if pace == Pace::Every {
            inside = self.wait_while(inside, |inside| inside.full && !inside.stop);
        }
        if inside.full {
            inside.dropped += 1;
        }
        std::mem::swap(&mut inside.slot, frame);
        inside.full = true;
        self.changed.notify_all();
    }

    /// Waits until every frame that was put in has been dealt with, and says what
    /// became of the last one.
    pub fn wait_until_done(&self) -> Fate {
        let inside = self.wait_while(self.lock(), |inside| {
            let waits = inside.full && !inside.stop;
            (waits || inside.done < inside.taken) && !inside.abandoned
        });
        match (inside.full || inside.done < inside.taken, inside.refused) {
            (true, _) => Fate::Lost,
            (false, true) => Fate::Refused,
            (false, false) => Fate::Answered,
        }
    }

    /// Says that the frame that was taken last gives no answer.
    pub fn refuse(&self) {
        self.lock().refused = true;
    }

    /// No frame comes after this.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Asks the answering thread to stop.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// Says that the answering thread takes no more frames.
    pub fn abandon(&self) {
        let mut inside = self.lock();
        inside.stop = true;
        inside.abandoned = true;
        self.changed.notify_all();
    }

    /// Asks the answering thread to open the bundle again.
    pub fn reload(&self) {
        self.lock().reload = true;
        self.changed.notify_all();
    }

    /// Waits for what comes next; a frame is swapped with `frame`. Taking the
    /// next one says that the last one has been dealt with.
    pub fn take(&self, frame: &mut Captured, patience: Duration) -> Arrival {
        let until = Instant::now() + patience;
        let mut inside = self.lock();
        if inside.done < inside.taken {
            inside.done = inside.taken;
            self.changed.notify_all();
        }
        loop {
            if inside.stop {
                return Arrival::Stop;
            }
            if std::mem::take(&mut inside.reload) {
                return Arrival::Reload;
            }
            if inside.full {
                std::mem::swap(&mut inside.slot, frame);
                inside.full = false;
                inside.taken += 1;
                inside.refused = false;
                self.changed.notify_all();
                return Arrival::Frame;
            }
            if inside.ended {
                return Arrival::End;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Arrival::Nothing;
            }
            inside = match self.changed.wait_timeout(inside, left) {
                Ok((inside, _)) => inside,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Frames that gave way to newer ones.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    // No holder of the lock can leave it half done, so a panic elsewhere does
    // not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        inside: MutexGuard<'a, Inside>,
        condition: impl FnMut(&mut Inside) -> bool,
    ) -> MutexGuard<'a, Inside> {
        self.changed.wait_while(inside, condition).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(byte: u8) -> Captured {
        Captured { bytes: vec![byte], ..Captured::empty() }
    }

    fn taken(mailbox: &Mailbox) -> Option<u8> {
        let mut frame = Captured::empty();
        match mailbox.take(&mut frame, Duration::ZERO) {
            Arrival::Frame => Some(frame.bytes[0]),
            Arrival::Nothing => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_newest_frame_wins_and_the_others_are_counted() {
        let mailbox = Mailbox::new();
        assert_eq!(taken(&mailbox), None);
        for byte in 1..=4 {
            mailbox.put(&mut frame(byte), Pace::Newest);
        }
        assert_eq!(taken(&mailbox), Some(4));
        assert_eq!(taken(&mailbox), None);
        assert_eq!(mailbox.dropped(), 3);
    }

    #[test]
    fn a_source_that_waits_loses_nothing() {
        let mailbox = Mailbox::new();
        let all: Vec<u8> = std::thread::scope(|scope| {
            scope.spawn(|| {
                for byte in 0..200 {
                    mailbox.put(&mut frame(byte), Pace::Every);
                }
                mailbox.end();
            });
            let mut all = Vec::new();
            let mut frame = Captured::empty();
            while mailbox.take(&mut frame, Duration::from_secs(10)) == Arrival::Frame {
                all.push(frame.bytes[0]);
            }
            all
        });
        assert_eq!(all, (0..200).collect::<Vec<u8>>());
        assert_eq!(mailbox.dropped(), 0);
    }

    #[test]
    fn a_frame_is_dealt_with_when_the_next_one_is_asked_for() {
        let mailbox = Mailbox::new();
        mailbox.put(&mut frame(1), Pace::Every);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| mailbox.wait_until_done());
            assert_eq!(taken(&mailbox), Some(1));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!waiting.is_finished());
            assert_eq!(taken(&mailbox), None);
            assert_eq!(waiting.join().unwrap(), Fate::Answered);
        });
    }

    #[test]
    fn a_frame_without_an_answer_is_told_from_one_with() {
        let mailbox = Mailbox::new();
        for (refuse, expected) in [(true, Fate::Refused), (false, Fate::Answered)] {
            mailbox.put(&mut frame(1), Pace::Every);
            assert_eq!(taken(&mailbox), Some(1));
            if refuse {
                mailbox.refuse();
            }
            assert_eq!(taken(&mailbox), None);
            assert_eq!(mailbox.wait_until_done(), expected);
        }
    }

    #[test]
    fn stopping_frees_whoever_waits() {
        let mailbox = Mailbox::new();
        mailbox.put(&mut frame(1), Pace::Every);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| mailbox.wait_until_done());
            mailbox.stop();
            assert_eq!(waiting.join().unwrap(), Fate::Lost);
        });
        mailbox.put(&mut frame(2), Pace::Every);
        assert_eq!(mailbox.take(&mut Captured::empty(), Duration::ZERO), Arrival::Stop);
    }

    #[test]
    fn frames_that_wait_are_answered_before_the_end() {
        let mailbox = Mailbox::new();
        mailbox.put(&mut frame(1), Pace::Every);
        mailbox.end();
        assert_eq!(taken(&mailbox), Some(1));
        assert_eq!(mailbox.take(&mut Captured::empty(), Duration::ZERO), Arrival::End);
    }

    #[test]
    fn a_reload_is_told_once() {
        let mailbox = Mailbox::new();
        mailbox.reload();
        mailbox.reload();
        assert_eq!(mailbox.take(&mut Captured::empty(), Duration::ZERO), Arrival::Reload);
        assert_eq!(taken(&mailbox), None);
    }
}
