use std::collections::HashSet;

use crate::error::GraphError;
use crate::graph::Graph;
use crate::index::Index;
use crate::infer::BatchAs;
use crate::names;
use crate::nodes::each_read;

impl Graph {
    /// The part of the graph that makes one tensor, with that tensor as the only
    /// output. Nodes, weights, declarations and inputs that only the rest used
    /// are gone. Weights are no longer listed as inputs where the version of the
    /// format allows that, because engines don't optimise weights that are.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownTensor`] with the nearest names,
    /// [`GraphError::NotComputed`] for an input or a constant.
    pub fn cut_at(mut self, tensor: &str) -> Result<Graph, GraphError> {
        let output = self.output_info(tensor)?;
        self.keep_only(&[tensor]);
        self.graph_mut().output = vec![output];
        Ok(self)
    }

    /// Drops everything that the tensors, which nodes make, don't need. The
    /// outputs are left to the caller.
    pub(crate) fn keep_only(&mut self, tensors: &[&str]) {
        let (keep, used) = self.needed_for(tensors);
        let weights_are_inputs = self.weights_must_be_inputs();
        let graph = self.graph_mut();
        let mut keep = keep.into_iter();
        graph.node.retain(|_| keep.next().expect("one flag a node"));
        graph.initializer.retain(|tensor| used.contains(tensor.name()));
        graph
            .sparse_initializer
            .retain(|s| s.values.as_ref().is_some_and(|values| used.contains(values.name())));
        let weights: HashSet<&str> = graph.initializer.iter().map(|i| i.name()).collect();
        graph.input.retain(|input| {
            used.contains(input.name()) && (weights_are_inputs || !weights.contains(input.name()))
        });
        graph
            .value_info
            .retain(|info| used.contains(info.name()) && !tensors.contains(&info.name()));
        graph.quantization_annotation.retain(|a| used.contains(a.tensor_name()));
    }

    /// The tensor's own declaration, or one made from what is inferred.
    pub(crate) fn output_info(
        &self,
        tensor: &str,
    ) -> Result<crate::proto::ValueInfoProto, GraphError> {
        let index = Index::new(self.graph());
        if index.is_constant(tensor) || index.is_input(tensor) {
            return Err(GraphError::NotComputed { tensor: tensor.to_owned() });
        }
        if tensor.is_empty() || index.producer(tensor).is_none() {
            let outputs = self.graph().node.iter().flat_map(|n| &n.output).map(String::as_str);
            return Err(names::unknown(tensor, outputs.filter(|name| !index.is_constant(name))));
        }
        let graph = self.graph();
        let declared = graph.output.iter().chain(&graph.value_info).find(|o| o.name() == tensor);
        Ok(match declared {
            Some(info) => info.clone(),
            None => self.facts(BatchAs::Declared).info(tensor).to_value_info(),
        })
    }

    /// Which nodes make the tensors, and what they read and make.
    pub(crate) fn needed_for(&self, tensors: &[&str]) -> (Vec<bool>, HashSet<String>) {
        let nodes = &self.graph().node;
        let mut keep = vec![false; nodes.len()];
        let mut needed: HashSet<&str> = tensors.iter().copied().collect();
        let mut used = HashSet::new();
        // Nodes are sorted: whoever needs a tensor comes after its maker.
        for (node, keep) in nodes.iter().zip(&mut keep).rev() {
            if node.output.iter().any(|output| needed.contains(output.as_str())) {
                *keep = true;
                each_read(node, &mut |name| {
                    needed.insert(name);
                });
                used.extend(node.output.iter().cloned());
            }
        }
        used.extend(needed.into_iter().map(str::to_owned));
        (keep, used)
    }
}
