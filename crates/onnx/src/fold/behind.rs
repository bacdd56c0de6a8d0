//! What multiplies and shifts the channels behind a layer goes into the layer's
//! weights: those of each output channel times the factor, and `bias·factor +
//! shift` (Jacob et al. 2018, "Quantization and training of neural networks",
//! section 3.2). Batch normalisation is such a layer itself where nothing takes
//! it in.

use std::collections::HashMap;

use super::affine::{Affine, is_batch_norm};
use crate::eval::floats;
use crate::infer::{BatchAs, Facts};
use crate::names::{fresh, taken};
use crate::nodes::{attribute, each_read, is_default_domain};
use crate::proto::{GraphProto, NodeProto, TensorProto};
use crate::tensor::ElementType;

pub(super) fn fold(graph: &mut GraphProto, opset: i64) {
    let is_candidate = |node: &NodeProto| {
        is_batch_norm(node)
            || opset >= 7
                && is_default_domain(node.domain())
                && matches!(node.op_type(), "Mul" | "Div" | "Add" | "Sub")
    };
    if !graph.node.iter().any(is_candidate) {
        return;
    }
    let ranks: Vec<Option<usize>> = {
        let facts = Facts::infer(graph, opset, BatchAs::Declared);
        let rank = |node: &NodeProto| Some(facts.shape(node.output.first()?)?.len());
        graph.node.iter().map(rank).collect()
    };
    let readers = readers(graph);
    let mut names = taken(graph);
    let mut weights: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(i, t)| (t.name().to_owned(), i)).collect();
    let mut makers: HashMap<String, usize> = graph
        .node
        .iter()
        .enumerate()
        .flat_map(|(i, node)| node.output.iter().map(move |output| (output.clone(), i)))
        .collect();
    let mut gone = vec![false; graph.node.len()];
    for (i, gone) in gone.iter_mut().enumerate() {
        let node = &graph.node[i];
        let Some(output) = node.output.first().filter(|_| is_candidate(node)).cloned() else {
            continue;
        };
        let made = |name: &&String| makers.contains_key(*name);
        let read_here = |name: &&String| readers.get(*name) == Some(&1);
        let Some(data) = node.input.iter().find(made).filter(read_here) else { continue };
        let layer = makers[data];
        let find = |name: &str| weights.get(name).map(|&at| &graph.initializer[at]);
        let Some(channels) = Channels::of(&graph.node[layer], &readers, find) else { continue };
        let affine = if is_batch_norm(node) {
            Affine::of_batch_norm(node, |name| readers.contains_key(name), find)
        } else {
            let rank = channels.rank.or(ranks[layer]);
            rank.and_then(|rank| Affine::of_arithmetic(node, data, channels.count, rank, find))
        };
        let Some(folded) = affine.and_then(|a| channels.folded(&graph.node[layer], &a, find))
        else {
            continue;
        };
        let bias = fresh(&mut names, &format!("{output}.bias"));
        let at = weights[&graph.node[layer].input[1]];
        set(&mut graph.initializer[at], &folded.weights);
        weights.insert(bias.clone(), graph.initializer.len());
        graph.initializer.push(row(&bias, &folded.bias));
        let node = &mut graph.node[layer];
        node.input.resize(node.input.len().max(3), String::new());
        node.input[2] = bias;
        node.output[0].clone_from(&output);
        makers.insert(output, layer);
        *gone = true;
    }
    let mut gone = gone.into_iter();
    graph.node.retain(|_| !gone.next().expect("one flag a node"));
}

/// How often each tensor is read, by an output of the graph too.
pub(super) fn readers(graph: &GraphProto) -> HashMap<String, usize> {
    let mut readers: HashMap<String, usize> = HashMap::new();
    for output in &graph.output {
        *readers.entry(output.name().to_owned()).or_default() += 1;
    }
    for node in &graph.node {
        each_read(node, &mut |name| *readers.entry(name.to_owned()).or_default() += 1);
    }
    readers
}

pub(super) fn set(tensor: &mut TensorProto, values: &[f32]) {
    tensor.float_data = Vec::new();
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor.raw_data = Some(raw.into());
}

/// A new weight of one axis.
pub(super) fn row(name: &str, values: &[f32]) -> TensorProto {
    let mut tensor = TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(ElementType::F32.code()),
        name: Some(name.to_owned()),
        ..TensorProto::default()
    };
    set(&mut tensor, values);
    tensor
}

/// Where a layer keeps the weights of its output channels.
struct Channels {
    count: usize,
    /// Weights of one channel that lie beside each other.
    inner: usize,
    /// Axes of the layer's output, where the layer says it.
    rank: Option<usize>,
}

struct Folded {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Channels {
    /// Of a layer whose weights nobody else reads.
    fn of<'a>(
        layer: &NodeProto,
        readers: &HashMap<String, usize>,
        find: impl Fn(&str) -> Option<&'a TensorProto>,
    ) -> Option<Channels> {
        let int = |name, default| attribute(layer, name).map_or(default, |a| a.i());
        let others_read = layer.output.iter().skip(1).any(|name| readers.contains_key(name));
        if others_read || !is_default_domain(layer.domain()) {
            return None;
        }
        let name = layer.input.get(1).filter(|name| readers.get(*name) == Some(&1))?;
        let tensor = find(name)?;
        let dims = tensor.dims.len();
        let (axis, rank) = match layer.op_type() {
            "Conv" if dims >= 3 => (0, Some(dims)),
            "ConvTranspose" if dims >= 3 && int("group", 1) == 1 => (1, Some(dims)),
            "BatchNormalization" if dims == 1 && int("spatial", 1) != 0 => (0, None),
            "Gemm" if dims == 2 => {
                let beta = attribute(layer, "beta").map_or(1.0, |a| a.f());
                if beta != 1.0 || attribute(layer, "alpha").is_some_and(|a| a.f() != 1.0) {
                    return None;
                }
                (usize::from(int("transB", 0) == 0), Some(2))
            }
            _ => return None,
        };
        let count = usize::try_from(tensor.dims[axis]).ok().filter(|&count| count > 0)?;
        let inner = tensor.dims[axis + 1..]
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))?;
        Some(Channels { count, inner, rank })
    }

    /// The layer's weights and bias with what is behind it in them.
    fn folded<'a>(
        &self,
        layer: &NodeProto,
        affine: &Affine,
        find: impl Fn(&str) -> Option<&'a TensorProto>,
    ) -> Option<Folded> {
        let Affine { factor, shift } = affine;
        if factor.len() != self.count {
            return None;
        }
        let old = match layer.input.get(2).filter(|name| !name.is_empty()) {
            Some(bias) => floats(find(bias)?).filter(|bias| bias.len() == self.count)?,
            None => vec![0.0; self.count],
        };
        let bias = (0..self.count).map(|c| (f64::from(old[c]) * factor[c] + shift[c]) as f32);
        let bias: Vec<f32> = bias.collect();
        let weights: Vec<f32> = floats(find(&layer.input[1])?)?
            .into_iter()
            .enumerate()
            .map(|(at, w)| (f64::from(w) * factor[at / self.inner.max(1) % self.count]) as f32)
            .collect();
        let finite = weights.iter().chain(&bias).all(|value| value.is_finite());
        finite.then_some(Folded { weights, bias })
    }
}
