//! The real `graft` command in a place of its own: nothing of the person who
//! runs the tests is read or changed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in, and beside it a home with a cache and a data folder.
pub struct Sandbox {
    folder: TempDir,
}

/// What a run of `graft` said.
pub struct Said {
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    what: String,
}

impl Sandbox {
    /// An empty one.
    pub fn new() -> Sandbox {
        let folder = tempfile::Builder::new().prefix("graft-test-").tempdir();
        let sandbox = Sandbox { folder: folder.expect("a temporary folder can be made") };
        fs::create_dir(sandbox.work()).expect("a folder can be made");
        sandbox
    }

    /// One with the folder `photos` in it, `each` of two classes.
    pub fn with_photos(each: usize) -> Sandbox {
        let sandbox = Sandbox::new();
        crate::photos::clear_folder(&sandbox.path("photos"), each);
        sandbox
    }

    /// Where commands run.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A path in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work().join(name)
    }

    /// Where `graft` keeps features and the like.
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache").join("graft")
    }

    /// Where `graft` keeps models.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data").join("graft")
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).expect("a file can be written");
        path
    }

    /// A command that runs here, with nothing in its environment but what
    /// points here, and ONNX Runtime's library if `make setup` was run.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("XDG_DATA_HOME", self.folder.path().join("data"))
            .envs(["PATH", "TMPDIR"].into_iter().filter_map(|n| Some((n, std::env::var_os(n)?))));
        command
    }

    /// `graft` with these arguments, without ONNX Runtime.
    pub fn graft_alone<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(graft());
        command.args(arguments);
        command
    }

    /// `graft` with these arguments.
    pub fn graft<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.graft_alone(arguments);
        command.env("ORT_DYLIB_PATH", onnx_runtime());
        command
    }

    /// Runs `graft` with the words of a line.
    pub fn run(&self, line: &str) -> Said {
        run(&mut self.graft(line.split_whitespace()))
    }

    /// `graft train DATA` with the tiny network of the tests; more words follow.
    pub fn train(&self, data: &str, words: &str) -> Said {
        let mut command = self.graft(["train", data, "--model"]);
        command.arg(tiny_model()).args(words.split_whitespace());
        run(&mut command)
    }

    /// A bundle that tells the photos of [`Sandbox::with_photos`] apart.
    pub fn bundle(&self) -> PathBuf {
        self.train("photos", "--output task.graft --quiet").done();
        self.path("task.graft")
    }

    /// The same with a backbone of graft's own, which has large weights.
    pub fn bundle_of(&self, model: &str) -> PathBuf {
        let output = format!("{model}.graft");
        let arguments = ["train", "photos", "--model", model, "--output", &output, "--quiet"];
        run(&mut self.graft(arguments)).done();
        self.path(output)
    }

    /// Every file in the folder, with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.work())
    }

    /// No file of an interrupted write is left, in the folder or in the home.
    pub fn assert_no_remains(&self) {
        let paths = files(self.folder.path());
        let remains: Vec<_> =
            paths.keys().filter(|p| p.extension().is_some_and(|e| e == "part")).collect();
        assert!(remains.is_empty(), "left behind: {remains:?}");
    }
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox::new()
    }
}

impl Said {
    /// What a finished process said; `what` is for messages.
    pub fn of(output: Output, what: String) -> Said {
        let text = |bytes| String::from_utf8(bytes).expect("graft writes UTF-8");
        Said {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            what,
        }
    }

    /// It ended with this status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Said {
        assert_eq!(self.status, Some(status), "{self}");
        self
    }

    /// It did what it was asked for.
    #[track_caller]
    pub fn done(self) -> Said {
        self.exits(0)
    }

    /// It is an error, and standard error has all of these words.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) -> Said {
        let said = self.exits(2);
        for word in words {
            assert!(said.stderr.contains(word), "no {word:?} in: {said}");
        }
        assert!(!said.stderr.contains("panicked"), "{said}");
        said
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Said { status, stdout, stderr, what } = self;
        write!(f, "{what}\nstatus {status:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Said {
    let what = format!("{command:?}");
    let output = command.output().unwrap_or_else(|e| panic!("{what} does not start: {e}"));
    Said::of(output, what)
}

/// The `graft` that was built with these tests.
pub fn graft() -> PathBuf {
    // target/release/deps/the_test → target/release/graft
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().and_then(Path::parent).expect("tests are built two folders down");
    let program = folder.join("graft");
    assert!(
        program.is_file(),
        "there is no {}: build it with `make build`, with the profile of the tests",
        program.display()
    );
    program
}

/// ONNX Runtime's library, as the Makefile names it or as `make setup` leaves it.
pub fn onnx_runtime() -> PathBuf {
    let path = std::env::var_os("ORT_DYLIB_PATH")
        .map_or_else(|| repository().join(".deps/onnxruntime/libonnxruntime.so"), PathBuf::from);
    assert!(
        path.is_file(),
        "there is no ONNX Runtime at {}: run `make setup`, or name another with ORT_DYLIB_PATH",
        path.display()
    );
    path
}

/// The folder of the tiny network.
pub fn tiny_model() -> PathBuf {
    repository().join("models/tiny")
}

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures").join(name)
}

/// The root of the checkout.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// Every file below a folder, with its bytes; a link is what it points to.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder of the sandbox can be read").path();
            if path.is_dir() {
                pending.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                found.insert(path, bytes);
            }
        }
    }
    found
}
