//! How many photos share a run of the network.

use graft_onnx::Batch;

use super::{FeatureOptions, FeaturesError};
use crate::provider::Provider;

/// How photos share runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batching {
    /// Up to this many neighbours in the list share one, if that was seen to
    /// change no bit of a row; else each has its own. So a row is the photo's
    /// alone.
    Neighbours(usize),
    /// Exactly this many, whoever comes next; places that none takes are filled
    /// up. One shape suits every provider, and on a GPU an empty place costs as
    /// much as a full one.
    Exactly(usize),
}

impl Batching {
    /// What suits `photos` photos on the provider, or what was asked for.
    pub(crate) fn of(
        exported: Batch,
        options: &FeatureOptions,
        photos: usize,
    ) -> Result<Batching, FeaturesError> {
        let asked = options.batch.map(|asked| asked.max(1));
        match (exported, asked, &options.provider) {
            (Batch::Dynamic, Some(asked), Provider::Cpu) => Ok(Batching::Neighbours(asked)),
            (Batch::Dynamic, None, Provider::Cpu) => Ok(Batching::Neighbours(pair(photos))),
            (Batch::Dynamic, asked, Provider::Cuda { .. } | Provider::TensorRt { .. }) => {
                Ok(Batching::Exactly(asked.unwrap_or(ON_A_GPU)))
            }
            (Batch::Fixed(exported), Some(asked), _) if exported != asked as u64 => {
                Err(FeaturesError::Batch { exported, asked })
            }
            (Batch::Fixed(exported), ..) => Ok(Batching::Exactly(exported as usize)),
        }
    }

    /// The largest run.
    pub(crate) fn most(self) -> usize {
        let (Batching::Neighbours(most) | Batching::Exactly(most)) = self;
        most
    }

    /// Neighbours in the list that one thread takes together.
    pub(crate) fn neighbours(self) -> usize {
        match self {
            Batching::Neighbours(most) => most,
            Batching::Exactly(_) => 1,
        }
    }

    /// The batch on which the bits of a row depend: part of a cache's key and of
    /// provenance.
    pub(crate) fn of_a_row(self) -> usize {
        match self {
            Batching::Neighbours(_) => 1,
            Batching::Exactly(batch) => batch,
        }
    }
}

const ON_A_GPU: usize = 32;

/// Two are fastest a photo on a core: the weights come from memory once for
/// both, while the activations of more leave the near cache. Seeing that it
/// changes nothing costs two runs more, which few photos do not win back.
fn pair(photos: usize) -> usize {
    if photos < 64 { 1 } else { 2 }
}
