//! A bundle's network for others: one plain ONNX file with probabilities for any
//! engine, or a bundle of half the size for small flash.

use graft_bundle::{Bundle, BundleError, Contents, ModelPart};
use graft_onnx::{Graph, GraphError};
use graft_spec::{Answer, Input, Manifest};

/// The bundle's network with a third output, `probabilities`, and with what an
/// engine can't know as metadata: `labels` and `input` (JSON), `unknown_below`.
pub fn plain_onnx(bundle: &Bundle<'_>) -> Result<(Vec<u8>, Vec<String>), GraphError> {
    let Answer::Class(calibration) = &bundle.manifest().answer;
    let model = bundle.onnx().model;
    let mut graph = Graph::parse(model)?.with_probabilities(calibration.temperature)?;
    let json = |value: serde_json::Result<String>| value.expect("strings and finite numbers");
    graph.set_metadata("graft.name", bundle.manifest().name.as_str());
    graph.set_metadata("graft.labels", &json(serde_json::to_string(bundle.labels().names())));
    let input = match &bundle.manifest().input {
        Input::Image(image) => serde_json::to_string(image),
        Input::Words(words) => serde_json::to_string(words),
        Input::Tokens(tokens) => serde_json::to_string(tokens),
    };
    graph.set_metadata("graft.input", &json(input));
    if let Some(threshold) = calibration.unknown_below {
        graph.set_metadata("graft.unknown_below", &threshold.to_string());
    }
    let outputs = graph.outputs().into_iter().map(|o| o.name).collect();
    Ok((graph.to_bytes(), outputs))
}

/// The same bundle, unsigned, with its ONNX form alone. That is the form to keep:
/// every reader of the format takes it, a device with another engine too, and so
/// do the host's verbs.
pub fn onnx_bundle(bundle: &Bundle<'_>) -> Result<Vec<u8>, BundleError> {
    let view = bundle.onnx();
    graft_bundle::write(&Contents {
        manifest: Manifest { forms: vec![view.form.clone()], ..bundle.manifest().clone() },
        labels: bundle.labels().clone(),
        models: vec![ModelPart { bytes: view.model, references: view.references.clone() }],
        words: bundle.words(),
        tokenizer: bundle.tokenizer(),
        provenance: bundle.provenance()?,
    })
}
