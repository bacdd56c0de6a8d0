//! An ONNX graph that grows node by node.

use std::collections::HashSet;

use super::error::CaffeError;
use crate::names::fresh;
use crate::pool::node;
use crate::proto::tensor_proto::DataType;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    attribute_proto::AttributeType,
};
use crate::tensor::{Dim, ElementType, TensorInfo};
use crate::{Graph, check};

/// All operators in use have the same meaning from here to 20, and the engines
/// have known it longest.
const OPSET: i64 = 13;
/// The version of the file format that came with it.
const IR_VERSION: i64 = 7;

/// A blob: the tensor that holds it, and its axes behind the batch.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub tensor: String,
    pub shape: Vec<u64>,
}

#[derive(Default)]
pub(super) struct Builder {
    graph: GraphProto,
    names: HashSet<String>,
}

impl Builder {
    /// `reserved` are names that intermediate tensors and weights must not get.
    pub fn new(reserved: impl Iterator<Item = String>) -> Builder {
        Builder { names: reserved.collect(), ..Builder::default() }
    }

    pub fn input(&mut self, blob: &Blob) {
        self.graph.input.push(info(blob).to_value_info());
    }

    pub fn output(&mut self, blob: &Blob) {
        self.graph.output.push(info(blob).to_value_info());
    }

    pub fn node<const N: usize>(
        &mut self,
        op: &str,
        inputs: [&str; N],
        output: &str,
        attributes: Vec<AttributeProto>,
    ) {
        let node = node(op, inputs.map(str::to_owned), output.to_owned(), attributes);
        self.graph.node.push(node);
    }

    /// A node of any number of inputs and outputs.
    pub fn wide_node(
        &mut self,
        op: &str,
        inputs: Vec<String>,
        outputs: Vec<String>,
        attributes: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs,
            name: outputs.first().cloned(),
            output: outputs,
            op_type: Some(op.to_owned()),
            attribute: attributes,
            ..NodeProto::default()
        });
    }

    pub fn fresh(&mut self, wanted: &str) -> String {
        fresh(&mut self.names, wanted)
    }

    /// A constant; answers its name, which is `wanted` if that is free.
    pub fn floats(&mut self, wanted: &str, dims: &[u64], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(wanted, dims, DataType::Float, raw)
    }

    /// A constant vector.
    pub fn ints(&mut self, wanted: &str, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(wanted, &[values.len() as u64], DataType::Int64, raw)
    }

    fn constant(&mut self, wanted: &str, dims: &[u64], of: DataType, raw: Vec<u8>) -> String {
        let name = self.fresh(wanted);
        self.graph.initializer.push(TensorProto {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(of as i32),
            name: Some(name.clone()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        });
        name
    }

    pub fn finish(self, name: &str) -> Result<Graph, CaffeError> {
        let mut model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("graft".to_owned()),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(OPSET),
            }],
            graph: Some(GraphProto { name: Some(name.to_owned()), ..self.graph }),
            ..ModelProto::default()
        };
        check::check(&mut model).map_err(CaffeError::Graph)?;
        Ok(Graph { model })
    }
}

fn info(blob: &Blob) -> TensorInfo {
    let batch = std::iter::once(Dim::Symbol("N".to_owned()));
    TensorInfo {
        name: blob.tensor.clone(),
        element: Some(ElementType::F32),
        shape: Some(batch.chain(blob.shape.iter().map(|&n| Dim::Fixed(n))).collect()),
    }
}

pub(super) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Float as i32),
        f: Some(value),
        ..AttributeProto::default()
    }
}
