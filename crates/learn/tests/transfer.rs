//! The transferability scores against other people's code, on the stored fixtures.

use std::ops::ControlFlow;

use graft_learn::transfer::{
    SourceClasses, SourceClassesError, TransferError, h_score, kendall_tau, leep, logme, nce,
    neighbour_accuracy, regularised_h_score,
};
use graft_learn::{Examples, LinearRecipe, TrainError, grouped_probe, probe};
use ndarray::{Array2, array};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    cases: Vec<Case>,
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    examples: usize,
    features: usize,
    classes: usize,
    labels: Vec<usize>,
    folds: Vec<usize>,
    groups: Vec<usize>,
    source_logits: Vec<Vec<f32>>,
    logme: f64,
    logme_released: f64,
    h_score_released: f64,
    regularised_h_score: f64,
    leep_released: f64,
    nce_released: f64,
    five_neighbours_by_folds: f64,
    one_neighbour_left_out: f64,
    probe_strength: f64,
    probe_accuracy: f64,
    probe_standard_error: f64,
    probe_standard_error_of_groups: f64,
}

#[derive(Deserialize)]
struct Pair {
    a: Vec<f64>,
    b: Vec<f64>,
    tau: f64,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("fixtures/transfer/cases.json")).unwrap()
}

fn each_case(check: impl Fn(&Case, &Examples<'_>)) {
    let cases = fixtures().cases;
    assert_eq!(cases.len(), 3);
    for case in cases {
        let bytes: &[u8] = match case.name.as_str() {
            "tall" => include_bytes!("fixtures/transfer/tall.f32"),
            "wide" => include_bytes!("fixtures/transfer/wide.f32"),
            _ => include_bytes!("fixtures/transfer/two.f32"),
        };
        let values = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let features = Array2::from_shape_vec((case.examples, case.features), values).unwrap();
        let examples = Examples::new(features.view(), &case.labels, case.classes).unwrap();
        check(&case, &examples);
    }
}

#[track_caller]
fn near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn closed_forms() {
    each_case(|case, examples| {
        let found = logme(examples).unwrap();
        near(&case.name, found, case.logme, 1e-6);
        // Whose iteration ends a little earlier.
        near(&case.name, found, case.logme_released, 1e-3);
        near(&case.name, h_score(examples).unwrap(), case.h_score_released, 1e-6);
        near(&case.name, regularised_h_score(examples).unwrap(), case.regularised_h_score, 1e-6);
    });
}

#[test]
fn source_classes() {
    each_case(|case, examples| {
        let logits = Array2::from_shape_fn((case.examples, 7), |(i, j)| case.source_logits[i][j]);
        let source = SourceClasses::of_logits(logits.view()).unwrap();
        near(&case.name, leep(examples, &source).unwrap(), case.leep_released, 1e-6);
        near(&case.name, nce(examples, &source).unwrap(), case.nce_released, 1e-6);

        let total = |row: usize| logits.row(row).fold(0f32, |sum, v| sum + v.exp());
        let softmax = Array2::from_shape_fn(logits.dim(), |(i, j)| logits[(i, j)].exp() / total(i));
        let source = SourceClasses::of_probabilities(softmax.view()).unwrap();
        near(&case.name, leep(examples, &source).unwrap(), case.leep_released, 1e-6);
    });
}

#[test]
fn neighbours() {
    each_case(|case, examples| {
        let by_folds = neighbour_accuracy(examples, &case.folds, 5).unwrap();
        near(&case.name, by_folds, case.five_neighbours_by_folds, 1e-6);
        let alone: Vec<usize> = (0..case.examples).collect();
        let left_out = neighbour_accuracy(examples, &alone, 1).unwrap();
        near(&case.name, left_out, case.one_neighbour_left_out, 1e-6);
    });
}

#[test]
fn probes() {
    each_case(|case, examples| {
        let recipe = LinearRecipe {
            strengths: vec![case.probe_strength],
            tolerance: 1e-7,
            ..LinearRecipe::default()
        };
        let mut go_on = |_| ControlFlow::Continue(());
        let plain = probe(examples, &recipe, &case.folds, &mut go_on).unwrap();
        near(&case.name, plain.accuracy, case.probe_accuracy, 1e-6);
        near(&case.name, plain.standard_error, case.probe_standard_error, 1e-6);
        assert_eq!(plain.strength, case.probe_strength);
        let grouped =
            grouped_probe(examples, &recipe, &case.folds, &case.groups, &mut go_on).unwrap();
        near(&case.name, grouped.standard_error, case.probe_standard_error_of_groups, 1e-6);
    });
}

#[test]
fn agreement() {
    for pair in fixtures().pairs {
        near("tau", kendall_tau(&pair.a, &pair.b).unwrap(), pair.tau, 1e-6);
    }
    assert_eq!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]), None);
    assert_eq!(kendall_tau(&[], &[]), None);
}

