//! Batch normalisation behind a layer goes into the layer's weights: with
//! `s = scale / √(variance + ε)`, the weights of each output channel times `s`,
//! and `bias·s + shift − mean·s` (Jacob et al. 2018, "Quantization and training
//! of neural networks", section 3.2).

use std::collections::HashMap;

use crate::eval::floats;
use crate::names::{fresh, taken};
use crate::nodes::{attribute, each_read, is_default_domain};
use crate::proto::{GraphProto, NodeProto, TensorProto};
use crate::tensor::ElementType;

/// The epsilon of a node that states none.
const EPSILON: f32 = 1e-5;

pub(super) fn fold(graph: &mut GraphProto) {
    let is_norm = |node: &NodeProto| {
        node.op_type() == "BatchNormalization" && is_default_domain(node.domain())
    };
    if !graph.node.iter().any(is_norm) {
        return;
    }
    let mut readers: HashMap<String, usize> = HashMap::new();
    for output in &graph.output {
        *readers.entry(output.name().to_owned()).or_default() += 1;
    }
    for node in &graph.node {
        each_read(node, &mut |name| *readers.entry(name.to_owned()).or_default() += 1);
    }
    let mut names = taken(graph);
    let weights: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(i, t)| (t.name().to_owned(), i)).collect();
    let makers: HashMap<String, usize> = graph
        .node
        .iter()
        .enumerate()
        .flat_map(|(i, node)| node.output.iter().map(move |output| (output.clone(), i)))
        .collect();
    let mut gone = vec![false; graph.node.len()];
    for (i, gone) in gone.iter_mut().enumerate() {
        let norm = &graph.node[i];
        if !is_norm(norm) {
            continue;
        }
        let Some(&layer) = norm.input.first().and_then(|input| makers.get(input)) else { continue };
        let find = |name: &str| weights.get(name).map(|&at| &graph.initializer[at]);
        let Some(folded) = folded(&graph.node[layer], norm, &readers, find) else { continue };
        let output = norm.output[0].clone();
        let bias = fresh(&mut names, &format!("{output}.bias"));
        let at = weights[&graph.node[layer].input[1]];
        set(&mut graph.initializer[at], &folded.weights);
        let mut tensor = TensorProto {
            dims: vec![folded.bias.len() as i64],
            data_type: Some(ElementType::F32.code()),
            name: Some(bias.clone()),
            ..TensorProto::default()
        };
        set(&mut tensor, &folded.bias);
        graph.initializer.push(tensor);
        let node = &mut graph.node[layer];
        node.input.truncate(2);
        node.input.push(bias);
        node.output[0] = output;
        *gone = true;
    }
    let mut gone = gone.into_iter();
    graph.node.retain(|_| !gone.next().expect("one flag a node"));
}

fn set(tensor: &mut TensorProto, values: &[f32]) {
    tensor.float_data = Vec::new();
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor.raw_data = Some(raw.into());
}

struct Folded {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// The layer's new weights and bias, if the two nodes are of a form that folds.
fn folded<'a>(
    layer: &NodeProto,
    norm: &NodeProto,
    readers: &HashMap<String, usize>,
    find: impl Fn(&str) -> Option<&'a TensorProto>,
) -> Option<Folded> {
    let int = |node, name, default| attribute(node, name).map_or(default, |a| a.i());
    let [input, scale, shift, mean, variance] = &norm.input[..] else { return None };
    // Old forms have outputs for training; without spatial there is a scale a pixel.
    let alone = norm.output.iter().skip(1).all(|name| !readers.contains_key(name));
    if !alone
        || int(norm, "spatial", 1) == 0
        || int(norm, "training_mode", 0) != 0
        || readers.get(input) != Some(&1)
        || layer.output.len() != 1
        || !is_default_domain(layer.domain())
    {
        return None;
    }
    let name = layer.input.get(1)?;
    if readers.get(name) != Some(&1) {
        return None;
    }
    let tensor = find(name)?;
    let axis = match layer.op_type() {
        "Conv" if tensor.dims.len() >= 3 => 0,
        "ConvTranspose" if tensor.dims.len() >= 3 && int(layer, "group", 1) == 1 => 1,
        "Gemm" if tensor.dims.len() == 2 => {
            let beta = attribute(layer, "beta").map_or(1.0, |a| a.f());
            if beta != 1.0 || attribute(layer, "alpha").is_some_and(|a| a.f() != 1.0) {
                return None;
            }
            usize::from(int(layer, "transB", 0) == 0)
        }
        _ => return None,
    };
    let channels = usize::try_from(tensor.dims[axis]).ok()?;
    let row = |name: &String| floats(find(name)?).filter(|values| values.len() == channels);
    let (scale, shift, mean, variance) = (row(scale)?, row(shift)?, row(mean)?, row(variance)?);
    let epsilon = attribute(norm, "epsilon").map_or(EPSILON, |a| a.f());
    let factor: Vec<f64> = scale
        .iter()
        .zip(&variance)
        .map(|(&s, &v)| f64::from(s) / (f64::from(v) + f64::from(epsilon)).sqrt())
        .collect();
    let old = match layer.input.get(2).filter(|name| !name.is_empty()) {
        Some(bias) => row(bias)?,
        None => vec![0.0; channels],
    };
    let bias: Vec<f32> = (0..channels)
        .map(|c| {
            ((f64::from(old[c]) - f64::from(mean[c])) * factor[c] + f64::from(shift[c])) as f32
        })
        .collect();
    let inner: usize = tensor.dims[axis + 1..]
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))?;
    let weights: Vec<f32> = floats(tensor)?
        .into_iter()
        .enumerate()
        .map(|(at, w)| (f64::from(w) * factor[at / inner % channels]) as f32)
        .collect();
    let finite = weights.iter().chain(&bias).all(|value| value.is_finite());
    (finite && channels > 0).then_some(Folded { weights, bias })
}
