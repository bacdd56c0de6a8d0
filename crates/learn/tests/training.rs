//! Training from end to end: what is chosen, what is refused, what is repeatable.

use std::ops::ControlFlow;

use graft_learn::{
    ClassWeights, Examples, LinearRecipe, MlpRecipe, Progress, Setting, SplitMix64, TrainError,
    Trained, fit_linear, stratified_folds, train_linear, train_mlp,
};
use ndarray::{Array2, s};

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// `classes` clouds around random points, in 20 dimensions of which two are
/// constant.
fn clouds(examples: usize, classes: usize) -> (Array2<f32>, Vec<usize>) {
    let mut random = SplitMix64::new(11);
    let centres = Array2::from_shape_simple_fn((classes, 20), || random.unit());
    let labels: Vec<usize> = (0..examples).map(|i| i % classes).collect();
    let features = Array2::from_shape_fn((examples, 20), |(i, j)| {
        if j < 2 { 3.0 } else { (centres[[labels[i], j]] + 1.5 * random.unit()) as f32 }
    });
    (features, labels)
}

/// Two classes that no plane divides: inside and outside of a ring.
fn ring(examples: usize) -> (Array2<f32>, Vec<usize>) {
    let mut random = SplitMix64::new(5);
    let features =
        Array2::from_shape_simple_fn((examples, 2), || (4.0 * random.unit() - 2.0) as f32);
    let labels = features.outer_iter().map(|x| usize::from(x.dot(&x) > 1.7)).collect();
    (features, labels)
}

fn accuracy(trained: &Trained, features: &Array2<f32>, labels: &[usize]) -> f64 {
    let logits = trained.head.logits(features.view());
    let right = logits
        .outer_iter()
        .zip(labels)
        .filter(|(row, label)| row.iter().all(|&v| v <= row[**label]));
    right.count() as f64 / labels.len() as f64
}

#[test]
fn the_chosen_strength_is_the_best_of_the_path_and_fits_like_a_cold_start() {
    for classes in [2, 3] {
        let (features, labels) = clouds(300, classes);
        let examples = Examples::new(features.view(), &labels, classes).unwrap();
        let folds = stratified_folds(&labels, 5, 3).unwrap();
        let recipe = LinearRecipe { tolerance: 1e-6, ..LinearRecipe::default() };
        let trained = train_linear(&examples, &recipe, &folds, &mut go_on).unwrap();

        assert_eq!(trained.path.len(), 8);
        assert_eq!(trained.path[0].setting, Setting::Strength(1e4));
        let best = trained.path.iter().min_by(|a, b| a.log_loss.total_cmp(&b.log_loss)).unwrap();
        assert_eq!(trained.chosen, best.setting);
        assert!(best.accuracy > 0.7, "{}", best.accuracy);

        let Setting::Strength(strength) = trained.chosen else { panic!("not a strength") };
        let cold = fit_linear(&examples, strength, &recipe).unwrap();
        let difference = cold.head.logits(features.view()) - trained.head.logits(features.view());
        let largest = difference.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(largest < 2e-3, "{largest}");
    }
}

#[test]
fn out_of_fold_logits_are_of_models_that_had_not_seen_the_example() {
    let (features, labels) = clouds(120, 2);
    let folds = stratified_folds(&labels, 4, 3).unwrap();
    let recipe = LinearRecipe {
        strengths: vec![1.0],
        tolerance: 1e-7,
        class_weights: ClassWeights::Uniform,
    };
    let examples = Examples::new(features.view(), &labels, 2).unwrap();
    let trained = train_linear(&examples, &recipe, &folds, &mut go_on).unwrap();

    // A model of the other folds' labels alone: those of fold 0 are turned
    // round, which must change nothing for fold 0.
    let lies: Vec<usize> =
        labels.iter().zip(&folds).map(|(&l, &f)| if f == 0 { 1 - l } else { l }).collect();
    let examples = Examples::new(features.view(), &lies, 2).unwrap();
    let lied = train_linear(&examples, &recipe, &folds, &mut go_on).unwrap();
    for i in (0..120).filter(|&i| folds[i] == 0) {
        for k in 0..2 {
            let (a, b) = (trained.out_of_fold_logits[[i, k]], lied.out_of_fold_logits[[i, k]]);
            assert_eq!(a, b, "example {i}");
        }
    }
}

#[test]
fn training_twice_gives_the_same_bytes() {
    let (features, labels) = clouds(100, 3);
    let examples = Examples::new(features.view(), &labels, 3).unwrap();
    let folds = stratified_folds(&labels, 5, 3).unwrap();
    let linear =
        || train_linear(&examples, &LinearRecipe::default(), &folds, &mut go_on).unwrap().head;
    assert_eq!(linear(), linear());
    let recipe = MlpRecipe { hidden: 8, epochs: 3, ..MlpRecipe::default() };
    let mlp = |seed| {
        train_mlp(&examples, &MlpRecipe { seed, ..recipe.clone() }, &folds, &mut go_on)
            .unwrap()
            .head
    };
    assert_eq!(mlp(1), mlp(1));
    assert_ne!(mlp(1), mlp(2));
}

