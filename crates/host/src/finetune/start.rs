//! Where training begins in a network.

use graft_onnx::{Dim, Graph};
use serde::{Deserialize, Serialize};

/// From where on the network is tuned; what is below stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum From {
    /// All of it.
    All,
    /// The last so many blocks: what lies between two neighbouring cut points
    /// with weights between them.
    Last(usize),
    /// The vectors of words, and the head.
    Vectors,
    /// Everything above this tensor.
    Tensor(String),
}

/// Not a place.
#[derive(Debug, thiserror::Error)]
#[error(
    "{text:?} is no place to tune from: it must be all, last:N with N of 1 or more, vectors, or a tensor"
)]
pub struct FromError {
    text: String,
}

/// No such place in this network.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Fewer blocks than were asked for.
    #[error("the network has {blocks} blocks below its features; last:{asked} is more")]
    TooFewBlocks { asked: usize, blocks: usize },
    /// No such tensor, or one beside which other ways lead.
    #[error("it cannot be tuned from {tensor:?}")]
    Cut { tensor: String, source: Box<graft_onnx::GraphError> },
    /// A network for photos.
    #[error("the backbone is a network and has no word vectors to tune")]
    NoVectors,
    /// Word vectors.
    #[error("of a task about texts the vectors are tuned, and nothing from {asked:?} on")]
    OnlyVectors { asked: String },
    /// The tensor has no fixed size.
    #[error("tensor {tensor:?} has shape {shape}; its size must be known before the network runs")]
    Shape { tensor: String, shape: String },
}

/// Where the frozen part ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `None`: nothing is frozen, and the trained part sees prepared photos.
    pub(super) tensor: Option<String>,
    /// Of one example at the cut.
    pub(super) shape: Vec<usize>,
}

impl Place {
    pub(super) fn row_length(&self) -> usize {
        self.shape.iter().product()
    }
}

impl std::str::FromStr for From {
    type Err = FromError;

    fn from_str(text: &str) -> Result<From, FromError> {
        let wrong = || FromError { text: text.to_owned() };
        match (text.trim(), text.trim().strip_prefix("last:")) {
            ("all", _) => Ok(From::All),
            ("vectors", _) => Ok(From::Vectors),
            ("", _) => Err(wrong()),
            (_, Some(number)) => match number.parse() {
                Ok(number) if number > 0 => Ok(From::Last(number)),
                _ => Err(wrong()),
            },
            (tensor, None) => Ok(From::Tensor(tensor.to_owned())),
        }
    }
}

impl TryFrom<String> for From {
    type Error = FromError;

    fn try_from(text: String) -> Result<From, FromError> {
        text.parse()
    }
}

impl std::convert::From<From> for String {
    fn from(from: From) -> String {
        from.to_string()
    }
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            From::All => f.write_str("all"),
            From::Last(number) => write!(f, "last:{number}"),
            From::Vectors => f.write_str("vectors"),
            From::Tensor(tensor) => f.write_str(tensor),
        }
    }
}

/// Finds the place in a backbone, whose only input is prepared photos of shape
/// `input` (without the batch).
pub(super) fn place(from: &From, backbone: &Graph, input: &[usize]) -> Result<Place, PlaceError> {
    let tensor = match from {
        From::All => return Ok(Place { tensor: None, shape: input.to_vec() }),
        From::Vectors => return Err(PlaceError::NoVectors),
        From::Tensor(tensor) => {
            backbone.check_separates(tensor).map_err(|source| PlaceError::Cut {
                tensor: tensor.clone(),
                source: Box::new(source),
            })?;
            tensor.clone()
        }
        From::Last(asked) => {
            let blocks = blocks(backbone);
            match blocks.len().checked_sub(*asked) {
                Some(0) => return Ok(Place { tensor: None, shape: input.to_vec() }),
                Some(at) => blocks[at - 1].clone(),
                None => {
                    let (asked, blocks) = (*asked, blocks.len());
                    return Err(PlaceError::TooFewBlocks { asked, blocks });
                }
            }
        }
    };
    let dims = backbone.shape_of(&tensor);
    let known = dims.as_deref().and_then(|dims| {
        let fixed = dims.get(1..)?.iter().map(|dim| match dim {
            Dim::Fixed(length) => usize::try_from(*length).ok(),
            _ => None,
        });
        fixed.collect::<Option<Vec<usize>>>()
    });
    match known {
        Some(shape) => Ok(Place { tensor: Some(tensor), shape }),
        None => {
            let shape = crate::stated::shape_text(dims.as_deref());
            Err(PlaceError::Shape { tensor, shape })
        }
    }
}

/// The upper end of each block, from the input to the features. Of places with
/// the same weights below them it is the highest: the later, the smaller.
fn blocks(backbone: &Graph) -> Vec<String> {
    let mut ends: Vec<(u64, String)> = Vec::new();
    let features = backbone.outputs().swap_remove(0).name;
    for point in backbone.cut_points_to(&features) {
        match ends.last_mut() {
            _ if point.parameters == 0 => {}
            Some((parameters, tensor)) if *parameters == point.parameters => *tensor = point.tensor,
            _ => ends.push((point.parameters, point.tensor)),
        }
    }
    ends.into_iter().map(|(_, tensor)| tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (text, from) in [
            ("all", From::All),
            ("last:3", From::Last(3)),
            ("vectors", From::Vectors),
            (
                "/features/features.14/Add_output_0",
                From::Tensor("/features/features.14/Add_output_0".to_owned()),
            ),
        ] {
            assert_eq!(text.parse::<From>().unwrap(), from);
            assert_eq!(from.to_string(), text);
        }
        for wrong in ["", " ", "last:0", "last:", "last:-1", "last:x"] {
            assert!(wrong.parse::<From>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn blocks_are_counted_from_the_features() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tiny/tiny.onnx");
        let graph = Graph::parse(&std::fs::read(path).unwrap()).unwrap().cut_at("flat").unwrap();
        let find = |from: &str| place(&from.parse().unwrap(), &graph, &[3, 32, 32]);
        // Three convolutions: stem, depthwise, pointwise. See models/tiny/make.py.
        assert_eq!(blocks(&graph), ["stem_relu", "depthwise_clip", "flat"]);
        let at = |tensor: &str, shape: &[usize]| Place {
            tensor: Some(tensor.to_owned()),
            shape: shape.to_vec(),
        };
        assert_eq!(find("last:1").unwrap(), at("depthwise_clip", &[8, 16, 16]));
        assert_eq!(find("last:2").unwrap(), at("stem_relu", &[8, 16, 16]));
        let all = Place { tensor: None, shape: vec![3, 32, 32] };
        assert_eq!(find("last:3").unwrap(), all);
        assert_eq!(find("all").unwrap(), all);
        assert_eq!(find("stem").unwrap(), at("stem", &[8, 16, 16]));
        assert_eq!(
            find("last:4").unwrap_err().to_string(),
            "the network has 3 blocks below its features; last:4 is more"
        );
        assert!(matches!(find("nowhere"), Err(PlaceError::Cut { .. })));
    }
}
