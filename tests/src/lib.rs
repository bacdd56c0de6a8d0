//! What crosses crates, end to end: see the integration tests beside this file.
//! Here is what they share: a place of one's own to run `graft` in, and photos
//! to run it on.
//!
//! Failures are panics: whoever calls this is a test.

pub mod photos;
pub mod sandbox;
