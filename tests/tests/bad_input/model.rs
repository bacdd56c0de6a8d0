//! Backbones that cannot be used, found before any photo is opened.

use std::fs;
use std::path::Path;
use std::process::Command;

use graft_onnx::{Dim, Graph};
use graft_tests::sandbox::{Sandbox, fixture, run, tiny_model};

use crate::{KEPT, refuses, sandbox};

/// What the graph of the tiny network does not show.
const INPUT: [&str; 8] = ["--colour", "rgb", "--scale", "255", "--mean", "0.5", "--std", "0.5"];

fn train_on(sandbox: &Sandbox, model: &Path) -> Command {
    let mut command = sandbox.graft(["train", "photos", "--output", KEPT, "--model"]);
    command.arg(model);
    command
}

#[test]
fn an_operator_that_the_device_lacks_is_found_at_train_time() {
    let sandbox = sandbox();
    let model = fixture("lp_pool.onnx");
    // ONNX Runtime has it (the fixture's script ran it there); the device does not.
    assert!(!graft_runtime::supports_operator("", "LpPool"));
    let said = refuses(
        &sandbox,
        train_on(&sandbox, &model).args(INPUT),
        &["device engine", "lacks operator LpPool", "\"lp_pool\"", "\"stem\"", "--at TENSOR"],
    );
    assert!(!sandbox.cache().join("features").exists(), "photos were computed first: {said}");

    let said = run(sandbox.graft(["inspect", "--json"]).arg(&model)).done();
    assert_eq!(said.json()["device"]["runs"], false, "{said}");
    let operators = said.json()["operators"].as_array().unwrap().clone();
    let lacking = operators.iter().filter(|o| o["device"] == false).map(|o| &o["name"]);
    assert!(lacking.eq(["LpPool"]), "{said}");

    // The cure of the message works: below the operator there is a network that runs.
    run(train_on(&sandbox, &model).args(INPUT).args(["--at", "stem"])).done();
}

/// Examples meet in it, so its batch cannot be made free; below that it can.
#[test]
fn a_batch_that_was_fixed_is_refused_with_the_cut_below_it() {
    let sandbox = sandbox();
    let company = Graph::parse(&fs::read(fixture("company.onnx")).unwrap()).unwrap();
    let four = [Dim::Fixed(4), Dim::Unknown, Dim::Unknown, Dim::Unknown];
    let four = company.with_input_shape("images", &four).unwrap();
    let model = sandbox.write("four.onnx", four.to_bytes());
    let words = ["[4, 3, 32, 32]", "the nearest cut below that it runs is \"own\"", "--at TENSOR"];
    refuses(&sandbox, train_on(&sandbox, &model).args(INPUT), &words);
    run(train_on(&sandbox, &model).args(INPUT).args(["--at", "own"])).done();
}

#[test]
fn a_corrupt_onnx_file_is_refused() {
    let sandbox = sandbox();
    let tiny = fs::read(tiny_model().join("tiny.onnx")).unwrap();
    let check = |bytes: &[u8], words: &[&str]| {
        let model = sandbox.write("broken.onnx", bytes);
        let words = [&["broken.onnx"], words].concat();
        refuses(&sandbox, train_on(&sandbox, &model).args(INPUT), &words);
        refuses(&sandbox, sandbox.graft(["inspect"]).arg(&model), &words);
    };
    check(b"", &["another copy"]);
    check(b"<html>404 not found</html>", &["another copy"]);
    check(&tiny[..tiny.len() / 2], &["another copy"]);
    check(&tiny[..tiny.len() - 1], &["another copy"]);
    let mut no_weights = tiny.clone();
    let at = no_weights.windows(10).rposition(|w| w == b"stem.weigh").unwrap();
    no_weights[at..at + 10].copy_from_slice(b"stem.wrong");
    check(&no_weights, &["stem"]);
}

#[test]
fn what_a_graph_does_not_show_is_asked_for() {
    let sandbox = sandbox();
    let tiny = tiny_model().join("tiny.onnx");
    let said = refuses(
        &sandbox,
        &mut train_on(&sandbox, &tiny),
        &["does not show", "[batch, 3, 32, 32]", "--colour rgb", "--scale 255", "--mean", "--std"],
    );
    // What the graph does show is not asked for.
    assert!(!said.stderr.contains("--size") && !said.stderr.contains("--layout"), "{said}");

    let wrong = ["--size", "64x64"];
    refuses(
        &sandbox,
        train_on(&sandbox, &tiny).args(INPUT).args(wrong),
        &["[batch, 3, 32, 32]", "64×64"],
    );
}

