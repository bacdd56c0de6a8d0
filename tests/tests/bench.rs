//! `graft bench`: here, and on a board that is this machine behind a false `ssh`.
//! What is measured differs from run to run; what must hold of it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use graft_tests::sandbox::{Said, Sandbox, graft, repository, run};
use serde_json::Value;

/// A bundle of four labels with an ONNX form alone, for which no test needs ONNX Runtime.
fn tiny() -> PathBuf {
    repository().join("crates/runtime/tests/fixtures/tiny.graft")
}

/// A sandbox with a false `ssh` before all others, and a folder for temporary files.
struct Lab {
    sandbox: Sandbox,
}

impl Lab {
    /// Its `ssh` lets this machine do what the board should, after a greeting.
    fn new() -> Lab {
        let lab = Lab { sandbox: Sandbox::new() };
        fs::create_dir(lab.temporary()).unwrap();
        lab.program(
            "ssh",
            "echo \"$1 $2 $3\" >> ../ssh.log\nfor command; do :; done\n\
             echo 'Welcome to the board'\nexec sh -c \"$command\"",
        );
        // What `graft bench` starts takes the flags of `graftd bench`.
        lab.program("graftd", &format!("shift\nexec '{}' bench-process \"$@\"", graft().display()));
        lab
    }

    /// Puts a program on the search path.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.sandbox.path("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn temporary(&self) -> PathBuf {
        self.sandbox.path("tmp")
    }

    fn graft(&self, line: &str) -> Command {
        self.graft_of(&tiny(), line)
    }

    fn graft_of(&self, bundle: &Path, line: &str) -> Command {
        let mut graft = self.sandbox.graft_alone(["bench"]);
        let paths = std::env::var("PATH").unwrap();
        let path = format!("{}:{paths}", self.sandbox.path("bin").display());
        graft.arg(bundle).args(line.split_whitespace());
        graft.env("PATH", path).env("TMPDIR", self.temporary());
        graft
    }

    fn run(&self, line: &str) -> Said {
        run(&mut self.graft(line))
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        let left: Vec<_> = fs::read_dir(self.temporary()).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

fn number(json: &Value, path: &str) -> f64 {
    let value = json.pointer(path).unwrap_or_else(|| panic!("no {path} in {json:#}"));
    value.as_f64().unwrap_or_else(|| panic!("{path} is {value}"))
}

#[track_caller]
fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * a.abs().max(b.abs()), "{a} is not {b}");
}

/// What holds of every measurement with both sides.
#[track_caller]
fn assert_plausible(json: &Value) {
    let at = |path: &str| number(json, path);
    for side in ["bundle", "stock", "preparation"] {
        let times = ["p50", "p90", "p99", "max"].map(|q| at(&format!("/latency/{side}/{q}_ms")));
        assert!(times[0] > 0.0 && times.is_sorted(), "{side}: {times:?}");
    }
    for side in ["bundle", "stock"] {
        let memory = ["program", "steady", "peak"]
            .map(|when| at(&format!("/start/{side}/memory/{when}_bytes")));
        assert!(memory[0] > 0.0 && memory.is_sorted(), "{side}: {memory:?}");
        assert!(at(&format!("/start/{side}/program_cpu_ms")) > 0.0);
    }

    let ratio = |of: &str| at(&format!("/ratios/{of}"));
    let quotient =
        |path: &str| at(&path.replace("SIDE", "bundle")) / at(&path.replace("SIDE", "stock"));
    assert_close(ratio("latency"), quotient("/latency/SIDE/p50_ms"));
    assert_close(ratio("peak_memory"), quotient("/start/SIDE/memory/peak_bytes"));
    assert_close(ratio("steady_memory"), quotient("/start/SIDE/memory/steady_bytes"));
    let opening = at("/start/bundle/read/cpu_ms") + at("/start/bundle/open/cpu_ms");
    assert_close(ratio("open_cpu"), opening / at("/start/stock/open/cpu_ms"));

    // One network in one engine: the same but for rounding.
    assert!(at("/logits_max_abs_diff") <= 1e-4);
    assert_eq!(json["stock_problem"], Value::Null);

    let operators = json["profile"]["operators"].as_array().unwrap();
    let shares: Vec<f64> = operators.iter().map(|o| o["share"].as_f64().unwrap()).collect();
    assert_close(shares.iter().sum(), 1.0);
    assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    assert_close(operators.iter().map(|o| o["ms"].as_f64().unwrap()).sum(), at("/profile/run_ms"));
    // crates/runtime/tests/fixtures/make.py builds the network with one.
    let depthwise = operators.iter().find(|o| o["operator"] == "DepthWiseConv");
    assert_eq!(depthwise.expect("a depthwise convolution")["nodes"], 1);
    let slowest = json["profile"]["slowest"].as_array().unwrap();
    assert!((1..=10).contains(&slowest.len()));
    assert!(slowest.is_sorted_by(|a, b| a["ms"].as_f64() >= b["ms"].as_f64()));
}

