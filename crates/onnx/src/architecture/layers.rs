//! Layers, one on top of the other.

use crate::graph::Graph;
use crate::head::LOGITS;
use crate::pool::{FEATURES, int, ints, node_float};
use crate::proto::tensor_proto::DataType;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
};
use crate::tensor::{Dim, ElementType, TensorInfo};

const IMAGES: &str = "images";
const BATCH: &str = "batch";

pub(super) struct Layers<'a> {
    normal: &'a mut dyn FnMut() -> f32,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    /// The last tensor, its channels, and the layer that it is of.
    at: String,
    channels: usize,
    input_channels: usize,
    layer: String,
}

impl<'a> Layers<'a> {
    pub(super) fn new(channels: usize, normal: &'a mut dyn FnMut() -> f32) -> Layers<'a> {
        Layers {
            normal,
            nodes: Vec::new(),
            weights: Vec::new(),
            at: IMAGES.to_owned(),
            channels,
            input_channels: channels,
            layer: String::new(),
        }
    }

    fn weight(&mut self, name: String, dims: &[usize], values: Vec<f32>) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.weights.push(TensorProto {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(DataType::Float as i32),
            name: Some(name.clone()),
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        });
        name
    }

    fn drawn(&mut self, name: String, dims: &[usize], deviation: f32) -> String {
        let count = dims.iter().product();
        let values = (0..count).map(|_| (self.normal)() * deviation).collect();
        self.weight(name, dims, values)
    }

    fn node(
        &mut self,
        op: &str,
        inputs: Vec<String>,
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            input: inputs,
            output: vec![output.to_owned()],
            name: Some(output.to_owned()),
            op_type: Some(op.to_owned()),
            attribute,
            ..NodeProto::default()
        });
        self.at = output.to_owned();
    }

    /// A convolution that keeps the sides, but for the stride.
    pub(super) fn conv(
        &mut self,
        name: &str,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> &mut Self {
        self.convolution(name, outputs, kernel, stride, 1)
    }

    fn convolution(
        &mut self,
        name: &str,
        outputs: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> &mut Self {
        let per_group = self.channels / groups;
        // Of what a weight is added up to when gradients flow back.
        let fan_out = outputs / groups * kernel * kernel;
        let deviation = (2.0 / fan_out as f32).sqrt();
        let dims = [outputs, per_group, kernel, kernel];
        let weight = self.drawn(format!("{name}.weight"), &dims, deviation);
        let pad = (kernel / 2) as i64;
        let attributes = vec![
            ints("kernel_shape", &[kernel as i64; 2]),
            ints("strides", &[stride as i64; 2]),
            ints("pads", &[pad; 4]),
            int("group", groups as i64),
        ];
        let inputs = vec![self.at.clone(), weight];
        self.node("Conv", inputs, name, attributes);
        self.channels = outputs;
        self.layer = name.to_owned();
        self
    }

    pub(super) fn norm(&mut self) -> &mut Self {
        let (layer, dims) = (self.layer.clone(), [self.channels]);
        let mut row = |name: &str, value: f32| {
            self.weight(format!("{layer}.norm.{name}"), &dims, vec![value; dims[0]])
        };
        let parameters =
            [row("scale", 1.0), row("bias", 0.0), row("mean", 0.0), row("variance", 1.0)];
        let inputs = [self.at.clone()].into_iter().chain(parameters).collect();
        let output = format!("{layer}.norm");
        self.node("BatchNormalization", inputs, &output, vec![node_float("epsilon", 1e-5)]);
        self
    }

    pub(super) fn relu(&mut self) -> &mut Self {
        let output = format!("{}.relu", self.layer);
        self.node("Relu", vec![self.at.clone()], &output, Vec::new());
        self
    }

    pub(super) fn relu6(&mut self) -> &mut Self {
        let output = format!("{}.relu6", self.layer);
        let low = self.weight(format!("{output}.low"), &[], vec![0.0]);
        let high = self.weight(format!("{output}.high"), &[], vec![6.0]);
        self.node("Clip", vec![self.at.clone(), low, high], &output, Vec::new());
        self
    }

    /// The greatest of each 2×2.
    pub(super) fn pool(&mut self) -> &mut Self {
        let output = format!("{}.pool", self.layer);
        let attributes = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        self.node("MaxPool", vec![self.at.clone()], &output, attributes);
        self
    }

    fn add(&mut self, name: &str, other: String) {
        self.node("Add", vec![self.at.clone(), other], &format!("{name}.sum"), Vec::new());
    }

    /// Two 3×3 convolutions beside the identity, or a 1×1 convolution where the
    /// shape changes.
    pub(super) fn residual(&mut self, name: &str, outputs: usize, stride: usize) {
        let (before, channels) = (self.at.clone(), self.channels);
        self.conv(&format!("{name}.conv1"), outputs, 3, stride).norm().relu();
        self.conv(&format!("{name}.conv2"), outputs, 3, 1).norm();
        let after = self.at.clone();
        let mut beside = before.clone();
        if stride != 1 || channels != outputs {
            (self.at, self.channels) = (before, channels);
            self.conv(&format!("{name}.beside"), outputs, 1, stride).norm();
            beside = std::mem::replace(&mut self.at, after);
        }
        self.add(name, beside);
        self.layer = name.to_owned();
        self.relu();
    }

    /// 1×1 to more channels, 3×3 channel by channel, 1×1 to few.
    pub(super) fn inverted(&mut self, name: &str, expand: usize, outputs: usize, stride: usize) {
        let (before, channels) = (self.at.clone(), self.channels);
        if expand > 1 {
            self.conv(&format!("{name}.expand"), channels * expand, 1, 1).norm().relu6();
        }
        let inner = self.channels;
        self.convolution(&format!("{name}.depthwise"), inner, 3, stride, inner).norm().relu6();
        self.conv(&format!("{name}.project"), outputs, 1, 1).norm();
        if stride == 1 && channels == outputs {
            self.add(name, before);
        }
    }

    pub(super) fn classifier(mut self, classes: usize, sides: [usize; 2]) -> Graph {
        self.node("GlobalAveragePool", vec![self.at.clone()], "mean", Vec::new());
        self.node("Flatten", vec![self.at.clone()], FEATURES, vec![int("axis", 1)]);
        let length = self.channels;
        let deviation = (1.0 / length as f32).sqrt();
        let weight = self.drawn("classifier.weight".to_owned(), &[classes, length], deviation);
        let bias = self.weight("classifier.bias".to_owned(), &[classes], vec![0.0; classes]);
        let inputs = vec![self.at.clone(), weight, bias];
        self.node("Gemm", inputs, LOGITS, vec![int("transB", 1)]);
        let info = |name: &str, rest: &[usize]| {
            let batch = Dim::Symbol(BATCH.to_owned());
            let rest = rest.iter().map(|&d| Dim::Fixed(d as u64));
            let shape = Some([batch].into_iter().chain(rest).collect());
            let element = Some(ElementType::F32);
            TensorInfo { name: name.to_owned(), element, shape }.to_value_info()
        };
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("graft".to_owned()),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
            graph: Some(GraphProto {
                name: Some("network".to_owned()),
                node: self.nodes,
                initializer: self.weights,
                input: vec![info(IMAGES, &[self.input_channels, sides[0], sides[1]])],
                output: vec![info(FEATURES, &[length]), info(LOGITS, &[classes])],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Graph::of_model(model).expect("invariant: layers read what layers below them made")
    }
}
