//! How weights move.

use super::emit::{Emitter, Tensor};
use super::step::StateRole;

/// How weights follow their gradients. Decay applies to weights of two axes and
/// more, not to biases and what normalises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// Stochastic gradient descent: `v ← momentum · v + g + decay · w`,
    /// `w ← w - rate · v`, as PyTorch's `SGD`.
    Sgd {
        /// Share of the last move that is kept.
        momentum: f32,
        /// Pull towards 0, part of the gradient.
        weight_decay: f32,
    },
    /// Adam with decay apart from the gradient (Loshchilov and Hutter 2019), as
    /// PyTorch's `AdamW`.
    AdamW {
        /// Memory of the mean of gradients.
        beta1: f32,
        /// Memory of the mean of their squares.
        beta2: f32,
        /// What keeps the division from zero.
        epsilon: f32,
        /// Pull towards 0, times the rate.
        weight_decay: f32,
    },
}

/// The inputs that change from step to step, each without axes.
pub(super) struct Schedule {
    pub(super) rate: Tensor,
    /// `1 / (1 - beta^t)` of both means.
    pub(super) corrections: [Tensor; 2],
}

/// A tensor that goes from step to step, and its new value.
pub(super) struct Moved {
    pub(super) role: StateRole,
    pub(super) input: Tensor,
    pub(super) next: Tensor,
}

impl Optimiser {
    /// Which moments a weight has.
    fn moments(self) -> &'static [StateRole] {
        match self {
            Optimiser::Sgd { momentum: 0.0, .. } => &[],
            Optimiser::Sgd { .. } => &[StateRole::FirstMoment],
            Optimiser::AdamW { .. } => &[StateRole::FirstMoment, StateRole::SecondMoment],
        }
    }

    /// Writes the move of one weight; the weight comes first, its moments behind.
    pub(super) fn write(
        self,
        e: &mut Emitter,
        weight: &Tensor,
        gradient: &Tensor,
        rate: &Tensor,
        schedule: &Schedule,
    ) -> Vec<Moved> {
        let mut moments = Vec::new();
        for &role in self.moments() {
            let name = format!("{}/{}", role.prefix(), weight.name);
            moments.push((role, Tensor { name, shape: weight.shape.clone() }));
        }
        let decays = weight.rank() >= 2;
        let (next, next_moments) = match self {
            Optimiser::Sgd { momentum, weight_decay } => {
                let gradient = if decays && weight_decay != 0.0 {
                    let pull = e.scaled(weight, f64::from(weight_decay));
                    e.add(gradient, &pull)
                } else {
                    gradient.clone()
                };
                let velocity = match moments.first() {
                    None => gradient,
                    Some((_, moment)) => {
                        let kept = e.scaled(moment, f64::from(momentum));
                        e.add(&kept, &gradient)
                    }
                };
                let step = e.mul(&velocity, rate);
                (e.sub(weight, &step), vec![velocity])
            }
            Optimiser::AdamW { beta1, beta2, epsilon, weight_decay } => {
                let weight = if decays && weight_decay != 0.0 {
                    let pull = e.scaled(rate, -f64::from(weight_decay));
                    let kept = e.shifted(&pull, 1.0);
                    e.mul(weight, &kept)
                } else {
                    weight.clone()
                };
                let mean = towards(e, &moments[0].1, gradient, f64::from(beta1));
                let square = e.mul(gradient, gradient);
                let squares = towards(e, &moments[1].1, &square, f64::from(beta2));
                let corrected = e.mul(&squares, &schedule.corrections[1]);
                let root = e.unary("Sqrt", &corrected);
                let divisor = e.shifted(&root, f64::from(epsilon));
                let ratio = e.div(&mean, &divisor);
                let rate = e.mul(rate, &schedule.corrections[0]);
                let step = e.mul(&ratio, &rate);
                (e.sub(&weight, &step), vec![mean, squares])
            }
        };
        let mut moved = vec![Moved { role: StateRole::Weight, input: weight.clone(), next }];
        for ((role, input), next) in moments.into_iter().zip(next_moments) {
            moved.push(Moved { role, input, next });
        }
        moved
    }
}

/// `beta · mean + (1 - beta) · value`
fn towards(e: &mut Emitter, mean: &Tensor, value: &Tensor, beta: f64) -> Tensor {
    let kept = e.scaled(mean, beta);
    let new = e.scaled(value, 1.0 - beta);
    e.add(&kept, &new)
}
