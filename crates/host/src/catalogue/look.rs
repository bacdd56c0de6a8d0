use std::path::Path;

use graft_onnx::Graph;

use super::InputSpec;
use crate::inspect::Classifier;
use crate::stated::{FileError, StatedError, StatedInput, complete, graph_of, shape_text};

/// What an ONNX file shows of itself before anybody has stated anything.
#[derive(Clone, Debug)]
pub struct Seen {
    graph: Graph,
    /// What it must be given.
    pub inputs: Vec<SeenInput>,
    /// Where it would be cut; else why it can't be said.
    pub classifier: Result<Classifier, String>,
}

/// An input of an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenInput {
    /// Its name.
    pub name: String,
    /// `[N, 3, 224, 224]`, or `unknown`.
    pub shape: String,
    /// Arithmetic that the graph does with the pixels before the first layer, in
    /// words such as `Sub [104.0, 117.0, 123.0]`.
    pub arithmetic: Vec<String>,
}

/// Looks at an ONNX file.
pub fn look(path: &Path) -> Result<Seen, FileError> {
    let graph = graph_of(path)?;
    let inputs = graph.inputs().into_iter().map(|input| SeenInput {
        shape: shape_text(input.shape.as_deref()),
        arithmetic: arithmetic(&graph, &input.name),
        name: input.name,
    });
    let inputs = inputs.collect();
    let classifier = match graph.classifier() {
        Ok(c) => Ok(Classifier {
            features: c.features,
            logits: c.logits,
            feature_length: c.feature_length,
            classes: c.classes,
        }),
        Err(error) => Err(error.to_string()),
    };
    Ok(Seen { graph, inputs, classifier })
}

fn arithmetic(graph: &Graph, input: &str) -> Vec<String> {
    let moves = |operator: &str| matches!(operator, "Cast" | "Identity" | "Transpose");
    let steps = graph.input_steps(input).into_iter().filter(|s| !moves(&s.operator));
    steps
        .map(|step| match step.values.as_slice() {
            [] => step.operator,
            values => format!("{} {values:?}", step.operator),
        })
        .collect()
}

impl Seen {
    /// Joins it with what was stated.
    pub fn complete(&self, stated: &StatedInput) -> Result<InputSpec, StatedError> {
        complete(&self.graph, stated)
    }
}