#[test]
fn a_hidden_layer_learns_what_a_plane_cannot() {
    let (features, labels) = ring(400);
    let examples = Examples::new(features.view(), &labels, 2).unwrap();
    let folds = stratified_folds(&labels, 4, 3).unwrap();
    let linear = train_linear(&examples, &LinearRecipe::default(), &folds, &mut go_on).unwrap();
    let recipe = MlpRecipe { hidden: 32, epochs: 60, learning_rate: 1e-2, ..MlpRecipe::default() };
    let mlp = train_mlp(&examples, &recipe, &folds, &mut go_on).unwrap();

    assert!(accuracy(&linear, &features, &labels) < 0.75);
    assert!(accuracy(&mlp, &features, &labels) > 0.95);
    let Setting::Epochs(epochs) = mlp.chosen else { panic!("not epochs") };
    let best = mlp.path.iter().min_by(|a, b| a.log_loss.total_cmp(&b.log_loss)).unwrap();
    assert_eq!(best.setting, Setting::Epochs(epochs));
    assert!(best.accuracy > 0.93, "{}", best.accuracy);
    assert_eq!(mlp.out_of_fold_logits.dim(), (400, 2));
}

#[test]
fn impossible_tasks_are_named() {
    let (features, labels) = clouds(30, 2);
    let folds = stratified_folds(&labels, 5, 3).unwrap();
    let linear = |labels: &[usize], classes, recipe: &LinearRecipe, folds: &[usize]| {
        let examples = Examples::new(features.view(), labels, classes).unwrap();
        train_linear(&examples, recipe, folds, &mut go_on).unwrap_err()
    };
    let default = LinearRecipe::default();
    assert_eq!(linear(&[1; 30], 2, &default, &folds), TrainError::OneClass { class: 1 });
    assert_eq!(linear(&labels, 3, &default, &folds), TrainError::EmptyClass { class: 2 });
    assert_eq!(
        linear(&labels, 2, &default, &folds[1..]),
        TrainError::FoldLengths { examples: 30, folds: 29 }
    );
    assert_eq!(linear(&labels, 2, &default, &[0; 30]), TrainError::Fold { fold: 0, examples: 30 });
    let mut gap = vec![0; 30];
    gap[3] = 2;
    assert_eq!(linear(&labels, 2, &default, &gap), TrainError::Fold { fold: 1, examples: 0 });
    let none = LinearRecipe { strengths: vec![], ..default.clone() };
    assert_eq!(
        linear(&labels, 2, &none, &folds).to_string(),
        "strengths must be one or more, above 0"
    );

    let examples = Examples::new(features.view(), &labels, 2).unwrap();
    let mut stop = |_| ControlFlow::Break(());
    let stopped = train_linear(&examples, &default, &folds, &mut stop).unwrap_err();
    assert_eq!(stopped, TrainError::Interrupted);
    let wild = MlpRecipe { learning_rate: 1e30, epochs: 3, ..MlpRecipe::default() };
    let wild = train_mlp(&examples, &wild, &folds, &mut go_on).unwrap_err();
    assert_eq!(wild, TrainError::Diverged);
}

#[test]
fn tiny_data_trains() {
    // Fewer examples than folds, and a class with a single example: its fold
    // learns from the other class alone.
    let (features, _) = clouds(4, 2);
    let labels = [0, 0, 0, 1];
    let examples = Examples::new(features.view(), &labels, 2).unwrap();
    let folds = stratified_folds(&labels, 5, 3).unwrap();
    let recipe = LinearRecipe { class_weights: ClassWeights::Balanced, ..LinearRecipe::default() };
    let trained = train_linear(&examples, &recipe, &folds, &mut go_on).unwrap();
    assert!(trained.head.layers[0].weights.iter().all(|w| w.is_finite()));
    assert!(trained.out_of_fold_logits.iter().all(|z| z.is_finite()));

    // Nothing to tell the classes apart by: the shares of the classes remain.
    let constant = Array2::<f32>::ones((10, 3));
    let labels = [0, 1, 1, 1, 0, 1, 1, 1, 1, 1];
    let examples = Examples::new(constant.view(), &labels, 2).unwrap();
    let fit = fit_linear(&examples, 1.0, &LinearRecipe::default()).unwrap();
    let logits = fit.head.logits(constant.slice(s![..1, ..]));
    assert!((logits[[0, 1]] - logits[[0, 0]] - 4f32.ln()).abs() < 1e-2, "{logits}");
}
