//! L-BFGS (Liu, Nocedal 1989) turned inside out: it says where it wants to know
//! the objective and is told, so that several problems can share one pass over
//! the data.

use std::collections::VecDeque;

/// Steps remembered: of few parameters many, since a pass over the data costs
/// more than they do; of many few, since they fill the memory.
const MEMORY: std::ops::RangeInclusive<usize> = 5..=20;
/// Values that the remembered steps of one problem may have, above the least
/// number of steps.
const MEMORY_VALUES: usize = 1 << 21;
/// Sufficient decrease and curvature of the Wolfe conditions.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// The objective comes from f32 logits: relative differences below this are
/// noise, and the slope decides instead (the approximate Wolfe conditions of
/// Hager, Zhang 2005).
const NOISE: f64 = 1e-8;
/// A relative decrease below this, this many steps in a row, is the end.
const STALLED: f64 = 1e-11;
const STALLED_STEPS: usize = 5;
/// A bracket is halved at most this often before the step is given up.
const MAX_TRIALS: usize = 30;

/// What there is to do after an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Evaluate at [`Lbfgs::trial`] and tell.
    Evaluate,
    /// [`Lbfgs::trial`] is the minimum, and it was just evaluated.
    Done,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest component of the gradient at the end.
    pub(crate) tolerance: f64,
    /// Evaluations at most.
    pub(crate) evaluations: usize,
}

/// One minimisation under way.
#[derive(Clone, Debug)]
pub(crate) struct Lbfgs {
    limits: Limits,
    /// Where the objective is to be evaluated.
    trial: Vec<f64>,
    /// The last accepted point, its objective and gradient.
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    search: Search,
    pairs: VecDeque<Pair>,
    evaluations: usize,
    stalled: usize,
    memory: usize,
}

#[derive(Clone, Debug)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// step · change, above 0.
    curvature: f64,
}

#[derive(Clone, Copy, Debug)]
enum Search {
    /// The start has not been evaluated.
    Start,
    /// On a line from `at`: `step` is tried, the answer lies in `low..high`.
    Line { step: f64, low: Knot, high: Option<Knot>, slope: f64, trials: usize },
    /// The line had nothing better: `trial` is `at`, evaluated once more so that
    /// the caller has what belongs to it.
    Last,
}

/// A point on the line.
#[derive(Clone, Copy, Debug)]
struct Knot {
    step: f64,
    value: f64,
    slope: f64,
}

impl Lbfgs {
    pub(crate) fn new(start: Vec<f64>, limits: Limits) -> Lbfgs {
        let n = start.len();
        let memory = (MEMORY_VALUES / n.max(1)).clamp(*MEMORY.start(), *MEMORY.end());
        Lbfgs {
            limits,
            trial: start,
            at: vec![0.0; n],
            value: f64::NAN,
            gradient: vec![0.0; n],
            direction: vec![0.0; n],
            search: Search::Start,
            pairs: VecDeque::with_capacity(memory),
            evaluations: 0,
            stalled: 0,
            memory,
        }
    }

    pub(crate) fn trial(&self) -> &[f64] {
        &self.trial
    }

    /// Objective and gradient at the last accepted point, which after
    /// [`Status::Done`] is the trial.
    pub(crate) fn last(&self) -> (f64, &[f64]) {
        (self.value, &self.gradient)
    }

    /// Starts again at `start` with an objective that differs from the last one
    /// by `delta / 2 · ‖first components‖²`: what was learned of its curvature
    /// is kept, corrected exactly.
    pub(crate) fn restart(&mut self, start: Vec<f64>, delta: f64, components: usize) {
        for pair in &mut self.pairs {
            for (y, s) in pair.change[..components].iter_mut().zip(&pair.step) {
                *y += delta * s;
            }
            pair.curvature = dot(&pair.step, &pair.change);
        }
        self.pairs.retain(Pair::is_sound);
        self.trial = start;
        self.search = Search::Start;
        self.evaluations = 0;
        self.stalled = 0;
    }