#[test]
fn it_measures_both_sides_here() {
    let lab = Lab::new();
    let json = lab.run("--frames 9 --rounds 3 --json").done().json();
    assert_plausible(&json);
    assert_eq!(json["device"], Value::Null);
    assert_eq!(json["machine"], std::env::consts::ARCH);
    assert_eq!((&json["frames"], &json["rounds"]), (&9.into(), &3.into()));
    assert_eq!(json["form"], "onnx");
    // With one round no median mixes two starts.
    let one = lab.run("--frames 1 --rounds 1 --json").done().json();
    let step = |name: &str| number(&one, &format!("/start/bundle/{name}/wall_ms"));
    let steps = ["read", "open", "replay", "first_answer"].map(step);
    assert!(steps.iter().all(|&ms| ms > 0.0), "{steps:?}");
    assert!(step("total") >= steps.iter().sum(), "{steps:?}");
    lab.assert_nothing_left();
}

#[test]
fn the_table_says_the_ratios_first() {
    let lab = Lab::new();
    let said = lab.run("--frames 3 --rounds 1").done();
    let at = |word: &str| said.stdout.find(word).unwrap_or_else(|| panic!("no {word:?}: {said}"));
    let order = ["tiny: ONNX in tract", "share of stock", "p50", "reading", "resident", "operator"];
    assert!(order.map(at).is_sorted(), "{said}");
    assert!(said.stdout.contains("DepthWiseConv"), "{said}");
}

#[test]
fn texts_are_measured_as_frames_are() {
    let lab = Lab::new();
    let fixtures = repository().join("crates/runtime/tests/fixtures");
    for bundle in ["words.graft", "next_word.graft", "sentence.graft"] {
        let run = |line: &str| run(&mut lab.graft_of(&fixtures.join(bundle), line)).done();
        let json = run("--frames 3 --rounds 1 --json").json();
        let difference = number(&json, "/logits_max_abs_diff");
        assert!(difference <= 1e-4, "{bundle}: {json:#}");
        for number_of in ["/latency/preparation/p50_ms", "/ratios/latency", "/profile/run_ms"] {
            assert!(number(&json, number_of) > 0.0, "{bundle}: {json:#}");
        }
        let said = run("--frames 2 --rounds 1").stdout;
        for words in
            ["time of a text", "a text, in ms", "preparing 20 words", "1 start and 2 texts"]
        {
            assert!(said.contains(words), "{bundle}: {said}");
        }
    }
    lab.assert_nothing_left();
}

/// Here and on a board the network of MobileNetV2, with its weights in a file.
#[test]
fn weights_can_be_in_a_file() {
    let mut lab = Lab::new();
    lab.sandbox = Sandbox::with_photos(8);
    fs::create_dir(lab.temporary()).unwrap();
    let bundle = lab.sandbox.bundle_of("mobilenet_v2");
    let run = |line: &str| run(&mut lab.graft_of(&bundle, line)).done();
    let in_memory = run("--frames 1 --rounds 1 --json").json();
    assert_eq!(in_memory["mapped_bytes"], Value::Null);
    let json = run("--frames 2 --rounds 1 --json --mapped").json();
    assert!(number(&json, "/mapped_bytes") > 1e6, "{json:#}");
    assert!(number(&json, "/logits_max_abs_diff") <= 1e-4, "{json:#}");
    let anonymous = |json| number(json, "/start/bundle/memory/anonymous_bytes");
    assert!(anonymous(&json) < anonymous(&in_memory), "{json:#}");
    let said = run("--frames 1 --rounds 1 --mapped").stdout;
    assert!(said.contains("of weights are in a file of their own, mapped"), "{said}");
    lab.assert_nothing_left();
}

#[test]
fn what_cannot_be_mapped_is_not_measured_otherwise() {
    let lab = Lab::new();
    lab.run("--frames 1 --rounds 1 --mapped").refuses(&["mapped", "no NNEF form"]);
    lab.assert_nothing_left();
}

#[test]
fn a_board_gets_graftd_and_the_bundle_and_keeps_nothing() {
    let lab = Lab::new();
    // What a board of 64 bits says, and its build where `make device` leaves it.
    lab.program("uname", "echo aarch64");
    let build = lab.sandbox.path("target/device/aarch64");
    fs::create_dir_all(&build).unwrap();
    fs::rename(lab.sandbox.path("bin/graftd"), build.join("graftd")).unwrap();
    let json = lab.run("--device pi@board --frames 5 --rounds 2 --json").done().json();
    assert_plausible(&json);
    assert_eq!((&json["device"], &json["machine"]), (&"pi@board".into(), &"aarch64".into()));
    lab.assert_nothing_left();
    let log = fs::read_to_string(lab.sandbox.path("../ssh.log")).unwrap();
    // Connecting, three files, two starts of each, the frames, cleaning up.
    assert_eq!(log.lines().count(), 1 + 3 + 2 * 2 + 1 + 1, "{log}");
    assert!(log.lines().all(|line| line == "-o BatchMode=yes pi@board"), "{log}");
}

