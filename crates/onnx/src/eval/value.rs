use crate::check::element_count;
use crate::proto::TensorProto;
use crate::tensor::ElementType;

/// A constant tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    /// One of `F32`, `F64`, `I32`, `I64`, `Bool`.
    pub(super) element: ElementType,
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Real(Vec<f64>),
    /// Truth values are 0 and 1.
    Whole(Vec<i64>),
}

impl Value {
    pub(crate) fn whole_of(element: ElementType, dims: Vec<usize>, values: Vec<i64>) -> Value {
        Value { element, dims, data: Data::Whole(values) }
    }

    pub(crate) fn real_of(element: ElementType, dims: Vec<usize>, values: Vec<f64>) -> Value {
        Value { element, dims, data: Data::Real(values) }
    }

    /// Of a tensor that has at most `limit` elements.
    pub(crate) fn of(tensor: &TensorProto, limit: usize) -> Option<Value> {
        let count = usize::try_from(element_count(tensor)?).ok().filter(|&n| n <= limit)?;
        let dims = super::layout::lengths(&tensor.dims)?;
        let element = ElementType::from_code(tensor.data_type())?;
        let raw = tensor.raw_data.as_deref();
        let data = match element {
            ElementType::F32 => {
                Data::Real(floats(tensor)?.iter().map(|&value| f64::from(value)).collect())
            }
            ElementType::F64 => Data::Real(match raw {
                Some(raw) => {
                    raw.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
                }
                None => tensor.double_data.clone(),
            }),
            ElementType::I64 => Data::Whole(match raw {
                Some(raw) => {
                    raw.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
                }
                None => tensor.int64_data.clone(),
            }),
            ElementType::I32 => Data::Whole(match raw {
                Some(raw) => raw
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|b| i64::from(i32::from_le_bytes(*b)))
                    .collect(),
                None => tensor.int32_data.iter().map(|&v| i64::from(v)).collect(),
            }),
            ElementType::Bool => Data::Whole(match raw {
                Some(raw) => raw.iter().map(|&byte| i64::from(byte != 0)).collect(),
                None => tensor.int32_data.iter().map(|&v| i64::from(v != 0)).collect(),
            }),
            _ => return None,
        };
        let value = Value { element, dims, data };
        (value.len() == count).then_some(value)
    }

    pub(crate) fn to_tensor(&self, name: &str) -> TensorProto {
        let raw: Vec<u8> = match (&self.data, self.element) {
            (Data::Real(values), ElementType::F32) => {
                values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect()
            }
            (Data::Real(values), _) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            (Data::Whole(values), ElementType::I32) => {
                values.iter().flat_map(|&v| (v as i32).to_le_bytes()).collect()
            }
            (Data::Whole(values), ElementType::Bool) => {
                values.iter().map(|&v| u8::from(v != 0)).collect()
            }
            (Data::Whole(values), _) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        TensorProto {
            dims: self.dims.iter().map(|&length| length as i64).collect(),
            data_type: Some(self.element.code()),
            name: Some(name.to_owned()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Real(values) => values.len(),
            Data::Whole(values) => values.len(),
        }
    }

    /// Floats of either width.
    pub(crate) fn reals(&self) -> Option<&[f64]> {
        match &self.data {
            Data::Real(values) => Some(values),
            Data::Whole(_) => None,
        }
    }

    /// Integers and truth values.
    pub(crate) fn whole(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Whole(values) => Some(values),
            Data::Real(_) => None,
        }
    }

    /// The same values in another shape of as many.
    pub(super) fn reshaped(&self, dims: Vec<usize>) -> Option<Value> {
        let fits = super::layout::count(&dims) == Some(self.len());
        fits.then(|| Value { element: self.element, dims, data: self.data.clone() })
    }

    /// The values at some places, which must be inside.
    pub(super) fn picked(&self, dims: Vec<usize>, places: Vec<usize>) -> Value {
        let data = match &self.data {
            Data::Real(values) => Data::Real(places.into_iter().map(|at| values[at]).collect()),
            Data::Whole(values) => Data::Whole(places.into_iter().map(|at| values[at]).collect()),
        };
        Value { element: self.element, dims, data }
    }

    pub(super) fn rounded(mut self) -> Value {
        if let (Data::Real(values), ElementType::F32) = (&mut self.data, self.element) {
            for value in values {
                *value = f64::from(*value as f32);
            }
        }
        self
    }
}

/// The values of a tensor of 32-bit floats, as many as its shape asks for.
pub(crate) fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    if ElementType::from_code(tensor.data_type()) != Some(ElementType::F32) {
        return None;
    }
    let values: Vec<f32> = match tensor.raw_data.as_deref() {
        Some(raw) => raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        None => tensor.float_data.clone(),
    };
    (element_count(tensor) == Some(values.len() as u64)).then_some(values)
}