    /// Takes the objective and its gradient at [`Lbfgs::trial`].
    pub(crate) fn tell(&mut self, value: f64, gradient: &[f64]) -> Status {
        self.evaluations += 1;
        match self.search {
            Search::Last => Status::Done,
            Search::Start => {
                self.at.copy_from_slice(&self.trial);
                self.value = value;
                self.gradient.copy_from_slice(gradient);
                self.next_line()
            }
            Search::Line { step, low, high, slope, trials } => {
                let here = Knot { step, value, slope: dot(gradient, &self.direction) };
                match self.judge(here, slope) {
                    Verdict::Accept => self.accept(value, gradient),
                    _ if trials >= MAX_TRIALS || self.evaluations >= self.limits.evaluations => {
                        self.give_up()
                    }
                    Verdict::TooFar => self.try_between(low, Some(here), slope, trials),
                    Verdict::TooNear => self.try_between(here, high, slope, trials),
                }
            }
        }
    }

    fn judge(&self, here: Knot, slope: f64) -> Verdict {
        let noise = NOISE * self.value.abs();
        let decreased = here.value <= self.value + DECREASE * here.step * slope;
        let level =
            here.value <= self.value + noise && here.slope <= (2.0 * DECREASE - 1.0) * slope;
        if !here.value.is_finite() || !(decreased || level) {
            Verdict::TooFar
        } else if here.slope < CURVATURE * slope {
            Verdict::TooNear
        } else {
            Verdict::Accept
        }
    }

    fn accept(&mut self, value: f64, gradient: &[f64]) -> Status {
        // The oldest pair's memory is used again.
        let mut pair = if self.pairs.len() == self.memory { self.pairs.pop_front() } else { None }
            .unwrap_or_else(|| Pair {
                step: vec![0.0; gradient.len()],
                change: vec![0.0; gradient.len()],
                curvature: 0.0,
            });
        difference(&mut pair.step, &self.trial, &self.at);
        difference(&mut pair.change, gradient, &self.gradient);
        pair.curvature = dot(&pair.step, &pair.change);
        if pair.is_sound() {
            self.pairs.push_back(pair);
        }
        let decrease = self.value - value;
        self.stalled = if decrease <= STALLED * value.abs() { self.stalled + 1 } else { 0 };
        self.at.copy_from_slice(&self.trial);
        self.value = value;
        self.gradient.copy_from_slice(gradient);
        self.next_line()
    }

    /// `at` was just evaluated: either it is the end, or a new line starts.
    fn next_line(&mut self) -> Status {
        let largest = self.gradient.iter().fold(0f64, |m, g| m.max(g.abs()));
        if largest <= self.limits.tolerance
            || self.stalled >= STALLED_STEPS
            || self.evaluations >= self.limits.evaluations
            || !self.value.is_finite()
        {
            return Status::Done;
        }
        self.find_direction();
        let mut slope = dot(&self.direction, &self.gradient);
        if slope >= 0.0 {
            // Only rounding does that; the memory is not to be trusted.
            self.pairs.clear();
            self.find_direction();
            slope = dot(&self.direction, &self.gradient);
        }
        // Without memory the direction is the bare gradient: a first step of
        // length 1 at most.
        let step = if self.pairs.is_empty() { (1.0 / (-slope).sqrt()).min(1.0) } else { 1.0 };
        let low = Knot { step: 0.0, value: self.value, slope };
        self.place(Search::Line { step, low, high: None, slope, trials: 1 }, step)
    }

    fn try_between(&mut self, low: Knot, high: Option<Knot>, slope: f64, trials: usize) -> Status {
        let step = match high {
            None => 2.5 * low.step,
            Some(high) => {
                let width = high.step - low.step;
                let step = if high.value.is_finite() { cubic(low, high) } else { f64::NAN };
                // Clamped away from the ends; NaN becomes the middle.
                if step.is_nan() {
                    low.step + 0.5 * width
                } else {
                    step.clamp(low.step + 0.1 * width, high.step - 0.1 * width)
                }
            }
        };
        self.place(Search::Line { step, low, high, slope, trials: trials + 1 }, step)
    }