#[test]
fn without_a_build_for_the_board_the_cure_is_named() {
    let lab = Lab::new();
    lab.program("uname", "echo armv7l");
    let said = lab.run("--device board").refuses(&["make device", "--graftd"]);
    assert!(said.stderr.contains("target/device/armv7/graftd"), "{said}");
    lab.program("uname", "echo riscv64");
    lab.run("--device board").refuses(&["riscv64", "--graftd"]);
    lab.assert_nothing_left();
}

#[test]
fn what_ssh_and_graftd_complain_is_passed_on() {
    let lab = Lab::new();
    lab.program("graftd", "echo 'Illegal instruction of a newer processor' >&2; exit 132");
    let said = lab.run("--device board --graftd bin/graftd");
    said.refuses(&["board: cannot measure", "Illegal instruction of a newer processor"]);
    lab.program("graftd", "echo '{\"version\": 9}'");
    lab.run("--device board --graftd bin/graftd").refuses(&["another version"]);
    lab.assert_nothing_left();

    lab.program("ssh", "echo 'pi@board: Permission denied (publickey).' >&2; exit 255");
    let said = lab.run("--device pi@board --graftd bin/graftd");
    said.refuses(&["Permission denied (publickey)", "without a password"]);
    lab.program("ssh", "echo x86_64; echo /tmp");
    lab.run("--device board --graftd bin/graftd").refuses(&["\"/tmp\"", "a new folder"]);
    lab.assert_nothing_left();
}

#[test]
fn a_host_is_never_an_option_of_ssh() {
    let lab = Lab::new();
    let said = lab.run("--device=-oProxyCommand=true");
    said.refuses(&["does not begin with '-'"]);
    assert!(!lab.sandbox.path("../ssh.log").exists(), "ssh was run");
}

#[test]
fn a_model_that_the_engine_alone_refuses_leaves_the_bundles_numbers() {
    let lab = Lab::new();
    let refusal = r#"{"stock":{"refused":{"why":"it has no operator Sparkle"}}}"#;
    let script = format!(
        "shift\ncase \"$*\" in *--shape*) echo '{refusal}'; exit;; esac\nexec '{}' bench-process \"$@\"",
        graft().display()
    );
    lab.program("graftd", &script);
    let line = "--device board --graftd bin/graftd --frames 3 --rounds 2";
    let json = lab.run(&format!("{line} --json")).done().json();
    assert_eq!(json["stock_problem"], "it has no operator Sparkle");
    for nothing in ["/ratios", "/latency/stock", "/start/stock", "/logits_max_abs_diff"] {
        assert_eq!(json.pointer(nothing), Some(&Value::Null), "{nothing} in {json:#}");
    }
    assert!(number(&json, "/latency/bundle/p50_ms") > 0.0);
    let said = lab.run(line).done();
    assert!(said.stdout.contains("it has no operator Sparkle"), "{said}");

    // On a board its panics end the process.
    lab.program("graftd", &script.replace(&format!("echo '{refusal}'; exit"), "kill -ABRT $$"));
    let problem = lab.run(&format!("{line} --json")).done().json()["stock_problem"].clone();
    assert!(problem.as_str().is_some_and(|why| why.contains("134")), "{problem}");
}

#[test]
fn the_engines_refusal_of_a_real_file_is_a_result() {
    let sandbox = Sandbox::new();
    sandbox.write("none.onnx", "no protobuf");
    let alone = |name: &str| {
        let arguments = ["bench-process", "--onnx", name, "--shape", "1,3,32,32"];
        run(&mut sandbox.graft_alone(arguments))
    };
    let why = &alone("none.onnx").done().json()["stock"]["refused"]["why"];
    assert!(why.as_str().is_some_and(|why| why.contains("refused")), "{why}");
    alone("missing.onnx").refuses(&["cannot read missing.onnx"]);
}

#[test]
fn ctrl_c_ends_what_was_started_and_leaves_nothing() {
    let lab = Lab::new();
    for line in ["", "--device board --graftd"] {
        let mut graft = lab.graft(line);
        if !line.is_empty() {
            graft.arg(lab.sandbox.path("bin/graftd"));
        }
        graft.args(["--rounds", "1", "--frames", "1000000"]);
        let mut graft = graft.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut timing = Vec::new();
        while timing.is_empty() {
            assert!(graft.try_wait().unwrap().is_none(), "it ended before it was interrupted");
            std::thread::sleep(Duration::from_millis(20));
            timing = timing_processes(&lab.temporary());
        }
        run(Command::new("kill").args(["-INT", &graft.id().to_string()])).done();
        Said::of(graft.wait_with_output().unwrap(), "SIGINT".to_owned()).exits(130);
        // The end of a process that is not ours to wait for takes its time.
        let patience = Instant::now();
        while !timing_processes(&lab.temporary()).is_empty() {
            assert!(patience.elapsed() < Duration::from_secs(10), "it still runs");
            std::thread::sleep(Duration::from_millis(20));
        }
        lab.assert_nothing_left();
    }
}

/// Processes that time frames with a file in this folder.
fn timing_processes(folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line);
        let arguments: Vec<&str> = line.split('\0').collect();
        let times = arguments.contains(&"bench-process") && arguments.contains(&"1000000");
        (times && line.contains(folder)).then_some(number)
    });
    processes.collect()
}
