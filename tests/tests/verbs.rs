//! What the verbs answer, on a task that is easy enough to know the answers.

use std::fs;

use graft_bundle::Bundle;
use graft_tests::photos::{BERRY, LEAF, MURKY, folder};
use graft_tests::sandbox::{Sandbox, files, run, tiny_model};
use serde_json::{Value, json};

#[test]
fn a_task_is_learned_answered_and_judged() {
    let sandbox = Sandbox::with_photos(40);
    let train = sandbox.train("photos", "--output task.graft --json --seed 3").done().json();
    assert_eq!(train["labels"], json!(["berry", "leaf"]));
    assert_eq!(train["tested"], 20, "a quarter of 80");
    assert_eq!(train["accuracy"], 1.0, "these two are plainly apart: {train:#}");
    assert_eq!(train["baseline_accuracy"], 0.5);
    assert_eq!(train["evaluation"]["confusion"], json!([[10, 0], [0, 10]]));
    let bytes = fs::metadata(sandbox.path("task.graft")).unwrap().len();
    assert_eq!(train["bundle"]["bytes"], bytes);

    for engine in ["device", "onnxruntime"] {
        let line = format!("evaluate task.graft photos --json --engine {engine}");
        let evaluate = sandbox.run(&line).done().json();
        assert_eq!(evaluate["engine"], engine);
        assert_eq!(evaluate["accuracy"], 1.0);
        assert_eq!(evaluate["evaluation"]["examples"], 80);

        let line = format!(
            "predict task.graft photos/leaf/0001.png photos/berry/0002.png --json --engine {engine}"
        );
        let predict = sandbox.run(&line).done().json();
        for (prediction, label) in
            predict["predictions"].as_array().unwrap().iter().zip(["leaf", "berry"])
        {
            assert_eq!(prediction["top"][0]["label"], label, "{predict:#}");
            let share = |i: usize| prediction["top"][i]["probability"].as_f64().unwrap();
            assert!((share(0) + share(1) - 1.0).abs() < 1e-6, "{predict:#}");
            assert_eq!(prediction["probability"], prediction["top"][0]["probability"]);
        }
    }
    let compare = sandbox.run("compare task.graft photos --json").done().json();
    assert_eq!((&compare["examples"], &compare["disagreements"]), (&json!(80), &json!(0)));
    assert!(compare["max_abs_diff"].as_f64().unwrap() <= 1e-4, "{compare:#}");
}

#[test]
fn no_is_an_answer_and_not_an_error() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.bundle();
    // A table that calls nearly every photo a leaf.
    let photos = files(&sandbox.path("photos")).into_keys();
    let rows: String = photos.skip(1).map(|path| format!("{},leaf\n", path.display())).collect();
    sandbox.write("leaves.csv", format!("path,label\nphotos/berry/0000.png,berry\n{rows}"));
    let evaluate = |data: &str| sandbox.run(&format!("evaluate task.graft {data} --at-least 0.9"));
    assert!(evaluate("photos").done().stdout.contains("reached"));
    let missed = evaluate("leaves.csv").exits(1);
    assert!(missed.stdout.contains("missed"), "{missed}");
    assert_eq!(missed.stderr, "");

    // No two engines agree to the last bit on a whole network and a softmax.
    let compare = sandbox.run("compare task.graft photos --tolerance 0").exits(1);
    assert!(compare.stdout.contains("PROBABILITIES DIFFER by more than 0"), "{compare}");
    let compare = sandbox.run("compare task.graft photos --tolerance 0 --json").exits(1);
    assert_eq!(compare.json()["passed"], false);
}

