//! What opening takes beside the weights. Memory is the process's, so this file is one
//! test, which has a process of its own.

mod large;

use graft_bundle::BundleFile;
use graft_input::synthetic;
use graft_runtime::Model;
use graft_spec::ModelFormat;

use large::dense::{WEIGHT_BYTES, bundle, check};
use large::{forget_peak, resident};

#[test]
fn weights_are_in_memory_once() {
    let file = BundleFile::open(bundle(), None).unwrap();
    // What was allocated until here has been given back: each of it was far above what
    // the allocator keeps.
    forget_peak();
    let before = resident("VmRSS");
    let mut model = Model::open_file(&file).unwrap();
    let peak = resident("VmHWM") - before;
    println!("weights {WEIGHT_BYTES}, peak {peak}");
    assert_eq!(model.format(), ModelFormat::Nnef, "{:?}", model.refusals());
    assert!(peak >= WEIGHT_BYTES, "the weights are not there");
    // A sixth on top are the pages of the engine's own code.
    assert!(peak < WEIGHT_BYTES * 3 / 2, "{peak} bytes for {WEIGHT_BYTES} of weights");
    check(&model.predict(synthetic(3, 32, 32).frame()).unwrap());
}
