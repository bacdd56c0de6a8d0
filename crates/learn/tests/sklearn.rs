//! Against scikit-learn, on the stored fixtures.

use graft_learn::{
    ClassWeights, Examples, LinearRecipe, Targets, calibrate, evaluate, fit_linear, temperature,
};
use graft_spec::{Calibration, Labels};
use ndarray::Array2;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fit {
    classes: usize,
    balanced: bool,
    strength: f64,
    objective: f64,
    probabilities: Vec<Vec<f64>>,
}

fn features(classes: usize) -> (Array2<f32>, Vec<usize>) {
    let (bytes, labels): (&[u8], _) = match classes {
        2 => (include_bytes!("fixtures/features-2.f32"), include_str!("fixtures/labels-2.json")),
        _ => (include_bytes!("fixtures/features-5.f32"), include_str!("fixtures/labels-5.json")),
    };
    let values = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let features = Array2::from_shape_vec((300, 64), values).unwrap();
    (features, serde_json::from_str(labels).unwrap())
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let exp: Vec<f64> = logits.iter().map(|&v| f64::from(v).exp()).collect();
    exp.iter().map(|e| e / exp.iter().sum::<f64>()).collect()
}

/// Σ class weight · log-loss of a head's own logits, in f64.
fn loss(logits: &Array2<f32>, labels: &[usize], balanced: bool) -> f64 {
    let classes = logits.ncols();
    let count = |k: usize| labels.iter().filter(|&&l| l == k).count() as f64;
    let rows = logits.outer_iter().zip(labels);
    rows.map(|(row, &label)| {
        let weight =
            if balanced { labels.len() as f64 / (classes as f64 * count(label)) } else { 1.0 };
        -weight * softmax(&row.to_vec())[label].ln()
    })
    .sum()
}

#[test]
fn fits_reach_the_same_objective() {
    let fits: Vec<Fit> = serde_json::from_str(include_str!("fixtures/fits.json")).unwrap();
    assert_eq!(fits.len(), 12);
    for expected in fits {
        let (features, labels) = features(expected.classes);
        let examples = Examples::new(features.view(), &labels, expected.classes).unwrap();
        let class_weights =
            if expected.balanced { ClassWeights::Balanced } else { ClassWeights::Uniform };
        let recipe = LinearRecipe { class_weights, tolerance: 1e-6, ..LinearRecipe::default() };
        let fit = fit_linear(&examples, expected.strength, &recipe).unwrap();
        let name = format!(
            "{} classes, strength {}, {class_weights:?}",
            expected.classes, expected.strength
        );
        let off = fit.objective / expected.objective - 1.0;
        assert!(off.abs() < 1e-6, "{name}: off by {off:e}");

        // The objective is the head's, not just the optimiser's word: what the
        // losses leave of it is the penalty.
        let logits = fit.head.logits(features.view());
        let loss = loss(&logits, &labels, expected.balanced);
        let layer = &fit.head.layers[0];
        let penalty = 0.5 * expected.strength * square_of_standardised(&layer.weights, &features);
        // Two classes: w is the difference of the rows, whose squares are w²/4.
        let penalty = if expected.classes == 2 { 2.0 * penalty } else { penalty };
        let off = (loss + penalty) / expected.objective - 1.0;
        assert!(off.abs() < 1e-5, "{name}: the head is off by {off:e}");

        for (row, expected) in logits.outer_iter().zip(&expected.probabilities) {
            for (a, b) in softmax(&row.to_vec()).iter().zip(expected) {
                assert!((a - b).abs() < 2e-4, "{name}: {a} is not {b}");
            }
        }
    }
}

/// ‖w‖² after undoing the division by the (floored) deviations.
fn square_of_standardised(weights: &Array2<f32>, features: &Array2<f32>) -> f64 {
    let deviations = features.mapv(f64::from).std_axis(ndarray::Axis(0), 0.0);
    let floor = 1e-3 * deviations.mean().unwrap();
    let deviations = deviations.mapv(|s| s.max(floor));
    weights
        .outer_iter()
        .flat_map(|row| {
            row.iter()
                .zip(&deviations)
                .map(|(&w, s)| (f64::from(w) * s).powi(2))
                .collect::<Vec<_>>()
        })
        .sum()
}

