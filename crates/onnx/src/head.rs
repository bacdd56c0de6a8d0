//! A head on top of features, and probabilities on top of the head.

use std::collections::HashSet;

use crate::error::{GraphError, HeadProblem};
use crate::graph::Graph;
use crate::names::{fresh, rename, taken};
use crate::pool::{Pool, int, node};
use crate::proto::tensor_proto::DataType;
use crate::proto::{AttributeProto, TensorProto};
use crate::tensor::{Dim, ElementType, TensorInfo};

/// Name of the output that holds the head's scores, `[N, classes]`.
pub const LOGITS: &str = "logits";

/// Name of the output that holds probabilities, `[N, classes]`.
pub const PROBABILITIES: &str = "probabilities";

/// Dense layers, with `max(0, x)` between them.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadWeights {
    /// From features to logits; at least one.
    pub layers: Vec<DenseLayer>,
}

/// `y = weights · x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseLayer {
    /// Length of `x`.
    pub inputs: usize,
    /// Length of `y`.
    pub outputs: usize,
    /// `[outputs][inputs]`, row-major.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

impl Graph {
    /// Puts a head on a graph with one output, as [`Graph::cut_at`] and
    /// [`Graph::pooled_features`] leave it. The result has two outputs,
    /// [`FEATURES`](crate::FEATURES) `[N, length]` and [`LOGITS`] `[N, classes]`.
    ///
    /// Operators are written in the forms of the graph's own operator set.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::pooled_features`]; [`GraphError::Head`] if the head does
    /// not fit the features or itself. A graph with several outputs is cut at
    /// its first.
    pub fn append_head(self, head: &HeadWeights) -> Result<Graph, GraphError> {
        let output = self.graph().output[0].name().to_owned();
        let mut grafted = self.pooled_features(&output, Pool::Mean)?;
        let features = grafted.graph().output[0].name().to_owned();
        let shape = grafted.outputs().swap_remove(0).shape;
        let Some([batch, Dim::Fixed(length)]) = shape.as_deref() else {
            unreachable!("pooled features are [N, length]")
        };
        head.check(*length)?;
        let batch = batch.clone();

        let mut names = taken(grafted.graph());
        if names.contains(LOGITS) {
            if grafted.graph().input.iter().any(|i| i.name() == LOGITS) {
                return Err(GraphError::DuplicateTensor { tensor: LOGITS.to_owned() });
            }
            let other = fresh(&mut names, LOGITS);
            rename(grafted.graph_mut(), LOGITS, &other);
        }
        names.insert(LOGITS.to_owned());
        let mut from = features;
        let last = head.layers.len() - 1;
        for (i, layer) in head.layers.iter().enumerate() {
            let to =
                if i == last { LOGITS.to_owned() } else { fresh(&mut names, &format!("head.{i}")) };
            grafted.dense(layer, i, from, &to, &mut names);
            from = to;
            if i < last {
                let active = fresh(&mut names, &format!("head.{i}.relu"));
                grafted.graph_mut().node.push(node("Relu", [from], active.clone(), Vec::new()));
                from = active;
            }
        }
        let classes = head.layers[last].outputs as u64;
        grafted.add_output(LOGITS, vec![batch, Dim::Fixed(classes)]);
        Ok(grafted)
    }

