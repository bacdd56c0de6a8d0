//! Names of tensors: new ones, and the nearest to one that doesn't exist.

use std::collections::HashSet;

use crate::error::GraphError;
use crate::nodes::{inner_graphs, inner_graphs_mut};
use crate::proto::{GraphProto, NodeProto};

/// All names of tensors in a graph and the graphs inside it.
pub(crate) fn taken(graph: &GraphProto) -> HashSet<String> {
    let mut names = HashSet::new();
    collect(graph, &mut names);
    names
}

fn collect(graph: &GraphProto, names: &mut HashSet<String>) {
    names.extend(graph.input.iter().map(|i| i.name().to_owned()));
    names.extend(graph.initializer.iter().map(|i| i.name().to_owned()));
    let sparse = graph.sparse_initializer.iter().filter_map(|s| s.values.as_ref());
    names.extend(sparse.map(|values| values.name().to_owned()));
    for node in &graph.node {
        names.extend(node.output.iter().chain(&node.input).cloned());
        for inner in inner_graphs(node) {
            collect(inner, names);
        }
    }
}

/// `wanted`, or with the first number behind it that makes it new; it is taken.
pub(crate) fn fresh(names: &mut HashSet<String>, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    let mut number = 1u64;
    while !names.insert(name.clone()) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

/// Renames a tensor wherever it is made or read. Graphs inside nodes can't make
/// one of the same name (ONNX forbids shadowing), so they are renamed too.
pub(crate) fn rename(graph: &mut GraphProto, from: &str, to: &str) {
    let replace = |name: &mut Option<String>| {
        if name.as_deref() == Some(from) {
            *name = Some(to.to_owned());
        }
    };
    for value in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        replace(&mut value.name);
    }
    graph.initializer.iter_mut().for_each(|tensor| replace(&mut tensor.name));
    let sparse = graph.sparse_initializer.iter_mut().filter_map(|s| s.values.as_mut());
    sparse.for_each(|values| replace(&mut values.name));
    graph.quantization_annotation.iter_mut().for_each(|a| replace(&mut a.tensor_name));
    graph.node.iter_mut().for_each(|node| rename_in(node, from, to));
}

fn rename_in(node: &mut NodeProto, from: &str, to: &str) {
    for name in node.input.iter_mut().chain(&mut node.output).filter(|name| *name == from) {
        *name = to.to_owned();
    }
    for inner in inner_graphs_mut(node) {
        rename(inner, from, to);
    }
}

/// The error for a name that doesn't exist, with those that come nearest.
pub(crate) fn unknown<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> GraphError {
    let mut scored: Vec<(usize, &str)> = names
        .filter(|n| !n.is_empty())
        .take(MOST_NAMES)
        .map(|n| (distance(wanted, n), n))
        .collect();
    scored.sort();
    scored.dedup();
    let near = |distance: usize| distance <= (wanted.chars().count() / 2).max(2);
    let nearest = scored.into_iter().filter(|&(d, _)| near(d)).take(3);
    GraphError::UnknownTensor {
        tensor: wanted.to_owned(),
        nearest: nearest.map(|(_, name)| name.to_owned()).collect(),
    }
}

/// Bounds on the work for a hint: names in a graph, letters of a name.
const MOST_NAMES: usize = 20_000;
const MOST_LETTERS: usize = 120;

/// Edits from one name to the other (Levenshtein 1966), without regard to case;
/// a name that holds the other one counts as two.
fn distance(a: &str, b: &str) -> usize {
    let letters = |s: &str| -> Vec<char> {
        s.chars().take(MOST_LETTERS).flat_map(char::to_lowercase).collect()
    };
    let (a, b) = (letters(a), letters(b));
    if a == b {
        return 0;
    }
    let holds = |long: &[char], short: &[char]| {
        short.len() >= 3 && long.windows(short.len()).any(|part| part == short)
    };
    if holds(&a, &b) || holds(&b, &a) {
        return 2;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
