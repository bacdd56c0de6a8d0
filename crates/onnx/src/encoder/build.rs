//! Nodes and constants, one after the other.

use crate::pool::node_float;
use crate::pool::{int, ints};
use crate::proto::tensor_proto::DataType;
use crate::proto::{AttributeProto, NodeProto, TensorProto};

/// The nodes and constants of a graph that is being written.
#[derive(Default)]
pub(super) struct Build {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: Vec<TensorProto>,
    /// Stands before every name, so that none is a stranger's.
    pub(super) prefix: String,
}

impl Build {
    /// A node; its first output, which bears its name.
    pub(super) fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = format!("{}{output}", self.prefix);
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.clone()],
            name: Some(output.clone()),
            op_type: Some(op.to_owned()),
            attribute,
            ..NodeProto::default()
        });
        output
    }

    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, dims, DataType::Float, raw)
    }

    pub(super) fn wholes(&mut self, name: &str, values: &[i64]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, &[values.len()], DataType::Int64, raw)
    }

    fn constant(&mut self, name: &str, dims: &[usize], kind: DataType, raw: Vec<u8>) -> String {
        let name = format!("{}{name}", self.prefix);
        self.constants.push(TensorProto {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(kind as i32),
            name: Some(name.clone()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        });
        name
    }

    pub(super) fn transpose(&mut self, from: &str, perm: &[i64], output: &str) -> String {
        self.node("Transpose", &[from], output, vec![ints("perm", perm)])
    }

    pub(super) fn layer_norm(&mut self, from: [&str; 3], epsilon: f64, output: &str) -> String {
        let attributes = vec![int("axis", -1), node_float("epsilon", epsilon)];
        self.node("LayerNormalization", &from, output, attributes)
    }
}
