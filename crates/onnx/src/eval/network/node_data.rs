//! Every operator against the ONNX package's own test data: models of one node or a
//! few, with inputs and what must come out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;

use super::{in_f64, run_graph};
use crate::eval::Value;
use crate::eval::value::Data;
use crate::graph::Graph;
use crate::nodes::describe;
use crate::proto::{ModelProto, TensorProto};
use crate::tensor::{ElementType, TensorInfo};

/// Those that the cases which come out right consist of.
#[rustfmt::skip]
const OPERATORS: [&str; 97] = [
    "Abs", "Add", "And", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Cast", "CastLike",
    "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "CumSum",
    "DepthToSpace", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor",
    "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool",
    "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization",
    "LRN", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "MatMul",
    "Max", "MaxPool", "Mean", "Min", "Mul", "Neg", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow",
    "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape",
    "Scatter", "ScatterElements", "ScatterND", "Selu", "Shape", "Sigmoid", "Sign", "Size", "Slice",
    "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile",
    "Transpose", "Unsqueeze", "Where", "Xor",
];

/// Types that are not computed with, and how many cases take or give them.
const TYPES: [(&str, usize); 9] = [
    ("f16", 2),
    ("i16", 13),
    ("i8", 19),
    ("no tensor", 5),
    ("string", 2),
    ("u16", 13),
    ("u32", 14),
    ("u64", 14),
    ("u8", 14),
];

/// What is not computed: what is random, and what only test data of another operator
/// consists of.
const NODES: [&str; 8] = [
    "test_group_normalization_epsilon: GroupNormalization",
    "test_group_normalization_example: GroupNormalization",
    "test_range_float_type_positive_delta_expanded: Loop",
    "test_range_int32_type_negative_delta_expanded: Loop",
    "test_training_dropout: Dropout",
    "test_training_dropout_default: Dropout",
    "test_training_dropout_default_mask: Dropout",
    "test_training_dropout_mask: Dropout",
];

#[test]
fn operators_give_what_onnx_says() {
    let found = tally("node", |case| if case == FOUR_DIGITS { 1e-4 } else { 1e-6 });
    let types = TYPES.map(|(element, count)| (element.to_owned(), count));
    assert_eq!(found.types, BTreeMap::from(types));
    assert_eq!(found.nodes, NODES);
    assert_eq!(found.operators.iter().map(String::as_str).collect::<Vec<_>>(), OPERATORS);
    assert_eq!(found.passed, 683);
}

/// Its input and output were written down with four digits behind the point.
const FOUR_DIGITS: &str = "test_averagepool_2d_ceil_last_window_starts_on_pad";

/// Old forms of operators, as PyTorch exported its layers at opset 6, with what the
/// layers gave.
#[test]
fn layers_give_what_pytorch_says() {
    for (folder, cases) in [("pytorch-converted", 82), ("pytorch-operator", 35)] {
        let found = tally(folder, |_| 1e-6);
        assert_eq!((found.nodes, found.types), (Vec::new(), BTreeMap::new()), "{folder}");
        assert_eq!(found.passed, cases, "{folder}");
    }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    /// Those that the cases which came out right consist of.
    operators: BTreeSet<String>,
    /// How many cases need a type that is not computed with.
    types: BTreeMap<String, usize>,
    /// Cases with an operator that is not computed, and that.
    nodes: Vec<String>,
}

/// All cases of a folder; panics if one comes out wrong.
fn tally(folder: &str, absolute: impl Fn(&str) -> f64) -> Tally {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/onnx").join(folder);
    let mut found = Tally::default();
    let mut wrong = Vec::new();
    for case in list(&folder) {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let model = ModelProto::decode(&read(&case.join("model.onnx"))[..]).unwrap();
        let graph = Graph { model };
        match outcome(&graph, &case.join("test_data_set_0"), absolute(&name)) {
            Outcome::Right => {
                found.passed += 1;
                found.operators.extend(graph.graph().node.iter().map(|n| n.op_type().to_owned()));
            }
            Outcome::Type(element) => *found.types.entry(element).or_default() += 1,
            Outcome::Node(node) => found.nodes.push(format!("{name}: {node}")),
            Outcome::Wrong(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    found
}

enum Outcome {
    Right,
    /// A type that is not computed with.
    Type(String),
    /// An operator, or a form of it, that is not computed.
    Node(String),
    Wrong(String),
}

fn outcome(graph: &Graph, data: &Path, absolute: f64) -> Outcome {
    let proto = graph.graph();
    let inputs = match tensors(data, "input", graph.inputs()) {
        Ok(inputs) => inputs,
        Err(element) => return Outcome::Type(element),
    };
    let expected = match tensors(data, "output", graph.outputs()) {
        Ok(expected) => expected,
        Err(element) => return Outcome::Type(element),
    };
    let wide = |values: &HashMap<String, Value>| -> HashMap<String, Value> {
        values.iter().map(|(name, value)| (name.clone(), widened(value))).collect()
    };
    let runs = [
        (run_graph(graph, &inputs), expected.clone()),
        (run_graph(&in_f64(graph), &wide(&inputs)), wide(&expected)),
    ];
    for (found, expected) in runs {
        let found = match found {
            Ok(found) => found,
            Err(why) => {
                let node = proto.node.iter().find(|node| why.starts_with(&describe(node)));
                return match node {
                    Some(node) => Outcome::Node(node.op_type().to_owned()),
                    None => Outcome::Wrong(why),
                };
            }
        };
        for (name, expected) in &expected {
            if let Some(why) = difference(&found[name], expected, absolute) {
                return Outcome::Wrong(format!("output {name:?}: {why}"));
            }
        }
    }
    Outcome::Right
}

fn widened(value: &Value) -> Value {
    match value.element {
        ElementType::F32 => Value { element: ElementType::F64, ..value.clone() },
        _ => value.clone(),
    }
}

/// The tensors of one side by the names that the graph gives them, or the type that
/// is not computed with.
fn tensors(
    folder: &Path,
    side: &str,
    declared: Vec<TensorInfo>,
) -> Result<HashMap<String, Value>, String> {
    let mut values = HashMap::new();
    for (i, info) in declared.into_iter().enumerate() {
        let element = info.element.map_or("no tensor".to_owned(), |element| element.to_string());
        let bytes = read(&folder.join(format!("{side}_{i}.pb")));
        let tensor = TensorProto::decode(&bytes[..]).map_err(|_| element.clone())?;
        values.insert(info.name, Value::of(&tensor, usize::MAX).ok_or(element)?);
    }
    Ok(values)
}

fn difference(found: &Value, expected: &Value, absolute: f64) -> Option<String> {
    if (found.element, &found.dims) != (expected.element, &expected.dims) {
        let of = |value: &Value| format!("{}{:?}", value.element, value.dims);
        return Some(format!("{} instead of {}", of(found), of(expected)));
    }
    let equal = match (&found.data, &expected.data) {
        (Data::Real(x), Data::Real(y)) => {
            x.iter().zip(y).position(|(&x, &y)| !close(x, y, absolute))
        }
        (Data::Whole(x), Data::Whole(y)) => x.iter().zip(y).position(|(x, y)| x != y),
        _ => Some(0),
    };
    equal.map(|at| format!("differs at {at}"))
}

/// What 32-bit floats of different engines differ by.
fn close(found: f64, expected: f64, absolute: f64) -> bool {
    found == expected
        || found.is_nan() && expected.is_nan()
        || (found - expected).abs() <= absolute + 1e-5 * expected.abs()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}; run make setup", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; run make setup", path.display()))
}
