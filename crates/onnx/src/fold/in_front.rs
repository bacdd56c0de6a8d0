//! Batch normalisation in front of a layer goes into the layer's weights: those
//! that meet an input channel times its factor, and what the channels' shifts make
//! in all is added to the bias.
//!
//! Padding is put around what was shifted, so where a convolution pads, only a
//! normalisation that shifts nothing can go.

use std::collections::HashMap;

use super::affine::{Affine, is_batch_norm};
use super::behind::{readers, row, set};
use crate::eval::floats;
use crate::names::{fresh, taken};
use crate::nodes::{attribute, is_default_domain};
use crate::proto::{GraphProto, NodeProto, TensorProto};

pub(super) fn fold(graph: &mut GraphProto) {
    if !graph.node.iter().any(is_batch_norm) {
        return;
    }
    let readers = readers(graph);
    let mut names = taken(graph);
    let weights: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(i, t)| (t.name().to_owned(), i)).collect();
    let norms: HashMap<String, usize> = graph
        .node
        .iter()
        .enumerate()
        .filter(|(_, node)| is_batch_norm(node))
        .filter_map(|(i, node)| Some((node.output.first()?.clone(), i)))
        .collect();
    let mut gone = vec![false; graph.node.len()];
    for i in 0..graph.node.len() {
        let layer = &graph.node[i];
        let Some(&norm) = layer.input.first().and_then(|input| norms.get(input)) else { continue };
        let once = |name: &String| readers.get(name) == Some(&1);
        let [data, matrix, ..] = &layer.input[..] else { continue };
        if !once(data) || !once(matrix) {
            continue;
        }
        let find = |name: &str| weights.get(name).map(|&at| &graph.initializer[at]);
        let affine =
            Affine::of_batch_norm(&graph.node[norm], |name| readers.contains_key(name), find);
        let Some((values, bias)) = affine.and_then(|affine| folded(layer, &affine, find)) else {
            continue;
        };
        let output = layer.output.first().map_or("", String::as_str);
        let name = fresh(&mut names, &format!("{output}.bias"));
        let (at, source) = (weights[matrix], graph.node[norm].input[0].clone());
        set(&mut graph.initializer[at], &values);
        graph.initializer.push(row(&name, &bias));
        let layer = &mut graph.node[i];
        layer.input[0] = source;
        layer.input.truncate(2);
        layer.input.push(name);
        gone[norm] = true;
    }
    let mut gone = gone.into_iter();
    graph.node.retain(|_| !gone.next().expect("one flag a node"));
}

/// The layer's new weights and bias, if it is of a form that takes this in.
fn folded<'a>(
    layer: &NodeProto,
    affine: &Affine,
    find: impl Fn(&str) -> Option<&'a TensorProto>,
) -> Option<(Vec<f32>, Vec<f32>)> {
    if !is_default_domain(layer.domain()) {
        return None;
    }
    let int = |name, default| attribute(layer, name).map_or(default, |a| a.i());
    let Affine { factor, shift } = affine;
    let tensor = find(&layer.input[1])?;
    let lengths: Vec<usize> =
        tensor.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?;
    // Of the weight at a place: the output channel, and the input channel.
    let (outputs, inputs, inner, group, transposed) = match (layer.op_type(), &lengths[..]) {
        ("Conv", [outputs, a_group, kernel @ ..]) if !kernel.is_empty() => {
            let shifts = shift.iter().any(|&value| value != 0.0);
            if shifts && !is_unpadded(layer) {
                return None;
            }
            let inner = kernel.iter().try_fold(1usize, |n, &k| n.checked_mul(k))?;
            let group = usize::try_from(int("group", 1)).ok().filter(|&group| group > 0)?;
            (*outputs, *a_group, inner, group, false)
        }
        ("Gemm", [rows, columns]) => {
            let of = |name| attribute(layer, name).map_or(1.0, |a| a.f());
            if int("transA", 0) != 0 || of("alpha") != 1.0 || of("beta") != 1.0 {
                return None;
            }
            match int("transB", 0) {
                0 => (*columns, *rows, 1, 1, true),
                _ => (*rows, *columns, 1, 1, false),
            }
        }
        _ => return None,
    };
    let whole = inputs.checked_mul(group)?;
    if whole != factor.len() || outputs == 0 || inputs == 0 || inner == 0 || outputs % group != 0 {
        return None;
    }
    let old = match layer.input.get(2).filter(|name| !name.is_empty()) {
        Some(bias) => floats(find(bias)?).filter(|bias| bias.len() == outputs)?,
        None => vec![0.0; outputs],
    };
    let mut bias: Vec<f64> = old.into_iter().map(f64::from).collect();
    let values = floats(tensor)?;
    let values = values.into_iter().enumerate().map(|(at, value)| {
        let (output, input) = match transposed {
            true => (at % outputs, at / outputs),
            false => (at / inner / inputs, at / inner % inputs),
        };
        let channel = output / (outputs / group) * inputs + input;
        bias[output] += f64::from(value) * shift[channel];
        (f64::from(value) * factor[channel]) as f32
    });
    let values: Vec<f32> = values.collect();
    let bias: Vec<f32> = bias.into_iter().map(|value| value as f32).collect();
    let finite = values.iter().chain(&bias).all(|value| value.is_finite());
    finite.then_some((values, bias))
}

fn is_unpadded(conv: &NodeProto) -> bool {
    let automatic = attribute(conv, "auto_pad").map_or(&b""[..], |a| a.s());
    match automatic {
        b"VALID" => true,
        b"" | b"NOTSET" => {
            attribute(conv, "pads").is_none_or(|pads| pads.ints.iter().all(|&pad| pad == 0))
        }
        _ => false,
    }
}
