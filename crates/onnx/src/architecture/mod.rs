//! Small networks for devices, to be trained from nothing: a source model of
//! one's own. They are written as exporters write theirs, so that they are cut,
//! grafted and tuned like any other.

mod bag;
mod layers;
mod next_word;
mod pixels;
mod rows;

pub use bag::VECTORS;
use layers::Layers;
pub use next_word::NextWord;

use crate::graph::Graph;

/// Kinds of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Five 3×3 convolutions and two pools, as VGG (Simonyan and Zisserman 2015)
    /// in small.
    Plain,
    /// Three stages of two residual blocks, as He et al. 2016 for small pictures:
    /// 14 layers.
    ResNet,
    /// Inverted residual blocks with depthwise convolutions, as MobileNetV2
    /// (Sandler et al. 2018) in small.
    MobileNet,
}

/// A network before it has learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// Its kind.
    pub architecture: Architecture,
    /// Channels of a picture.
    pub channels: usize,
    /// Height and width of a picture.
    pub sides: [usize; 2],
    /// Classes to tell apart.
    pub classes: usize,
    /// Factor of the channels of every layer, 1 for the kind as it is.
    pub width: f32,
}

/// Pictures of at least this height and width are halved by the first layer.
const LARGE: usize = 64;

impl Architecture {
    /// All of them, by the names that people type.
    pub const NAMES: [(&'static str, Architecture); 3] = [
        ("plain", Architecture::Plain),
        ("resnet", Architecture::ResNet),
        ("mobilenet", Architecture::MobileNet),
    ];

    /// The name that people type.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Plain => "plain",
            Architecture::ResNet => "resnet",
            Architecture::MobileNet => "mobilenet",
        }
    }
}

impl Design {
    /// The network from its input `images`, `[batch, channels, height, width]`, to
    /// its outputs `features`, `[batch, length]`, and `logits`, `[batch, classes]`.
    ///
    /// Weights are drawn from `normal`, which gives numbers of mean 0 and variance
    /// 1, and scaled as He et al. 2015 do. Batch normalisation stands as nodes:
    /// train it with the statistics of batches.
    pub fn network(&self, normal: &mut dyn FnMut() -> f32) -> Graph {
        let mut layers = Layers::new(self.channels, normal);
        let large = self.sides.iter().all(|&side| side >= LARGE);
        let first_stride = if large { 2 } else { 1 };
        let wide = |channels: usize| {
            // A multiple of 4, as the device's kernels like it.
            let channels = (channels as f32 * self.width / 4.0).round() as usize * 4;
            channels.max(4)
        };
        match self.architecture {
            Architecture::Plain => {
                layers.conv("conv1", wide(32), 3, first_stride).norm().relu();
                layers.conv("conv2", wide(32), 3, 1).norm().relu().pool();
                layers.conv("conv3", wide(64), 3, 1).norm().relu();
                layers.conv("conv4", wide(64), 3, 1).norm().relu().pool();
                layers.conv("conv5", wide(128), 3, 1).norm().relu();
            }
            Architecture::ResNet => {
                layers.conv("stem", wide(16), 3, first_stride).norm().relu();
                for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
                    for block in 0..2 {
                        let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                        layers.residual(&format!("stage{stage}.{block}"), wide(channels), stride);
                    }
                }
            }
            Architecture::MobileNet => {
                layers.conv("stem", wide(16), 3, first_stride).norm().relu6();
                let stages = [(1, 16, 1, 1), (4, 24, 2, 2), (4, 40, 2, 2), (4, 64, 2, 1)];
                for (stage, (expand, channels, blocks, stride)) in stages.into_iter().enumerate() {
                    for block in 0..blocks {
                        let stride = if block == 0 { stride } else { 1 };
                        let name = format!("stage{stage}.{block}");
                        layers.inverted(&name, expand, wide(channels), stride);
                    }
                }
                layers.conv("last", wide(192), 1, 1).norm().relu6();
            }
        }
        layers.classifier(self.classes, self.sides)
    }
}

#[cfg(test)]
mod tests;