#[test]
fn what_is_too_uncertain_is_unknown() {
    let sandbox = Sandbox::new();
    folder(&sandbox.path("photos"), &[(BERRY, 60), (LEAF, 60)], MURKY);
    let threshold = |words: &str| {
        let words = format!("--output task.graft --json {words}");
        sandbox.train("photos", &words).done().json()["head"]["unknown_below"].clone()
    };
    assert!(threshold("--answered 1").is_null());
    let half = threshold("--answered 0.5").as_f64().unwrap();
    assert!((0.5..1.0).contains(&half), "{half}");
    let evaluate = sandbox.run("evaluate task.graft photos --json").done().json();
    let answered = evaluate["evaluation"]["answered"].as_f64().unwrap();
    assert!((0.3..0.7).contains(&answered), "half of the known was asked for: {evaluate:#}");

    let photos = files(&sandbox.path("photos")).into_keys();
    let mut predict = sandbox.graft(["predict", "task.graft", "--json"]);
    let predict = run(predict.args(photos)).done().json();
    let predictions = predict["predictions"].as_array().unwrap();
    for prediction in predictions {
        let unknown = prediction["probability"].as_f64().unwrap() < half;
        assert_eq!(prediction["answer"].is_null(), unknown, "{prediction}");
    }
    let count = predictions.iter().filter(|p| !p["answer"].is_null()).count();
    assert!((count as f64 / predictions.len() as f64 - answered).abs() < 1e-9);
}

#[test]
fn inspect_counts_what_the_graph_of_the_tiny_network_has() {
    let sandbox = Sandbox::new();
    let tiny = tiny_model().join("tiny.onnx");
    let json = run(sandbox.graft(["inspect", "--json"]).arg(&tiny)).done().json();
    assert_eq!(json["kind"], "onnx");
    assert_eq!(
        json["inputs"],
        json!([{"name": "images", "type": "f32", "shape": ["batch", 3, 32, 32]}])
    );
    assert_eq!(json["opset"], 17);
    assert_eq!(json["nodes"], 8);
    // By hand from models/tiny/make.py: weights and biases.
    let parameters = (8 * 27 + 8) + (8 * 9 + 8) + (16 * 8 + 16) + (4 * 16 + 4);
    assert_eq!(json["parameters"], parameters);
    assert_eq!(json["parameter_bytes"], 4 * parameters);
    let multiply_adds = 16 * 16 * 8 * 27 + 16 * 16 * 8 * 9 + 8 * 8 * 16 * 8 + 4 * 16;
    assert_eq!(json["multiply_adds"], multiply_adds);
    assert_eq!(
        json["classifier"],
        json!({"features": "flat", "logits": "scores", "feature_length": 16, "classes": 4})
    );
    assert_eq!(json["device"], json!({"runs": true, "problem": null}));
    assert!(json["operators"].as_array().unwrap().iter().all(|o| o["device"] == true));
}

#[test]
fn inspect_shows_all_that_a_bundle_says() {
    let sandbox = Sandbox::with_photos(12);
    let words = "--output task.graft --quiet --data-licence CC0-1.0 --name fruit";
    sandbox.train("photos", words).done();
    let json = sandbox.run("inspect task.graft --json").done().json();
    assert_eq!(json["kind"], "bundle");
    let bundle = &json["bundle"];
    assert_eq!(bundle["name"], "fruit");
    assert_eq!(bundle["labels"], json!(["berry", "leaf"]));
    assert_eq!(bundle["input"]["width"], 32);
    assert_eq!(bundle["provenance"]["data"]["licence"], "CC0-1.0");
    assert_eq!(bundle["provenance"]["engine"]["provider"], "cpu");
    let kinds = bundle["sections"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap());
    let both_forms = ["MANI", "LABL", "MODL", "REFS", "MODL", "REFS", "prov"];
    assert!(kinds.eq(both_forms), "{bundle:#}");
    let forms = bundle["forms"].as_array().unwrap().iter();
    assert!(forms.map(|f| f["format"].as_str().unwrap()).eq(["nnef", "onnx"]), "{bundle:#}");
    assert_eq!(json["device"]["runs"], true);
    // The old head is gone, with everything that only it used.
    assert_eq!(json["outputs"].as_array().unwrap().len(), 2);
    let old_head = 4 * 16 + 4;
    let new_head = 2 * 16 + 2;
    let tiny = run(sandbox.graft(["inspect", "--json"]).arg(tiny_model().join("tiny.onnx"))).json();
    let parameters = tiny["parameters"].as_u64().unwrap() - old_head + new_head;
    assert_eq!(json["parameters"], parameters);
}

