//! Which layer reads what which other layer made. Caffe's blobs may be written
//! again and again (a layer whose top is its bottom works in place); here every
//! value is made once.

use std::collections::{HashMap, HashSet};

use super::error::{CaffeError, LayerProblem};
use super::kind::Kind;
use super::net::{Layer, Net};
use crate::names::fresh;

pub(super) struct Plan<'m> {
    pub values: Vec<Value<'m>>,
    pub inputs: Vec<usize>,
    pub steps: Vec<Step<'m>>,
    /// Blobs that nobody reads, and the values that they end as.
    pub outputs: Vec<(&'m str, usize)>,
    /// All names in use.
    pub names: HashSet<String>,
}

pub(super) struct Value<'m> {
    blob: &'m str,
    /// Its name in the graph: the blob's for the last that is written to it.
    pub tensor: String,
    pub readers: usize,
}

/// A layer that computes.
pub(super) struct Step<'m> {
    pub layer: &'m Layer<'m>,
    pub bottoms: Vec<usize>,
    pub tops: Vec<usize>,
}

/// What a blob holds for the layers that follow.
#[derive(Clone, Copy)]
struct Current {
    value: usize,
    read: bool,
    made: usize,
}

pub(super) fn plan<'m>(net: &'m Net<'m>) -> Result<Plan<'m>, CaffeError> {
    let mut blobs: HashMap<&str, Current> = HashMap::new();
    let mut plan = Plan {
        values: Vec::new(),
        inputs: Vec::new(),
        steps: Vec::new(),
        outputs: Vec::new(),
        names: names(net),
    };
    for input in &net.inputs {
        let value = plan.value(input.name);
        plan.inputs.push(value);
        // An input that nobody reads is no output.
        if blobs.insert(input.name, Current { value, read: true, made: 0 }).is_some() {
            let field = format!("input {:?}", input.name);
            return Err(CaffeError::Twice { line: input.line, field });
        }
    }
    for (made, layer) in net.layers.iter().enumerate() {
        if layer.kind == Kind::Measure {
            continue;
        }
        // A loss also reads the labels, which are not there.
        let loss = matches!(layer.kind, Kind::SoftmaxLoss | Kind::SigmoidLoss);
        let read = if loss { layer.bottoms.len().min(1) } else { layer.bottoms.len() };
        let mut bottoms = Vec::new();
        for bottom in &layer.bottoms[..read] {
            let Some(current) = blobs.get_mut(bottom) else {
                let bottom = (*bottom).to_owned();
                return Err(layer.fail(LayerProblem::UnknownBottom { bottom }));
            };
            current.read = true;
            bottoms.push(current.value);
        }
        let mut tops = Vec::new();
        for (i, top) in answers(layer).iter().enumerate() {
            let in_place = layer.bottoms.get(i) == Some(top);
            if !in_place && blobs.contains_key(top) {
                let top = (*top).to_owned();
                return Err(layer.fail(LayerProblem::DuplicateTop { top }));
            }
            let value = match (layer.kind, bottoms.as_slice()) {
                (Kind::Dropout | Kind::Split, &[same]) => same,
                _ => {
                    if let Some(old) = blobs.get(top) {
                        plan.overwrite(old.value, top, layer.name);
                    }
                    plan.value(top)
                }
            };
            blobs.insert(top, Current { value, read: false, made: made + 1 });
            tops.push(value);
        }
        match layer.kind {
            Kind::Silence => {}
            Kind::Dropout | Kind::Split => {
                if bottoms.len() != 1 {
                    let found = bottoms.len();
                    return Err(layer.fail(LayerProblem::Bottoms { takes: "one blob", found }));
                }
            }
            _ => {
                bottoms.iter().for_each(|&value| plan.values[value].readers += 1);
                plan.steps.push(Step { layer, bottoms, tops });
            }
        }
    }
    let mut outputs: Vec<_> = blobs.into_iter().filter(|(_, current)| !current.read).collect();
    outputs.sort_by_key(|(blob, current)| (current.made, *blob));
    plan.outputs = outputs.into_iter().map(|(blob, current)| (blob, current.value)).collect();
    if plan.outputs.is_empty() {
        return Err(CaffeError::NoOutput);
    }
    Ok(plan)
}

/// A layer's tops; of a loss what it computes first, under the layer's name if it
/// makes nothing by name.
fn answers<'m>(layer: &'m Layer<'m>) -> &'m [&'m str] {
    match layer.kind {
        Kind::SoftmaxLoss | Kind::SigmoidLoss if layer.tops.is_empty() => {
            std::slice::from_ref(&layer.name)
        }
        Kind::SoftmaxLoss | Kind::SigmoidLoss => &layer.tops[..1],
        _ => &layer.tops,
    }
}

/// Weights are named by their layers, so they must not take a blob's name.
fn names(net: &Net<'_>) -> HashSet<String> {
    let tops = net.layers.iter().flat_map(|layer| answers(layer).iter().copied());
    net.inputs.iter().map(|input| input.name).chain(tops).map(str::to_owned).collect()
}

impl<'m> Plan<'m> {
    fn value(&mut self, blob: &'m str) -> usize {
        self.values.push(Value { blob, tensor: blob.to_owned(), readers: 0 });
        self.values.len() - 1
    }

    /// A layer writes to a blob: what was there keeps another name.
    fn overwrite(&mut self, value: usize, blob: &str, layer: &str) {
        if self.values[value].blob == blob {
            let name = fresh(&mut self.names, &format!("{blob}.before_{layer}"));
            self.values[value].tensor = name;
        }
    }
}
