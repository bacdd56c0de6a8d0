use std::collections::HashMap;

use tract_nnef::ast::{Identifier, ProtoModel};
use tract_nnef::internal::Framework as _;

use super::*;
use crate::engine::nnef;

/// Every way in which a weight is read: by convolutions, dense, 1×1 and in groups; by
/// a matrix product after a flattening, after one of two axes, and by two at once.
const GRAPH: &str = "
graph network(input) -> (left, right) {
  input = external(shape = [1, 64, 14, 14]);
  k1 = variable<scalar>(label = \"k1\", shape = [64, 64, 3, 3]);
  b1 = variable<scalar>(label = \"b1\", shape = [64]);
  c1 = conv(input, k1, b1, dilation = [1, 1], stride = [1, 1], border = \"constant\", groups = 1, padding = [(1, 1), (1, 1)]);
  r1 = max(c1, [[[[0.0]]]]);
  k2 = variable<scalar>(label = \"k2\", shape = [70, 64, 3, 3]);
  c2 = conv(r1, k2, 0.5, dilation = [1, 1], stride = [2, 2], border = \"constant\", groups = 1, padding = [(1, 1), (1, 1)]);
  k3 = variable<scalar>(label = \"k3\", shape = [250, 70, 1, 1]);
  c3 = conv(c2, k3, 0.0, dilation = [1, 1], stride = [1, 1], border = \"constant\", groups = 1, padding = [(0, 0), (0, 0)]);
  k4 = variable<scalar>(label = \"k4\", shape = [64, 125, 3, 3]);
  c4 = conv(c3, k4, 0.0, dilation = [1, 1], stride = [1, 1], border = \"constant\", groups = 2, padding = [(1, 1), (1, 1)]);
  f1 = reshape(c4, shape = [3136], axis_start = 1, axis_count = 3);
  w1 = variable<scalar>(label = \"w1\", shape = [200, 3136]);
  d1 = matmul(f1, w1, transposeA = false, transposeB = true);
  w2 = variable<scalar>(label = \"w2\", shape = [1, 200, 200]);
  d2 = matmul(unsqueeze(d1, axes = [0]), w2, transposeA = false, transposeB = true);
  d3 = squeeze(d2, axes = [0]);
  w3 = variable<scalar>(label = \"w3\", shape = [200, 200]);
  left = matmul(d3, w3, transposeA = false, transposeB = true);
  right = matmul(d1, w3, transposeA = false, transposeB = false);
}
";

const WEIGHTS: [(&str, &[usize]); 8] = [
    ("k1", &[64, 64, 3, 3]),
    ("b1", &[64]),
    ("k2", &[70, 64, 3, 3]),
    ("k3", &[250, 70, 1, 1]),
    ("k4", &[64, 125, 3, 3]),
    ("w1", &[200, 3136]),
    ("w2", &[1, 200, 200]),
    ("w3", &[200, 200]),
];

/// Values that are never the same in two places, about 0.
fn tensor(seed: usize, shape: &[usize]) -> Tensor {
    let length: usize = shape.iter().product();
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 65_537) as f32 / 65_537.0 - 0.5;
    Tensor::from_shape(shape, &(0..length).map(value).collect::<Vec<_>>()).unwrap()
}

fn model() -> TypedModel {
    let tensors: HashMap<_, _> = WEIGHTS
        .iter()
        .enumerate()
        .map(|(seed, (name, shape))| (Identifier::from(*name), Arc::new(tensor(seed, shape))))
        .collect();
    let doc = tract_nnef::ast::parse::parse_document(&format!("version 1.0;\n{GRAPH}")).unwrap();
    let proto = ProtoModel { doc, tensors, quantization: None, resources: HashMap::new() };
    nnef::reader().model_for_proto_model(&proto).unwrap()
}

/// What the plan does: among it no packing of weights, which the engine has done.
fn operators(model: &TypedModel) -> Vec<String> {
    let order = model.eval_order().unwrap();
    order.iter().map(|&id| model.node(id).op.name().into_owned()).collect()
}

fn answer(model: TypedModel) -> Vec<Vec<u32>> {
    let mut state = TypedSimplePlan::new(model).unwrap().spawn().unwrap();
    let outputs = state.run(tvec!(tensor(99, &[1, 64, 14, 14]).into())).unwrap();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect();
    outputs.iter().map(|o| bits(o.try_as_plain_ram().unwrap().as_slice().unwrap())).collect()
}

#[test]
fn the_plan_and_its_answers_are_the_engines() {
    let stock = model().into_optimized().unwrap();
    let ours = optimise(model(), in_memory()).unwrap();
    let (mut expected, mut found) = (operators(&stock), operators(&ours));
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let answers = answer(ours);
    assert!(answers.iter().flatten().any(|&bits| f32::from_bits(bits).abs() > 1e-3));
    assert!(answers == answer(stock), "the answers differ");
}

#[test]
fn a_weight_with_two_readers_is_left_alone() {
    let mut model = model();
    let two = |model: &TypedModel| {
        let read =
            |node: &&TypedNode| node.op_is::<Const>() && node.outputs[0].successors.len() == 2;
        model
            .nodes()
            .iter()
            .filter(read)
            .map(|n| n.op_as::<Const>().unwrap().val().shape().to_vec())
            .collect::<Vec<_>>()
    };
    let before = two(&model);
    assert!(before.contains(&vec![200, 200]), "{before:?}");
    assert!(!fold_weights(&mut model, &*in_memory()).unwrap());
    assert_eq!(two(&model), before);
}
