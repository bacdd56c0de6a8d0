//! A bundle as one plain ONNX file with probabilities, for any engine.

use graft_bundle::Bundle;
use graft_onnx::{Graph, GraphError};
use graft_spec::{Answer, Input};

/// The bundle's network with a third output, `probabilities`, and with what an
/// engine can't know as metadata: `labels` and `input` (JSON), `unknown_below`.
pub fn plain_onnx(bundle: &Bundle<'_>) -> Result<(Vec<u8>, Vec<String>), GraphError> {
    let Answer::Class(calibration) = &bundle.manifest().answer;
    let Input::Image(input) = &bundle.manifest().input;
    let model = bundle.onnx().model;
    let mut graph = Graph::parse(model)?.with_probabilities(calibration.temperature)?;
    let json = |value: serde_json::Result<String>| value.expect("strings and finite numbers");
    graph.set_metadata("graft.name", bundle.manifest().name.as_str());
    graph.set_metadata("graft.labels", &json(serde_json::to_string(bundle.labels().names())));
    graph.set_metadata("graft.input", &json(serde_json::to_string(input)));
    if let Some(threshold) = calibration.unknown_below {
        graph.set_metadata("graft.unknown_below", &threshold.to_string());
    }
    let outputs = graph.outputs().into_iter().map(|o| o.name).collect();
    Ok((graph.to_bytes(), outputs))
}
