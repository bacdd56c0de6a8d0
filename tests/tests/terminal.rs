//! Progress is for terminals: elsewhere standard error has notes and errors and
//! nothing else.

use graft_tests::sandbox::{Said, Sandbox, graft, onnx_runtime, run, tiny_model};

const TRAIN: [&str; 5] = ["train", "photos", "--no-cache", "--output", "task.graft"];

#[test]
fn nothing_is_on_standard_error_when_nobody_watches_and_all_is_well() {
    let sandbox = Sandbox::with_photos(12);
    let train = run(&mut sandbox.graft(TRAIN)).done();
    assert_eq!(train.stderr, "");
    assert!(!train.stdout.contains(['\r', '\x1b']), "{train}");
    for line in ["compare task.graft photos", "predict task.graft photos/leaf/0000.png"] {
        let said = sandbox.run(line).done();
        assert_eq!(said.stderr, "");
        assert!(!said.stdout.contains(['\r', '\x1b']), "{said}");
    }
}

#[test]
fn a_terminal_sees_the_bar() {
    let sandbox = Sandbox::with_photos(12);
    let watched = |words: &[&str]| {
        // A terminal of 100 columns, standard output apart, as a person has it
        // who writes `graft train … > result.txt`.
        let terminal = "import fcntl, os, pty, struct, subprocess, sys, termios\n\
             seen, screen = pty.openpty()\n\
             fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0))\n\
             child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=screen)\n\
             os.close(screen)\n\
             try:\n    \
                 while part := os.read(seen, 4096): sys.stdout.buffer.write(part)\n\
             except OSError: pass\n\
             sys.exit(child.wait())\n";
        let mut python = sandbox.command("python3");
        python.args(["-c", terminal]).arg(graft()).args(TRAIN).args(words);
        python.env("ORT_DYLIB_PATH", onnx_runtime()).env("TERM", "xterm");
        run(&mut python).done().stdout
    };
    let screen = watched(&[]);
    for part in ["features", "photos", "left"] {
        assert!(screen.contains(part), "{part} is not in {screen:?}");
    }
    assert_eq!(watched(&["--quiet"]), "");
}

#[test]
fn quiet_says_no_notes_and_all_errors() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.write("photos/leaf/broken.png", "no picture");
    let said = sandbox.train("photos", "--output task.graft").done();
    assert!(said.stderr.contains("skipped photos/leaf/broken.png"), "{said}");
    let said = sandbox.train("photos", "--output task.graft --quiet").done();
    assert_eq!(said.stderr, "");
    sandbox.run("predict --quiet nowhere.graft x.png").refuses(&["nowhere.graft"]);
}

/// `graft models add` of the tiny network, and what a person at a terminal types when
/// asked: pairs of a question's end and what follows, as Python writes them.
fn add_at_a_terminal(sandbox: &Sandbox, answers: &str) -> Said {
    let terminal = "import ast, os, pty, sys\n\
         answers = ast.literal_eval(sys.argv[1])\n\
         pid, screen = pty.fork()\n\
         if pid == 0: os.execv(sys.argv[2], sys.argv[2:])\n\
         seen = fresh = b''\n\
         try:\n    \
             while part := os.read(screen, 4096):\n        \
                 seen += part; fresh += part\n        \
                 if answers and fresh.endswith(answers[0][0]):\n            \
                     os.write(screen, answers.pop(0)[1]); fresh = b''\n\
         except OSError: pass\n\
         sys.stdout.buffer.write(seen)\n\
         sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let mut python = sandbox.command("python3");
    python.args(["-c", terminal, answers]).arg(graft()).args(["models", "add"]);
    python.arg(tiny_model().join("tiny.onnx"));
    run(&mut python)
}

#[test]
fn a_person_is_asked_for_what_the_graph_does_not_show() {
    // Nonsense first, then the third preset, then a licence.
    let answers =
        "[(b'1 to 7: ', b'0\\n'), (b'1 to 7: ', b'3\\n'), (b'sentence: ', b'CC0-1.0\\n')]";
    let sandbox = Sandbox::new();
    let screen = add_at_a_terminal(&sandbox, answers).done().stdout;
    for part in [
        "input   images",
        "go into the first layer as they are given",
        "4 classes",
        "must be a number from 1 to 7",
    ] {
        assert!(screen.contains(part), "{part} is not in {screen:?}");
    }
    let json = sandbox.run("models list --json").done().json();
    let models = json["models"].as_array().unwrap();
    let added = models.iter().find(|m| m["name"] == "tiny").unwrap();
    assert_eq!(added["licence"], "CC0-1.0");
    assert_eq!(added["input"]["scale"], 127.5);
    assert_eq!(added["input"]["mean"], serde_json::json!([1.0, 1.0, 1.0]));
}

/// At the first question, and at the last, in the middle of an answer.
#[test]
fn ctrl_c_at_a_question_adds_nothing() {
    for answers in [
        "[(b'1 to 7: ', b'\\x03')]",
        "[(b'1 to 7: ', b'3\\n'), (b'sentence: ', b'CC0'), (b'CC0', b'\\x03')]",
    ] {
        let sandbox = Sandbox::new();
        let said = add_at_a_terminal(&sandbox, answers).exits(130);
        assert!(said.stdout.contains("stopped"), "{said}");
        assert!(!sandbox.data().join("models/tiny").exists());
    }
}
