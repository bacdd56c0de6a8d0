//! Networks as exporters leave them, from many sources: each is inspected,
//! simplified, cut, grafted and bundled, and answers in ONNX Runtime and in the
//! device engine alike. Needs what `make setup` fetches.

mod networks;
mod proof;

use graft_host::backbone::{BackboneError, Pool, Pretrained};
use networks::{Cut, NETWORKS, Network};
use proof::PROOF;

#[test]
fn fetched_files_are_those_of_the_catalogue() {
    for network in NETWORKS.iter().filter(|network| network.path.starts_with(".deps/")) {
        let folder = network.path.rsplit('/').nth(1).unwrap();
        let stated = networks::root().join("models").join(folder).join("model.toml");
        let text = std::fs::read_to_string(&stated).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let digest = graft_host::digest::Digest::of(&network.bytes()).to_string();
        assert_eq!(table["sha256"].as_str(), Some(digest.as_str()), "{}", network.name);
    }
}

/// What [`Network::cut`] says is what the graph itself tells.
#[test]
fn where_to_cut_is_seen_in_the_graph() {
    for network in NETWORKS {
        let found = network.graph().classifier();
        match network.cut {
            Cut::Classifier(tensor) => {
                let found = found.unwrap_or_else(|e| panic!("{}: {e}", network.name));
                assert_eq!(found.features, tensor, "{}", network.name);
            }
            Cut::Convolution(tensor) => match found {
                Err(graft_onnx::GraphError::ConvolutionClassifier { cut_at, .. }) => {
                    assert_eq!(cut_at, tensor, "{}", network.name);
                }
                other => panic!("{}: {other:?}", network.name),
            },
            Cut::Below { .. } => {}
        }
    }
}

/// Networks with the operators of 2017 and of 2026; `opsets.py` beside them says what
/// ONNX Runtime answered.
#[test]
fn the_oldest_and_the_newest_operator_sets_answer_as_they_should() {
    let folder = networks::root().join("crates/onnx/tests/fixtures/opsets");
    let answers = std::fs::read_to_string(folder.join("answers.json")).unwrap();
    let answers: std::collections::BTreeMap<String, Vec<f32>> =
        serde_json::from_str(&answers).unwrap();
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["opset_28", "opset_3", "opset_5", "opset_6"]);
    for (name, expected) in answers {
        let bytes = std::fs::read(folder.join(format!("{name}.onnx"))).unwrap();
        let graph = graft_onnx::Graph::parse(&bytes).unwrap();
        assert_eq!(format!("opset_{}", graph.opset()), name);
        let upgraded = graph.upgraded().unwrap();
        // Weights that others were folded into round otherwise.
        for (graph, tolerance) in [(upgraded.clone(), 1e-6), (upgraded.simplified(), 1e-5)] {
            let found = PROOF.answer(&graph, [1, 3, 16, 16], "prob");
            let near = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= tolerance);
            assert!(found.len() == 4 && near, "{name}: {found:?}, expected {expected:?}");
        }
    }
}

/// Up to the network's own answer, or to the cut where its weights are constants:
/// simplifying changes rounding alone.
#[test]
fn simplified_networks_answer_as_the_files_do() {
    proof::each(|network| {
        let found = PROOF.simplified(network);
        (found <= 1e-4).then_some(format!("{found:.1e}")).ok_or(format!("differs by {found:e}"))
    });
}

