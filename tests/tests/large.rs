//! Data sets whose features do not fit into memory.

use std::ops::ControlFlow;

use graft_host::backbone::{Pool, open_entry};
use graft_host::catalogue;
use graft_host::engine::{Engine, LibrarySearch};
use graft_host::examples::Dataset;
use graft_host::features::{FeatureOptions, Spill};
use graft_host::provider::Provider;
use graft_host::train::{HeadRecipe, LinearRecipe, Recipe, train};
use graft_spec::Name;
use graft_tests::sandbox::{Sandbox, onnx_runtime, tiny_model};

#[test]
fn features_in_a_file_make_the_same_bundle() {
    let sandbox = Sandbox::with_photos(24);
    // Its row stays empty, and those behind it move up.
    sandbox.write("photos/berry/0003x.png", "no picture");
    let engine = Engine::load(&LibrarySearch::Named(onnx_runtime())).unwrap();
    let tiny = tiny_model().display().to_string();
    let entry = catalogue::find(&sandbox.data().join("models"), &tiny).unwrap();
    let backbone = open_entry(&entry).unwrap().cut(None, Pool::Mean).unwrap();
    let dataset = Dataset::open(&sandbox.path("photos")).unwrap();
    let labels = dataset.checked_labels(&sandbox.path("photos")).unwrap();
    let recipe = Recipe {
        name: Name::new("task").unwrap(),
        head: HeadRecipe::Linear(LinearRecipe::default()),
        folds: 3,
        test_share: 0.25,
        answered: Some(0.95),
        seed: 0,
        data_licence: None,
        strict: false,
        fine_tuning: None,
    };
    let folder = sandbox.path("spill");
    let bundle = |above_bytes: u64| {
        let options = FeatureOptions {
            provider: Provider::Cpu,
            threads: 2,
            batch: None,
            cache: None,
            spill: Some(Spill { folder: folder.clone(), above_bytes }),
        };
        let on = &mut |_: graft_host::progress::Event<'_>| ControlFlow::Continue(());
        let run = train(&engine, &backbone, &dataset, &labels, &recipe, &options, on).unwrap();
        assert_eq!((run.facts.examples, run.facts.skipped.len()), (48, 1));
        run.grafted.bytes
    };
    let in_memory = bundle(u64::MAX);
    assert!(!folder.exists(), "nothing was too large");
    assert!(bundle(0) == in_memory, "a file changed the bundle");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the file has no name");
}
