//! Any bytes are a graph or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = graft_onnx::Graph::parse(bytes);
});