    /// Adds the output [`PROBABILITIES`]: the softmax of `logits / temperature`.
    /// The graph must have an output [`LOGITS`], as [`Graph::append_head`]
    /// leaves it.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownTensor`] without such an output,
    /// [`GraphError::Temperature`], [`GraphError::DuplicateTensor`] if there are
    /// probabilities already.
    pub fn with_probabilities(mut self, temperature: f32) -> Result<Graph, GraphError> {
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(GraphError::Temperature { value: temperature });
        }
        let Some(logits) = self.outputs().into_iter().find(|o| o.name == LOGITS) else {
            return Err(crate::names::unknown(
                LOGITS,
                self.graph().output.iter().map(|o| o.name()),
            ));
        };
        let mut names = taken(self.graph());
        if !names.insert(PROBABILITIES.to_owned()) {
            return Err(GraphError::DuplicateTensor { tensor: PROBABILITIES.to_owned() });
        }
        let divisor = fresh(&mut names, "temperature");
        let scaled = fresh(&mut names, "logits.scaled");
        self.add_weight(&divisor, &[1], &[temperature]);
        let broadcast = self.legacy_broadcast();
        let nodes = &mut self.graph_mut().node;
        nodes.push(node("Div", [LOGITS.to_owned(), divisor], scaled.clone(), broadcast));
        // On two axes, softmax along axis 1 means the same in every operator set.
        nodes.push(node("Softmax", [scaled], PROBABILITIES.to_owned(), vec![int("axis", 1)]));
        self.add_output(PROBABILITIES, logits.shape.unwrap_or_else(|| vec![Dim::Unknown; 2]));
        Ok(self)
    }

    fn dense(
        &mut self,
        layer: &DenseLayer,
        number: usize,
        from: String,
        to: &str,
        names: &mut HashSet<String>,
    ) {
        let weights = fresh(names, &format!("head.{number}.weight"));
        let bias = fresh(names, &format!("head.{number}.bias"));
        self.add_weight(&weights, &[layer.outputs, layer.inputs], &layer.weights);
        self.add_weight(&bias, &[layer.outputs], &layer.bias);
        let mut attributes = vec![int("transB", 1)];
        attributes.extend(self.legacy_broadcast());
        let gemm = node("Gemm", [from, weights, bias], to.to_owned(), attributes);
        self.graph_mut().node.push(gemm);
    }

    /// Before opset 7 a second operand was stretched only on demand.
    fn legacy_broadcast(&self) -> Vec<AttributeProto> {
        if self.opset() < 7 { vec![int("broadcast", 1)] } else { Vec::new() }
    }

    fn add_weight(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        if self.weights_must_be_inputs() {
            let info = TensorInfo {
                name: name.to_owned(),
                element: Some(ElementType::F32),
                shape: Some(dims.iter().map(|&d| Dim::Fixed(d as u64)).collect()),
            };
            self.graph_mut().input.push(info.to_value_info());
        }
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph_mut().initializer.push(TensorProto {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(DataType::Float as i32),
            name: Some(name.to_owned()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        });
    }

    /// A constant row of integers.
    pub(crate) fn add_integers(&mut self, name: &str, values: &[i64]) {
        if self.weights_must_be_inputs() {
            let info = TensorInfo {
                name: name.to_owned(),
                element: Some(ElementType::I64),
                shape: Some(vec![Dim::Fixed(values.len() as u64)]),
            };
            self.graph_mut().input.push(info.to_value_info());
        }
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph_mut().initializer.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(DataType::Int64 as i32),
            name: Some(name.to_owned()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        });
    }

    fn add_output(&mut self, name: &str, shape: Vec<Dim>) {
        let info = TensorInfo {
            name: name.to_owned(),
            element: Some(ElementType::F32),
            shape: Some(shape),
        };
        self.graph_mut().output.push(info.to_value_info());
    }
}

impl HeadWeights {
    fn check(&self, features: u64) -> Result<(), GraphError> {
        if self.layers.is_empty() {
            return Err(GraphError::Head { layer: 0, problem: HeadProblem::Empty });
        }
        let mut there_are = features;
        for (i, layer) in self.layers.iter().enumerate() {
            let refuse = |problem| Err(GraphError::Head { layer: i, problem });
            if layer.inputs as u64 != there_are {
                return refuse(HeadProblem::Inputs { takes: layer.inputs, there_are });
            }
            if layer.outputs == 0 {
                return refuse(HeadProblem::NoOutputs);
            }
            let expected = layer.inputs.saturating_mul(layer.outputs);
            if layer.weights.len() != expected {
                return refuse(HeadProblem::Weights { expected, found: layer.weights.len() });
            }
            if layer.bias.len() != layer.outputs {
                let (expected, found) = (layer.outputs, layer.bias.len());
                return refuse(HeadProblem::Bias { expected, found });
            }
            if !layer.weights.iter().chain(&layer.bias).all(|value| value.is_finite()) {
                return refuse(HeadProblem::NotFinite);
            }
            there_are = layer.outputs as u64;
        }
        Ok(())
    }
}
