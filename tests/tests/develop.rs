//! A source of one's own, from photos to the bundle that reuses it.

use graft_tests::sandbox::Sandbox;

const DEVELOP: &str = "develop photos --size 16x16 --width 0.25 --batch-size 8 --json";

#[test]
fn a_source_is_held_against_naive_models_and_reused() {
    let sandbox = Sandbox::with_photos(16);
    for architecture in ["plain", "resnet", "mobilenet"] {
        let line = format!("{DEVELOP} --architecture {architecture} --epochs 3 -o source.onnx");
        let said = sandbox.run(&line);
        let json = said.json();
        let number = |name: &str| json[name].as_f64().unwrap();
        let low = json["evaluation"]["accuracy_interval"][0].as_f64().unwrap();
        let naive = number("pixels_accuracy").max(number("baseline_accuracy"));
        assert_eq!(number("naive_accuracy"), naive);
        let worth = low > naive;
        assert_eq!(json["worth_reusing"], worth);
        assert_eq!(said.status, Some(i32::from(!worth)), "{}", said.stderr);
        assert_eq!(json["epochs"].as_array().unwrap().len(), 4);

        let words = "--colour rgb --scale 255 --mean 0.5 --std 0.5 --output reused.graft";
        sandbox.run(&format!("train photos --model source.onnx {words}")).done();
        let compared = sandbox.run("compare reused.graft photos --json").done().json();
        assert!(compared["max_abs_diff"].as_f64().unwrap() <= 1e-4, "{architecture}: {compared}");
        // A graph without batch normalisation, which device engines want folded.
        let inspected = sandbox.run("inspect source.onnx --json").done().stdout;
        assert!(!inspected.contains("BatchNormalization"), "{architecture}: {inspected}");
    }
    sandbox.assert_no_remains();
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_the_catalogue_takes_it() {
    let sandbox = Sandbox::with_photos(8);
    let source = |name: &str, words: &str| {
        let said = sandbox.run(&format!("{DEVELOP} --epochs 1 -o {name} {words}"));
        assert!(matches!(said.status, Some(0 | 1)), "{}", said.stderr);
        std::fs::read(sandbox.path(name)).unwrap()
    };
    let first = source("a.onnx", "--seed 3 --add mine --licence MIT");
    assert_eq!(source("b.onnx", "--seed 3"), first);
    assert_ne!(source("c.onnx", "--seed 4"), first);
    let listed = sandbox.run("models list --json").done().stdout;
    assert!(listed.contains("\"mine\""), "{listed}");
    sandbox.run("train photos --model mine --output task.graft").done();
}

#[test]
fn what_cannot_be_developed_is_said() {
    let sandbox = Sandbox::with_photos(8);
    sandbox.run("develop photos -o a.onnx").refuses(&["--size"]);
    sandbox.run("develop photos --size 16x16 --width 0 -o a.onnx").refuses(&["0.1"]);
    sandbox.run("develop nowhere --size 16x16 -o a.onnx").refuses(&["nowhere"]);
    sandbox
        .run("develop photos --size 16x16 --rate 1e30 --epochs 2 -o a.onnx")
        .refuses(&["diverged", "rate"]);
    sandbox.write("above.toml", "from = \"last:2\"\n");
    sandbox
        .run("develop photos --size 16x16 --recipe above.toml -o a.onnx")
        .refuses(&["tunes from last:2", "learns whole"]);
    assert!(!sandbox.path("a.onnx").exists());
}

/// Steps as small as those of fine-tuning would teach it nothing.
#[test]
fn what_a_recipe_leaves_out_is_as_it_is_for_networks_that_begin_from_nothing() {
    let sandbox = Sandbox::with_photos(8);
    sandbox.write("short.toml", "epochs = 1\n");
    let recipe = |words: &str| {
        let said = sandbox.run(&format!("{DEVELOP} -o a.onnx {words}"));
        assert!(matches!(said.status, Some(0 | 1)), "{}", said.stderr);
        said.json()["recipe"].as_str().unwrap().to_owned()
    };
    assert_eq!(recipe("--recipe short.toml"), recipe("--epochs 1"));
}
