use crate::error::GraphError;
use crate::graph::Graph;
use crate::index::Index;
use crate::infer::{BatchAs, Extent, Facts};
use crate::nodes::{attribute, describe, is_default_domain};
use crate::proto::NodeProto;

/// The dense layer at the end of a graph, and what goes in and out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classifier {
    /// The tensor before the layer, and before a dropout in front of it.
    pub features: String,
    /// The layer's result with its bias, before softmax.
    pub logits: String,
    /// Length of the features.
    pub feature_length: u64,
    /// Number of scores.
    pub classes: u64,
}

impl Graph {
    /// The last `Gemm` or `MatMul` with constant weights before an output,
    /// looking through softmax, bias and changes of shape. Of several outputs
    /// the one whose layer comes last counts.
    ///
    /// # Errors
    ///
    /// [`GraphError::ConvolutionClassifier`] where a convolution does the
    /// classifying; it says where to cut. Else [`GraphError::NoClassifier`].
    pub fn classifier(&self) -> Result<Classifier, GraphError> {
        let search =
            Search { index: Index::new(self.graph()), facts: self.facts(BatchAs::Declared) };
        let mut found: Option<(usize, Classifier)> = None;
        let mut reasons = Vec::new();
        for output in &self.graph().output {
            match search.from(output.name()) {
                Ok((at, classifier)) => {
                    if found.as_ref().is_none_or(|(best, _)| at > *best) {
                        found = Some((at, classifier));
                    }
                }
                Err(reason) => reasons.push(reason),
            }
        }
        // A convolution to cut at is worth more than "nothing found".
        let helpful =
            |reason: &GraphError| matches!(reason, GraphError::ConvolutionClassifier { .. });
        match found {
            Some((_, classifier)) => Ok(classifier),
            None => {
                let at = reasons.iter().position(helpful).unwrap_or(0);
                Err(reasons.swap_remove(at))
            }
        }
    }
}

struct Search<'a> {
    index: Index<'a>,
    facts: Facts<'a>,
}

impl<'a> Search<'a> {
    fn from(&self, output: &'a str) -> Result<(usize, Classifier), GraphError> {
        let nothing = |node: &str| GraphError::NoClassifier {
            output: output.to_owned(),
            node: node.to_owned(),
        };
        let mut at = output;
        let mut logits = output;
        // Whether only a convolution can still explain what was passed.
        let mut pooled = false;
        loop {
            let Some((i, node)) = self.index.producer(at) else { return Err(nothing(at)) };
            let stop = || nothing(&describe(node));
            if !is_default_domain(node.domain()) {
                return Err(stop());
            }
            match node.op_type() {
                "Gemm" | "MatMul" if !pooled => {
                    let (feature_length, classes) = self.lengths(node).ok_or_else(stop)?;
                    // The sum of product and bias was passed last, if there is one.
                    let logits = if self.is_bias_of(logits, at) { logits } else { at };
                    return Ok((
                        i,
                        Classifier {
                            features: self.before_dropout(&node.input[0]).to_owned(),
                            logits: logits.to_owned(),
                            feature_length,
                            classes,
                        },
                    ));
                }
                "Conv" if node.input.get(1).is_some_and(|w| self.index.is_constant(w)) => {
                    return Err(GraphError::ConvolutionClassifier {
                        node: describe(node),
                        cut_at: self.before_dropout(&node.input[0]).to_owned(),
                    });
                }
                "Relu" | "GlobalAveragePool" | "GlobalMaxPool" | "AveragePool" | "ReduceMean" => {
                    pooled = true;
                }
                "Softmax" | "LogSoftmax" | "Sigmoid" | "Identity" | "Cast" | "Dropout"
                | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Add" | "Sub" | "Mul"
                | "Div" => {}
                _ => return Err(stop()),
            }
            logits = at;
            at = self.only_variable(node).ok_or_else(stop)?;
        }
    }

    /// The one input that is not constant; further inputs may only be constant.
    fn only_variable(&self, node: &'a NodeProto) -> Option<&'a str> {
        let mut variable =
            node.input.iter().filter(|i| !i.is_empty() && !self.index.is_constant(i));
        match (variable.next(), variable.next()) {
            (Some(only), None) => Some(only),
            // The shape of a Reshape may be computed from the tensor itself.
            (Some(data), Some(_)) if node.op_type() == "Reshape" && node.input[0] == *data => {
                Some(data)
            }
            _ => None,
        }
    }

    fn is_bias_of(&self, sum: &str, product: &str) -> bool {
        self.index.producer(sum).is_some_and(|(_, node)| {
            node.op_type() == "Add" && node.input.iter().any(|input| input == product)
        })
    }

    /// Length of the rows that the layer takes, and of those that it gives.
    fn lengths(&self, node: &NodeProto) -> Option<(u64, u64)> {
        let weights = node.input.get(1).filter(|weights| self.index.is_constant(weights))?;
        if self.index.is_constant(&node.input[0]) {
            return None;
        }
        let &[Extent::Fixed(rows), Extent::Fixed(columns)] = self.facts.shape(weights)? else {
            return None;
        };
        let set = |name| attribute(node, name).is_some_and(|a| a.i() != 0);
        if node.op_type() == "Gemm" && set("transA") {
            return None;
        }
        Some(if node.op_type() == "Gemm" && set("transB") {
            (columns, rows)
        } else {
            (rows, columns)
        })
    }

    /// Dropout does nothing when a network runs; the features are before it.
    fn before_dropout(&self, mut tensor: &'a str) -> &'a str {
        while let Some((_, node)) = self.index.producer(tensor) {
            match (node.op_type(), node.input.first()) {
                ("Dropout" | "Identity", Some(input)) if self.index.producer(input).is_some() => {
                    tensor = input;
                }
                _ => break,
            }
        }
        tensor
    }
}
