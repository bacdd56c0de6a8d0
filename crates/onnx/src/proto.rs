//! The ONNX schema as `prost` generates it; `proto/README.md` says how.

#![allow(missing_docs, dead_code, clippy::all, reason = "generated")]

include!("../proto/onnx.rs");
