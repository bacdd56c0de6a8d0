use std::collections::HashMap;

use super::*;
use crate::eval::Value;
use crate::eval::network::run_graph;
use crate::tensor::{Dim, ElementType};
use crate::{Loss, Optimiser, StateRole, Statistics, StepOptions, Trainable};

/// Twelve uniform numbers have variance 1.
fn normal() -> impl FnMut() -> f32 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    move || {
        let mut sum = -6.0;
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            sum += (state >> 40) as f32 / (1u64 << 24) as f32;
        }
        sum
    }
}

fn design(architecture: Architecture) -> Design {
    Design { architecture, channels: 1, sides: [12, 12], classes: 3, width: 0.25 }
}

#[test]
fn every_kind_is_a_network_to_cut_and_to_train() {
    for (name, architecture) in Architecture::NAMES {
        assert_eq!(architecture.name(), name);
        let graph = design(architecture).network(&mut normal());
        let classes = Dim::Fixed(3);
        assert_eq!(graph.shape_of("logits").unwrap()[1], classes, "{name}");
        let classifier = graph.classifier().unwrap();
        assert_eq!(classifier.features, "features", "{name}");
        assert!(graph.clone().simplified().cut_points().len() >= 5, "{name}");
        let layers = graph.weights().last().unwrap().layer;
        assert!(layers >= 10, "{name}: {layers}");
    }
}

/// The whole way: batch statistics, momentum, and a loss that falls.
#[test]
fn a_step_after_the_other_lowers_the_loss() {
    for (name, architecture) in Architecture::NAMES {
        let graph = design(architecture).network(&mut normal());
        let batch = 6;
        let trainable =
            graph.weights().into_iter().map(|w| Trainable { name: w.name, rate: 1.0 }).collect();
        let options = StepOptions {
            batch,
            loss: Loss::CrossEntropy,
            optimiser: Optimiser::Sgd { momentum: 0.9, weight_decay: 0.0 },
            clip_norm: None,
            trainable,
            statistics: Statistics::Batch { momentum: 0.1 },
        };
        let step = graph.training_step(&options).unwrap();
        let real = |shape: &[usize], values: Vec<f64>| {
            Value::real_of(ElementType::F32, shape.to_vec(), values)
        };
        // Stripes of three widths.
        let pixels = (0..batch * 144).map(|i| {
            let (row, class) = (i % 144 / 12, i / 144 % 3);
            f64::from(u8::from((row >> class) % 2 == 0))
        });
        let targets = (0..batch * 3).map(|i| f64::from(u8::from(i % 3 == i / 3 % 3)));
        let mut given = HashMap::from([
            (step.examples.name.clone(), real(&step.examples.shape, pixels.collect())),
            (step.targets.name.clone(), real(&step.targets.shape, targets.collect())),
            (step.row_weights.name.clone(), real(&[batch], vec![1.0 / batch as f64; batch])),
            (step.schedule.name.clone(), real(&[3], vec![0.05, 1.0, 1.0])),
        ]);
        for state in &step.state {
            let values = state.initial.iter().map(|&v| f64::from(v)).collect();
            given.insert(state.input.clone(), real(&state.shape, values));
        }
        let losses: Vec<f64> = (0..6)
            .map(|_| {
                let mut made = run_graph(&step.graph, &given).unwrap();
                for state in &step.state {
                    given.insert(state.input.clone(), made.remove(&state.output).unwrap());
                }
                made[&step.loss].reals().unwrap()[0]
            })
            .collect();
        assert!(losses[5] < 0.5 * losses[0], "{name}: {losses:?}");
        assert!(step.state.iter().any(|state| state.role == StateRole::Statistic));
    }
}

#[test]
fn pixels_are_features() {
    let inputs = |sides: [usize; 2]| {
        let values = (0..sides[0] * sides[1]).map(|i| i as f64).collect();
        let value = Value::real_of(ElementType::F32, vec![1, 1, sides[0], sides[1]], values);
        HashMap::from([("images".to_owned(), value)])
    };
    let small = run_graph(&Graph::pixels(1, [2, 3], 10), &inputs([2, 3])).unwrap();
    assert_eq!(small["features"].reals().unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    // Squares of 2×2; what is left over at the edge is left out.
    let pooled = run_graph(&Graph::pixels(1, [4, 5], 6), &inputs([4, 5])).unwrap();
    assert_eq!(pooled["features"].reals().unwrap(), [3.0, 5.0, 13.0, 15.0]);
}
