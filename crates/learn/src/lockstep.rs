//! The objective of logistic regression for several problems at once: they share
//! the features and differ in which examples count, as the folds of a
//! cross-validation do. One pass over X, in blocks of rows that stay in the
//! cache, gives all of them their objective, gradient, and the logits of the
//! examples they don't learn from.

use crate::kernel::{BLOCK, LANES, Lanes, Level};
use crate::lbfgs::{Lbfgs, Status};
use crate::standardise::Standardised;

/// How logits become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Two classes, one logit: half the arithmetic of two, and scikit-learn's
    /// form, so that a strength means the same.
    Binomial,
    /// Softmax over one logit a class.
    Multinomial(usize),
}

impl Form {
    pub(crate) fn of(classes: usize) -> Form {
        if classes == 2 { Form::Binomial } else { Form::Multinomial(classes) }
    }

    /// Logits of one example, and weight vectors of one problem.
    pub(crate) fn logits(self) -> usize {
        match self {
            Form::Binomial => 1,
            Form::Multinomial(classes) => classes,
        }
    }
}

/// One of the problems.
pub(crate) struct Problem {
    /// How much each example counts: 0 if it is held out, else the same for all
    /// of its class, which `binomial` relies on.
    weights: Vec<f64>,
    total: f64,
}

impl Problem {
    pub(crate) fn new(weights: Vec<f64>) -> Problem {
        let total = weights.iter().sum();
        Problem { weights, total }
    }

    /// The sum of the weights: what the mean of the losses is a mean over.
    pub(crate) fn total(&self) -> f64 {
        self.total
    }
}

/// Evaluates objectives, keeping its buffers between passes.
///
/// A point is `logits` weight vectors of `width · LANES` values (those beyond
/// the features stay 0), then as many biases.
pub(crate) struct Objective<'a> {
    x: &'a Standardised<'a>,
    labels: &'a [usize],
    form: Form,
    level: Level,
    block: Vec<Lanes>,
    weights: Vec<Lanes>,
    residuals: Vec<[f32; BLOCK]>,
    gradient: Vec<f64>,
}

/// Sums of one problem over a pass.
#[derive(Clone)]
struct Sums {
    loss: f64,
    bias: Vec<f64>,
}

