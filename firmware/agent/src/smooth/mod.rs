//! One steady answer out of many quick ones: first a vote over time, then
//! hysteresis, so that an output does not flicker.

mod hysteresis;
mod vote;

use graft_spec::Decision;

use crate::config::{Smooth, SmoothMethod};
use hysteresis::Hysteresis;
use vote::{Exponential, Majority, Vote};

/// What has been seen so far.
#[derive(Debug)]
pub(crate) struct Smoother {
    vote: Vote,
    hysteresis: Hysteresis,
}

impl Smoother {
    /// Of a bundle with so many labels.
    pub fn new(settings: &Smooth, labels: usize, unknown_below: Option<f32>) -> Smoother {
        let exponential = |alpha| Vote::Exponential(Exponential::new(alpha, labels, unknown_below));
        Smoother {
            vote: match settings.method {
                // A mean in which only the last frame counts.
                SmoothMethod::None => exponential(1.0),
                SmoothMethod::Exponential => exponential(settings.alpha.get()),
                SmoothMethod::Majority => Vote::Majority(Majority::new(settings.window, labels)),
            },
            hysteresis: Hysteresis::new(settings.enter.get(), settings.leave.get(), settings.hold),
        }
    }

    /// Takes one frame's answer and gives the steady one.
    pub fn push(&mut self, decision: Decision, probabilities: &[f32]) -> Decision {
        let candidate = self.vote.push(decision, probabilities, self.hysteresis.stable());
        self.hysteresis.push(candidate, |label| self.vote.strength(label))
    }

    /// Takes an answer that is unknown because there is nothing to go by, such as a text
    /// of unknown words: its probabilities are nobody's.
    pub fn push_nothing(&mut self) -> Decision {
        let candidate = self.vote.push_nothing(self.hysteresis.stable());
        self.hysteresis.push(candidate, |label| self.vote.strength(label))
    }

    /// Goes on from a steady answer that was found before.
    pub fn resume(&mut self, label: usize) {
        self.hysteresis.resume(label);
    }
}

#[cfg(test)]
mod tests {
    use graft_spec::Calibration;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Share;

    const LABELS: usize = 3;

    fn frames() -> impl Strategy<Value = Vec<[f32; LABELS]>> {
        proptest::collection::vec(proptest::array::uniform3(-4.0_f32..4.0), 1..80)
    }

    /// Probabilities and decision as the runtime makes them.
    fn answer(logits: &[f32; LABELS], calibration: Calibration) -> (Decision, [f32; LABELS]) {
        let mut probabilities = *logits;
        (calibration.decide(&mut probabilities), probabilities)
    }

    const CALIBRATION: Calibration = Calibration { temperature: 1.0, unknown_below: Some(0.55) };

    fn smoother(settings: &Smooth) -> Smoother {
        Smoother::new(settings, LABELS, CALIBRATION.unknown_below)
    }

    fn share(value: f32) -> Share {
        Share::try_from(value).unwrap()
    }

    proptest! {
        #[test]
        fn without_smoothing_every_answer_is_the_steady_one(frames in frames()) {
            let mut smoother = smoother(&Smooth::default());
            for logits in &frames {
                let (decision, probabilities) = answer(logits, CALIBRATION);
                prop_assert_eq!(smoother.push(decision, &probabilities), decision);
            }
        }

        #[test]
        fn what_is_held_changes_no_more_often(
            frames in frames(),
            hold in 1_u32..6,
            majority in any::<bool>(),
        ) {
            let method = if majority { SmoothMethod::Majority } else { SmoothMethod::Exponential };
            let mut smoother = smoother(&Smooth { method, hold, ..Smooth::default() });
            let mut since = 0;
            let mut stable = Decision::Unknown;
            for logits in &frames {
                let (decision, probabilities) = answer(logits, CALIBRATION);
                let next = smoother.push(decision, &probabilities);
                since += 1;
                if next != stable {
                    prop_assert!(since >= hold, "changed after {} of {} frames", since, hold);
                    (stable, since) = (next, 0);
                }
            }
        }

        #[test]
        fn an_answer_that_stays_is_taken_in_the_end(
            frames in frames(),
            label in 0..LABELS,
            method in prop_oneof![
                Just(SmoothMethod::None),
                Just(SmoothMethod::Majority),
                Just(SmoothMethod::Exponential),
            ],
            hold in 1_u32..6,
        ) {
            let settings = Smooth {
                method, hold, enter: share(0.6), leave: share(0.4), ..Smooth::default()
            };
            let mut smoother = smoother(&settings);
            for logits in &frames {
                let (decision, probabilities) = answer(logits, CALIBRATION);
                smoother.push(decision, &probabilities);
            }
            let mut sure = [-4.0; LABELS];
            sure[label] = 4.0;
            let (decision, probabilities) = answer(&sure, CALIBRATION);
            let last = (0..30).map(|_| smoother.push(decision, &probabilities)).last();
            prop_assert_eq!(last, Some(Decision::Label(label)));
        }

        #[test]
        fn without_smoothing_nothing_to_go_by_is_unknown(frames in frames()) {
            let mut smoother = smoother(&Smooth::default());
            for logits in &frames {
                let (decision, probabilities) = answer(logits, CALIBRATION);
                smoother.push(decision, &probabilities);
                prop_assert_eq!(smoother.push_nothing(), Decision::Unknown);
            }
        }

        /// Nothing that a network can say stops the loop.
        #[test]
        fn broken_probabilities_are_unknown_and_pass(frames in frames(), hold in 1_u32..4) {
            let settings =
                Smooth { method: SmoothMethod::Exponential, hold, ..Smooth::default() };
            let mut smoother = smoother(&settings);
            for logits in &frames {
                let (decision, probabilities) = answer(logits, CALIBRATION);
                smoother.push(decision, &probabilities);
            }
            let nan = [f32::NAN; LABELS];
            let last = (0..hold).map(|_| smoother.push(Decision::Unknown, &nan)).last();
            prop_assert_eq!(last, Some(Decision::Unknown));
            let (decision, probabilities) = answer(&[8.0, -8.0, -8.0], CALIBRATION);
            let last = (0..40).map(|_| smoother.push(decision, &probabilities)).last();
            prop_assert_eq!(last, Some(Decision::Label(0)));
        }
    }
}
