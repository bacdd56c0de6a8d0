//! Where a graph can sensibly be cut, and what is below each place.

use std::collections::HashMap;

use crate::error::GraphError;
use crate::graph::Graph;
use crate::index::Index;
use crate::infer::{BatchAs, Extent, Facts};
use crate::narrows::Flow;
use crate::nodes::{each_read, is_default_domain};
use crate::pool::Pool;
use crate::proto::NodeProto;
use crate::summary::MultiplyAdds;
use crate::tensor::Dim;

/// A tensor through which everything passes that a network sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPoint {
    /// Its name.
    pub tensor: String,
    /// Layers with weights on the longest way to it.
    pub depth: u64,
    /// Its axes.
    pub shape: Vec<Dim>,
    /// Features that [`Pool::Mean`] makes of it.
    pub channels: u64,
    /// Whether the network itself goes on with their mean: what
    /// [`Pool::Mean`] makes of the next point is then the same.
    pub then_averaged: bool,
    /// As in [`Summary`](crate::Summary), of the part that makes it.
    pub parameters: u64,
    /// Bytes of these.
    pub parameter_bytes: u64,
    /// As in [`Summary`](crate::Summary), of the part that makes it.
    pub multiply_adds: MultiplyAdds,
}

impl Graph {
    /// The places to cut, in order from the input to the features of the
    /// [`classifier`](Graph::classifier), or to the only output if there is none:
    /// where the graph narrows to one tensor of which features can be made.
    ///
    /// Left out is what is between a layer and its normalisation, bias or
    /// activation, and a change of shape alone, unless the network's own features
    /// are that.
    pub fn cut_points(&self) -> Vec<CutPoint> {
        let last = match (self.classifier(), self.graph().output.as_slice()) {
            (Ok(classifier), _) => classifier.features,
            (Err(GraphError::ConvolutionClassifier { cut_at, .. }), _) => cut_at,
            (Err(_), [only]) => only.name().to_owned(),
            (Err(_), _) => return Vec::new(),
        };
        self.cut_points_to(&last)
    }

    /// The places to cut on the way from the input to a tensor, itself the last. Of a
    /// network without its classifier: its output, whatever stands before it.
    pub fn cut_points_to(&self, last: &str) -> Vec<CutPoint> {
        let facts = self.facts(BatchAs::Declared);
        let flow = self.flow(&[last]);
        let depths = self.depths();
        let sensible = flow.narrows.iter().filter(|tensor| {
            **tensor == last
                || (flow.is_whole(tensor, &facts) && !is_flattened(self, tensor, &facts))
        });
        let mut points = Vec::new();
        for &tensor in sensible {
            let (Ok(plan), Some(shape)) =
                (self.pooling_with(&facts, tensor, Pool::Mean), facts.dims(tensor))
            else {
                continue;
            };
            let Ok(below) = self.clone().cut_at(tensor) else { continue };
            let summary = below.summary();
            points.push(CutPoint {
                tensor: tensor.to_owned(),
                depth: depths.get(tensor).copied().unwrap_or(0),
                channels: plan.length,
                then_averaged: flow.then_averaged(tensor, &facts),
                shape,
                parameters: summary.parameters,
                parameter_bytes: summary.parameter_bytes,
                multiply_adds: summary.multiply_adds,
            });
        }
        points
    }

    /// Refuses a tensor beside which other ways lead from the input to the
    /// outputs: a cut there would leave a part of the network out without saying
    /// so.
    ///
    /// # Errors
    ///
    /// [`GraphError::DoesNotSeparate`] with the nearest cut points above and
    /// below; those of [`Graph::cut_at`].
    pub fn check_separates(&self, tensor: &str) -> Result<(), GraphError> {
        self.output_info(tensor)?;
        let outputs: Vec<&str> = self.graph().output.iter().map(|o| o.name()).collect();
        let mut targets = vec![outputs];
        targets.extend(self.graph().output.iter().map(|o| vec![o.name()]));
        if targets.iter().any(|targets| self.flow(targets).narrows.contains(&tensor)) {
            return Ok(());
        }
        let place: HashMap<&str, usize> = (0..)
            .zip(&self.graph().node)
            .flat_map(|(i, node)| node.output.iter().map(move |o| (o.as_str(), i)))
            .collect();
        let at = place.get(tensor).copied().unwrap_or(0);
        let points = self.cut_points();
        let is_below =
            |point: &&CutPoint| place.get(point.tensor.as_str()).is_some_and(|&p| p < at);
        let below = points.iter().rfind(is_below).map(|p| p.tensor.clone());
        let above = points.iter().find(|point| !is_below(point)).map(|p| p.tensor.clone());
        Err(GraphError::DoesNotSeparate {
            tensor: tensor.to_owned(),
            nearest: below.into_iter().chain(above).collect(),
        })
    }