impl<'a> Objective<'a> {
    pub(crate) fn new(x: &'a Standardised<'a>, labels: &'a [usize], form: Form) -> Objective<'a> {
        let level = Level::best();
        Objective {
            x,
            labels,
            form,
            level,
            block: Vec::new(),
            weights: Vec::new(),
            residuals: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// Components of a point that are weights; the biases come after them.
    pub(crate) fn weights_len(&self) -> usize {
        self.form.logits() * self.x.width() * LANES
    }

    /// Length of a point.
    pub(crate) fn point_len(&self) -> usize {
        self.weights_len() + self.form.logits()
    }

    /// One pass for the problems of `open`, indices into `problems` and
    /// `searches`: mean loss + strength / (2 · total) · ‖w‖² is told to each
    /// search, and those that are done leave `open`. Held-out examples get
    /// their logits, `[examples, logits]`.
    pub(crate) fn pass(
        &mut self,
        problems: &[Problem],
        searches: &mut [Lbfgs],
        open: &mut Vec<usize>,
        strength: f64,
        held_out: &mut [f64],
    ) {
        let (logits, row) = (self.form.logits(), self.x.width() * LANES);
        let vectors = open.len() * logits;
        self.weights.resize(vectors * self.x.width(), Lanes::ZERO);
        for (to, &p) in self.weights.chunks_exact_mut(logits * self.x.width()).zip(open.iter()) {
            let from = searches[p].trial().as_chunks::<LANES>().0;
            for (to, from) in to.iter_mut().zip(from) {
                *to = Lanes(from.map(|v| v as f32));
            }
        }
        self.residuals.resize(vectors, [0.0; BLOCK]);
        self.gradient.clear();
        self.gradient.resize(vectors * row, 0.0);

        let mut sums = vec![Sums { loss: 0.0, bias: vec![0.0; logits] }; open.len()];
        for block in 0..self.x.blocks() {
            let x = self.x.block(block, &mut self.block);
            let start = block * BLOCK;
            self.level.logits(x, &self.weights, self.x.width(), &mut self.residuals);
            let rows = start..start + x.len() / self.x.width();
            for ((&p, sums), z) in
                open.iter().zip(&mut sums).zip(self.residuals.chunks_exact_mut(logits))
            {
                let bias = &searches[p].trial()[logits * row..];
                let block = Block {
                    labels: &self.labels[rows.clone()],
                    weights: &problems[p].weights[rows.clone()],
                    held_out: &mut held_out[rows.start * logits..rows.end * logits],
                };
                match self.form {
                    Form::Binomial => binomial(block, bias[0], &mut z[0], sums),
                    Form::Multinomial(_) => multinomial(block, bias, z, sums),
                }
            }
            self.level.gradient(x, &self.residuals, self.x.width(), &mut self.gradient);
        }

        let mut gradients = self.gradient.chunks_exact(logits * row).zip(sums);
        let mut full = Vec::with_capacity(logits * row + logits);
        open.retain(|&p| {
            let (gradient, sums) = gradients.next().expect("one for each open problem");
            let total = problems[p].total;
            let (scale, shrink) = (1.0 / total, strength / total);
            let trial = searches[p].trial();
            full.clear();
            full.extend(gradient.iter().zip(trial).map(|(g, w)| g * scale + shrink * w));
            full.extend(sums.bias.iter().map(|b| b * scale));
            let square: f64 = trial[..logits * row].iter().map(|w| w * w).sum();
            let value = sums.loss * scale + 0.5 * shrink * square;
            searches[p].tell(value, &full) == Status::Evaluate
        });
    }
}

/// What a loss needs of one block of rows.
struct Block<'a> {
    labels: &'a [usize],
    weights: &'a [f64],
    held_out: &'a mut [f64],
}

/// Loss of class 1 against 0; `z` goes from products to residuals.
fn binomial(block: Block<'_>, bias: f64, z: &mut [f32; BLOCK], sums: &mut Sums) {
    // ln(1 + a) + ln(1 + b) = ln((1 + a)(1 + b)): one logarithm a class for the
    // block. 64 factors of at most 2 can't overflow.
    let mut products = [1f64; 2];
    let mut weight_of = [0f64; 2];
    for (i, z) in z.iter_mut().enumerate().take(block.labels.len()) {
        let (label, weight) = (block.labels[i], block.weights[i]);
        let logit = f64::from(*z) + bias;
        if weight == 0.0 {
            block.held_out[i] = logit;
            *z = 0.0;
            continue;
        }
        let small = (-logit.abs()).exp();
        products[label] *= 1.0 + small;
        weight_of[label] = weight;
        let (target, positive) = if label == 1 { (1.0, logit) } else { (0.0, logit) };
        let probability = if logit >= 0.0 { 1.0 } else { small } / (1.0 + small);
        let residual = weight * (probability - target);
        sums.loss += weight * (positive.max(0.0) - target * positive);
        sums.bias[0] += residual;
        *z = residual as f32;
    }
    sums.loss += weight_of[0] * products[0].ln() + weight_of[1] * products[1].ln();
}

/// Softmax loss; `z`, one row a class, goes from products to residuals.
fn multinomial(block: Block<'_>, bias: &[f64], z: &mut [[f32; BLOCK]], sums: &mut Sums) {
    let (rows, classes) = (block.labels.len(), bias.len());
    let mut largest = [f64::NEG_INFINITY; BLOCK];
    for (z, bias) in z.iter().zip(bias) {
        for (m, &z) in largest.iter_mut().zip(z) {
            *m = m.max(f64::from(z) + bias);
        }
    }
    let mut total = [0f64; BLOCK];
    for (k, (z, bias)) in z.iter_mut().zip(bias).enumerate() {
        for i in 0..rows {
            let logit = f64::from(z[i]) + bias;
            if block.weights[i] == 0.0 {
                block.held_out[i * classes + k] = logit;
            } else if block.labels[i] == k {
                sums.loss += block.weights[i] * (largest[i] - logit);
            }
            let e = (logit - largest[i]).exp();
            total[i] += e;
            z[i] = e as f32;
        }
    }
    for (total, weight) in total.iter_mut().zip(block.weights) {
        sums.loss += weight * total.ln();
        *total = weight / *total;
    }
    for (k, (z, bias)) in z.iter_mut().zip(&mut sums.bias).enumerate() {
        for i in 0..rows {
            let target = if block.labels[i] == k { block.weights[i] } else { 0.0 };
            let residual = f64::from(z[i]) * total[i] - target;
            *bias += residual;
            z[i] = residual as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;
    use crate::SplitMix64;
    use crate::lbfgs::Limits;

    /// Objective and gradient at `point`, through a search that only listens.
    fn evaluate(
        objective: &mut Objective<'_>,
        problem: &Problem,
        point: &[f64],
    ) -> (f64, Vec<f64>) {
        let limits = Limits { tolerance: 0.0, evaluations: 1 };
        let mut searches = [Lbfgs::new(point.to_vec(), limits)];
        let mut held_out = vec![0.0; problem.weights.len() * objective.form.logits()];
        let problems = std::slice::from_ref(problem);
        objective.pass(problems, &mut searches, &mut vec![0], 0.7, &mut held_out);
        let (value, gradient) = searches[0].last();
        (value, gradient.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn gradient_is_the_slope_of_the_objective(
            seed: u64, examples in 2usize..150, features in 1usize..40, classes in 2usize..5,
        ) {
            let mut random = SplitMix64::new(seed);
            let x = Array2::from_shape_simple_fn((examples, features), || random.unit() as f32);
            let labels: Vec<usize> = (0..examples).map(|_| random.below(classes)).collect();
            // A fifth is held out.
            let weights = (0..examples)
                .map(|i| if i % 5 == 4 { 0.0 } else { 0.5 + labels[i] as f64 })
                .collect();
            let x = Standardised::new(x.view());
            let problem = Problem::new(weights);
            let mut objective = Objective::new(&x, &labels, Form::of(classes));

            let (row, weights_len) = (x.width() * LANES, objective.weights_len());
            let live = |i: usize| i >= weights_len || i % row < features;
            let mut point = vec![0.0; objective.point_len()];
            // Multiples of 1/64 so that neither end of a difference is rounded
            // when it becomes f32.
            for i in (0..point.len()).filter(|&i| live(i)) {
                point[i] = (random.below(129) as f64 - 64.0) / 64.0;
            }
            let (_, gradient) = evaluate(&mut objective, &problem, &point);
            let step = 1.0 / 64.0;
            for _ in 0..5 {
                let i = (0..).map(|_| random.below(point.len())).find(|&i| live(i)).unwrap();
                let at = |point: &mut Vec<f64>, shift: f64, objective: &mut Objective<'_>| {
                    let mut moved = point.clone();
                    moved[i] += shift;
                    evaluate(objective, &problem, &moved).0
                };
                let near = at(&mut point, step, &mut objective) - at(&mut point, -step, &mut objective);
                let far = at(&mut point, 2.0 * step, &mut objective)
                    - at(&mut point, -2.0 * step, &mut objective);
                // Fourth-order central difference.
                let slope = (8.0 * near - far) / (12.0 * step);
                prop_assert!((slope - gradient[i]).abs() < 2e-5, "{i}: {slope} {}", gradient[i]);
            }
        }
    }
}
