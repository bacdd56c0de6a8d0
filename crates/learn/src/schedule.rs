use std::f64::consts::PI;

/// How the learning rate goes after its warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// Down half a cosine to nothing (Loshchilov and Hutter 2017, "SGDR").
    Cosine,
    /// It stays.
    Constant,
}

/// The learning rate of each step, as a share of the full one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    steps: usize,
    warm_up: usize,
    decay: Decay,
}

impl Schedule {
    /// For `steps` steps, of which the first `warm_up` share rises in a straight
    /// line. A warm-up spares pretrained weights the first gradients of moments
    /// that know nothing yet.
    pub fn new(steps: usize, warm_up: f64, decay: Decay) -> Schedule {
        let warm_up = (steps as f64 * warm_up.clamp(0.0, 1.0)).round() as usize;
        Schedule { steps, warm_up, decay }
    }

    /// The share at a step, counted from 0; above 0 for each of them, so that no
    /// step is for nothing.
    pub fn share(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return (step + 1) as f64 / self.warm_up as f64;
        }
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => {
                let rest = (self.steps - self.warm_up).max(1) as f64;
                let done = ((step - self.warm_up) as f64 / rest).min(1.0);
                0.5 * (1.0 + (PI * done).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_in_a_line_and_falls_in_a_cosine() {
        let schedule = Schedule::new(100, 0.2, Decay::Cosine);
        let check = |step: usize, share: f64| {
            let found = schedule.share(step);
            assert!((found - share).abs() < 1e-12, "step {step}: {found}, not {share}");
        };
        check(0, 0.05);
        check(9, 0.5);
        check(19, 1.0);
        check(20, 1.0);
        // By hand: half of 1 + cos 60°, cos 90°, cos 120°.
        check(20 + 80 / 3, 0.5 * (1.0 + (PI * 26.0 / 80.0).cos()));
        check(60, 0.5);
        check(99, 0.5 * (1.0 + (PI * 79.0 / 80.0).cos()));
        assert!(schedule.share(99) > 0.0);
    }

    #[test]
    fn any_numbers_give_a_share() {
        for (steps, warm_up) in [(1, 0.0), (1, 1.0), (3, 2.0), (7, f64::NAN), (10, 1.0)] {
            for decay in [Decay::Cosine, Decay::Constant] {
                let schedule = Schedule::new(steps, warm_up, decay);
                for step in 0..steps {
                    let share = schedule.share(step);
                    assert!(share > 0.0 && share <= 1.0, "{steps} {warm_up} {step}: {share}");
                }
            }
        }
    }
}
