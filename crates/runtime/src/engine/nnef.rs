//! NNEF, the engine's own exchange format: a tar of a graph in words and a file
//! a tensor. What ONNX leaves open is decided in it, so that opening it takes
//! less time and memory.

mod words;

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::Arc;

use tract_nnef::ast::{Identifier, ProtoModel};
use tract_nnef::framework::Nnef;
use tract_nnef::internal::{Framework as _, TractErrorContext as _, bail};
use tract_nnef::tensors::read_tensor;
use tract_onnx::WithOnnx as _;
use tract_onnx::prelude::*;

use super::{Outputs, Wanted, refused};
use crate::error::{OpenError, Shape};

/// What the input is called in a model that [`write`] made.
pub(crate) const INPUT: &str = "input";

const GRAPH: &str = "graph.nnef";
const TENSOR: &str = ".dat";

/// Takes the place of a tensor that is not read, if it gives one.
pub(super) type StandIn<'a> = &'a dyn Fn(&TensorFile<'_>) -> TractResult<Option<Tensor>>;

/// Reads and checks a model that [`write`] made.
pub(super) fn read(wanted: &Wanted<'_>, stand_in: StandIn<'_>) -> Result<TypedModel, OpenError> {
    let proto = proto(wanted.model.reader()?, stand_in).map_err(refused)?;
    let model = reader().model_for_proto_model(&proto).map_err(refused)?;
    check_input(&model, wanted)?;
    if let Outputs::Named(tensors) = &wanted.outputs {
        // Results have names in the text alone, and the same order here.
        let results = &proto.doc.graph_def.results;
        for (index, (name, _)) in tensors.iter().enumerate() {
            if results.get(index).is_none_or(|result| result.0 != *name) {
                return Err(OpenError::NoTensor { tensor: (*name).to_owned() });
            }
        }
    }
    Ok(model)
}

/// Graph and tensors of the tar. The engine's own reader does the same, with a
/// slower parser.
fn proto(model: impl Read + Seek, stand_in: StandIn<'_>) -> TractResult<ProtoModel> {
    let mut graph = None;
    let mut tensors = HashMap::new();
    walk(model, |entry| {
        match entry {
            Entry::Graph(text) => graph = Some(words::document(&text)?),
            Entry::Tensor(file) => {
                let label = Identifier::from(file.label);
                let tensor = match stand_in(&file)? {
                    Some(tensor) => tensor,
                    None => file.read()?,
                };
                tensors.insert(label, Arc::new(tensor));
            }
        }
        Ok(())
    })?;
    let doc = graph.with_context(|| format!("there is no {GRAPH}"))?;
    Ok(ProtoModel { doc, tensors, quantization: None, resources: HashMap::new() })
}

/// What is in the tar.
pub(super) enum Entry<'a> {
    Graph(String),
    Tensor(TensorFile<'a>),
}

/// Gives each entry. What is not read of one is skipped.
pub(super) fn walk(
    model: impl Read + Seek,
    mut take: impl FnMut(Entry<'_>) -> TractResult<()>,
) -> TractResult<()> {
    for entry in tar::Archive::new(model).entries_with_seek()? {
        let mut entry = entry?;
        let path = String::from_utf8(entry.path_bytes().into_owned())?;
        if path == GRAPH {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            take(Entry::Graph(text))?;
        } else if let Some(label) = path.strip_suffix(TENSOR) {
            let bytes = entry.size();
            TensorFile::open(label, &mut entry, bytes)
                .and_then(|file| take(Entry::Tensor(file)))
                .with_context(|| format!("tensor {label}"))?;
        } else {
            bail!("{path} is nothing that is read");
        }
    }
    Ok(())
}

/// Bytes of a tensor file before its values, by chapter 5.1 of the NNEF specification.
const HEADER: usize = 128;

/// A tensor's file, of which the header has been read and checked.
pub(super) struct TensorFile<'a> {
    pub(super) label: &'a str,
    header: [u8; HEADER],
    values: &'a mut dyn Read,
}

impl<'a> TensorFile<'a> {
    /// Of a file of so many bytes. The engine allocates what the header says, so what
    /// the header says must be there.
    fn open(label: &'a str, file: &'a mut dyn Read, bytes: u64) -> TractResult<TensorFile<'a>> {
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let opened = TensorFile { label, header, values: file };
        let (data, items) = (u64::from(opened.number(4)), opened.number(48));
        if HEADER as u64 + data != bytes {
            bail!("its file has {bytes} bytes, its header speaks of {HEADER} and {data}");
        }
        // The upper half is whose type it is: strings and packed numbers are the engine's
        // own, and their size is not in the header.
        if items >> 16 != 0 {
            bail!("its items are of type {items:#x}, which is nobody's but the engine's");
        }
        Ok(opened)
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = [0, 1, 2, 3].map(|byte| self.header[at + byte]);
        u32::from_le_bytes(bytes)
    }

    /// The shape of a tensor of `f32`; nothing of another.
    pub(super) fn f32_shape(&self) -> Option<Vec<usize>> {
        let (bytes, rank) = (self.number(4) as usize, self.number(8) as usize);
        let (bits, kind) = (self.number(44), self.number(48));
        let sizes = (0..rank.min(8)).map(|axis| self.number(12 + 4 * axis) as usize);
        let shape: Vec<usize> = sizes.collect();
        let length = shape.iter().try_fold(4_usize, |length, &size| length.checked_mul(size));
        (rank <= 8 && bits == 32 && kind == 0 && length == Some(bytes)).then_some(shape)
    }

    pub(super) fn read(self) -> TractResult<Tensor> {
        read_tensor(self.header.as_slice().chain(self.values))
    }
}

