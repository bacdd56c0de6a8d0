//! Tensors as a graph declares them: names, element types, shapes.

use std::fmt;

use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::Dimension;
use crate::proto::tensor_shape_proto::dimension::Value;
use crate::proto::{TensorShapeProto, TypeProto, ValueInfoProto, type_proto};

/// A tensor of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, unique in the graph.
    pub name: String,
    /// What its values are; `None` if the graph does not tell.
    pub element: Option<ElementType>,
    /// Its axes; `None` if not even their number is known.
    pub shape: Option<Vec<Dim>>,
}

/// The length of one axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Always this.
    Fixed(u64),
    /// Chosen at run time; the same for every axis of that symbol.
    Symbol(String),
    /// Not known.
    Unknown,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(length) => write!(f, "{length}"),
            Dim::Symbol(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
    }
}

/// What the values of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// IEEE 754 16-bit float.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
    /// Unsigned byte.
    U8,
    /// Signed byte.
    I8,
    /// Unsigned 16-bit integer.
    U16,
    /// Signed 16-bit integer.
    I16,
    /// Unsigned 32-bit integer.
    U32,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 64-bit integer.
    U64,
    /// Signed 64-bit integer.
    I64,
    /// Truth value, a byte each.
    Bool,
    /// Text.
    String,
    /// Another of ONNX's types, by its number in `TensorProto.DataType`.
    Other(i32),
}

impl ElementType {
    pub(crate) fn from_code(code: i32) -> Option<ElementType> {
        Some(match DataType::try_from(code) {
            Ok(DataType::Undefined) => return None,
            Ok(DataType::Float) => ElementType::F32,
            Ok(DataType::Double) => ElementType::F64,
            Ok(DataType::Float16) => ElementType::F16,
            Ok(DataType::Bfloat16) => ElementType::Bf16,
            Ok(DataType::Uint8) => ElementType::U8,
            Ok(DataType::Int8) => ElementType::I8,
            Ok(DataType::Uint16) => ElementType::U16,
            Ok(DataType::Int16) => ElementType::I16,
            Ok(DataType::Uint32) => ElementType::U32,
            Ok(DataType::Int32) => ElementType::I32,
            Ok(DataType::Uint64) => ElementType::U64,
            Ok(DataType::Int64) => ElementType::I64,
            Ok(DataType::Bool) => ElementType::Bool,
            Ok(DataType::String) => ElementType::String,
            _ => ElementType::Other(code),
        })
    }

    pub(crate) fn code(self) -> i32 {
        let data_type = match self {
            ElementType::F32 => DataType::Float,
            ElementType::F64 => DataType::Double,
            ElementType::F16 => DataType::Float16,
            ElementType::Bf16 => DataType::Bfloat16,
            ElementType::U8 => DataType::Uint8,
            ElementType::I8 => DataType::Int8,
            ElementType::U16 => DataType::Uint16,
            ElementType::I16 => DataType::Int16,
            ElementType::U32 => DataType::Uint32,
            ElementType::I32 => DataType::Int32,
            ElementType::U64 => DataType::Uint64,
            ElementType::I64 => DataType::Int64,
            ElementType::Bool => DataType::Bool,
            ElementType::String => DataType::String,
            ElementType::Other(code) => return code,
        };
        data_type as i32
    }

    /// Bytes of one value; `None` for text and the types that are not named here.
    pub fn bytes(self) -> Option<u64> {
        match self {
            ElementType::U8 | ElementType::I8 | ElementType::Bool => Some(1),
            ElementType::F16 | ElementType::Bf16 | ElementType::U16 | ElementType::I16 => Some(2),
            ElementType::F32 | ElementType::U32 | ElementType::I32 => Some(4),
            ElementType::F64 | ElementType::U64 | ElementType::I64 => Some(8),
            ElementType::String | ElementType::Other(_) => None,
        }
    }

    /// Whether the values are floats of any width.
    pub fn is_float(self) -> bool {
        matches!(self, ElementType::F32 | ElementType::F64 | ElementType::F16 | ElementType::Bf16)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ElementType::F32 => "f32",
            ElementType::F64 => "f64",
            ElementType::F16 => "f16",
            ElementType::Bf16 => "bf16",
            ElementType::U8 => "u8",
            ElementType::I8 => "i8",
            ElementType::U16 => "u16",
            ElementType::I16 => "i16",
            ElementType::U32 => "u32",
            ElementType::I32 => "i32",
            ElementType::U64 => "u64",
            ElementType::I64 => "i64",
            ElementType::Bool => "bool",
            ElementType::String => "string",
            ElementType::Other(code) => return write!(f, "type {code}"),
        };
        f.write_str(name)
    }
}

impl TensorInfo {
    pub(crate) fn declared(value: &ValueInfoProto) -> TensorInfo {
        let tensor = tensor_type(value);
        TensorInfo {
            name: value.name().to_owned(),
            element: tensor.and_then(|t| ElementType::from_code(t.elem_type())),
            shape: tensor
                .and_then(|t| t.shape.as_ref())
                .map(|shape| shape.dim.iter().map(declared_dim).collect()),
        }
    }

    pub(crate) fn to_value_info(&self) -> ValueInfoProto {
        let shape = self
            .shape
            .as_ref()
            .map(|dims| TensorShapeProto { dim: dims.iter().map(dimension).collect() });
        ValueInfoProto {
            name: Some(self.name.clone()),
            r#type: self.element.map(|element| TypeProto {
                denotation: None,
                value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                    elem_type: Some(element.code()),
                    shape,
                })),
            }),
            ..ValueInfoProto::default()
        }
    }
}

pub(crate) fn tensor_type(value: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

/// Exporters write 0 and -1 where they mean "any".
fn declared_dim(dim: &Dimension) -> Dim {
    match &dim.value {
        Some(Value::DimValue(length)) if *length > 0 => Dim::Fixed(length.unsigned_abs()),
        Some(Value::DimParam(symbol)) if !symbol.is_empty() => Dim::Symbol(symbol.clone()),
        _ => Dim::Unknown,
    }
}

fn dimension(dim: &Dim) -> Dimension {
    let value = match dim {
        Dim::Fixed(length) => i64::try_from(*length).ok().map(Value::DimValue),
        Dim::Symbol(symbol) => Some(Value::DimParam(symbol.clone())),
        Dim::Unknown => None,
    };
    Dimension { denotation: None, value }
}