#[test]
fn a_model_that_is_not_there_or_not_the_one_is_refused() {
    let sandbox = sandbox();
    let check = |model: &str, words: &[&str]| {
        refuses(&sandbox, &mut train_on(&sandbox, Path::new(model)), words);
    };
    check("nowhere.onnx", &["cannot read nowhere.onnx", "No such file"]);
    check("resnet5", &["no model \"resnet5\"", "mobilenet_v2", "graft models", "model.toml"]);
    check("vgg16_mri", &["vgg16_mri is not here yet", "graft models fetch vgg16_mri"]);

    let copy = |to: &str, toml: &dyn Fn(&str) -> String| {
        fs::create_dir_all(sandbox.path(to)).unwrap();
        fs::copy(tiny_model().join("tiny.onnx"), sandbox.path(to).join("tiny.onnx")).unwrap();
        let text = fs::read_to_string(tiny_model().join("model.toml")).unwrap();
        sandbox.write(format!("{to}/model.toml"), toml(&text));
    };
    copy("damaged", &|text| text.into());
    // A name is never a folder that happens to lie here.
    check("damaged", &["no model \"damaged\"", "with a / in its path"]);
    fs::write(sandbox.path("damaged/tiny.onnx"), "another file").unwrap();
    check("./damaged", &["damaged/tiny.onnx has sha256", "model.toml says a4c3a43a"]);
    copy("typo", &|text| text.replace("colour", "color"));
    check("./typo", &["typo/model.toml", "color"]);
    copy("size", &|text| text.replace("width = 32", "width = 0"));
    check("./size", &["size/model.toml", "width"]);
    copy("contradiction", &|text| text.replace("width = 32", "width = 48"));
    check("./contradiction", &["48×32", "[batch, 3, 32, 32]"]);
    copy("outside", &|text| text.replace("file = \"", "file = \"../"));
    check("./outside", &["outside/model.toml", "plain file name"]);
}

#[test]
fn a_cut_that_is_not_there_is_refused_with_its_neighbours() {
    let sandbox = sandbox();
    let tiny = tiny_model();
    let check = |at: &str, words: &[&str]| {
        refuses(&sandbox, train_on(&sandbox, &tiny).args(["--at", at]), words);
    };
    check("depthwise_clop", &["depthwise_clop", "depthwise_clip", "--at TENSOR"]);
    check("images", &["images", "--at TENSOR"]);
    check("stem.weight", &["stem.weight", "--at TENSOR"]);
}

#[test]
fn weights_beside_the_file_are_taken_in_or_it_is_said_why_not() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("model")).unwrap();
    let (model, data) = (sandbox.path("model/outside.onnx"), sandbox.path("model/outside.bin"));
    fs::copy(fixture("outside.onnx"), &model).unwrap();
    fs::copy(fixture("outside.bin"), &data).unwrap();
    run(train_on(&sandbox, &model).args(INPUT)).done();
    run(&mut sandbox.graft(["compare", KEPT, "photos"])).done();
    let mut add = sandbox.graft(["models", "add", "--licence", "MIT"]);
    run(add.arg(&model).args(INPUT)).done();
    // The catalogue's own file needs nothing beside it.
    let own = sandbox.data().join("models/outside/outside.onnx");
    let said = run(sandbox.graft(["inspect", "--json"]).arg(&own)).done();
    assert_eq!(said.json()["parameters"], 4 * 3 * 3 * 3 + 2 * 4, "{said}");
    assert_eq!(said.json()["device"]["runs"], true, "{said}");

    let refuses_for = |words: &[&str]| {
        let words = [&["stem.weight", "outside.bin"], words].concat();
        refuses(&sandbox, train_on(&sandbox, &model).args(INPUT), &words);
        refuses(&sandbox, sandbox.graft(["inspect"]).arg(&model), &words);
    };
    let bytes = fs::read(&data).unwrap();
    fs::write(&data, &bytes[..bytes.len() / 2]).unwrap();
    refuses_for(&["232 bytes", "432", "cut off"]);
    fs::remove_file(&data).unwrap();
    refuses_for(&["No such file"]);
    std::os::unix::fs::symlink(fixture("outside.bin"), &data).unwrap();
    refuses_for(&["link", "folder of the model"]);
    // As long a name, which leads elsewhere.
    let mut elsewhere = fs::read(&model).unwrap();
    while let Some(at) = elsewhere.windows(11).position(|w| w == b"outside.bin") {
        elsewhere[at..at + 11].copy_from_slice(b"../side.bin");
    }
    fs::write(&model, elsewhere).unwrap();
    let said = run(train_on(&sandbox, &model).args(INPUT)).exits(2);
    assert!(said.stderr.contains("must be a file in the folder of the model"), "{said}");
}
