use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};

use crate::calibration::scaled_log_loss;
use crate::metrics::accuracy;
use crate::standardise::Standardised;
use crate::train::{check_classes, count_folds, tell};
use crate::{Dense, Examples, Head, PathPoint, Progress, Setting, SplitMix64, TrainError, Trained};

const BATCH: usize = 64;
/// Decay of Adam's two moments and the term under its root, as published.
const BETA: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// How a head with one hidden layer is trained.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MlpRecipe {
    /// Units of the hidden layer.
    pub hidden: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// Step of AdamW (Loshchilov, Hutter 2019).
    pub learning_rate: f32,
    /// Share of a weight that is taken off per unit of learning rate; biases
    /// are left alone.
    pub weight_decay: f32,
    /// Epochs without a better log-loss after which no more are tried.
    pub patience: usize,
    /// How much each class counts.
    pub class_weights: crate::ClassWeights,
    /// Of the first weights and of the order of examples.
    pub seed: u64,
}

impl Default for MlpRecipe {
    fn default() -> MlpRecipe {
        MlpRecipe {
            hidden: 128,
            epochs: 100,
            learning_rate: 1e-3,
            weight_decay: 0.05,
            patience: 10,
            class_weights: crate::ClassWeights::Uniform,
            seed: 0,
        }
    }
}

/// One hidden layer with ReLU, trained by AdamW on standardised features in
/// shuffled batches of 64.
///
/// `folds` has the fold of each example. One network a fold is trained on the
/// other folds, all side by side, epoch by epoch; the number of epochs with the
/// smallest log-loss of all out-of-fold logits (after the best temperature) is
/// chosen, so that one number is fitted to held-out examples and not one a
/// fold. A last network learns from all examples for as many epochs.
///
/// # Errors
///
/// A class without examples, folds that are none, a recipe that can't be
/// followed, numbers out of range, or `on` asking to stop.
pub fn train_mlp(
    examples: &Examples<'_>,
    recipe: &MlpRecipe,
    folds: &[usize],
    on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    recipe.check()?;
    check_classes(examples)?;
    let count = count_folds(examples, folds)?;
    let (labels, classes) = (examples.labels(), examples.classes());
    let standard = Standardised::new(examples.features());
    let x = standard.dense();
    let everything = recipe.class_weights.of(labels, classes, |_| true);

    let mut runs: Vec<Run<'_>> = (0..count)
        .map(|fold| {
            Run::new(x.view(), labels, classes, recipe, fold as u64 + 1, |i| folds[i] != fold)
        })
        .collect();
    let held_out: Vec<Vec<usize>> =
        (0..count).map(|fold| (0..labels.len()).filter(|&i| folds[i] == fold).collect()).collect();

    let mut path: Vec<PathPoint> = Vec::new();
    let mut best = (0, f64::INFINITY, Array2::zeros((0, 0)));
    for epoch in 1..=recipe.epochs {
        let mut logits = Array2::zeros((labels.len(), classes));
        for (run, held_out) in runs.iter_mut().zip(&held_out) {
            run.epoch(recipe);
            let given = run.network.logits(x.select(Axis(0), held_out).view());
            for (&i, row) in held_out.iter().zip(given.outer_iter()) {
                logits.row_mut(i).assign(&row);
            }
        }
        let exact = logits.mapv(f64::from);
        let log_loss = scaled_log_loss(exact.view(), labels, &everything).log_loss;
        if !log_loss.is_finite() {
            return Err(TrainError::Diverged);
        }
        let accuracy = accuracy(exact.view(), labels);
        let point = PathPoint { setting: Setting::Epochs(epoch), log_loss, accuracy };
        path.push(point);
        tell(on, Progress::Tried { done: epoch, total: recipe.epochs, point })?;
        if log_loss < best.1 {
            best = (epoch, log_loss, logits);
        } else if epoch - best.0 >= recipe.patience {
            break;
        }
    }

    let (epochs, _, out_of_fold_logits) = best;
    let mut last = Run::new(x.view(), labels, classes, recipe, 0, |_| true);
    for done in 1..=epochs {
        last.epoch(recipe);
        tell(on, Progress::Epoch { done, total: epochs })?;
    }
    Ok(Trained {
        head: last.network.fold(&standard)?,
        chosen: Setting::Epochs(epochs),
        iterations: path.len() * count + epochs,
        path,
        out_of_fold_logits,
    })
}

impl MlpRecipe {
    fn check(&self) -> Result<(), TrainError> {
        let positive =
            [("hidden", self.hidden), ("epochs", self.epochs), ("patience", self.patience)];
        if let Some(&(field, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(TrainError::Recipe { field, must: "1 or more" });
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(TrainError::Recipe { field: "learning_rate", must: "above 0" });
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(TrainError::Recipe { field: "weight_decay", must: "0 or more" });
        }
        Ok(())
    }
}

/// A network and the examples it learns from.
struct Run<'a> {
    x: ArrayView2<'a, f32>,
    labels: &'a [usize],
    weights: Vec<f64>,
    order: Vec<usize>,
    random: SplitMix64,
    network: Network,
}

impl<'a> Run<'a> {
    fn new(
        x: ArrayView2<'a, f32>,
        labels: &'a [usize],
        classes: usize,
        recipe: &MlpRecipe,
        stream: u64,
        keep: impl Fn(usize) -> bool,
    ) -> Run<'a> {
        let mut random = SplitMix64::new(SplitMix64::new(recipe.seed).bits() ^ stream);
        let network = Network::new(x.ncols(), recipe.hidden, classes, &mut random);
        Run {
            x,
            labels,
            order: (0..labels.len()).filter(|&i| keep(i)).collect(),
            weights: recipe.class_weights.of(labels, classes, keep),
            random,
            network,
        }
    }

    fn epoch(&mut self, recipe: &MlpRecipe) {
        self.random.shuffle(&mut self.order);
        for batch in self.order.chunks(BATCH) {
            let x = self.x.select(Axis(0), batch);
            let targets: Vec<(usize, f32)> =
                batch.iter().map(|&i| (self.labels[i], self.weights[i] as f32)).collect();
            self.network.step(x.view(), &targets, recipe);
        }
    }
}

