//! Layers become nodes: a file a family.

mod activation;
mod combine;
mod convolution;
mod dense;
mod norm;
mod pooling;
mod shape;

use std::collections::HashMap;

use super::builder::{Blob, Builder};
use super::error::{CaffeError, LayerProblem};
use super::kind::Kind;
use super::net::Layer;
use super::plan::Plan;
use super::weights::{self, Weights, product};

/// Longer axes than any picture has; what is below fits every integer in use.
const LONGEST_AXIS: u64 = 1 << 31;
const MOST_VALUES: u64 = 1 << 40;
/// `kMaxBlobAxes`, with the batch.
pub(super) const MOST_AXES: usize = 32;

/// A layer, what it reads, and what it shall make.
pub(super) struct Site<'s, 'm> {
    pub layer: &'m Layer<'m>,
    pub bottoms: Vec<Blob>,
    /// Names of tensors.
    pub tops: Vec<String>,
    pub weights: &'s mut Weights,
    pub builder: &'s mut Builder,
}

/// The shapes of a layer's tops, behind the batch.
type Shapes = Result<Vec<Vec<u64>>, CaffeError>;

impl<'m> Site<'_, 'm> {
    /// `scale` is the layer that a batch normalisation does the work of.
    pub fn convert(mut self, scale: Option<&'m Layer<'m>>) -> Shapes {
        let kind = self.layer.kind;
        let shapes = match kind {
            Kind::Convolution | Kind::Deconvolution => convolution::convert(&mut self),
            Kind::InnerProduct => dense::convert(&mut self),
            Kind::Pooling => pooling::convert(&mut self),
            Kind::BatchNorm => norm::batch(&mut self, scale),
            Kind::Scale | Kind::Bias => norm::scale(&mut self),
            Kind::Lrn => norm::local_response(&mut self),
            Kind::Concat => combine::concat(&mut self),
            Kind::Slice => combine::slice(&mut self),
            Kind::Eltwise => combine::eltwise(&mut self),
            Kind::Crop => combine::crop(&mut self),
            Kind::Flatten => shape::flatten(&mut self),
            Kind::Reshape => shape::reshape(&mut self),
            Kind::Permute => shape::permute(&mut self),
            Kind::Softmax | Kind::SoftmaxLoss => activation::softmax(&mut self),
            _ => activation::convert(&mut self),
        }?;
        for shape in &shapes {
            if shape.contains(&0) {
                return Err(self.fail(LayerProblem::Setting { rule: "makes a blob of no values" }));
            }
            let countable = product(shape).is_some_and(|count| count <= MOST_VALUES);
            let long = shape.iter().any(|&length| length > LONGEST_AXIS);
            if !countable || long || shape.len() >= MOST_AXES {
                return Err(self.fail(LayerProblem::TooLarge));
            }
        }
        Ok(shapes)
    }

    fn fail(&self, problem: LayerProblem) -> CaffeError {
        self.layer.fail(problem)
    }

    fn unsupported<T>(&self, what: &'static str) -> Result<T, CaffeError> {
        Err(self.fail(LayerProblem::Unsupported { what }))
    }

    /// The only bottom and the only top.
    fn one_to_one(&self) -> Result<(Blob, String), CaffeError> {
        let [bottom] = self.bottoms.as_slice() else {
            let found = self.bottoms.len();
            return Err(self.fail(LayerProblem::Bottoms { takes: "one blob", found }));
        };
        Ok((bottom.clone(), self.one_top()?))
    }

    fn one_top(&self) -> Result<String, CaffeError> {
        let [top] = self.tops.as_slice() else {
            let found = self.tops.len();
            return Err(self.fail(LayerProblem::Tops { makes: 1, found }));
        };
        Ok(top.clone())
    }

    /// Channels, rows and columns.
    fn planes(&self, bottom: &Blob) -> Result<[u64; 3], CaffeError> {
        bottom.shape.as_slice().try_into().map_err(|_| {
            let takes = "four axes: batch, channels, rows, columns";
            self.fail(LayerProblem::Axes { takes, shape: with_batch(bottom) })
        })
    }

    /// An axis as Caffe counts, from the end if negative, as a place in the shape
    /// behind the batch.
    fn axis(&self, axis: i64, bottom: &Blob) -> Result<usize, CaffeError> {
        let axes = bottom.shape.len() + 1;
        match self.axis_or_end(axis, axes)? {
            0 => Err(self.fail(LayerProblem::AcrossBatch)),
            at if at == axes => Err(self.fail(LayerProblem::Axis { axis, axes })),
            at => Ok(at - 1),
        }
    }

    /// An axis with the batch as the first, or one behind the last.
    fn axis_or_end(&self, axis: i64, axes: usize) -> Result<usize, CaffeError> {
        let at = if axis < 0 { axis + axes as i64 } else { axis };
        usize::try_from(at)
            .ok()
            .filter(|&at| at <= axes)
            .ok_or_else(|| self.fail(LayerProblem::Axis { axis, axes }))
    }

    /// The layer's weights, whose names and shapes the prototxt tells.
    fn blobs(&mut self, wanted: &[(&'static str, &[u64])]) -> Result<Vec<Vec<f32>>, CaffeError> {
        blobs(self.weights, self.layer, wanted)
    }

    fn floats(&mut self, part: &str, dims: &[u64], values: &[f32]) -> String {
        let name = format!("{}.{part}", self.layer.name);
        self.builder.floats(&name, dims, values)
    }

    fn ints(&mut self, part: &str, values: &[i64]) -> String {
        let name = format!("{}.{part}", self.layer.name);
        self.builder.ints(&name, values)
    }

    fn inner(&mut self, part: &str) -> String {
        let name = format!("{}.{part}", self.layer.name);
        self.builder.fresh(&name)
    }
}

fn blobs(
    weights: &mut Weights,
    layer: &Layer<'_>,
    wanted: &[(&'static str, &[u64])],
) -> Result<Vec<Vec<f32>>, CaffeError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let Some(found) = weights.take(layer.name) else {
        return Err(layer.fail(LayerProblem::NoWeights));
    };
    if found.len() != wanted.len() {
        let (expected, found) = (wanted.len(), found.len());
        return Err(layer.fail(LayerProblem::BlobCount { expected, found }));
    }
    let mut values = Vec::new();
    for (proto, &(name, shape)) in found.into_iter().zip(wanted) {
        let blob = weights::Blob::of(proto, name).map_err(|problem| layer.fail(problem))?;
        if !blob.is_of(shape) {
            return Err(layer.fail(LayerProblem::BlobShape {
                blob: name,
                expected: shape.to_vec(),
                found: blob.shape,
            }));
        }
        values.push(blob.values);
    }
    Ok(values)
}

fn with_batch(blob: &Blob) -> Vec<u64> {
    std::iter::once(1).chain(blob.shape.iter().copied()).collect()
}

/// A step of a batch normalisation and the scale that follows it: together they
/// are one node.
pub(super) enum Batch {
    /// With the scale at this step.
    Absorbs(usize),
    Absorbed,
}

pub(super) fn batches(plan: &Plan<'_>) -> HashMap<usize, Batch> {
    let mut makers = HashMap::new();
    let mut found = HashMap::new();
    for (at, step) in plan.steps.iter().enumerate() {
        if let (Kind::BatchNorm, &[top]) = (step.layer.kind, step.tops.as_slice()) {
            makers.insert(top, at);
        }
        let (Kind::Scale, &[bottom], &[_]) =
            (step.layer.kind, step.bottoms.as_slice(), step.tops.as_slice())
        else {
            continue;
        };
        let alone = plan.values[bottom].readers == 1
            && plan.outputs.iter().all(|&(_, value)| value != bottom)
            && norm::is_per_channel(step.layer);
        if let (true, Some(&maker)) = (alone, makers.get(&bottom)) {
            found.insert(maker, Batch::Absorbs(at));
            found.insert(at, Batch::Absorbed);
        }
    }
    found
}
