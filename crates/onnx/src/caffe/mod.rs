//! Networks of Caffe (2014–2017): a prototxt, which states the layers, and a
//! caffemodel, which holds their weights. They become ONNX graphs of standard
//! operators, for any number of photos at once.
//!
//! Tensors of the graph have the names of Caffe's blobs, so that what a paper or
//! an old script calls `pool5` is called so here.
//!
//! The phase is TEST. Of a network for training, data layers become inputs, a
//! softmax loss becomes the softmax that it begins with, and what measures or
//! drops out is left away.
//!
//! Both readers are total: any bytes give a graph or a [`CaffeError`].

mod builder;
mod error;
mod fields;
mod kind;
mod layers;
mod net;
mod plan;
mod proto;
mod text;
mod weights;

pub use error::{CaffeError, LayerProblem};
pub use net::Transform;
pub use weights::{MeanImage, mean};

use builder::{Blob, Builder};
use layers::{Batch, Site};
use net::Net;
use weights::Weights;

use crate::Graph;

/// A network that was read.
#[derive(Clone, Debug)]
pub struct CaffeNet {
    /// The network, with its weights.
    pub graph: Graph,
    /// What the prototxt calls it; may be empty.
    pub name: String,
    /// How pictures were prepared in training, if the prototxt still tells.
    pub transform: Option<Transform>,
}

/// Reads a prototxt and the weights for it.
///
/// # Errors
///
/// Each [`CaffeError`] that is about the prototxt names the line, and the layer if
/// there is one; those about the weights name the layer.
///
/// ```
/// use graft_onnx::caffe::{self, CaffeError};
///
/// let prototxt = b"input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
///     layer { name: 'halo' type: 'Halo' bottom: 'data' top: 'halo' }";
/// let Err(error) = caffe::read(prototxt, b"") else { panic!("there is no layer Halo") };
/// assert_eq!(
///     error.to_string(),
///     r#"line 2: layer "halo" (Halo) is of a type that cannot be read"#,
/// );
/// ```
pub fn read(prototxt: &[u8], caffemodel: &[u8]) -> Result<CaffeNet, CaffeError> {
    // Comments are in whatever encoding their writer had.
    let text = String::from_utf8_lossy(prototxt);
    let file = text::parse(&text)?;
    let net = Net::read(&file)?;
    let plan = plan::plan(&net)?;
    let mut weights = Weights::parse(caffemodel)?;
    let mut builder = Builder::new(plan.names.iter().cloned());
    let mut blobs: Vec<Option<Blob>> = vec![None; plan.values.len()];
    for (&value, input) in plan.inputs.iter().zip(&net.inputs) {
        let tensor = plan.values[value].tensor.clone();
        let blob = Blob { tensor, shape: input.shape.clone() };
        let unread = plan.values[value].readers == 0;
        // Labels that only a loss reads: engines would ask for them.
        if !unread {
            builder.input(&blob);
        }
        blobs[value] = Some(blob);
    }

    let batches = layers::batches(&plan);
    for (at, step) in plan.steps.iter().enumerate() {
        let (scale, tops) = match batches.get(&at) {
            None => (None, &step.tops),
            Some(Batch::Absorbed) => continue,
            Some(Batch::Absorbs(scale)) => {
                let scale = &plan.steps[*scale];
                (Some(scale.layer), &scale.tops)
            }
        };
        let site = Site {
            layer: step.layer,
            bottoms: step.bottoms.iter().filter_map(|&value| blobs[value].clone()).collect(),
            tops: tops.iter().map(|&value| plan.values[value].tensor.clone()).collect(),
            weights: &mut weights,
            builder: &mut builder,
        };
        let shapes = site.convert(scale)?;
        for (&value, shape) in tops.iter().zip(shapes) {
            blobs[value] = Some(Blob { tensor: plan.values[value].tensor.clone(), shape });
        }
    }
    for (name, value) in &plan.outputs {
        let Some(blob) = &blobs[*value] else { continue };
        let output = Blob { tensor: (*name).to_owned(), shape: blob.shape.clone() };
        if blob.tensor != *name {
            builder.node("Identity", [&blob.tensor], name, Vec::new());
        }
        builder.output(&output);
    }
    Ok(CaffeNet {
        graph: builder.finish(net.name)?,
        name: net.name.to_owned(),
        transform: net.transform,
    })
}