/// Without the standard library: only a writer looks into it, and parsing it
/// takes as long as all the rest of a small network.
pub(super) fn reader() -> Nnef {
    Nnef {
        stdlib: Vec::new(),
        registries: vec![tract_nnef::ops::tract_nnef(), tract_nnef::ops::tract_core()],
        resource_loaders: Vec::new(),
        allow_extended_identifier_syntax: false,
        extern_all_constants: false,
    }
    .with_onnx()
}

/// The input is called [`INPUT`], the outputs as they are `wanted`. The same
/// model always gives the same bytes.
pub(super) fn write(wanted: &Wanted<'_>, mut model: TypedModel) -> Result<Vec<u8>, OpenError> {
    // An exporter's names are three times as long as all other words together.
    let input = model.input_outlets().map_err(refused)?[0].node;
    for node in model.nodes_mut() {
        node.name = if node.id == input { INPUT.to_owned() } else { format!("n{}", node.id) };
    }
    model.properties.clear();
    if let Outputs::Named(tensors) = &wanted.outputs {
        let outlets = model.output_outlets().map_err(refused)?.to_vec();
        for (outlet, (name, _)) in outlets.into_iter().zip(tensors) {
            model.set_outlet_label(outlet, (*name).to_owned()).map_err(refused)?;
        }
    }
    let writer = tract_nnef::nnef().with_onnx();
    let (compress, deterministic) = (false, true);
    let written = writer.write_to_tar_with_config(&model, Vec::new(), compress, deterministic);
    Ok(written.map_err(refused)?)
}

fn check_input(model: &TypedModel, wanted: &Wanted<'_>) -> Result<(), OpenError> {
    let found: Vec<&str> =
        model.inputs.iter().map(|outlet| model.node(outlet.node).name.as_str()).collect();
    if found.len() != 1 || wanted.input.is_some_and(|expected| found[0] != expected) {
        return Err(OpenError::Inputs {
            expected: wanted.input.map_or("exactly one".to_owned(), |name| format!("[{name:?}]")),
            found: found.into_iter().map(str::to_owned).collect(),
        });
    }
    let fact = model.input_fact(0).map_err(refused)?;
    let stated = Shape(
        fact.shape
            .iter()
            .map(|size| size.to_i64().ok().and_then(|size| usize::try_from(size).ok()))
            .collect(),
    );
    if stated != *wanted.input_shape {
        let expected = wanted.input_shape.clone();
        return Err(OpenError::InputShape { expected, found: stated });
    }
    Ok(())
}