#[test]
fn models_can_be_listed_added_and_used_by_name() {
    let sandbox = Sandbox::with_photos(12);
    let names = || -> Vec<String> {
        let json = sandbox.run("models list --json").done().json();
        let models = json["models"].as_array().unwrap().clone();
        models.iter().map(|m| m["name"].as_str().unwrap().to_owned()).collect()
    };
    let before = names();
    assert!(before.contains(&"mobilenet_v2".to_owned()), "{before:?}");
    assert!(before.is_sorted(), "{before:?}");

    let tiny = tiny_model().join("tiny.onnx");
    let add = |words: &str| {
        let mut add = sandbox.graft(["models", "add"]);
        add.arg(&tiny).args(words.split_whitespace());
        run(&mut add)
    };
    add("").exits(2);
    let lacking = ["--colour rgb", "--scale 255", "--mean", "--std"];
    add("--licence MIT").refuses(&lacking);
    assert_eq!(names(), before, "half a model was added");

    let all =
        "--licence MIT --colour rgb --scale 255 --mean 0.5 --std 0.5 --title Small --name small";
    let added = add(&format!("{all} --json")).done().json();
    assert_eq!(
        (&added["name"], &added["here"], &added["fetch"]),
        (&json!("small"), &json!(true), &json!(null))
    );
    assert_eq!(names().len(), before.len() + 1);
    add(all).refuses(&["a model small already", "--name"]);

    let train = |model: &str| {
        let line = format!("train photos --model {model} --output task.graft --json");
        sandbox.run(&line).done().json()
    };
    let by_name = train("small");
    assert_eq!(by_name["model"]["name"], "small");
    assert_eq!(by_name["model"]["licence"], "MIT");
    // The same network and the same input, found by its graph this time.
    let by_folder = train(tiny_model().to_str().unwrap());
    for same in ["at", "sha256", "feature_length"] {
        assert_eq!(by_name["model"][same], by_folder["model"][same]);
    }
    assert_eq!(by_name["input"], by_folder["input"]);
    assert_eq!(by_name["evaluation"], by_folder["evaluation"]);
}

#[test]
fn a_broken_model_is_listed_and_removed() {
    let sandbox = Sandbox::with_photos(4);
    let folder = sandbox.data().join("models/mine");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("model.toml"), "name = \"mine\"\nlicense = \"MIT\"\n").unwrap();
    let listed = sandbox.run("models").done();
    for part in ["mine is broken", "mine/model.toml:1: missing [input]", "graft models remove mine"]
    {
        assert!(listed.stdout.contains(part), "no {part:?} in {listed}");
    }
    let json = sandbox.run("models list --json").done().json();
    assert_eq!(json["broken"][0]["name"], "mine");
    let models = json["models"].as_array().unwrap();
    let others = models.iter().find(|model| model["name"] == "mobilenet_v2");
    assert_eq!(others.unwrap()["input"]["width"], 224);
    sandbox.run("train photos --model mine --output x.graft").refuses(&["mine/model.toml:1"]);
    sandbox.run("models remove mine").done();
    assert!(!folder.exists());
    sandbox.run("models remove mine").refuses(&["no model \"mine\"", "graft models"]);
    sandbox.run("models remove mobilenet_v2").refuses(&["part of this program"]);
}

#[test]
fn models_fetch_takes_a_file_only_if_it_is_the_one() {
    let sandbox = Sandbox::new();
    sandbox.write("other.onnx", "other");
    let fetch = "models fetch text_angle --from other.onnx";
    sandbox.run(fetch).refuses(&["other.onnx has sha256", "e47acedf", "another file"]);
    assert!(!sandbox.data().join("models/text_angle").exists());
}

