//! `libgraft_runtime`: the device library for C and C++.
//!
//! This crate is not used from Rust. Its items become `firmware/include/graft.h`
//! through cbindgen, their comments too, so they speak to C programmers;
//! `tests/c/header.rs` holds the two together. What a function promises:
//!
//! - [`border`]: no panic leaves the library, and each error has a text.
//! - [`pointer`]: what can be told about a pointer is told before it is followed.
//! - [`model`]: a handle that two threads use at once is an error, not a race.

// Names and their style are C's.
#![allow(non_camel_case_types)]
// What callers must hold to stands in words for them in each comment.
#![allow(clippy::missing_safety_doc)]

#[cfg(panic = "abort")]
compile_error!("libgraft_runtime catches panics at its border: build it with panic = \"unwind\"");

#[cfg(test)]
mod allocations;
pub mod answer;
mod border;
mod failure;
pub mod frame;
pub mod functions;
pub mod model;
mod pointer;
pub mod status;
mod text;
