//! Moves of weights against the formulas of their papers, step by step.

use super::gradients::inputs;
use super::*;

fn net() -> Graph {
    let mut net = Net::new(&[2, 3], 21);
    let bias = net.weight(&[3]);
    net.node("Add", &[&bias], Vec::new());
    net.node("Tanh", &[], Vec::new());
    net.graph()
}

fn step(graph: &Graph, optimiser: Optimiser, clip_norm: Option<f32>) -> TrainingStep {
    let trainable = graph
        .weights()
        .into_iter()
        .map(|w| Trainable { rate: if w.name == "w1" { 0.5 } else { 1.0 }, name: w.name })
        .collect();
    let options = StepOptions {
        batch: 2,
        loss: Loss::CrossEntropy,
        optimiser,
        clip_norm,
        trainable,
        statistics: Statistics::Frozen,
    };
    graph.training_step(&options).unwrap()
}

/// Gradients at the given values of the weights, in the order of the state.
fn gradients(graph: &Graph, at: &HashMap<String, Vec<f64>>) -> HashMap<String, Vec<f64>> {
    let plain = Optimiser::Sgd { momentum: 0.0, weight_decay: 0.0 };
    let options = StepOptions {
        batch: 2,
        loss: Loss::CrossEntropy,
        optimiser: plain,
        clip_norm: None,
        trainable: at.keys().map(|n| Trainable { name: n.clone(), rate: 1.0 }).collect(),
        statistics: Statistics::Frozen,
    };
    let step = graph.training_step(&options).unwrap();
    let mut given = inputs(&step, graph, 40);
    for state in &step.state {
        let value =
            Value::real_of(ElementType::F64, state.shape.clone(), at[&state.weight].clone());
        given.insert(state.input.clone(), value);
    }
    let made = run_graph(&step.graph, &given).unwrap();
    let moved = |state: &super::super::StepState| {
        let new = made[&state.output].reals().unwrap();
        at[&state.weight].iter().zip(new).map(|(old, new)| old - new).collect()
    };
    step.state.iter().map(|state| (state.weight.clone(), moved(state))).collect()
}

/// Runs three steps and hands each to `expected`, which moves `w` by formula.
fn three_steps(
    optimiser: Optimiser,
    clip_norm: Option<f32>,
    rate: f64,
    corrections: fn(i32) -> [f64; 2],
    mut expected: impl FnMut(i32, &mut HashMap<String, Vec<f64>>, &HashMap<String, Vec<f64>>),
) {
    let graph = net();
    let step = step(&graph, optimiser, clip_norm);
    let mut given = inputs(&step, &graph, 40);
    let weights = step.state.iter().filter(|s| s.role == StateRole::Weight);
    let mut by_hand: HashMap<String, Vec<f64>> =
        weights.map(|s| (s.weight.clone(), given[&s.input].reals().unwrap().to_vec())).collect();
    for t in 1..=3 {
        let [first, second] = corrections(t);
        let schedule = Value::real_of(ElementType::F64, vec![3], vec![rate, first, second]);
        given.insert(step.schedule.name.clone(), schedule);
        let made = run_graph(&step.graph, &given).unwrap();
        let slopes = gradients(&graph, &by_hand);
        expected(t, &mut by_hand, &slopes);
        for state in &step.state {
            let value = made[&state.output].clone();
            if state.role == StateRole::Weight {
                let new = value.reals().unwrap();
                for (a, b) in new.iter().zip(&by_hand[&state.weight]) {
                    assert!((a - b).abs() < 1e-7, "{} at step {t}: {a} for {b}", state.weight);
                }
            }
            given.insert(state.input.clone(), value);
        }
    }
}

/// The bias, `w1`, has one axis and half the rate.
fn parts(name: &str) -> (f64, bool) {
    (if name == "w1" { 0.5 } else { 1.0 }, name != "w1")
}

#[test]
fn momentum_and_decay() {
    let mut velocity: HashMap<String, Vec<f64>> = HashMap::new();
    let optimiser = Optimiser::Sgd { momentum: 0.5, weight_decay: 0.25 };
    three_steps(
        optimiser,
        None,
        0.125,
        |_| [1.0, 1.0],
        |_, weights, slopes| {
            for (name, w) in weights {
                let (factor, decays) = parts(name);
                let v = velocity.entry(name.clone()).or_insert_with(|| vec![0.0; w.len()]);
                for i in 0..w.len() {
                    let pull = if decays { 0.25 * w[i] } else { 0.0 };
                    v[i] = 0.5 * v[i] + slopes[name][i] + pull;
                    w[i] -= 0.125 * factor * v[i];
                }
            }
        },
    );
}

#[test]
fn adam_with_decay_apart() {
    let mut moments: HashMap<String, Vec<[f64; 2]>> = HashMap::new();
    let optimiser =
        Optimiser::AdamW { beta1: 0.5, beta2: 0.75, epsilon: 0.0009765625, weight_decay: 0.125 };
    let corrections = |t| [1.0 / (1.0 - 0.5f64.powi(t)), 1.0 / (1.0 - 0.75f64.powi(t))];
    three_steps(optimiser, None, 0.0625, corrections, |t, weights, slopes| {
        for (name, w) in weights {
            let (factor, decays) = parts(name);
            let rate = 0.0625 * factor;
            let m = moments.entry(name.clone()).or_insert_with(|| vec![[0.0; 2]; w.len()]);
            for i in 0..w.len() {
                let g = slopes[name][i];
                if decays {
                    w[i] *= 1.0 - rate * 0.125;
                }
                m[i] = [0.5 * m[i][0] + 0.5 * g, 0.75 * m[i][1] + 0.25 * g * g];
                let [first, second] = corrections(t);
                w[i] -= rate * m[i][0] * first / ((m[i][1] * second).sqrt() + 0.0009765625);
            }
        }
    });
}

#[test]
fn long_gradients_are_shortened() {
    let optimiser = Optimiser::Sgd { momentum: 0.0, weight_decay: 0.0 };
    three_steps(
        optimiser,
        Some(0.125),
        1.0,
        |_| [1.0, 1.0],
        |_, weights, slopes| {
            let norm = slopes.values().flatten().map(|g| g * g).sum::<f64>().sqrt();
            assert!(norm > 0.125, "there is something to shorten: {norm}");
            for (name, w) in weights {
                let (factor, _) = parts(name);
                for i in 0..w.len() {
                    w[i] -= factor * slopes[name][i] * 0.125 / (norm + 1e-6);
                }
            }
        },
    );
}
