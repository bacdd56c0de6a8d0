//! Kinds of small networks, by the names that people type.

use clap::ValueEnum;
use graft_host::develop::Architecture;

#[derive(Clone, Copy, ValueEnum)]
pub enum ArchitectureName {
    /// Five 3×3 convolutions, as VGG in small
    Plain,
    /// Residual blocks, 14 layers
    Resnet,
    /// Inverted residual blocks with depthwise convolutions, as MobileNetV2 in small
    Mobilenet,
}

impl From<ArchitectureName> for Architecture {
    fn from(name: ArchitectureName) -> Architecture {
        match name {
            ArchitectureName::Plain => Architecture::Plain,
            ArchitectureName::Resnet => Architecture::ResNet,
            ArchitectureName::Mobilenet => Architecture::MobileNet,
        }
    }
}
