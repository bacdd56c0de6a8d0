//! Holding on to an answer until enough speaks against it.

use graft_spec::Decision;

/// A steady answer, and who challenges it.
///
/// A label takes over when the vote has been for it, with a strength of at least
/// `enter`, for `hold` frames in a row. A label is let go, and the answer
/// becomes unknown, when the vote has been for something else and the label's
/// own strength below `leave`, for `hold` frames in a row.
#[derive(Debug)]
pub(super) struct Hysteresis {
    enter: f32,
    leave: f32,
    hold: u32,
    stable: Decision,
    challenger: Decision,
    /// Frames in a row that were for the challenger.
    frames: u32,
}

impl Hysteresis {
    pub fn new(enter: f32, leave: f32, hold: u32) -> Hysteresis {
        let (stable, challenger) = (Decision::Unknown, Decision::Unknown);
        Hysteresis { enter, leave, hold, stable, challenger, frames: 0 }
    }

    pub fn stable(&self) -> Decision {
        self.stable
    }

    /// Starts from a label instead of from "unknown".
    pub fn resume(&mut self, label: usize) {
        self.stable = Decision::Label(label);
    }

    /// Takes what the vote is for now; `strength` says how much speaks for a
    /// label.
    pub fn push(&mut self, vote: Decision, strength: impl Fn(usize) -> f32) -> Decision {
        let challenger = self.challenger(vote, strength);
        self.frames = if challenger == self.challenger { self.frames.saturating_add(1) } else { 1 };
        self.challenger = challenger;
        if challenger != self.stable && self.frames >= self.hold {
            self.stable = challenger;
        }
        self.stable
    }

    /// What this frame would have the answer be.
    fn challenger(&self, vote: Decision, strength: impl Fn(usize) -> f32) -> Decision {
        match (self.stable, vote) {
            (stable, vote) if stable == vote => stable,
            (_, Decision::Label(label)) if strength(label) >= self.enter => vote,
            (Decision::Unknown, _) => Decision::Unknown,
            // A strength that is NaN holds nothing.
            (Decision::Label(label), _) if strength(label) >= self.leave => self.stable,
            (Decision::Label(_), _) => Decision::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use Decision::{Label, Unknown};

    use super::*;

    /// Two labels whose strengths add up to 1, as a mean's do; a vote below 0.5
    /// is for nothing.
    fn steady(enter: f32, leave: f32, hold: u32, first: &[f32]) -> Vec<Decision> {
        let mut hysteresis = Hysteresis::new(enter, leave, hold);
        let push = |&p: &f32| {
            let vote = match p {
                p if p >= 0.6 => Label(0),
                p if p <= 0.4 => Label(1),
                _ => Unknown,
            };
            hysteresis.push(vote, |label| if label == 0 { p } else { 1.0 - p })
        };
        first.iter().map(push).collect()
    }

    #[test]
    fn a_label_enters_high_and_leaves_low() {
        let found = steady(0.8, 0.3, 1, &[0.7, 0.8, 0.5, 0.35, 0.3, 0.29, 0.7, 0.2]);
        let expected =
            [Unknown, Label(0), Label(0), Label(0), Label(0), Unknown, Unknown, Label(1)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_challenger_needs_frames_in_a_row() {
        let found = steady(0.0, 1.0, 3, &[0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1]);
        let a = Label(0);
        assert_eq!(found, [Unknown, Unknown, a, a, a, a, a, a, Label(1)]);
    }

    #[test]
    fn an_answer_that_swings_every_frame_does_not_flicker() {
        let swinging: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { 0.9 } else { 0.1 }).collect();
        let found = steady(0.0, 1.0, 2, &swinging);
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn unknown_needs_as_many_frames_as_a_label() {
        let a = Label(0);
        let found = steady(0.0, 1.0, 2, &[0.9, 0.9, 0.5, 0.9, 0.5, 0.5]);
        assert_eq!(found, [Unknown, a, a, a, a, Unknown]);
    }
}