    fn place(&mut self, search: Search, step: f64) -> Status {
        for ((to, at), d) in self.trial.iter_mut().zip(&self.at).zip(&self.direction) {
            *to = at + step * d;
        }
        self.search = search;
        Status::Evaluate
    }

    fn give_up(&mut self) -> Status {
        self.trial.copy_from_slice(&self.at);
        self.search = Search::Last;
        Status::Evaluate
    }

    /// The two-loop recursion: −H · gradient, by the remembered pairs.
    fn find_direction(&mut self) {
        let d = &mut self.direction;
        d.iter_mut().zip(&self.gradient).for_each(|(d, g)| *d = -g);
        let mut shares = [0f64; *MEMORY.end()];
        for (pair, share) in self.pairs.iter().zip(&mut shares).rev() {
            *share = dot(&pair.step, d) / pair.curvature;
            add(d, -*share, &pair.change);
        }
        if let Some(last) = self.pairs.back() {
            let scale = last.curvature / dot(&last.change, &last.change);
            d.iter_mut().for_each(|d| *d *= scale);
        }
        for (pair, share) in self.pairs.iter().zip(&shares) {
            let back = dot(&pair.change, d) / pair.curvature;
            add(d, share - back, &pair.step);
        }
    }
}

enum Verdict {
    Accept,
    TooFar,
    TooNear,
}

impl Pair {
    /// Curvature well above rounding: the inverse Hessian stays positive.
    fn is_sound(&self) -> bool {
        self.curvature > 1e-12 * dot(&self.change, &self.change).max(f64::MIN_POSITIVE)
    }
}

/// The minimum of the cubic through two knots (Nocedal, Wright 2006, 3.59).
fn cubic(a: Knot, b: Knot) -> f64 {
    let width = b.step - a.step;
    let d1 = a.slope + b.slope - 3.0 * (b.value - a.value) / width;
    let d2 = (d1 * d1 - a.slope * b.slope).sqrt();
    b.step - width * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2)
}

/// In eight partial sums, which the compiler turns into SIMD.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0f64; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for l in 0..8 {
            sums[l] += a[l] * b[l];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

fn add(to: &mut [f64], factor: f64, of: &[f64]) {
    to.iter_mut().zip(of).for_each(|(to, v)| *to += factor * v);
}

fn difference(to: &mut [f64], a: &[f64], b: &[f64]) {
    for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
        *to = a - b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimise(start: &[f64], f: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> (Vec<f64>, usize) {
        let limits = Limits { tolerance: 1e-9, evaluations: 500 };
        let mut search = Lbfgs::new(start.to_vec(), limits);
        for evaluations in 1.. {
            let (value, gradient) = f(search.trial());
            if search.tell(value, &gradient) == Status::Done {
                return (search.trial().to_vec(), evaluations);
            }
        }
        unreachable!("the limit ends it")
    }

    #[test]
    fn finds_the_minimum_of_rosenbrock() {
        let (x, evaluations) = minimise(&[-1.2, 1.0], |x| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        });
        assert!((x[0] - 1.0).abs() < 1e-6 && (x[1] - 1.0).abs() < 1e-6, "{x:?}");
        // scipy 1.17.1's L-BFGS-B (gtol 1e-9, ftol 0) takes 46.
        assert!(evaluations < 80, "{evaluations}");
    }

    #[test]
    fn survives_a_cliff() {
        // -ln(x) + x is infinite left of 0; the first steps may fall off.
        let (x, _) = minimise(&[50.0], |x| {
            if x[0] <= 0.0 {
                (f64::INFINITY, vec![0.0])
            } else {
                (x[0] - x[0].ln(), vec![1.0 - 1.0 / x[0]])
            }
        });
        assert!((x[0] - 1.0).abs() < 1e-6, "{x:?}");
    }
}
