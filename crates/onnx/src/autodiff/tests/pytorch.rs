//! Loss, gradients and ten steps of whole small networks against PyTorch's.

use super::*;
use crate::eval::network::pytorch::{NETWORKS, Stored};

const PLAIN: Optimiser = Optimiser::Sgd { momentum: 0.0, weight_decay: 0.0 };

struct Case {
    network: &'static str,
    stored: Stored,
    step: TrainingStep,
}

impl Case {
    fn new(network: &'static str, optimiser: impl Fn(&Stored) -> Optimiser) -> Case {
        let stored = Stored::read(network);
        let graph = in_f64(&Graph::parse(&stored.model).unwrap());
        let weights = graph.weights().into_iter();
        let options = StepOptions {
            batch: stored.examples().dims()[0],
            loss: Loss::CrossEntropy,
            optimiser: optimiser(&stored),
            clip_norm: None,
            trainable: weights.map(|w| Trainable { name: w.name, rate: 1.0 }).collect(),
            statistics: match stored.facts["batch_statistics"].as_bool().unwrap() {
                true => Statistics::Batch { momentum: 0.1 },
                false => Statistics::Frozen,
            },
        };
        let step = graph.training_step(&options).unwrap();
        Case { network, stored, step }
    }

    /// Everything that the step takes, with the rate and Adam's corrections.
    fn inputs(&self, schedule: [f64; 3]) -> HashMap<String, Value> {
        let facts = &self.stored.facts;
        let labels = facts["labels"].as_array().unwrap();
        let labels: Vec<usize> = labels.iter().map(|l| l.as_u64().unwrap() as usize).collect();
        let weights = facts["class_weights"].as_array().unwrap();
        let weights: Vec<f64> = weights.iter().map(|w| w.as_f64().unwrap()).collect();
        let smoothing = facts["label_smoothing"].as_f64().unwrap();
        let classes = weights.len();
        // As fixtures/autodiff/README.md has the loss.
        let target = |label: usize, class: usize| {
            let right = if label == class { 1.0 - smoothing } else { 0.0 };
            weights[class] * (right + smoothing / classes as f64)
        };
        let targets = labels.iter().flat_map(|&l| (0..classes).map(move |c| (l, c)));
        let targets = targets.map(|(label, class)| target(label, class)).collect();
        let whole: f64 = labels.iter().map(|&label| weights[label]).sum();
        let real = |dims: &[usize], values| Value::real_of(ElementType::F64, dims.to_vec(), values);
        let step = &self.step;
        let mut inputs = HashMap::from([
            (step.examples.name.clone(), self.stored.examples()),
            (step.targets.name.clone(), real(&step.targets.shape, targets)),
            (
                step.row_weights.name.clone(),
                real(&step.row_weights.shape, vec![1.0 / whole; labels.len()]),
            ),
            (step.schedule.name.clone(), real(&[3], schedule.to_vec())),
        ]);
        for state in &step.state {
            let initial = state.initial.iter().map(|&v| f64::from(v)).collect();
            inputs.insert(state.input.clone(), real(&state.shape, initial));
        }
        inputs
    }

    /// Fails where a value is further from PyTorch's than a share of the largest one.
    fn check(&self, what: &str, found: &[f64], place: &serde_json::Value, share: f64) {
        let expected = self.stored.array(place);
        let expected = expected.reals().unwrap();
        assert_eq!(found.len(), expected.len(), "{}: {what}", self.network);
        let largest = expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        for (a, b) in found.iter().zip(expected) {
            let close = (a - b).abs() <= share * largest + 1e-9;
            assert!(close, "{}: {what}: {a}, not {b}", self.network);
        }
    }
}

#[test]
fn gradients_are_pytorchs() {
    for network in NETWORKS {
        let case = Case::new(network, |_| PLAIN);
        let given = case.inputs([1.0; 3]);
        let made = run_graph(&case.step.graph, &given).unwrap();
        let loss = made[&case.step.loss].reals().unwrap()[0];
        assert!((loss - case.stored.facts["loss"].as_f64().unwrap()).abs() < 1e-7, "{network}");
        let gradients = case.stored.facts["gradients"].as_object().unwrap();
        let moved = case.step.state.iter().filter(|state| state.role == StateRole::Weight);
        let moved: Vec<_> = moved.collect();
        assert_eq!(moved.len(), gradients.len(), "{network}");
        for state in moved {
            let old = given[&state.input].reals().unwrap();
            let new = made[&state.output].reals().unwrap();
            let gradient: Vec<f64> = old.iter().zip(new).map(|(old, new)| old - new).collect();
            case.check(&state.weight, &gradient, &gradients[&state.weight], 1e-6);
        }
    }
}

#[test]
fn ten_steps_of_momentum_are_pytorchs() {
    ten_steps("sgd", |settings| Optimiser::Sgd {
        momentum: settings("momentum"),
        weight_decay: settings("weight_decay"),
    });
}

#[test]
fn ten_steps_of_adam_are_pytorchs() {
    ten_steps("adam_w", |settings| Optimiser::AdamW {
        beta1: settings("beta1"),
        beta2: settings("beta2"),
        epsilon: settings("epsilon"),
        weight_decay: settings("weight_decay"),
    });
}

fn ten_steps(name: &str, optimiser: impl Fn(&dyn Fn(&str) -> f32) -> Optimiser) {
    for network in NETWORKS {
        let case = Case::new(network, |stored| {
            optimiser(&|key| stored.facts[name][key].as_f64().unwrap() as f32)
        });
        let run = &case.stored.facts[name];
        // Of the betas as the step has them, in 32 bits; 1 for optimisers without.
        let correction = |beta: &str, t: i32| match run[beta].as_f64() {
            Some(beta) => 1.0 / (1.0 - f64::from(beta as f32).powi(t)),
            None => 1.0,
        };
        let rate = run["rate"].as_f64().unwrap();
        let mut given = case.inputs([1.0; 3]);
        for (t, loss) in (1..).zip(run["losses"].as_array().unwrap()) {
            let schedule = vec![rate, correction("beta1", t), correction("beta2", t)];
            let schedule = Value::real_of(ElementType::F64, vec![3], schedule);
            given.insert(case.step.schedule.name.clone(), schedule);
            let made = run_graph(&case.step.graph, &given).unwrap();
            let found = made[&case.step.loss].reals().unwrap()[0];
            let expected = loss.as_f64().unwrap();
            assert!((found - expected).abs() < 1e-6, "{network} at {t}: {found}, not {expected}");
            for state in &case.step.state {
                given.insert(state.input.clone(), made[&state.output].clone());
            }
        }
        for state in &case.step.state {
            let found = given[&state.input].reals().unwrap();
            let place = match state.role {
                StateRole::Weight => &run["weights"][&state.weight],
                StateRole::Statistic => &run["statistics"][&state.weight],
                StateRole::FirstMoment | StateRole::SecondMoment => continue,
            };
            case.check(&state.weight, found, place, 1e-5);
        }
    }
}
