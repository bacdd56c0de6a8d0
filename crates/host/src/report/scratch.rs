//! What the task alone can teach: a small network with first weights of chance.

use graft_learn::{ClassWeights, Decay};
use graft_onnx::{Architecture, Design, Graph};
use graft_spec::{ImageSpec, Layout};

use crate::finetune::{Augmentation, FineTuning, From, Optimiser, Rates};
use crate::untrained::untrained;

/// A training from nothing. Backbones come with their batch normalisation folded
/// into weights, and such a network hardly learns from first weights of chance;
/// against it transfer would always win. This is a network that does learn: a small
/// one that normalises with the statistics of its batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scratch {
    /// Which kind.
    pub architecture: Architecture,
    /// Factor of the channels of every layer.
    pub width: f32,
    /// Height and width of its pictures, or the backbone's if those are smaller.
    pub side: u32,
    /// Epochs of a run.
    pub epochs: usize,
    /// Photos of a step, about.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
}

impl Default for Scratch {
    fn default() -> Scratch {
        let architecture = Architecture::ResNet;
        Scratch { architecture, width: 1.0, side: 64, epochs: 30, batch: 16, rate: 2e-3 }
    }
}

impl Scratch {
    /// For vectors of words that begin with numbers of chance: its architecture, width
    /// and side mean nothing.
    pub fn of_vectors() -> Scratch {
        Scratch { batch: 32, rate: 1e-2, ..Scratch::default() }
    }

    /// As the backbone's, but smaller and in planes.
    pub(super) fn input(&self, backbone: &ImageSpec) -> ImageSpec {
        let side = |side: u32| side.min(self.side);
        ImageSpec {
            layout: Layout::Nchw,
            ..backbone.with_size(side(backbone.width), side(backbone.height))
        }
    }

    pub(super) fn network(&self, input: &ImageSpec, classes: usize, seed: u64) -> Graph {
        let design = Design {
            architecture: self.architecture,
            channels: input.colour.channels(),
            sides: [input.height as usize, input.width as usize],
            classes,
            width: self.width,
        };
        untrained(&design, seed)
    }

    pub(super) fn recipe(&self, seed: u64, batch: usize) -> FineTuning {
        FineTuning {
            from: From::All,
            epochs: self.epochs,
            batch,
            seed,
            patience: 0,
            clip_norm: 1.0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::Uniform,
            optimiser: Optimiser::AdamW {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.05,
            },
            // All layers are as new.
            rates: Rates {
                backbone: self.rate,
                head: self.rate,
                layer_decay: 1.0,
                warm_up: 0.1,
                decay: Decay::Cosine,
            },
            augment: Augmentation::default(),
            ..FineTuning::default()
        }
    }
}
