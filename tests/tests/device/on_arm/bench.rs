//! `graft bench --device`, where the board is a false `ssh` and an emulated
//! processor: the graftd that is built measures, graft reads what it says. The
//! times are the emulator's and mean nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use graft_tests::sandbox::{Sandbox, repository, run};

use super::{emulated, processors};

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a program can be written");
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, all).expect("it can be made a program");
}

#[test]
fn every_processor_is_measured_beside_the_engine_alone() {
    let bundle = repository().join("crates/runtime/tests/fixtures/tiny.graft");
    let sandbox = Sandbox::new();
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).expect("a folder can be made");
    program(&bin.join("ssh"), "for command; do :; done\nexec sh -c \"$command\"");
    let path = std::env::var("PATH").expect("there is a PATH");
    let path = format!("{}:{path}", bin.display());

    for (arch, cpu) in processors() {
        program(&bin.join("uname"), &format!("echo {}", arch.folder()));
        let emulated = emulated(arch, &cpu, "graftd");
        let words = std::iter::once(emulated.get_program()).chain(emulated.get_args());
        let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
        let graftd = bin.join("graftd");
        program(&graftd, &format!("exec {} \"$@\"", words.join(" ")));

        let mut bench = sandbox.graft_alone(["bench"]);
        bench.arg(&bundle).args(["--device", "board", "--frames", "2", "--rounds", "1", "--json"]);
        let json = run(bench.arg("--graftd").arg(&graftd).env("PATH", &path)).done().json();
        assert_eq!(json["device"], "board");
        assert_eq!(json["machine"], arch.folder(), "{cpu}");
        assert_eq!(json["frames"], 2);
        // That they say the same is more than that both ran.
        let difference = json["logits_max_abs_diff"].as_f64();
        assert!(difference.is_some_and(|largest| largest <= 1e-4), "{cpu}: {json:#}");
        for ratio in ["latency", "open_cpu", "peak_memory", "steady_memory"] {
            let ratio = json["ratios"][ratio].as_f64();
            assert!(ratio.is_some_and(|ratio| ratio > 0.0), "{cpu}: {json:#}");
        }
    }
}
