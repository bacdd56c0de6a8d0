//! What cannot be trained is said, with its name.

use super::*;
use crate::error::GraphError;

fn options(graph: &Graph) -> StepOptions {
    let trainable = graph.weights();
    StepOptions {
        batch: 2,
        loss: Loss::CrossEntropy,
        optimiser: Optimiser::Sgd { momentum: 0.0, weight_decay: 0.0 },
        clip_norm: None,
        trainable: trainable.into_iter().map(|w| Trainable { name: w.name, rate: 1.0 }).collect(),
        statistics: Statistics::Frozen,
    }
}

#[test]
fn an_operator_without_a_rule_is_named_with_the_lowest_point_above_it() {
    let mut graph = build::in_32_bits();
    let first = graph.graph_mut().node.iter_mut().find(|node| node.op_type() == "Relu").unwrap();
    first.op_type = Some("Sin".to_owned());
    let expected = graph.cut_points()[1].tensor.clone();
    let error = graph.training_step(&options(&graph)).unwrap_err();
    let GraphError::NotDifferentiable { node, lowest, .. } = &error else { panic!("{error}") };
    assert!(node.starts_with("Sin"), "{error}");
    assert_eq!(lowest.as_ref(), Some(&expected), "{error}");
    // What it says works.
    let above = graph.part_above(&expected).unwrap();
    above.training_step(&options(&above)).unwrap();
}

#[test]
fn weights_that_are_not_there_and_nothing_to_train() {
    let graph = Net::new(&[2, 3], 1).graph();
    let mut missing = options(&graph);
    missing.trainable[0].name = "w9".to_owned();
    let error = graph.training_step(&missing).unwrap_err();
    assert!(matches!(error, GraphError::UnknownTensor { .. }), "{error}");
    let none = StepOptions { trainable: Vec::new(), ..options(&graph) };
    assert_eq!(graph.training_step(&none).unwrap_err(), GraphError::NothingToTrain);
}

#[test]
fn a_batch_that_contradicts_the_file() {
    let graph = Net::new(&[2, 3], 1).graph();
    let error = graph.training_step(&StepOptions { batch: 3, ..options(&graph) }).unwrap_err();
    assert!(matches!(error, GraphError::InputShape { .. }), "{error}");
}

#[test]
fn new_values_are_of_the_right_number() {
    let graph = build::in_32_bits();
    let name = graph.weights()[0].name.clone();
    let length = graph.weights()[0].shape.iter().product::<usize>();
    let values = vec![0.25f32; length];
    let changed = graph.clone().with_weights([(name.as_str(), values.as_slice())]).unwrap();
    assert_ne!(changed.to_bytes(), graph.to_bytes());
    let error = graph.with_weights([(name.as_str(), &values[1..])]).unwrap_err();
    let expected = GraphError::WeightLength { tensor: name, expected: length, found: length - 1 };
    assert_eq!(error, expected);
}
