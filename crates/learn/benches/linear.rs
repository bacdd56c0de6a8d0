//! The linear head on data that `against_sklearn.py` beside this file makes too:
//! one fit, and the whole cross-validated path. Prints `name seconds…`, one line a
//! measurement and a line of what came out; reads nothing.
//!
//! `cargo bench -p graft-learn --bench linear -- REPEATS` for a number of
//! repeats other than 5; `against_sklearn.py` calls it with 1 between its own.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use graft_learn::{Examples, LinearRecipe, SplitMix64, fit_linear, stratified_folds, train_linear};
use ndarray::Array2;

const FEATURES: usize = 1280;
/// Latent factors: features of a backbone are correlated.
const FACTORS: usize = 48;

/// Features `[examples, 1280]` and labels, from `SplitMix64(seed)`: twelve
/// uniform numbers make one that is nearly normal. `factors` latent values an
/// example are mixed into the features and noise is added; the first `classes`
/// of them, with noise, decide the label. All in f64, rounded to f32 once.
fn problem(examples: usize, classes: usize, seed: u64) -> (Array2<f32>, Vec<usize>) {
    let mut random = SplitMix64::new(seed);
    let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    let mixing = Array2::from_shape_simple_fn((FACTORS, FEATURES), &mut normal);
    let mut features = Array2::zeros((examples, FEATURES));
    let mut labels = Vec::with_capacity(examples);
    for i in 0..examples {
        let latent: Vec<f64> = (0..FACTORS).map(|f| normal() / (1.0 + f as f64).sqrt()).collect();
        let mut best = (0, f64::NEG_INFINITY);
        for (k, value) in latent.iter().take(classes).enumerate() {
            let score = value * (1.0 + k as f64).sqrt() + 0.5 * normal();
            if score > best.1 {
                best = (k, score);
            }
        }
        labels.push(best.0);
        for j in 0..FEATURES {
            let mut value = 0.3 * normal();
            for (f, latent) in latent.iter().enumerate() {
                value += latent * mixing[[f, j]];
            }
            // Features of a network come out of a ReLU.
            features[[i, j]] = value.max(0.0) as f32;
        }
    }
    (features, labels)
}

fn main() {
    let repeats =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(5usize);
    for (name, examples, classes) in [("c2", 2000, 2), ("c5", 2000, 5)] {
        let (features, labels) = problem(examples, classes, 1);
        let given = Examples::new(features.view(), &labels, classes).expect("good data");
        let folds = stratified_folds(&labels, 5, 1).expect("five folds");
        for tolerance in [1e-4, 1e-5, 1e-6] {
            let recipe = LinearRecipe { tolerance, ..LinearRecipe::default() };
            let mut seconds = Vec::new();
            let mut outcome = String::new();
            for _ in 0..repeats {
                let start = Instant::now();
                let fit = fit_linear(black_box(&given), 100.0, &recipe).expect("fits");
                seconds.push(start.elapsed().as_secs_f64());
                outcome = format!("objective {:.9} passes {}", fit.objective, fit.iterations);
            }
            print(&format!("fit-{name}-{tolerance:e}"), &seconds, &outcome);
        }
        let mut seconds = Vec::new();
        let mut outcome = String::new();
        for _ in 0..repeats {
            let start = Instant::now();
            let mut on = |_| ControlFlow::Continue(());
            let trained =
                train_linear(black_box(&given), &LinearRecipe::default(), &folds, &mut on)
                    .expect("trains");
            seconds.push(start.elapsed().as_secs_f64());
            outcome = format!("chose {:?} passes {}", trained.chosen, trained.iterations);
        }
        print(&format!("path-{name}"), &seconds, &outcome);
    }
}

fn print(name: &str, seconds: &[f64], outcome: &str) {
    let times: Vec<String> = seconds.iter().map(|s| format!("{s:.6}")).collect();
    println!("{name} {} # {outcome}", times.join(" "));
}
