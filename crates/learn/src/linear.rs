use std::ops::ControlFlow;

use ndarray::Array2;

use crate::calibration::scaled_log_loss;
use crate::kernel::LANES;
use crate::lbfgs::{Lbfgs, Limits};
use crate::lockstep::{Form, Objective, Problem};
use crate::metrics::accuracy;
use crate::standardise::Standardised;
use crate::train::{check_classes, count_folds, tell};
use crate::{
    ClassWeights, Dense, Examples, Head, PathPoint, Progress, Setting, TrainError, Trained,
};

/// Evaluations of one problem at one strength, at most. Data that a plane
/// separates, hardly regularised, take hundreds.
const MAX_EVALUATIONS: usize = 2000;

/// How a linear head is trained.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LinearRecipe {
    /// L2 strengths to choose from, each above 0. The penalty is λ/2 · ‖w‖²
    /// beside the sum of the losses: λ is scikit-learn's 1/C.
    pub strengths: Vec<f64>,
    /// How much each class counts.
    pub class_weights: ClassWeights,
    /// A fit ends when no component of the gradient of the mean loss is larger
    /// (scikit-learn's `tol`).
    pub tolerance: f64,
}

impl Default for LinearRecipe {
    /// Strengths of 10⁻³ to 10⁴, a decade apart.
    fn default() -> LinearRecipe {
        LinearRecipe {
            strengths: (-3..=4).map(|e| 10f64.powi(e)).collect(),
            class_weights: ClassWeights::Uniform,
            tolerance: 1e-4,
        }
    }
}

/// A head of one strength.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Works on features as they are.
    pub head: Head,
    /// Weighted sum of the log-losses + λ/2 · ‖w‖² at the head, w being on
    /// standardised features: scikit-learn's objective divided by its C.
    pub objective: f64,
    /// Evaluations of the objective and its gradient.
    pub iterations: usize,
}

/// Multinomial logistic regression (binomial for two classes) with L2 penalty,
/// its strength chosen by cross-validation.
///
/// `folds` has the fold of each example, `0..folds`; see
/// [`stratified_folds`](crate::stratified_folds). Features are standardised over
/// all examples, which is folded into the weights at the end. All folds are
/// fitted side by side, from the strongest penalty to the weakest, each starting
/// where the one before ended. The strength with the smallest log-loss of
/// out-of-fold logits is chosen, *after* the best temperature for them: what
/// temperature scaling will cure should not decide. Of two that are equal, the
/// stronger. The head is then fitted to all examples.
///
/// # Errors
///
/// A class without examples, folds that are none, a recipe with nothing to try,
/// or `on` asking to stop.
pub fn train_linear(
    examples: &Examples<'_>,
    recipe: &LinearRecipe,
    folds: &[usize],
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    check_classes(examples)?;
    let count = count_folds(examples, folds)?;
    let strengths = recipe.strongest_first()?;
    let (labels, classes) = (examples.labels(), examples.classes());
    let form = Form::of(classes);

    let x = Standardised::new(examples.features());
    let mut objective = Objective::new(&x, labels, form);
    let problems: Vec<Problem> = (0..count)
        .map(|fold| Problem::new(recipe.class_weights.of(labels, classes, |i| folds[i] != fold)))
        .collect();
    let everything = recipe.class_weights.of(labels, classes, |_| true);
    let limits = recipe.limits();
    let mut searches = vec![Lbfgs::new(vec![0.0; objective.point_len()], limits); count];
    let mut held_out = vec![0.0; labels.len() * form.logits()];

    let mut iterations = 0;
    let mut path = Vec::with_capacity(strengths.len());
    let mut best: Option<Best> = None;
    for (done, &strength) in strengths.iter().enumerate() {
        if let Some(last) = done.checked_sub(1) {
            for (search, problem) in searches.iter_mut().zip(&problems) {
                let delta = (strength - strengths[last]) / problem.total();
                search.restart(search.trial().to_vec(), delta, objective.weights_len());
            }
        }
        let mut open: Vec<usize> = (0..count).collect();
        while !open.is_empty() {
            objective.pass(&problems, &mut searches, &mut open, strength, &mut held_out);
            iterations += 1;
            tell(on, Progress::Pass { done, total: strengths.len() })?;
        }
        let logits = two_sided(&held_out, form);
        let log_loss = scaled_log_loss(logits.view(), labels, &everything).log_loss;
        if !log_loss.is_finite() {
            return Err(TrainError::Diverged);
        }
        let accuracy = accuracy(logits.view(), labels);
        let point = PathPoint { setting: Setting::Strength(strength), log_loss, accuracy };
        path.push(point);
        // The stronger ones came first, so that equals leave them in place.
        if best.as_ref().is_none_or(|best| log_loss < best.log_loss) {
            best = Some(Best {
                strength,
                log_loss,
                logits,
                start: mean(&searches),
                search: searches[0].clone(),
            });
        }
        tell(on, Progress::Tried { done: done + 1, total: strengths.len(), point })?;
    }

    let Best { strength, logits, start, mut search, .. } = best.expect("there is a strength");
    let all = [Problem::new(everything)];
    // The folds' mean is nearly there, and one fold's curvature nearly right.
    let delta = strength / all[0].total() - strength / problems[0].total();
    search.restart(start, delta, objective.weights_len());
    let mut searches = [search];
    let mut open = vec![0];
    while !open.is_empty() {
        objective.pass(&all, &mut searches, &mut open, strength, &mut held_out);
        iterations += 1;
        tell(on, Progress::Pass { done: strengths.len(), total: strengths.len() })?;
    }
    Ok(Trained {
        head: head(searches[0].trial(), &x, form),
        chosen: Setting::Strength(strength),
        path,
        out_of_fold_logits: logits.mapv(|v| v as f32),
        iterations,
    })
}

