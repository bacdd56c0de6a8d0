//! Any text and any bytes are a network of Caffe or an error. The input is cut at
//! its first zero: prototxt, then caffemodel.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (prototxt, weights) = bytes.split_at(cut);
    let weights = weights.get(1..).unwrap_or_default();
    let _ = graft_onnx::caffe::read(prototxt, weights);
    let _ = graft_onnx::caffe::mean(bytes);
});
