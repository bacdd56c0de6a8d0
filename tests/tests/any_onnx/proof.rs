//! What is asked of every network.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use graft_host::backbone::{Backbone, BackboneError, Pool};
use graft_host::engine::{Engine, LibrarySearch, Network as Session};
use graft_host::graft::{Description, Subject, bundle};
use graft_host::provider::Provider;
use graft_input::{Preparer, synthetic};
use graft_onnx::{Batch, DenseLayer, Dim, Graph, HeadWeights};
use graft_spec::{
    BackboneOrigin, Calibration, DataOrigin, EngineOrigin, ImageSpec, Labels, Name, Provenance,
    TestSummary,
};

use crate::networks::{NETWORKS, Network};

fn open(network: &Network) -> Result<Backbone, BackboneError> {
    network.opened()?.cut(Some(network.at()), Pool::Mean)
}

/// Three of the synthetic ones, by their seeds.
const PICTURES: [u64; 3] = [7, 8, 9];

/// One a process: ONNX Runtime wants it so.
pub struct Proof {
    engine: Engine,
}

pub static PROOF: LazyLock<Proof> = LazyLock::new(Proof::new);

/// All networks, whatever happens to one of them; fails with all that failed.
pub fn each(check: impl Fn(&Network) -> Result<String, String>) {
    let mut failed = Vec::new();
    for network in NETWORKS {
        let start = std::time::Instant::now();
        match check(network) {
            Ok(found) => {
                println!("{}: {found}, {:.1} s", network.name, start.elapsed().as_secs_f64());
            }
            Err(problem) => failed.push(format!("{}: {problem}", network.name)),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

impl Proof {
    fn new() -> Proof {
        let library = std::env::var_os("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH, as make sets it");
        let engine = Engine::load(&LibrarySearch::Named(library.into()));
        Proof { engine: engine.expect("ONNX Runtime") }
    }

    /// The largest difference of an answer of the simplified graph from the
    /// file's own, as a share of the largest value.
    pub fn simplified(&self, network: &Network) -> f32 {
        let input = open(network).unwrap_or_else(|e| panic!("{}: {e}", network.name)).input;
        let mut graph = network.graph();
        // The softmax of constant weights is the same whatever comes before it.
        if network.path.contains("/light/") {
            graph = graph.cut_at(network.at()).unwrap();
        }
        let output = graph.outputs().swap_remove(0).name;
        let expected = self.run(&graph.to_bytes(), &input, &output, &[7]);
        let found = self.run(&graph.simplified().to_bytes(), &input, &output, &[7]);
        difference(network, &expected, &found)
    }

    /// The largest difference of an answer for three pictures at once from the
    /// file's own for each, when the batch was fixed at 1 and is made free again;
    /// and of which tensor.
    pub fn freed(&self, network: &Network) -> Result<(f32, String), String> {
        let input = open(network).unwrap_or_else(|e| panic!("{}: {e}", network.name)).input;
        let whole = network.graph();
        let name = network.stated().tensor.unwrap_or_else(|| whole.inputs().swap_remove(0).name);
        let one = input.shape(1).map(|length| Dim::Fixed(length as u64));
        // As it is, and as exporters leave it that trace one example: then shapes
        // that follow from a batch of 1 are constants.
        let fixed = whole.clone().with_input_shape(&name, &one).map_err(|e| e.to_string())?;
        let free = [fixed.clone(), fixed.clone().simplified()].map(Graph::with_dynamic_batch);
        if fixed.batch() != Batch::Fixed(1) || free.iter().any(|g| g.batch() != Batch::Dynamic) {
            return Err("stays fixed".to_owned());
        }
        let (graph, output, expected) = self.told_apart(network, whole, &input);
        let fixed = graph.with_input_shape(&name, &one).map_err(|e| e.to_string())?;
        let mut most = 0.0_f32;
        for fixed in [fixed.clone(), fixed.simplified()] {
            let free = fixed.with_dynamic_batch();
            let found = self.run(&free.to_bytes(), &input, &output, &PICTURES);
            most = most.max(difference(network, &expected, &found));
        }
        Ok((most, output))
    }

    /// The largest difference of features of three pictures at once from those of
    /// each alone.
    pub fn together_and_alone(&self, network: &Network, backbone: &Backbone) -> f32 {
        let model = backbone.graph().to_bytes();
        let run = |seeds: &[u64]| self.run(&model, &backbone.input, graft_onnx::FEATURES, seeds);
        let alone: Vec<f32> = PICTURES.iter().flat_map(|&seed| run(&[seed])).collect();
        difference(network, &alone, &run(&PICTURES))
    }

    /// The network up to the last place that answers otherwise for other pictures,
    /// and what it answers there for each alone. With the constant weights of the
    /// light models some don't at their end.
    fn told_apart(
        &self,
        network: &Network,
        whole: Graph,
        input: &ImageSpec,
    ) -> (Graph, String, Vec<f32>) {
        let mut places: Vec<Graph> = Vec::new();
        if !network.path.contains("/light/") {
            places.push(whole.clone());
        }
        places.push(whole.clone().cut_at(network.at()).expect("a tensor of the network"));
        let points = whole.cut_points().into_iter().rev();
        places.extend(points.map(|point| whole.clone().cut_at(&point.tensor).expect("a cut")));
        for graph in places {
            let output = graph.outputs().swap_remove(0).name;
            let model = graph.to_bytes();
            let alone = |seed| self.run(&model, input, &output, &[seed]);
            let [first, second, third] = PICTURES;
            let (first, second) = (alone(first), alone(second));
            if first != second {
                let answers = [first, second, alone(third)].concat();
                return (graph, output, answers);
            }
        }
        panic!("{} says one thing everywhere", network.name)
    }

    /// The answers for some pictures at once.
    fn run(&self, model: &[u8], input: &ImageSpec, output: &str, seeds: &[u64]) -> Vec<f32> {
        let mut session = Session::open(&self.engine, model, &Provider::Cpu, 2).unwrap();
        let mut tensor = vec![0.0; input.tensor_len() * seeds.len()];
        let mut preparer = Preparer::new(input).unwrap();
        for (&seed, slot) in seeds.iter().zip(tensor.chunks_exact_mut(input.tensor_len())) {
            preparer.fill(synthetic(seed, input.width, input.height).frame(), slot);
        }
        let mut values = Vec::new();
        session.run(&input.shape(seeds.len()), &tensor, output, |v| values = v.to_vec()).unwrap();
        values
    }

    /// What a network answers to numbers by formula, which `opsets.py` has too.
    pub fn answer(&self, graph: &Graph, shape: [usize; 4], output: &str) -> Vec<f32> {
        let mut session =
            Session::open(&self.engine, &graph.to_bytes(), &Provider::Cpu, 1).unwrap();
        let tensor: Vec<f32> = (0..shape.iter().product())
            .map(|i: usize| ((i * 37 % 101) as f64 / 50.0 - 1.0) as f32)
            .collect();
        let mut values = Vec::new();
        session.run(&shape, &tensor, output, |found| values = found.to_vec()).unwrap();
        values
    }

    /// Cut, with a head of two layers, in a bundle, replayed in the device engine.
    pub fn bundled(&self, network: &Network) -> Result<String, String> {
        let text = |e: &dyn std::error::Error| {
            std::iter::successors(Some(e), |e| e.source())
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ")
        };
        let backbone = open(network).map_err(|e| text(&e))?;
        assert_eq!(backbone.feature_length, network.features, "{}", network.name);
        let joined =
            backbone.graph().clone().append_head(&head(network.features)).map_err(|e| text(&e))?;
        let logits = self.run(&joined.to_bytes(), &backbone.input, graft_onnx::LOGITS, &[7]);
        if !logits.iter().all(|v| v.is_finite() && *v != 0.0) {
            return Err(format!("answers {logits:?}"));
        }
        let made = bundle(
            &self.engine,
            &Provider::Cpu,
            Subject::Photo(&backbone.input),
            backbone.feature_length,
            &joined,
            description(network, &logits),
        )
        .map_err(|e| text(&e))?;
        if let Some(reason) = made.without_nnef {
            return Err(format!("is not said in NNEF: {reason}"));
        }
        // In logits over the temperature, as the tolerance of bundles is stated.
        let temperature = description(network, &logits).calibration.temperature;
        let difference = made.references_max_abs_diff / temperature;
        Ok(format!("{:.1} MB, differs by {difference:.1e}", made.bytes.len() as f64 / 1e6))
    }
}

/// The largest difference, as a share of the largest value.
fn difference(network: &Network, expected: &[f32], found: &[f32]) -> f32 {
    assert_eq!(expected.len(), found.len(), "{}", network.name);
    let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert!(largest.is_finite() && largest > 0.0, "{} says nothing", network.name);
    let differences = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / largest
}

/// Three classes on features, with a hidden layer between, of either sign.
fn head(features: usize) -> HeadWeights {
    let mut state = 1_u32;
    let mut number = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.4
    };
    let mut layer = |inputs: usize, outputs: usize| DenseLayer {
        inputs,
        outputs,
        weights: (0..inputs * outputs).map(|_| number() / (inputs as f32).sqrt()).collect(),
        bias: (0..outputs).map(|_| number()).collect(),
    };
    HeadWeights { layers: vec![layer(features, 8), layer(8, 3)] }
}

/// The temperature makes logits of one size of whatever the weights give.
fn description(network: &Network, logits: &[f32]) -> Description {
    let largest = logits.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let stated = || "a test".to_owned();
    Description {
        name: Name::new("any-onnx").unwrap(),
        labels: Labels::new(["a", "b", "c"].map(String::from).to_vec()).unwrap(),
        calibration: Calibration { temperature: (largest / 4.0).max(1e-3), unknown_below: None },
        provenance: Provenance {
            graft: stated(),
            backbone: BackboneOrigin {
                name: network.name.to_owned(),
                origin: stated(),
                licence: stated(),
                sha256: "0".repeat(64),
                features_tensor: network.at().to_owned(),
            },
            data: DataOrigin {
                examples: 2,
                trained: 1,
                tested: 1,
                sha256: "0".repeat(64),
                licence: None,
            },
            recipe: BTreeMap::new(),
            engine: EngineOrigin {
                provider: "cpu".to_owned(),
                onnx_runtime: stated(),
                cpu: stated(),
            },
            test: TestSummary {
                accuracy: 0.5,
                accuracy_interval: [0.1, 0.9],
                ece: 0.1,
                answered: 1.0,
            },
        },
    }
}
