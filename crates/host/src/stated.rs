//! The input of a network of which there is no `model.toml`: what its graph
//! shows, and what a person must state. Nothing is guessed.

use graft_onnx::{Dim, Graph, GraphError, TensorInfo};
use graft_spec::{Colour, Fit, ImageSpec, Layout, SpecError};

use crate::catalogue::InputSpec;
use crate::onnx_file;

/// What a person stated. The rest is seen in the graph, or is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatedInput {
    /// Name of the input tensor.
    pub tensor: Option<String>,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// Order of axes.
    pub layout: Option<Layout>,
    /// Order of channels.
    pub colour: Option<Colour>,
    /// How other aspect ratios are fitted; stretched if not stated.
    pub fit: Option<Fit>,
    /// Width and height that photos are fitted to, if not the input's.
    pub resize: Option<[u32; 2]>,
    /// Divisor of the pixel.
    pub scale: Option<f32>,
    /// One number, or one a channel.
    pub mean: Option<Vec<f32>>,
    /// One number, or one a channel.
    pub std: Option<Vec<f32>>,
    /// RGB; black if not stated.
    pub background: Option<[u8; 3]>,
}

/// Something that neither the graph nor a person told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Width and height in pixels.
    Size,
    /// Order of the axes.
    Layout,
    /// Order of the channels.
    Colour,
    /// The pixel's divisor.
    Scale,
    /// Subtracted after that.
    Mean,
    /// Divisor after that.
    Std,
    /// Which of several inputs.
    Tensor,
}

/// The input can't be known, or what was stated can't be.
#[derive(Debug, thiserror::Error)]
pub enum StatedError {
    /// To be stated.
    #[error("the graph does not show all of its input ({seen}); to be stated: {}", words(missing))]
    Missing { seen: String, missing: Vec<Missing> },
    /// No such input.
    #[error("the network has no input {wanted:?}; it has {found}")]
    NoTensor { wanted: String, found: String },
    /// Not a batch of pictures.
    #[error(
        "input {name:?} has shape {shape}; four axes are needed, batch, rows, columns and channels"
    )]
    Rank { name: String, shape: String },
    /// What was stated contradicts the graph.
    #[error(
        "input {name:?} has shape {shape}, which does not fit {width}×{height} {layout:?} with {channels} channels"
    )]
    Shape { name: String, shape: String, width: u32, height: u32, layout: Layout, channels: usize },
    /// A number that can't be.
    #[error("{0}")]
    Field(#[from] SpecError),
}

/// Joins what the graph shows with what was stated.
pub fn complete(graph: &Graph, stated: &StatedInput) -> Result<InputSpec, StatedError> {
    let inputs = graph.inputs();
    let names = || inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(", ");
    let input = match (&stated.tensor, inputs.as_slice()) {
        (Some(wanted), _) => inputs
            .iter()
            .find(|i| i.name == *wanted)
            .ok_or_else(|| StatedError::NoTensor { wanted: wanted.clone(), found: names() })?,
        (None, [only]) => only,
        (None, _) => {
            return Err(StatedError::Missing { seen: names(), missing: vec![Missing::Tensor] });
        }
    };
    let shape = shape_text(input.shape.as_deref());
    // A graph whose input has no shape at all shows nothing, which is no error.
    let axes: [Option<u64>; 4] = match input.shape.as_deref() {
        None => [None; 4],
        Some([a, b, c, d]) => [a, b, c, d].map(|d| match d {
            Dim::Fixed(n) => Some(*n),
            _ => None,
        }),
        Some(_) => return Err(StatedError::Rank { name: input.name.clone(), shape }),
    };
    let channel_count = |n: Option<u64>| matches!(n, Some(1 | 3));
    let layout = stated.layout.or(match (channel_count(axes[1]), channel_count(axes[3])) {
        (true, false) => Some(Layout::Nchw),
        (false, true) => Some(Layout::Nhwc),
        _ => None,
    });
    let seen = layout.map(|l| match l {
        Layout::Nchw => (axes[1], axes[2], axes[3]),
        Layout::Nhwc => (axes[3], axes[1], axes[2]),
    });
    let side = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok());
    let (channels, rows, columns) = seen.unwrap_or_default();
    let width = stated.width.or(side(columns));
    let height = stated.height.or(side(rows));
    let colour = stated.colour.or((channels == Some(1)).then_some(Colour::Grey));

    let mut missing = Vec::new();
    let mut need = |absent: bool, what| {
        if absent {
            missing.push(what);
        }
    };
    need(layout.is_none(), Missing::Layout);
    need(width.is_none() || height.is_none(), Missing::Size);
    need(colour.is_none(), Missing::Colour);
    need(stated.scale.is_none(), Missing::Scale);
    need(stated.mean.is_none(), Missing::Mean);
    need(stated.std.is_none(), Missing::Std);
    let (Some(layout), Some(width), Some(height), Some(colour), Some(scale), Some(mean), Some(std)) =
        (layout, width, height, colour, stated.scale, &stated.mean, &stated.std)
    else {
        let seen = format!("input {:?} has shape {shape}", input.name);
        return Err(StatedError::Missing { seen, missing });
    };
    let a_channel = |values: &Vec<f32>| match values.as_slice() {
        [one] => vec![*one; colour.channels()],
        _ => values.clone(),
    };
    let image = ImageSpec {
        width,
        height,
        fit: stated.fit.unwrap_or(Fit::Stretch),
        resize: stated.resize,
        layout,
        colour,
        scale,
        mean: a_channel(mean),
        std: a_channel(std),
        background: stated.background.unwrap_or_default(),
    };
    image.check()?;
    let wanted = image.shape(1);
    let fits = (1..4).all(|i| axes[i].is_none_or(|n| n == wanted[i] as u64));
    if !fits {
        let channels = colour.channels();
        let name = input.name.clone();
        return Err(StatedError::Shape { name, shape, width, height, layout, channels });
    }
    Ok(InputSpec { tensor: Some(input.name.clone()), image })
}

