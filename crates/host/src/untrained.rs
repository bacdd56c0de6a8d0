//! Networks with first weights of chance.

use graft_learn::SplitMix64;
use graft_onnx::{Design, Graph, Statistics};

/// What batch normalisation does while such a network learns. Running statistics
/// follow the batches at the usual pace.
pub(crate) const STATISTICS: Statistics = Statistics::Batch { momentum: 0.1 };

/// The network of a design. The same seed draws the same weights.
pub(crate) fn untrained(design: &Design, seed: u64) -> Graph {
    // Apart from other draws of the same seed.
    let mut random = SplitMix64::of(&[seed, u64::from_be_bytes(*b"weights ")]);
    design.network(&mut || normal(&mut random))
}

/// A number of mean 0 and variance 1.
pub(crate) fn normal(random: &mut SplitMix64) -> f32 {
    // Twelve uniform numbers have variance 1, and their sum is the same on every
    // machine, which a logarithm's value need not be.
    ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0) as f32
}
