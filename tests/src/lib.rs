//! What crosses crates, end to end: see the integration tests beside this file.