/// What is kept of the best strength so far.
struct Best {
    strength: f64,
    log_loss: f64,
    logits: Array2<f64>,
    start: Vec<f64>,
    search: Lbfgs,
}

/// Fits one strength to all examples: see [`train_linear`].
///
/// # Errors
///
/// As [`train_linear`].
pub fn fit_linear(
    examples: &Examples<'_>,
    strength: f64,
    recipe: &LinearRecipe,
) -> Result<Fit, TrainError> {
    check_classes(examples)?;
    let recipe = LinearRecipe { strengths: vec![strength], ..recipe.clone() };
    recipe.strongest_first()?;
    let (labels, classes) = (examples.labels(), examples.classes());
    let form = Form::of(classes);
    let x = Standardised::new(examples.features());
    let mut objective = Objective::new(&x, labels, form);
    let problem = [Problem::new(recipe.class_weights.of(labels, classes, |_| true))];
    let mut search = [Lbfgs::new(vec![0.0; objective.point_len()], recipe.limits())];
    let mut held_out = vec![0.0; labels.len() * form.logits()];
    let mut iterations = 0;
    let mut open = vec![0];
    while !open.is_empty() {
        objective.pass(&problem, &mut search, &mut open, strength, &mut held_out);
        iterations += 1;
    }
    let (value, _) = search[0].last();
    if !value.is_finite() {
        return Err(TrainError::Diverged);
    }
    Ok(Fit {
        head: head(search[0].trial(), &x, form),
        objective: value * problem[0].total(),
        iterations,
    })
}

impl LinearRecipe {
    fn limits(&self) -> Limits {
        Limits { tolerance: self.tolerance, evaluations: MAX_EVALUATIONS }
    }

    fn strongest_first(&self) -> Result<Vec<f64>, TrainError> {
        let good = |v: &f64| v.is_finite() && *v > 0.0;
        if self.strengths.is_empty() || !self.strengths.iter().all(good) {
            return Err(TrainError::Recipe { field: "strengths", must: "one or more, above 0" });
        }
        if !good(&self.tolerance) {
            return Err(TrainError::Recipe { field: "tolerance", must: "above 0" });
        }
        let mut strengths = self.strengths.clone();
        strengths.sort_by(|a, b| b.total_cmp(a));
        Ok(strengths)
    }
}

fn mean(searches: &[Lbfgs]) -> Vec<f64> {
    let share = 1.0 / searches.len() as f64;
    let mut mean = vec![0.0; searches[0].trial().len()];
    for search in searches {
        mean.iter_mut().zip(search.trial()).for_each(|(m, v)| *m += share * v);
    }
    mean
}

/// `[examples, classes]`: the one logit z of two classes becomes −z/2 and z/2,
/// whose softmax is z's sigmoid.
fn two_sided(logits: &[f64], form: Form) -> Array2<f64> {
    match form {
        Form::Binomial => {
            Array2::from_shape_fn((logits.len(), 2), |(i, k)| (k as f64 - 0.5) * logits[i])
        }
        Form::Multinomial(classes) => {
            Array2::from_shape_fn((logits.len() / classes, classes), |(i, k)| {
                logits[i * classes + k]
            })
        }
    }
}

fn head(point: &[f64], x: &Standardised<'_>, form: Form) -> Head {
    let (row, logits) = (x.width() * LANES, form.logits());
    let (weights, bias) = point.split_at(logits * row);
    let classes = if form == Form::Binomial { 2 } else { logits };
    // The vector behind a class's logit, and how much of it.
    let source = |k: usize| match form {
        Form::Binomial => (0, k as f64 - 0.5),
        Form::Multinomial(_) => (k, 1.0),
    };
    let weights = Array2::from_shape_fn((classes, x.features()), |(k, j)| {
        let (vector, factor) = source(k);
        factor * weights[vector * row + j]
    });
    let bias: Vec<f64> = (0..classes).map(|k| source(k).1 * bias[source(k).0]).collect();
    let (weights, bias) = x.fold(weights.view(), &bias);
    Head { layers: vec![Dense { weights, bias }] }
}
