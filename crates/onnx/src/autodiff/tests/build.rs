//! Small networks for proofs: `x · gain`, then the nodes under test, then a dense
//! layer to the logits. `gain` is a weight, so a gradient flows through the nodes.

use super::*;

/// Numbers of both signs that depend on a seed; none is near 0, where activations
/// have corners.
pub(super) fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
            if unit < 0.5 { -0.1 - 1.8 * unit } else { 0.1 + 1.8 * (unit - 0.5) }
        })
        .collect()
}

pub(super) struct Net {
    nodes: Vec<NodeProto>,
    weights: Vec<(String, Vec<usize>, Vec<f64>)>,
    constants: Vec<(String, Value)>,
    shape: Vec<usize>,
    opset: i64,
    seed: u64,
    at: String,
    counter: usize,
}

impl Net {
    /// Of examples `[batch, …]`; `at` is `x · gain`.
    pub(super) fn new(shape: &[usize], seed: u64) -> Net {
        let mut net = Net {
            nodes: Vec::new(),
            weights: Vec::new(),
            constants: Vec::new(),
            shape: shape.to_vec(),
            opset: 17,
            seed,
            at: "x".to_owned(),
            counter: 0,
        };
        let mut gain = shape.to_vec();
        gain[0] = 1;
        let gain = net.weight(&gain);
        net.node("Mul", &[&gain], Vec::new());
        net
    }

    pub(super) fn opset(mut self, opset: i64) -> Net {
        self.opset = opset;
        self
    }

    pub(super) fn weight(&mut self, shape: &[usize]) -> String {
        let name = format!("w{}", self.weights.len());
        self.seed += 1;
        let values = numbers(self.seed, shape.iter().product());
        self.weights.push((name.clone(), shape.to_vec(), values));
        name
    }

    /// A constant of small positive numbers, such as a variance; not trained.
    pub(super) fn positive(&mut self, shape: &[usize]) -> String {
        self.seed += 1;
        let values =
            numbers(self.seed, shape.iter().product()).iter().map(|v| v * v + 0.3).collect();
        self.constant(Value::real_of(ElementType::F64, shape.to_vec(), values))
    }

    pub(super) fn whole(&mut self, values: &[i64]) -> String {
        self.constant(Value::whole_of(ElementType::I64, vec![values.len()], values.to_vec()))
    }

    pub(super) fn real(&mut self, value: f64) -> String {
        self.constant(Value::real_of(ElementType::F64, Vec::new(), vec![value]))
    }

    pub(super) fn constant(&mut self, value: Value) -> String {
        let name = format!("c{}", self.constants.len());
        self.constants.push((name.clone(), value));
        name
    }

    pub(super) fn at(&self) -> String {
        self.at.clone()
    }

    /// A node that reads what the last one made, and more.
    pub(super) fn node(&mut self, op: &str, rest: &[&str], attributes: Vec<AttributeProto>) {
        let at = self.at();
        let inputs: Vec<&str> = [at.as_str()].into_iter().chain(rest.iter().copied()).collect();
        self.at = self.node_of(op, &inputs, 1, attributes).remove(0);
    }

    pub(super) fn node_of(
        &mut self,
        op: &str,
        inputs: &[&str],
        outputs: usize,
        attributes: Vec<AttributeProto>,
    ) -> Vec<String> {
        self.counter += 1;
        let outputs: Vec<String> =
            (0..outputs).map(|i| format!("{op}{}.{i}", self.counter)).collect();
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: outputs.clone(),
            op_type: Some(op.to_owned()),
            attribute: attributes,
            ..NodeProto::default()
        });
        outputs
    }

    pub(super) fn go_on_from(&mut self, tensor: &str) {
        self.at = tensor.to_owned();
    }

    /// Flattened, and a dense layer to three logits.
    pub(super) fn graph(mut self) -> Graph {
        self.node("Flatten", &[], vec![int("axis", 1)]);
        let flat = self.at();
        let width = self.built(&flat).shape_of(&flat);
        let Some([_, Dim::Fixed(width)]) = width.as_deref() else {
            panic!("the shape of {flat} is {width:?}")
        };
        let dense = self.weight(&[*width as usize, 3]);
        self.node("MatMul", &[&dense], Vec::new());
        let at = self.at();
        self.nodes.last_mut().unwrap().output[0] = "logits".to_owned();
        assert_ne!(at, "logits");
        self.built("logits")
    }

    fn built(&self, output: &str) -> Graph {
        let info = |name: &str, shape: Option<&[usize]>| TensorInfo {
            name: name.to_owned(),
            element: Some(ElementType::F64),
            shape: shape.map(|dims| dims.iter().map(|&d| Dim::Fixed(d as u64)).collect()),
        };
        let weights = self.weights.iter().map(|(name, dims, values)| {
            Value::real_of(ElementType::F64, dims.clone(), values.clone()).to_tensor(name)
        });
        let constants = self.constants.iter().map(|(name, value)| value.to_tensor(name));
        Graph::of_model(ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(self.opset) }],
            graph: Some(GraphProto {
                node: self.nodes.clone(),
                initializer: weights.chain(constants).collect(),
                input: vec![info("x", Some(&self.shape)).to_value_info()],
                output: vec![info(output, None).to_value_info()],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        })
        .unwrap()
    }
}

impl Net {
    pub(super) fn drop_last_weight(&mut self) {
        self.weights.pop();
    }
}

/// Words `[2, 4]` → rows of a table → their mean → logits.
pub(super) fn embedding(words: usize) -> Graph {
    let mut net = Net::new(&[2, 4], 3);
    net.nodes.clear();
    net.weights.clear();
    let table = net.weight(&[words, 3]);
    let rows = net.node_of("Gather", &[&table, "x"], 1, vec![int("axis", 0)]);
    net.go_on_from(&rows[0]);
    net.node("ReduceMean", &[], vec![ints("axes", &[1]), int("keepdims", 0)]);
    let graph = net.graph();
    let mut model = graph.model;
    let inner = model.graph.as_mut().unwrap();
    let info = TensorInfo {
        name: "x".to_owned(),
        element: Some(ElementType::I64),
        shape: Some(vec![Dim::Fixed(2), Dim::Fixed(4)]),
    };
    inner.input = vec![info.to_value_info()];
    Graph::of_model(model).unwrap()
}

/// The network in `models/tiny`.
pub(super) fn in_32_bits() -> Graph {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tiny/tiny.onnx");
    Graph::parse(&std::fs::read(path).unwrap()).unwrap().simplified()
}
