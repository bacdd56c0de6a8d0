//! A network for pictures of another size than it was exported for.
//!
//! Convolutions and pools take maps of any size; a mean over a map makes a fixed
//! number of features of it. So most networks work at other sizes than the one that
//! their exporter wrote into the graph, up to the first layer that does not.

use crate::GraphError;
use crate::batch::each_example;
use crate::graph::Graph;
use crate::infer::BatchAs;
use crate::names;
use crate::tensor::{Dim, TensorInfo};

impl Graph {
    /// The same network with another shape of an input, whatever was declared
    /// there; [`Dim::Unknown`] leaves an axis as it is. Outputs have the shapes that
    /// follow, or none where a layer doesn't take the new size.
    ///
    /// Whether the answers mean the same is not said here: a target of `Reshape`
    /// that was written for the old size can move rows from example to example,
    /// which [`Graph::keeps_examples_apart`] tells.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownTensor`] if there is no such input,
    /// [`GraphError::InputShape`] if it has another number of axes.
    pub fn resized(mut self, input: &str, shape: &[Dim]) -> Result<Graph, GraphError> {
        let inputs = self.inputs();
        let Some(mut info) = inputs.iter().find(|info| info.name == input).cloned() else {
            return Err(names::unknown(input, inputs.iter().map(|info| info.name.as_str())));
        };
        let mut dims = info.shape.clone().unwrap_or_else(|| vec![Dim::Unknown; shape.len()]);
        if dims.len() != shape.len() {
            return Err(GraphError::InputShape { input: input.to_owned(), shape: info.shape });
        }
        for (dim, new) in dims.iter_mut().zip(shape).filter(|(_, new)| **new != Dim::Unknown) {
            *dim = new.clone();
        }
        info.shape = Some(dims);
        let outputs = self.outputs();
        let graph = self.graph_mut();
        // What was declared follows from the old size.
        graph.value_info.clear();
        let declared = graph.input.iter_mut().find(|declared| declared.name() == input);
        *declared.expect("an input of that name was found") = info.to_value_info();
        for (info, output) in outputs.iter().zip(&mut graph.output) {
            *output = TensorInfo { shape: None, ..info.clone() }.to_value_info();
        }
        let facts = self.facts(BatchAs::Declared);
        let inferred = outputs.into_iter().map(|info| {
            let shape = facts.dims(&info.name);
            TensorInfo { shape, ..info }.to_value_info()
        });
        let inferred: Vec<_> = inferred.collect();
        self.graph_mut().output = inferred;
        Ok(self)
    }

    /// Whether it can be seen in the graph that every output has a row for each
    /// example of the batch that depends on that example alone. The batch must be
    /// free, the first axis of every input.
    pub fn keeps_examples_apart(&self) -> bool {
        each_example(self.graph(), &self.facts(BatchAs::Declared), self.opset())
    }
}

#[cfg(test)]
mod tests;
