//! C programs: compiling and running them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::firmware;

/// A compiler, and what runs its programs.
pub struct Machine {
    pub compiler: &'static str,
    /// An emulator with its arguments; empty for this machine.
    pub emulator: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    /// libgraft_runtime.a, all else as the compiler likes.
    Archive,
    /// libgraft_runtime.a and nothing shared at all.
    Static,
    /// libgraft_runtime.so.
    Shared,
}

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

impl Machine {
    pub fn host() -> Machine {
        Machine { compiler: "cc", emulator: Vec::new() }
    }

    /// Compiles one source file below `firmware/c` into `folder`.
    pub fn compile(
        &self,
        source: &str,
        (prefix, linking): (&Path, Linking),
        flags: &[&str],
        folder: &Path,
    ) -> PathBuf {
        let source = firmware("c").join(source);
        let stem = source.file_stem().expect("a source has a name").to_string_lossy();
        let program = folder.join(format!("{stem}-{linking:?}{}", flags.concat()));
        let package = |arguments: &[&str]| flags_of_package(prefix, arguments);
        let mut compile = Command::new(self.compiler);
        compile.args(WARNINGS).args(["-std=c11", "-O1", "-g", "-pthread"]).args(flags);
        compile.args(package(&["--cflags"])).arg(&source).arg("-o").arg(&program);
        match linking {
            Linking::Shared => {
                let rpath = format!("-Wl,-rpath,{}", prefix.join("lib").display());
                compile.args(package(&["--libs"])).arg(rpath);
            }
            Linking::Static => {
                compile.arg("-static").args(package(&["--static", "--libs"]));
            }
            Linking::Archive => {
                // By its file, as -lgraft_runtime takes the shared one.
                let archive = prefix.join("lib/libgraft_runtime.a").display().to_string();
                let libraries = package(&["--static", "--libs"]);
                compile.args(libraries.iter().map(|flag| match flag.as_str() {
                    "-lgraft_runtime" => &archive,
                    _ => flag,
                }));
            }
        }
        run(&mut compile);
        program
    }

    /// Runs a program; it may fail.
    pub fn start(&self, program: &Path, arguments: &[String]) -> Output {
        let mut command = match self.emulator.split_first() {
            None => Command::new(program),
            Some((emulator, options)) => {
                let mut command = Command::new(emulator);
                command.args(options).arg(program);
                command
            }
        };
        command.args(arguments).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

fn flags_of_package(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let output = run(Command::new("pkg-config")
        .args(arguments)
        .arg("graft")
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        // A cross compiler's are this machine's too.
        .env("PKG_CONFIG_ALLOW_CROSS", "1"));
    output.split_whitespace().map(str::to_owned).collect()
}

/// Runs a tool, which must be there and succeed, and returns what it says.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}: install it to run the C tests", command.get_program().display())
    });
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("tools speak UTF-8")
}
