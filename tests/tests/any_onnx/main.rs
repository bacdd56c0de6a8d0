//! Networks as exporters leave them, from many sources: each is inspected,
//! simplified, cut, grafted and bundled, and answers in ONNX Runtime and in the
//! device engine alike. Needs what `make setup` fetches.

mod networks;
mod proof;

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

/// Up to the network's own answer, or to the cut where its weights are constants:
/// simplifying changes rounding alone.
#[test]
fn simplified_networks_answer_as_the_files_do() {
    proof::each(|network| {
        let found = PROOF.simplified(network);
        (found <= 1e-4).then_some(format!("{found:.1e}")).ok_or(format!("differs by {found:e}"))
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

    fn graph(&self) -> graft_onnx::Graph {
        graft_onnx::Graph::parse(&self.bytes()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}