#[test]
fn features_that_say_nothing() {
    let constant = Array2::from_elem((6, 3), 2.0);
    let dead = Array2::zeros((6, 3));
    let labels = [0, 1, 0, 1, 0, 1];
    for (features, rank) in [(&constant, 1), (&dead, 0)] {
        let examples = Examples::new(features.view(), &labels, 2).unwrap();
        assert_eq!(h_score(&examples).unwrap(), 0.0, "rank {rank}");
        assert_eq!(regularised_h_score(&examples).unwrap(), 0.0, "rank {rank}");
        assert!(logme(&examples).unwrap().is_finite(), "rank {rank}");
        let folds = [0, 0, 1, 1, 2, 2];
        near("chance", neighbour_accuracy(&examples, &folds, 4).unwrap(), 0.5, 0.0);
    }
}

#[test]
fn one_example_of_a_class() {
    // Two clusters and one example far away, which is a class of its own.
    let features =
        array![[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0], [1.0, 0.05], [-9.0, -9.0]];
    let labels = [0, 0, 1, 1, 0, 2];
    let examples = Examples::new(features.view(), &labels, 3).unwrap();
    assert!(logme(&examples).unwrap().is_finite());
    // Two directions, both told by the classes almost entirely.
    let score = h_score(&examples).unwrap();
    assert!(score > 1.98 && score <= 2.0, "{score}");
    let folds = [0, 1, 0, 1, 2, 2];
    near(
        "its own kind is not there",
        neighbour_accuracy(&examples, &folds, 1).unwrap(),
        5.0 / 6.0,
        1e-9,
    );
}

#[test]
fn a_source_that_knows_the_labels() {
    let features = array![[1.0], [2.0], [3.0], [4.0]];
    let examples = Examples::new(features.view(), &[0, 1, 0, 1], 2).unwrap();
    let knows = array![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
    let source = SourceClasses::of_probabilities(knows.view()).unwrap();
    assert_eq!((leep(&examples, &source), nce(&examples, &source)), (Ok(0.0), Ok(0.0)));
    let guesses = Array2::from_elem((4, 2), 0.5);
    let source = SourceClasses::of_probabilities(guesses.view()).unwrap();
    near("LEEP", leep(&examples, &source).unwrap(), -(2f64.ln()), 1e-12);
    near("NCE", nce(&examples, &source).unwrap(), -(2f64.ln()), 1e-12);
}

#[test]
fn impossible_questions_are_named() {
    let features = array![[1.0], [2.0]];
    let alike = Examples::new(features.view(), &[1, 1], 2).unwrap();
    let one_class = TransferError::Train(TrainError::OneClass { class: 1 });
    assert_eq!(logme(&alike), Err(one_class.clone()));
    assert_eq!(h_score(&alike), Err(one_class.clone()));
    assert_eq!(regularised_h_score(&alike), Err(one_class.clone()));
    assert_eq!(neighbour_accuracy(&alike, &[0, 1], 5), Err(one_class));
    let gap = Examples::new(features.view(), &[0, 2], 3).unwrap();
    assert_eq!(logme(&gap), Err(TransferError::Train(TrainError::EmptyClass { class: 1 })));

    let three = SourceClasses::of_logits(Array2::zeros((3, 2)).view()).unwrap();
    let examples = Examples::new(features.view(), &[0, 1], 2).unwrap();
    assert_eq!(leep(&examples, &three), Err(TransferError::Lengths { examples: 2, rows: 3 }));

    let recipe = LinearRecipe::default();
    let torn = grouped_probe(&examples, &recipe, &[0, 1], &[0], &mut |_| ControlFlow::Continue(()));
    assert_eq!(torn, Err(TrainError::GroupLengths { examples: 2, groups: 1 }));

    let error = |values: Array2<f32>| SourceClasses::of_probabilities(values.view()).unwrap_err();
    assert_eq!(
        error(array![[0.5, 0.5], [2.0, -1.0]]),
        SourceClassesError::Value { row: 1, column: 0, value: 2.0 }
    );
    assert_eq!(error(array![[0.5, 0.25]]), SourceClassesError::Sum { row: 0, sum: 0.75 });
    assert_eq!(error(array![[1.0]]), SourceClassesError::TooFew { examples: 1, classes: 1 });
    let logits = SourceClasses::of_logits(array![[1.0, f32::INFINITY]].view()).unwrap_err();
    assert_eq!(logits.to_string(), "class 1 of example 0 has the value inf");
}
