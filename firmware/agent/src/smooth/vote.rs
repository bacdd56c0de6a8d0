//! Several frames' answers, weighed against each other.

use std::collections::VecDeque;

use graft_spec::Decision;

#[derive(Debug)]
pub(super) enum Vote {
    Majority(Majority),
    Exponential(Exponential),
}

/// The commonest of the last answers.
#[derive(Debug)]
pub(super) struct Majority {
    last: VecDeque<Decision>,
    window: usize,
    /// Of `last`, one for each label and then one for "unknown".
    counts: Vec<usize>,
}

/// Probabilities averaged over time, later frames counting more.
#[derive(Debug)]
pub(super) struct Exponential {
    alpha: f32,
    unknown_below: Option<f32>,
    mean: Vec<f32>,
    /// Whether the mean has had its first frame.
    begun: bool,
    /// Whether the last frame was no answer at all.
    broken: bool,
}

impl Vote {
    /// Takes a frame's answer and says what the frames together speak for.
    /// `stable` wins where they speak for several things equally.
    pub fn push(
        &mut self,
        decision: Decision,
        probabilities: &[f32],
        stable: Decision,
    ) -> Decision {
        match self {
            Vote::Majority(majority) => majority.push(decision, stable),
            Vote::Exponential(exponential) => exponential.push(probabilities),
        }
    }

    /// Takes an answer that nothing speaks for, whatever the probabilities.
    pub fn push_nothing(&mut self, stable: Decision) -> Decision {
        match self {
            Vote::Majority(majority) => majority.push(Decision::Unknown, stable),
            Vote::Exponential(exponential) => {
                exponential.broken = true;
                Decision::Unknown
            }
        }
    }

    /// How much speaks for a label, from 0 to 1; NaN if nobody can say.
    pub fn strength(&self, label: usize) -> f32 {
        match self {
            Vote::Majority(majority) => majority.counts[label] as f32 / majority.last.len() as f32,
            Vote::Exponential(exponential) if exponential.broken => f32::NAN,
            Vote::Exponential(exponential) => exponential.mean[label],
        }
    }
}

impl Majority {
    pub fn new(window: usize, labels: usize) -> Majority {
        Majority { last: VecDeque::with_capacity(window + 1), window, counts: vec![0; labels + 1] }
    }

    fn push(&mut self, decision: Decision, stable: Decision) -> Decision {
        let Majority { last, window, counts } = self;
        let unknown = counts.len() - 1;
        let place = |decision| match decision {
            Decision::Label(label) => label,
            Decision::Unknown => unknown,
        };
        last.push_back(decision);
        counts[place(decision)] += 1;
        if last.len() > *window
            && let Some(oldest) = last.pop_front()
        {
            counts[place(oldest)] -= 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        if counts[place(stable)] == most {
            return stable;
        }
        // The latest of those that tie.
        let tie = last.iter().rev().find(|&&other| counts[place(other)] == most);
        tie.copied().unwrap_or(decision)
    }
}

impl Exponential {
    pub fn new(alpha: f32, labels: usize, unknown_below: Option<f32>) -> Exponential {
        let mean = vec![0.0; labels];
        Exponential { alpha, unknown_below, mean, begun: false, broken: false }
    }

    fn push(&mut self, probabilities: &[f32]) -> Decision {
        // One broken frame must not stay in the mean for ever.
        self.broken = probabilities.iter().any(|p| !p.is_finite());
        if self.broken {
            return Decision::Unknown;
        }
        let alpha = if self.begun { self.alpha } else { 1.0 };
        self.begun = true;
        for (mean, &p) in self.mean.iter_mut().zip(probabilities) {
            *mean = alpha * p + (1.0 - alpha) * *mean;
        }
        // The first of equals, as a single answer is decided.
        let mut best = 0;
        for (label, &mean) in self.mean.iter().enumerate() {
            if mean > self.mean[best] {
                best = label;
            }
        }
        if self.unknown_below.is_some_and(|least| self.mean[best] < least) {
            Decision::Unknown
        } else {
            Decision::Label(best)
        }
    }
}

#[cfg(test)]
mod tests {
    use Decision::{Label, Unknown};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_commonest_of_the_last_answers_wins() {
        let mut majority = Majority::new(3, 2);
        let mut check = |decision, stable, expected| {
            assert_eq!(majority.push(decision, stable), expected, "{decision:?}");
        };
        check(Label(0), Unknown, Label(0));
        // A tie: the steady answer, or else the latest.
        check(Label(1), Label(0), Label(0));
        check(Unknown, Label(0), Label(0));
        // 1, unknown, unknown.
        check(Unknown, Label(0), Unknown);
        check(Label(1), Unknown, Unknown);
        check(Label(1), Unknown, Label(1));
    }

    fn decisions() -> impl Strategy<Value = Vec<Decision>> {
        let decision = prop_oneof![(0..3_usize).prop_map(Label), Just(Unknown)];
        proptest::collection::vec(decision, 1..60)
    }

    proptest! {
        #[test]
        fn a_majority_is_what_counting_anew_finds(decisions in decisions(), window in 1..8_usize) {
            let mut majority = Majority::new(window, 3);
            for end in 1..=decisions.len() {
                let seen = &decisions[end.saturating_sub(window)..end];
                let count = |wanted| seen.iter().filter(|&&d| d == wanted).count();
                let found = majority.push(decisions[end - 1], Unknown);
                for other in [Label(0), Label(1), Label(2), Unknown] {
                    prop_assert!(count(found) >= count(other));
                }
            }
        }

        #[test]
        fn a_mean_is_what_the_sum_of_weights_says(
            values in proptest::collection::vec(0.0_f32..1.0, 1..40),
            alpha in 0.05_f32..1.0,
        ) {
            let mut exponential = Exponential::new(alpha, 2, None);
            for &p in &values {
                exponential.push(&[p, 1.0 - p]);
            }
            // The closed form, in f64: the first frame has all the weight that
            // the later ones leave.
            let (alpha, n) = (f64::from(alpha), values.len() as i32);
            let expected: f64 = values
                .iter()
                .zip(0..)
                .map(|(&p, i)| {
                    let weight = if i == 0 { 1.0 } else { alpha };
                    f64::from(p) * weight * (1.0 - alpha).powi(n - 1 - i)
                })
                .sum();
            prop_assert!((f64::from(exponential.mean[0]) - expected).abs() < 1e-5);
        }
    }
}