/// Of the networks whose weights are in the file: in the light models they are filled
/// when the model is loaded, and what is behind a filled layer has nothing to go into.
/// The `Mul` and `Add` of Inception v2 go into the batch normalisation before them.
#[test]
fn what_scales_channels_behind_a_layer_is_gone() {
    proof::each(|network| {
        let count = |graph: &graft_onnx::Graph, operators: &[&str]| -> usize {
            let summary = graph.summary();
            let of = summary.operators.iter().filter(|o| operators.contains(&o.name.as_str()));
            of.map(|o| o.count).sum()
        };
        let (whole, simple) = (network.graph(), network.graph().simplified());
        let operators: &[&str] = match network.name {
            "Inception v2" => &["Mul", "Add", "Unsqueeze"],
            _ if network.path.contains("/light/") => return Ok("has no weights".to_owned()),
            _ => &["BatchNormalization"],
        };
        match (count(&whole, operators), count(&simple, operators)) {
            (before, 0) => Ok(format!("{before} of {operators:?} are gone")),
            (_, after) => Err(format!("{after} of {operators:?} are left")),
        }
    });
}

/// In ONNX Runtime, three pictures at once against the unchanged file on each of
/// them: sums are taken in another order, nothing else.
#[test]
fn a_batch_that_was_fixed_at_one_answers_each_picture_as_before() {
    proof::each(|network| {
        let (found, at) = PROOF.freed(network)?;
        let said = format!("{found:.1e} at {at:?}");
        if found <= 1e-5 { Ok(said) } else { Err(said) }
    });
}

/// The size of the photos is part of what a person states: with it, what each
/// cut costs is known where the file leaves height and width free.
#[test]
fn every_cut_of_an_opened_network_has_its_multiply_adds() {
    proof::each(|network| {
        let whole = network.opened().map_err(|e| e.to_string())?;
        let cuts = whole.graph().cut_points();
        let uncounted = cuts.iter().filter(|cut| cut.multiply_adds.exact().is_none()).count();
        let rising = cuts
            .windows(2)
            .all(|pair| pair[0].multiply_adds.exact() <= pair[1].multiply_adds.exact());
        match (cuts.len(), uncounted, rising) {
            (1.., 0, true) => Ok(format!("{} cuts", cuts.len())),
            found => Err(format!("cuts, uncounted, rising: {found:?}")),
        }
    });
}

/// Their last pool is an average over a window of the map's old size, and what comes
/// of a larger map goes into a reshape that was written for the old one. They must
/// say so before anything runs.
const OF_ONE_SIZE: &[&str] = &[
    "thin ResNet-50",
    "Inception v1",
    "Inception v2",
    "ResNet-50",
    "ShuffleNet",
    "operator set 3",
    "operator set 5",
    "operator set 6",
];

#[test]
fn photos_of_another_size_have_features_or_are_refused() {
    proof::each(|network| {
        let whole = network.opened().map_err(|e| e.to_string())?;
        let (width, height) = (whole.input.width + 32, whole.input.height + 64);
        let resized = whole.with_image_size(width, height).map_err(|e| e.to_string())?;
        let cut = resized.cut(Some(network.at()), Pool::Mean);
        match (cut, OF_ONE_SIZE.contains(&network.name)) {
            (Ok(backbone), false) => {
                assert_eq!(backbone.feature_length, network.features, "{}", network.name);
                let found = PROOF.together_and_alone(network, &backbone);
                (found <= 1e-5).then(|| format!("{found:.1e}")).ok_or(format!("differs {found:e}"))
            }
            (Err(BackboneError::Size { .. }), true) => Ok("refused".to_owned()),
            (cut, _) => Err(format!("{:?}", cut.map(|backbone| backbone.feature_length))),
        }
    });
}

#[test]
fn grafted_networks_answer_alike_in_both_engines() {
    proof::each(|network| PROOF.bundled(network));
}

impl Network {
    fn bytes(&self) -> Vec<u8> {
        let path = networks::root().join(self.path);
        std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; run make setup", path.display()))
    }

    fn opened(&self) -> Result<Pretrained, BackboneError> {
        Pretrained::of_file(&networks::root().join(self.path), &self.stated())
    }

    /// As it is opened: ONNX Runtime does not run what is older than set 7.
    fn graph(&self) -> graft_onnx::Graph {
        let graph = graft_onnx::Graph::parse(&self.bytes());
        graph.and_then(|graph| graph.upgraded()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}
