//! Verbs that need no ONNX Runtime never look for it, and those that need it
//! load the one that was named.

use std::fs;

use graft_tests::sandbox::{Sandbox, run};

const WITHOUT: [&str; 9] = [
    "inspect task.graft",
    "predict task.graft photos/leaf/0000.png",
    "evaluate task.graft photos",
    "export task.graft --onnx task.onnx",
    "models list",
    "models fetch mobilenet_v2",
    "cache show",
    "cache clear",
    "completions bash",
];

const WITH: [&str; 4] = [
    "doctor",
    "compare task.graft photos",
    "evaluate task.graft photos --engine onnxruntime",
    "train photos --output new.graft",
];

#[test]
fn verbs_that_need_none_run_where_there_is_none() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.bundle();
    for line in WITHOUT {
        let mut graft = sandbox.graft_alone(line.split_whitespace());
        run(graft.env("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so")).done();
    }
    for line in WITH {
        let mut graft = sandbox.graft_alone(line.split_whitespace());
        let said = run(graft.env("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so")).exits(2);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains("/nonexistent/libonnxruntime.so"), "{said}");
    }
}

/// The dynamic loader itself tells what it opens (ld.so(8), LD_DEBUG).
#[test]
fn verbs_that_need_none_leave_one_that_is_there_alone() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.bundle();
    let opens = |line: &str| {
        let trace = sandbox.path("trace");
        let mut graft = sandbox.graft(line.split_whitespace());
        run(graft.env("LD_DEBUG", "files").env("LD_DEBUG_OUTPUT", &trace)).done();
        let mut text = String::new();
        for entry in fs::read_dir(sandbox.work()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("trace.") {
                text += &fs::read_to_string(&path).unwrap();
                fs::remove_file(path).unwrap();
            }
        }
        assert!(text.contains("libc.so"), "the loader told nothing of `graft {line}`: {text}");
        text.contains("libonnxruntime")
    };
    for line in WITHOUT {
        assert!(!opens(line), "`graft {line}` loads ONNX Runtime");
    }
    for line in WITH {
        assert!(opens(line), "`graft {line}` does not load ONNX Runtime");
    }
}