    fn depths(&self) -> HashMap<&str, u64> {
        let index = Index::new(self.graph());
        let mut depths: HashMap<&str, u64> = HashMap::new();
        for node in &self.graph().node {
            let mut depth = 0;
            each_read(node, &mut |name| depth = depth.max(depths.get(name).copied().unwrap_or(0)));
            let sees = node.input.iter().any(|i| !i.is_empty() && !index.is_constant(i));
            let weights = node.input.iter().skip(1).any(|i| index.is_constant(i));
            let layer = matches!(
                node.op_type(),
                "Conv" | "ConvTranspose" | "QLinearConv" | "ConvInteger" | "Gemm" | "MatMul"
            );
            depth += u64::from(layer && sees && weights);
            depths.extend(node.output.iter().map(|output| (output.as_str(), depth)));
        }
        depths
    }
}

impl Flow<'_> {
    /// Whether a layer ends here: whoever goes on does more than change value by
    /// value.
    fn is_whole(&self, tensor: &str, facts: &Facts<'_>) -> bool {
        let one = Extent::Fixed(1);
        // Of one pixel, map and row are the same.
        let pixel = matches!(facts.shape(tensor), Some(&[_, _, a, b]) if a == one && b == one);
        let row =
            |node: &NodeProto| pixel && matches!(node.op_type(), "Flatten" | "Reshape" | "Squeeze");
        let readers = self.readers.get(tensor);
        readers.is_none_or(|readers| !readers.iter().all(|node| is_finish(node) || row(node)))
    }

    fn then_averaged(&self, tensor: &str, facts: &Facts<'_>) -> bool {
        let Some([node]) = self.readers.get(tensor).map(Vec::as_slice) else { return false };
        let mean = matches!(node.op_type(), "GlobalAveragePool" | "AveragePool" | "ReduceMean");
        let pixels = |name: &str| match facts.shape(name) {
            Some([_, _]) => Some(1),
            Some(&[_, Extent::Fixed(a), Extent::Fixed(b), Extent::Fixed(c)]) => {
                // Channels are a side here too; only whether 1 is left counts.
                Some(if b == 1 && (a == 1 || c == 1) { 1 } else { a.max(b).max(c) })
            }
            _ => None,
        };
        let output = node.output.first().map(String::as_str).unwrap_or_default();
        mean && is_default_domain(node.domain())
            && pixels(tensor).is_some_and(|n| n > 1)
            && pixels(output) == Some(1)
    }
}

/// What belongs to the layer before it: normalisation, bias, activation, and what
/// only moves values.
fn is_finish(node: &NodeProto) -> bool {
    is_default_domain(node.domain())
        && matches!(
            node.op_type(),
            "Relu"
                | "LeakyRelu"
                | "PRelu"
                | "Clip"
                | "Sigmoid"
                | "HardSigmoid"
                | "HardSwish"
                | "Swish"
                | "Mish"
                | "Gelu"
                | "Tanh"
                | "Elu"
                | "Selu"
                | "Celu"
                | "Softplus"
                | "Softsign"
                | "Erf"
                | "Exp"
                | "Sqrt"
                | "Pow"
                | "Abs"
                | "Neg"
                | "BatchNormalization"
                | "InstanceNormalization"
                | "LayerNormalization"
                | "LRN"
                | "Add"
                | "Sub"
                | "Mul"
                | "Div"
                | "Max"
                | "Min"
                | "Identity"
                | "Dropout"
                | "Cast"
                | "Pad"
                | "Transpose"
        )
}

/// Whether the tensor is a map of several pixels, laid out as a row: very long,
/// and worth no more than the map.
fn is_flattened(graph: &Graph, tensor: &str, facts: &Facts<'_>) -> bool {
    let index = Index::new(graph.graph());
    let Some((_, node)) = index.producer(tensor) else { return false };
    let before = node.input.first().and_then(|input| facts.shape(input));
    matches!(node.op_type(), "Flatten" | "Reshape")
        && before.is_some_and(|shape| {
            shape.len() == 4 && shape[1..].iter().filter(|e| **e != Extent::Fixed(1)).count() > 1
        })
}
