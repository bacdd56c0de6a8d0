//! ONNX Runtime's library: another one, too old, not there; and providers that
//! it does not have.

use std::path::{Path, PathBuf};
use std::process::Command;

use graft_tests::sandbox::{Sandbox, onnx_runtime, run, tiny_model};

use crate::{KEPT, refuses, sandbox, train};

const CURE: [&str; 4] = ["--ort-lib", "ORT_DYLIB_PATH", "make setup", "graft doctor"];

/// Training is refused whichever way the library is named, and `doctor` says so.
#[track_caller]
fn check(sandbox: &Sandbox, library: &Path, words: &[&str]) {
    let words = [&CURE[..], words].concat();
    refuses(sandbox, train(sandbox, "photos").env("ORT_DYLIB_PATH", library), &words);
    refuses(sandbox, train(sandbox, "photos").arg("--ort-lib").arg(library), &words);
    let said = run(sandbox.graft(["doctor", "--json", "--ort-lib"]).arg(library)).exits(2);
    let json = said.json();
    let checks = json["checks"].as_array().unwrap();
    let found = checks.iter().find(|c| c["name"] == "onnx_runtime").unwrap();
    assert_eq!(json["ok"], false, "{said}");
    assert_eq!((&found["status"], &found["needed"]), (&"broken".into(), &true.into()), "{said}");
    assert!(found["cure"].as_str().unwrap().contains("make setup"), "{said}");
}

#[test]
fn a_library_that_is_none_is_refused() {
    let sandbox = sandbox();
    let text = sandbox.write("text.so", "this is no library\n");
    check(&sandbox, &text, &["cannot load", "text.so", "as a library"]);
    check(&sandbox, &sandbox.path("nowhere.so"), &["no ONNX Runtime library at", "nowhere.so"]);
    check(&sandbox, &sandbox.path("photos"), &["cannot load", "photos"]);
}

#[test]
fn another_library_is_refused() {
    let sandbox = sandbox();
    let other = c_library(&sandbox, "other", "int other(void) { return 7; }");
    check(&sandbox, &other, &["libother.so is not ONNX Runtime", "OrtGetApiBase"]);
}

#[test]
fn an_old_onnx_runtime_is_refused_with_both_versions() {
    let sandbox = sandbox();
    for version in ["1.10.0", "0.5.0", "2.0.0", "nonsense"] {
        let library = stub(&sandbox, version);
        let found = format!("libort_stub.so is ONNX Runtime {version}; 1.");
        check(&sandbox, &library, &[&found, "or newer is needed"]);
    }
}

#[test]
fn a_library_that_says_a_right_version_and_does_not_start_is_an_error() {
    let sandbox = sandbox();
    let library = stub(&sandbox, "1.99.0");
    let mut train = train(&sandbox, "photos");
    let words = ["ONNX Runtime 1.99.0", "does not start", "another build of ONNX Runtime"];
    refuses(&sandbox, train.env("ORT_DYLIB_PATH", library), &words);
}

#[test]
fn no_library_at_all_is_refused_and_the_current_folder_is_never_searched() {
    let sandbox = sandbox();
    // Whoever opened this one would say that it is no library.
    sandbox.write("libonnxruntime.so", "planted");
    let system = ["/usr/local/lib", "/usr/lib", "/usr/lib64"].into_iter().map(str::to_owned);
    let system = system.chain([format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)]);
    let here: Vec<_> =
        system.map(|f| PathBuf::from(f).join("libonnxruntime.so")).filter(|p| p.exists()).collect();
    let mut train = sandbox.graft_alone(["train", "photos", "--output", KEPT, "--model"]);
    train.arg(tiny_model());
    if here.is_empty() {
        let data = sandbox.data();
        let words = [&CURE[..], &["libonnxruntime.so", "searched", data.to_str().unwrap()]];
        let said = refuses(&sandbox, &mut train, &words.concat());
        assert!(!said.stderr.contains("cannot load"), "{said}");
        let said = run(&mut sandbox.graft_alone(["doctor"])).exits(2);
        assert!(said.stdout.contains("CANNOT run") && said.stdout.contains("make setup"), "{said}");
    } else {
        // This machine has one for everybody: it is the one that is taken.
        run(train.arg("--quiet")).done();
        let said = run(&mut sandbox.graft_alone(["doctor"]));
        assert!(here.iter().any(|p| said.stdout.contains(p.to_str().unwrap())), "{said}");
    }
}

#[test]
fn the_data_folder_is_searched() {
    let sandbox = sandbox();
    let folder = sandbox.data().join("onnxruntime");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(onnx_runtime(), folder.join("libonnxruntime.so")).unwrap();
    let mut train = sandbox.graft_alone(["train", "photos", "--output", "new.graft", "--model"]);
    run(train.arg(tiny_model()).arg("--quiet")).done();
}

#[test]
fn a_provider_that_cannot_run_is_an_error_that_names_what_is_missing() {
    let sandbox = sandbox();
    let doctor = sandbox.run("doctor --json").json();
    for provider in ["cuda", "tensorrt"] {
        let name = format!("provider_{provider}");
        let checks = doctor["checks"].as_array().unwrap();
        let found = checks.iter().find(|c| c["name"] == name.as_str()).unwrap();
        let words = format!("--provider {provider} --output new.graft --json");
        if found["status"] == "ok" {
            // Asked for and there: it runs, and says so.
            assert_eq!(sandbox.train("photos", &words).done().json()["provider"], provider);
            continue;
        }
        let said = refuses(
            &sandbox,
            train(&sandbox, "photos").args(["--provider", provider]),
            &[provider, "onnxruntime-gpu", "--provider cpu", "graft doctor"],
        );
        // The very reason that `doctor` gives: nothing was tried in its place.
        let reason = found["found"].as_str().unwrap();
        let reason = reason.lines().next().unwrap();
        assert!(said.stderr.contains(reason), "{reason}\n{said}");
        let mut evaluate = sandbox.graft(["evaluate", "task.graft", "photos"]);
        sandbox.bundle();
        evaluate.args(["--engine", "onnxruntime", "--provider", provider]);
        refuses(&sandbox, &mut evaluate, &[provider, "--provider cpu"]);
    }
}

/// What ONNX Runtime's header promises of OrtGetApiBase, and no more.
fn stub(sandbox: &Sandbox, version: &str) -> PathBuf {
    let source = format!(
        "static const char *version(void) {{ return \"{version}\"; }}\n\
         static const void *api(unsigned n) {{ return 0; }}\n\
         static const struct {{ const void *(*api)(unsigned); const char *(*version)(void); }}\n\
         base = {{ api, version }};\n\
         const void *OrtGetApiBase(void) {{ return &base; }}\n"
    );
    c_library(sandbox, "ort_stub", &source)
}

/// A shared library from C: `cc` is there wherever Rust links.
fn c_library(sandbox: &Sandbox, name: &str, source: &str) -> PathBuf {
    let folder = sandbox.work();
    let source = sandbox.write(format!("{name}.c"), source);
    let library = folder.join(format!("lib{name}.so"));
    let mut cc = Command::new("cc");
    run(cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source)).done();
    library
}
