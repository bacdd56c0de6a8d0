//! What is asked of every network.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use graft_host::backbone::{Backbone, BackboneError, Pool, Pretrained};
use graft_host::engine::{Engine, LibrarySearch, Network as Session};
use graft_host::graft::{Description, bundle};
use graft_host::provider::Provider;
use graft_input::{Preparer, synthetic};
use graft_onnx::{DenseLayer, HeadWeights};
use graft_spec::{
    BackboneOrigin, Calibration, DataOrigin, EngineOrigin, ImageSpec, Labels, Name, Provenance,
    TestSummary,
};

use crate::networks::{NETWORKS, Network, root};

fn open(network: &Network) -> Result<Backbone, BackboneError> {
    let whole = Pretrained::of_file(&root().join(network.path), &network.stated())?;
    whole.cut(Some(network.at()), Pool::Mean)
}

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
        let expected = self.run(&graph.to_bytes(), &input, &output);
        let found = self.run(&graph.simplified().to_bytes(), &input, &output);
        assert_eq!(expected.len(), found.len(), "{}", network.name);
        let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(largest.is_finite() && largest > 0.0, "{} says nothing", network.name);
        let differences = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, f32::max) / largest
    }

    fn run(&self, model: &[u8], input: &ImageSpec, output: &str) -> Vec<f32> {
        let mut session = Session::open(&self.engine, model, &Provider::Cpu, 2).unwrap();
        let mut tensor = vec![0.0; input.tensor_len()];
        let picture = synthetic(7, input.width, input.height);
        Preparer::new(input).unwrap().fill(picture.frame(), &mut tensor);
        let mut values = Vec::new();
        session.run(&input.shape(1), &tensor, output, |v| values = v.to_vec()).unwrap();
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
        let logits = self.run(&joined.to_bytes(), &backbone.input, graft_onnx::LOGITS);
        if !logits.iter().all(|v| v.is_finite() && *v != 0.0) {
            return Err(format!("answers {logits:?}"));
        }
        let made =
            bundle(&self.engine, &Provider::Cpu, &backbone, &joined, description(network, &logits))
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
