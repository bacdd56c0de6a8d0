//! The committed `proto/onnx.rs` is what the generator makes of `proto/onnx.proto`.

use std::fs;
use std::path::Path;

/// Tensors hold their bytes by reference count, so that copies of a graph share
/// the weights; the rare big members of an attribute are boxed, so that two
/// bytes of a hostile file don't become kilobytes of memory.
fn generate() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let files =
        protox::compile([folder.join("onnx.proto")], [folder]).expect("the schema compiles");
    let out = tempfile::tempdir().expect("a temporary folder");
    prost_build::Config::new()
        .out_dir(out.path())
        .bytes(["."])
        .boxed(".onnx.AttributeProto.t")
        .boxed(".onnx.AttributeProto.g")
        .boxed(".onnx.AttributeProto.sparse_tensor")
        .boxed(".onnx.AttributeProto.tp")
        .disable_comments(["."])
        .compile_fds(files)
        .expect("code is generated");
    fs::read_to_string(out.path().join("onnx.rs")).expect("the generated file")
}

#[test]
fn committed_code_is_what_the_generator_writes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/onnx.rs");
    let generated = generate();
    if std::env::var_os("GRAFT_WRITE_GENERATED").is_some() {
        fs::write(&path, &generated).expect("proto/onnx.rs is written");
    }
    let committed = fs::read_to_string(&path).expect("proto/onnx.rs");
    assert!(committed == generated, "proto/onnx.rs differs; proto/README.md says how to write it");
}