#[test]
fn models_fetch_does_nothing_for_a_model_that_is_here() {
    let fetched = Sandbox::new().run("models fetch mobilenet_v2 --json").done().json();
    assert_eq!((&fetched["downloaded"], &fetched["here"]), (&json!(false), &json!(true)));
}

#[test]
fn export_writes_one_onnx_file_with_probabilities() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.bundle();
    let export = sandbox.run("export task.graft --onnx task.onnx --json").done().json();
    assert_eq!(export["outputs"], json!(["features", "logits", "probabilities"]));
    let inspect = sandbox.run("inspect task.onnx --json").done().json();
    assert_eq!(inspect["sha256"], export["onnx"]["sha256"]);
    assert_eq!(inspect["device"]["runs"], true);
    let outputs: Vec<_> =
        inspect["outputs"].as_array().unwrap().iter().map(|o| &o["shape"][1]).collect();
    assert_eq!(outputs, [16, 2, 2]);
}

/// For small flash: half the file, the same answers, and every verb still takes it.
#[test]
fn export_writes_a_bundle_with_one_form() {
    let sandbox = Sandbox::with_photos(12);
    let bundle = sandbox.bundle();
    let export = sandbox.run("export task.graft --onnx-bundle small.graft --json").done().json();
    assert_eq!(export["onnx"], Value::Null);
    assert_eq!(export["was_signed"], false);

    let both = fs::read(bundle).unwrap();
    let one = fs::read(sandbox.path("small.graft")).unwrap();
    assert_eq!(export["onnx_bundle"]["bytes"], one.len());
    let (both, one) = (Bundle::parse(&both).unwrap(), Bundle::parse(&one).unwrap());
    assert_eq!((both.forms().len(), one.forms().len()), (2, 1));
    assert_eq!(one.onnx().model, both.onnx().model);
    assert_eq!(one.onnx().references, both.onnx().references);
    assert_eq!(one.labels(), both.labels());
    assert_eq!(one.provenance_json(), both.provenance_json());

    let predicted = |bundle: &str| {
        let line = format!("predict {bundle} photos/leaf/0000.png --json");
        sandbox.run(&line).done().json()["predictions"].clone()
    };
    let (of_one, of_both) = (predicted("small.graft"), predicted("task.graft"));
    assert_eq!(of_one[0]["answer"], of_both[0]["answer"]);
    assert_eq!(of_one[0]["answer"], "leaf");
    sandbox.run("compare small.graft photos").done();

    // The ONNX file of before is no bundle to be replaced.
    sandbox.write("notes.txt", "kept");
    let refused = sandbox.run("export task.graft --onnx-bundle notes.txt").exits(2);
    assert!(refused.stderr.contains("not a bundle"), "{refused}");
    assert_eq!(fs::read_to_string(sandbox.path("notes.txt")).unwrap(), "kept");
    sandbox.run("export task.graft").exits(2);
}

#[test]
fn every_shell_has_completions_and_every_verb_a_man_page() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.run(&format!("completions {shell}")).done().stdout;
        for word in ["graft", "train", "class-weights"] {
            assert!(script.contains(word), "{shell}: {word} is not in the script");
        }
    }
    let bash = sandbox.write("graft.bash", sandbox.run("completions bash").stdout);
    run(sandbox.command("bash").arg("-n").arg(bash)).done();

    sandbox.run("completions --man man").done();
    for verb in
        ["", "-doctor", "-models", "-inspect", "-train", "-evaluate", "-predict", "-compare"]
    {
        let page = fs::read_to_string(sandbox.path(format!("man/graft{verb}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains("NAME"), "{page}");
    }
    sandbox.run("completions").exits(2);
    sandbox.run("completions tcsh").exits(2);
}