#[derive(Deserialize)]
struct Metrics {
    logits: Vec<Vec<f32>>,
    labels: Vec<usize>,
    temperature: f64,
    unknown_below_for_90_percent: f64,
    threshold: f32,
    accuracy: f64,
    baseline_accuracy: f64,
    balanced_accuracy: f64,
    f1: f64,
    log_loss: f64,
    ece: f64,
    ece_uncalibrated: f64,
    answered: f64,
    answered_accuracy: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    class_f1: Vec<f64>,
    support: Vec<usize>,
    confusion: Vec<Vec<usize>>,
}

fn metrics() -> (Metrics, Array2<f32>) {
    let metrics: Metrics = serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap();
    let flat = metrics.logits.concat();
    let logits = Array2::from_shape_vec((metrics.labels.len(), 5), flat).unwrap();
    (metrics, logits)
}

#[test]
fn temperature_is_scipys() {
    let (expected, logits) = metrics();
    let found = temperature(logits.view(), &expected.labels).unwrap();
    assert!((f64::from(found) - expected.temperature).abs() < 1e-5, "{found}");
    let calibration = calibrate(logits.view(), &expected.labels, Some(0.9)).unwrap();
    let threshold = f64::from(calibration.unknown_below.unwrap());
    assert!((threshold - expected.unknown_below_for_90_percent).abs() < 1e-6, "{threshold}");
}

#[test]
fn metrics_are_scikit_learns() {
    let (expected, logits) = metrics();
    let names = Labels::new(["a", "b", "c", "d", "e"].map(String::from).to_vec()).unwrap();
    let targets = Targets { labels: &expected.labels, names: &names, majority: 0 };
    let calibration = Calibration {
        temperature: expected.temperature as f32,
        unknown_below: Some(expected.threshold),
    };
    let found = evaluate(logits.view(), &targets, &calibration).unwrap();

    let near = |what: &str, a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{what}: {a} is not {b}");
    assert_eq!(found.examples, 200);
    near("accuracy", found.accuracy, expected.accuracy);
    near("baseline_accuracy", found.baseline_accuracy, expected.baseline_accuracy);
    assert_eq!(found.baseline_label, "a");
    near("balanced_accuracy", found.balanced_accuracy, expected.balanced_accuracy);
    near("f1", found.f1, expected.f1);
    near("log_loss", found.log_loss, expected.log_loss);
    near("ece", found.ece, expected.ece);
    near("ece_uncalibrated", found.ece_uncalibrated, expected.ece_uncalibrated);
    near("answered", found.answered, expected.answered);
    near("answered_accuracy", found.answered_accuracy.unwrap(), expected.answered_accuracy);
    assert_eq!(found.confusion, expected.confusion);
    for (k, class) in found.classes.iter().enumerate() {
        assert_eq!((class.label.as_str(), class.examples), (&names[k], expected.support[k]));
        near("precision", class.precision, expected.precision[k]);
        near("recall", class.recall, expected.recall[k]);
        near("class f1", class.f1, expected.class_f1[k]);
    }

    // Nothing answered, and what serde writes it reads.
    let nothing = Calibration { temperature: 100.0, unknown_below: Some(1.0) };
    let found = evaluate(logits.view(), &targets, &nothing).unwrap();
    assert_eq!((found.answered, found.answered_accuracy), (0.0, None));
    let json = serde_json::to_string(&found).unwrap();
    let read: graft_learn::Evaluation = serde_json::from_str(&json).unwrap();
    near("ece, read back", read.ece, found.ece);
    assert_eq!((read.answered_accuracy, read.confusion), (None, found.confusion));
}
