//! Networks of Caffe, turned into ONNX on their way into the catalogue.

use std::path::{Path, PathBuf};

use graft_onnx::caffe::{self, CaffeError, Transform};
use graft_onnx::{Dim, Graph};
use graft_spec::Colour;

use super::add::add_bytes;
use super::{About, AddError, Entry};
use crate::stated::{StatedError, StatedInput, complete};

/// The files of a network.
#[derive(Clone, Debug)]
pub struct Files {
    /// The layers.
    pub prototxt: PathBuf,
    /// Their weights, a `.caffemodel`.
    pub weights: PathBuf,
    /// The mean of what it was trained on, a `.binaryproto`.
    pub mean: Option<PathBuf>,
}

/// A network of Caffe that could not be added.
#[derive(Debug, thiserror::Error)]
pub enum CaffeAddError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not a network that can be read, or not its weights.
    #[error("{}", path.display())]
    Caffe { path: PathBuf, source: Box<CaffeError> },
    /// The mean image has other channels than the network's input.
    #[error(
        "{} has {found} channels, the network takes {expected}: it is of another network",
        path.display()
    )]
    MeanChannels { path: PathBuf, found: usize, expected: usize },
    /// The prototxt names a mean image, which was not given.
    #[error("the prototxt subtracts the mean image {file:?}, which was not given")]
    MeanMissing { file: String },
    /// The mean is stated, and given as a file.
    #[error("the mean is stated twice, as numbers and as a mean image")]
    MeanTwice,
    /// The input can't be known.
    #[error("{0}")]
    Stated(#[from] StatedError),
    /// It can't be put into the catalogue.
    #[error("{0}")]
    Add(#[from] AddError),
}

/// What was made of the network's files.
#[derive(Clone, Debug)]
pub struct Added {
    /// The model.
    pub entry: Entry,
    /// Rows and columns of the mean image, if it was larger than the input and only
    /// its centre counted.
    pub mean_cropped_from: Option<[usize; 2]>,
}

/// Reads a network and puts it into the catalogue at `folder`.
///
/// What neither `stated` nor the files say is what Caffe's own tools do: channels
/// blue, green, red, of 0 to 255, not divided by anything. A mean is never guessed.
///
/// # Errors
///
/// [`CaffeAddError::Stated`] with [`Missing::Mean`](crate::stated::Missing::Mean)
/// if no mean is known.
pub fn add(
    folder: &Path,
    files: &Files,
    about: About,
    stated: &StatedInput,
) -> Result<Added, CaffeAddError> {
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |e| CaffeAddError::Caffe { path, source: Box::new(e) }
    };
    let prototxt = read(&files.prototxt)?;
    let net = caffe::read(&prototxt, &read(&files.weights)?).map_err(|source| {
        let weights = matches!(source, CaffeError::Weights { .. });
        fail(if weights { &files.weights } else { &files.prototxt })(source)
    })?;
    let mut stated = stated.clone();
    let mut mean_cropped_from = None;
    let planes = planes(&net.graph);
    if let Some([3, ..]) = planes {
        stated.colour = stated.colour.or(Some(Colour::Bgr));
    }
    if let Some(path) = &files.mean {
        if stated.mean.is_some() {
            return Err(CaffeAddError::MeanTwice);
        }
        let image = caffe::mean(&read(path)?).map_err(fail(path))?;
        let [channels, height, width] =
            planes.unwrap_or([image.channels, image.height, image.width]);
        if image.channels != channels {
            let (found, expected) = (image.channels, channels);
            return Err(CaffeAddError::MeanChannels { path: path.clone(), found, expected });
        }
        if image.height > height || image.width > width {
            mean_cropped_from = Some([image.height, image.width]);
        }
        stated.mean = Some(image.of_centre(width, height));
    }
    prepare_as(net.transform, &mut stated)?;
    let spec = complete(&net.graph, &stated)?;
    let entry = add_bytes(folder, &files.prototxt, &net.graph.to_bytes(), about, spec)?;
    Ok(Added { entry, mean_cropped_from })
}

/// `(pixel - mean) * factor` is `(pixel / 1 - mean) / (1 / factor)`.
fn prepare_as(of_net: Option<Transform>, stated: &mut StatedInput) -> Result<(), CaffeAddError> {
    let factor = of_net.as_ref().map_or(1.0, |t| t.scale);
    if stated.scale.is_none() && stated.std.is_none() && factor > 0.0 {
        stated.std = Some(vec![1.0 / factor]);
    }
    stated.scale = stated.scale.or(Some(1.0));
    stated.std = stated.std.take().or(Some(vec![1.0]));
    if stated.mean.is_some() {
        return Ok(());
    }
    let Some(transform) = of_net else { return Ok(()) };
    if let Some(file) = transform.mean_file {
        return Err(CaffeAddError::MeanMissing { file });
    }
    // A network with its own data layer and no mean there subtracted none.
    stated.mean = Some(if transform.mean.is_empty() { vec![0.0] } else { transform.mean });
    Ok(())
}

/// Channels, rows and columns of the only input.
fn planes(graph: &Graph) -> Option<[usize; 3]> {
    let inputs = graph.inputs();
    let [input] = inputs.as_slice() else { return None };
    let [_, planes @ ..] = input.shape.as_deref()? else { return None };
    let lengths: Option<Vec<usize>> = planes
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => usize::try_from(*n).ok(),
            _ => None,
        })
        .collect();
    lengths?.try_into().ok()
}

fn read(path: &Path) -> Result<Vec<u8>, CaffeAddError> {
    std::fs::read(path).map_err(|source| CaffeAddError::Read { path: path.to_path_buf(), source })
}
