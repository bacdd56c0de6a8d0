//! Any bytes are a graph or an error, and what is made of a graph is one.

#![no_main]

use graft_onnx::Graph;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(graph) = Graph::parse(bytes) {
        for made in [graph.clone().simplified(), graph.with_dynamic_batch()] {
            Graph::parse(&made.to_bytes()).expect("our own bytes");
        }
    }
});
