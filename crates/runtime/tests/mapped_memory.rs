//! What a network takes whose weights are in a file. Memory is the process's, so this file
//! is one test, which has a process of its own.

mod large;

use graft_bundle::BundleFile;
use graft_input::synthetic;
use graft_runtime::{LargeWeights, Model};

use large::dense::{WEIGHT_BYTES, bundle, check};
use large::{forget_peak, resident};

#[test]
fn mapped_weights_are_no_memory_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = BundleFile::open(bundle(), None).unwrap();
    // The engine's own code comes into memory with the first model.
    let (mut model, weights) = Model::open_file_mapped(&file, folder.path()).unwrap();
    assert!(matches!(weights, LargeWeights::InFile { is_new: true, .. }), "{weights:?}");
    check(&model.predict(synthetic(3, 32, 32).frame()).unwrap());
    drop(model);

    forget_peak();
    let before = [resident("VmRSS"), resident("RssAnon")];
    let (mut model, weights) = Model::open_file_mapped(&file, folder.path()).unwrap();
    let LargeWeights::InFile { bytes, is_new: false, .. } = weights else { panic!("{weights:?}") };
    assert!(bytes > WEIGHT_BYTES);
    let opening = resident("VmHWM").saturating_sub(before[0]);
    let answer = model.predict(synthetic(3, 32, 32).frame()).unwrap();
    check(&answer);
    let peak = resident("VmHWM").saturating_sub(before[0]);
    let after = ["VmRSS", "RssAnon"].map(resident);
    let grown = [after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])];
    println!("weights {WEIGHT_BYTES}, opening {opening}, peak {peak}, then {grown:?}");
    assert!(opening < WEIGHT_BYTES / 8, "opening took {opening} of {WEIGHT_BYTES}");
    // While the layer runs its pages are there, once.
    assert!(peak < WEIGHT_BYTES * 5 / 4, "{peak}");
    // Then they are not.
    assert!(grown.iter().all(|&bytes| bytes < WEIGHT_BYTES / 8), "{grown:?}");
}