/// The graph with the size that photos will have, where it leaves that open. The
/// batch stays as it is.
pub(crate) fn sized(graph: Graph, input: &InputSpec) -> Result<Graph, GraphError> {
    let inputs = graph.inputs();
    let is_it = |i: &&TensorInfo| input.tensor.as_ref().is_none_or(|tensor| *tensor == i.name);
    let Some(tensor) = inputs.iter().find(is_it) else { return Ok(graph) };
    let is_open = |dim: &Dim| !matches!(dim, Dim::Fixed(_));
    match &tensor.shape {
        Some(shape) if !shape.iter().skip(1).any(is_open) => Ok(graph),
        _ => {
            let mut shape = input.image.shape(1).map(|n| Dim::Fixed(n as u64));
            shape[0] = Dim::Unknown;
            graph.with_input_shape(&tensor.name, &shape)
        }
    }
}

/// `[N, 3, 224, 224]`, or `unknown`.
pub fn shape_text(shape: Option<&[Dim]>) -> String {
    let Some(shape) = shape else { return "unknown".to_owned() };
    let axes: Vec<String> = shape
        .iter()
        .map(|d| match d {
            Dim::Fixed(n) => n.to_string(),
            Dim::Symbol(name) => name.clone(),
            Dim::Unknown => "?".to_owned(),
        })
        .collect();
    format!("[{}]", axes.join(", "))
}

fn words(missing: &[Missing]) -> String {
    let word = |m: &Missing| match m {
        Missing::Size => "width and height",
        Missing::Layout => "layout (nchw or nhwc)",
        Missing::Colour => "colour (rgb, bgr or grey)",
        Missing::Scale => "scale (255 for pixels as 0–1, 1 for raw bytes)",
        Missing::Mean => "mean",
        Missing::Std => "std",
        Missing::Tensor => "which input",
    };
    missing.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// An ONNX file whose input can't be known.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: std::path::PathBuf, source: std::io::Error },
    /// Not a usable graph.
    #[error("{} is not a usable ONNX file", path.display())]
    Graph { path: std::path::PathBuf, source: Box<GraphError> },
    /// Something is missing or wrong.
    #[error("{0}")]
    Stated(#[from] StatedError),
}

/// Joins what an ONNX file shows with what was stated.
pub fn of_file(path: &std::path::Path, stated: &StatedInput) -> Result<InputSpec, FileError> {
    Ok(complete(&graph_of(path)?, stated)?)
}

pub(crate) fn graph_of(path: &std::path::Path) -> Result<Graph, FileError> {
    let bytes = std::fs::read(path)
        .map_err(|source| FileError::Read { path: path.to_path_buf(), source })?;
    onnx_file::parse(path, &bytes)
        .map(|(graph, _)| graph)
        .map_err(|e| FileError::Graph { path: path.to_path_buf(), source: Box::new(e) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x` f32 [batch, 3, 32, 32], of models/tiny.
    fn tiny() -> Graph {
        Graph::parse(include_bytes!("../../../models/tiny/tiny.onnx")).unwrap()
    }

    fn all() -> StatedInput {
        StatedInput {
            colour: Some(Colour::Rgb),
            scale: Some(255.0),
            mean: Some(vec![0.5]),
            std: Some(vec![0.25]),
            ..StatedInput::default()
        }
    }

    #[test]
    fn what_the_graph_shows_need_not_be_stated() {
        let input = complete(&tiny(), &all()).unwrap();
        let image = &input.image;
        assert_eq!((image.width, image.height, image.layout), (32, 32, Layout::Nchw));
        assert_eq!((image.mean.len(), image.std.len()), (3, 3));
    }

    #[test]
    fn the_rest_is_asked_for_never_guessed() {
        let nothing = StatedInput::default();
        let Err(StatedError::Missing { missing, .. }) = complete(&tiny(), &nothing) else {
            panic!("colour, scale, mean and deviation can't be seen");
        };
        assert_eq!(missing, [Missing::Colour, Missing::Scale, Missing::Mean, Missing::Std]);
    }

    #[test]
    fn what_contradicts_the_graph_is_refused() {
        let wrong = |stated: StatedInput| complete(&tiny(), &stated).unwrap_err();
        let error = wrong(StatedInput { width: Some(64), ..all() });
        assert!(matches!(error, StatedError::Shape { width: 64, .. }), "{error}");
        let error = wrong(StatedInput { colour: Some(Colour::Grey), ..all() });
        assert!(matches!(error, StatedError::Shape { channels: 1, .. }), "{error}");
        let error = wrong(StatedInput { tensor: Some("y".into()), ..all() });
        assert!(matches!(error, StatedError::NoTensor { .. }), "{error}");
        let error = wrong(StatedInput { scale: Some(0.0), ..all() });
        assert!(matches!(error, StatedError::Field(_)), "{error}");
    }
}