struct Network {
    hidden: Layer,
    output: Layer,
    steps: i32,
}

/// A dense layer with Adam's moments.
struct Layer {
    weights: Moments<Array2<f32>>,
    bias: Moments<Array1<f32>>,
}

struct Moments<T> {
    value: T,
    first: T,
    second: T,
}

impl Network {
    fn new(inputs: usize, hidden: usize, classes: usize, random: &mut SplitMix64) -> Network {
        Network {
            hidden: Layer::new(hidden, inputs, random),
            output: Layer::new(classes, hidden, random),
            steps: 0,
        }
    }

    fn logits(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        self.output.apply(self.hidden.apply(x).mapv(|v| v.max(0.0)).view())
    }

    /// One step against the gradient of the batch's mean weighted log-loss.
    fn step(&mut self, x: ArrayView2<'_, f32>, targets: &[(usize, f32)], recipe: &MlpRecipe) {
        let hidden = self.hidden.apply(x).mapv(|v| v.max(0.0));
        let mut residuals = self.output.apply(hidden.view());
        for (mut row, &(label, weight)) in residuals.outer_iter_mut().zip(targets) {
            let largest = row.fold(f32::NEG_INFINITY, |m, &v| m.max(v));
            row.mapv_inplace(|v| (v - largest).exp());
            let scale = weight / targets.len() as f32;
            let total = row.sum();
            row.mapv_inplace(|v| scale * v / total);
            row[label] -= scale;
        }
        let mut back = residuals.dot(&self.output.weights.value);
        Zip::from(&mut back).and(&hidden).for_each(|b, &h| {
            if h <= 0.0 {
                *b = 0.0;
            }
        });
        self.steps += 1;
        let rate = Rate::at(self.steps, recipe);
        self.output.descend(hidden.view(), residuals.view(), &rate);
        self.hidden.descend(x, back.view(), &rate);
    }

    /// As a head for features that are not standardised.
    fn fold(self, standard: &Standardised<'_>) -> Result<Head, TrainError> {
        let bias: Vec<f64> = self.hidden.bias.value.iter().map(|&v| f64::from(v)).collect();
        let weights = self.hidden.weights.value.mapv(f64::from);
        let (weights, bias) = standard.fold(weights.view(), &bias);
        let first = Dense { weights, bias };
        let second = Dense { weights: self.output.weights.value, bias: self.output.bias.value };
        let finite = |layer: &Dense| layer.weights.iter().chain(&layer.bias).all(|v| v.is_finite());
        if !(finite(&first) && finite(&second)) {
            return Err(TrainError::Diverged);
        }
        Ok(Head { layers: vec![first, second] })
    }
}

impl Layer {
    /// Weights uniform with variance 2 / inputs (He et al. 2015).
    fn new(outputs: usize, inputs: usize, random: &mut SplitMix64) -> Layer {
        let bound = (6.0 / inputs as f64).sqrt();
        let weights = Array2::from_shape_simple_fn((outputs, inputs), || {
            ((2.0 * random.unit() - 1.0) * bound) as f32
        });
        Layer {
            weights: Moments {
                first: Array2::zeros(weights.dim()),
                second: Array2::zeros(weights.dim()),
                value: weights,
            },
            bias: Moments {
                value: Array1::zeros(outputs),
                first: Array1::zeros(outputs),
                second: Array1::zeros(outputs),
            },
        }
    }

    fn apply(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        x.dot(&self.weights.value.t()) + &self.bias.value
    }

    fn descend(&mut self, x: ArrayView2<'_, f32>, residuals: ArrayView2<'_, f32>, rate: &Rate) {
        let gradient = residuals.t().dot(&x);
        let Moments { value, first, second } = &mut self.weights;
        Zip::from(value).and(first).and(second).and(&gradient).for_each(|w, m, v, &g| {
            *w -= rate.decay * *w;
            rate.step(w, m, v, g);
        });
        let gradient: Array1<f32> = residuals.sum_axis(Axis(0));
        let Moments { value, first, second } = &mut self.bias;
        let gradient: ArrayView1<'_, f32> = gradient.view();
        Zip::from(value)
            .and(first)
            .and(second)
            .and(gradient)
            .for_each(|w, m, v, &g| rate.step(w, m, v, g));
    }
}

/// Adam's numbers at one step.
struct Rate {
    learning_rate: f32,
    decay: f32,
    /// What makes up for moments that start at 0.
    corrections: (f32, f32),
}

impl Rate {
    fn at(step: i32, recipe: &MlpRecipe) -> Rate {
        Rate {
            learning_rate: recipe.learning_rate,
            decay: recipe.learning_rate * recipe.weight_decay,
            corrections: (1.0 / (1.0 - BETA.0.powi(step)), 1.0 / (1.0 - BETA.1.powi(step))),
        }
    }

    fn step(&self, value: &mut f32, first: &mut f32, second: &mut f32, gradient: f32) {
        *first = BETA.0 * *first + (1.0 - BETA.0) * gradient;
        *second = BETA.1 * *second + (1.0 - BETA.1) * gradient * gradient;
        let (m, v) = (*first * self.corrections.0, *second * self.corrections.1);
        *value -= self.learning_rate * m / (v.sqrt() + EPSILON);
    }
}
