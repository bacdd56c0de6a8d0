//! graftd.

fn main() {}
