//! What lies below the weights that move, and becomes rows for them.

use graft_onnx::Graph;

use super::bags::Bags;
use super::recipe::FineTuning;
use super::start::{self, From, Place, PlaceError};
use super::supply::{Pick, Supply, SupplyError};
use super::{FineTuneError, RecipeError, augment};
use crate::backbone::Backbone;
use crate::digest::Digest;

/// What is tuned: a backbone for photos, or the vectors of words.
#[derive(Clone, Copy)]
pub(crate) enum Below<'a> {
    /// Photos are prepared for it, and run through its frozen part.
    Photos(&'a Backbone),
    /// Texts are counts of words.
    Texts(&'a Bags),
}

impl Below<'_> {
    /// From examples to features.
    pub(super) fn graph(&self) -> &Graph {
        match self {
            Below::Photos(backbone) => backbone.graph(),
            Below::Texts(bags) => bags.graph(),
        }
    }

    pub(super) fn digest(&self) -> Digest {
        match self {
            Below::Photos(backbone) => backbone.digest(),
            Below::Texts(bags) => bags.digest(),
        }
    }

    pub(super) fn place(&self, from: &From) -> Result<Place, PlaceError> {
        match self {
            Below::Photos(backbone) => {
                start::place(from, backbone.graph(), &backbone.input.shape(1)[1..])
            }
            Below::Texts(bags) => match from {
                From::Vectors => Ok(Place { tensor: None, shape: vec![bags.row_length()] }),
                other => Err(PlaceError::OnlyVectors { asked: other.to_string() }),
            },
        }
    }

    /// What examples are, for messages.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Below::Photos(_) => "photos",
            Below::Texts(_) => "texts",
        }
    }
}

/// What can be known to be wrong with a recipe for texts before any is read.
pub(crate) fn check_for_texts(recipe: &FineTuning) -> Result<(), FineTuneError> {
    recipe.check()?;
    if recipe.augment != augment::Augmentation::default() {
        return Err(RecipeError::AugmentedTexts.into());
    }
    match &recipe.from {
        From::Vectors => Ok(()),
        other => Err(PlaceError::OnlyVectors { asked: other.to_string() }.into()),
    }
}

/// Rows of any of the examples.
pub(super) enum Rows<'a> {
    /// Found where they were kept, or made of the photo.
    Photos(Box<Supply<'a>>),
    Texts(&'a Bags),
}

impl Rows<'_> {
    pub(super) fn row_length(&self) -> usize {
        match self {
            Rows::Photos(supply) => supply.row_length(),
            Rows::Texts(bags) => bags.row_length(),
        }
    }

    /// Writes a row for each pick, one after another.
    pub(super) fn fill(&self, picks: &[Pick], rows: &mut [f32]) -> Result<(), SupplyError> {
        match self {
            Rows::Photos(supply) => supply.fill(picks, rows),
            Rows::Texts(bags) => {
                let rows = rows.chunks_exact_mut(bags.row_length());
                picks.iter().zip(rows).for_each(|(pick, row)| bags.fill(pick.example, row));
                Ok(())
            }
        }
    }
}
