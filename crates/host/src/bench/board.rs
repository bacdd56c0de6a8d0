//! A board that OpenSSH's client knows, with the user's own configuration.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use graft_runtime::bench::{Measured, Task};

use super::process::{self, ProcessError};
use super::{BenchError, Files, Graftd, Watch};
use crate::progress::Event;

/// What ssh calls a machine. It never begins with `-`, so that ssh does not take
/// it for an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// No name of a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// Nothing, or white space in it.
    #[error("a host's name is not empty and has no white space")]
    Blank,
    /// It would be an option of ssh.
    #[error("a host's name does not begin with '-'")]
    Option,
}

/// What is being done with a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asking for its processor and making a folder.
    Connect,
    /// Copying the program.
    CopyGraftd,
    /// Copying the bundle.
    CopyBundle,
    /// Copying the ONNX model.
    CopyOnnx,
    /// Running the program.
    Measure,
    /// Removing the folder.
    CleanUp,
}

/// A board with a fresh folder of ours on it.
pub(super) struct Board<'a> {
    ssh: &'a Path,
    host: &'a HostName,
    scratch: &'a Path,
    /// Checked: it needs no quotes.
    folder: String,
    /// As `uname -m` says.
    pub(super) machine: String,
}

/// Makes a folder in memory or on disk, wherever the board keeps such.
const OPEN: &str = r#"uname -m && mktemp -d "${TMPDIR:-/tmp}/graft-bench.XXXXXX""#;

impl<'a> Board<'a> {
    pub(super) fn open(
        ssh: &'a Path,
        host: &'a HostName,
        scratch: &'a Path,
        watch: &mut Watch<'_>,
    ) -> Result<Board<'a>, BenchError> {
        let mut board = Board { ssh, host, scratch, folder: String::new(), machine: String::new() };
        let said = board.tell(Step::Connect, OPEN, Stdio::null(), watch)?;
        // The last two: a greeting may stand before them.
        let mut lines = said.trim_end().lines().rev();
        let folder = lines.next().unwrap_or_default().trim();
        if !is_plain_path(folder) {
            return Err(BenchError::Folder { host: host.clone(), said: folder.to_owned() });
        }
        board.folder = folder.to_owned();
        board.machine = lines.next().unwrap_or_default().trim().to_owned();
        Ok(board)
    }

    /// Copies the program and what it opens; says where it lies there.
    pub(super) fn bring(
        &self,
        graftd: Graftd<'_>,
        files: &Files,
        watch: &mut Watch<'_>,
    ) -> Result<Files, BenchError> {
        let graftd = match graftd {
            Graftd::File(path) => path.to_owned(),
            Graftd::In { builds, program } => {
                let folder = build_for(&self.machine).ok_or_else(|| BenchError::NoBuild {
                    host: self.host.clone(),
                    machine: self.machine.clone(),
                })?;
                builds.join(folder).join(program)
            }
        };
        self.copy(Step::CopyGraftd, &graftd, "graftd", watch)?;
        self.copy(Step::CopyBundle, &files.bundle, "bundle.graft", watch)?;
        self.copy(Step::CopyOnnx, &files.onnx, "model.onnx", watch)?;
        let there = |name| PathBuf::from(self.there(name));
        let weights = PathBuf::from(&self.folder);
        Ok(Files { bundle: there("bundle.graft"), onnx: there("model.onnx"), weights })
    }

    /// Runs the program.
    pub(super) fn measure(
        &self,
        task: &Task,
        watch: &mut Watch<'_>,
    ) -> Result<Measured, BenchError> {
        // Our own paths and numbers: nothing in them wants quotes.
        let flags: Vec<_> = task.flags().iter().map(|f| f.to_string_lossy().into_owned()).collect();
        let (pid, graftd) = (self.there("pid"), self.there("graftd"));
        // Waited for by a shell, it can die of a signal and ssh still end well.
        let script = format!("{graftd} bench {} & echo $! > {pid}; wait $!", flags.join(" "));
        process::measured(&self.tell(Step::Measure, &script, Stdio::null(), watch)?)
    }

    /// Removes the folder, and ends the program if it was left running: ssh ends
    /// without it.
    pub(super) fn close(self) -> Result<(), BenchError> {
        let (folder, pid) = (&self.folder, self.there("pid"));
        // The number of a program that ended may be another's by now; no other
        // works on our folder. The program has nothing to tidy up.
        let script = format!(
            "p=$(cat {pid} 2>/dev/null); \
             if [ -n \"$p\" ] && grep -q -F {folder} /proc/$p/cmdline 2>/dev/null; \
             then kill -9 $p; fi; rm -rf {folder}"
        );
        // Ctrl-C was heard already; this must still be done.
        let mut on = |_: Event<'_>| std::ops::ControlFlow::Continue(());
        let mut watch = Watch { on: &mut on, done: 0 };
        self.tell(Step::CleanUp, &script, Stdio::null(), &mut watch).map(drop)
    }

    fn copy(
        &self,
        step: Step,
        from: &Path,
        name: &str,
        watch: &mut Watch<'_>,
    ) -> Result<(), BenchError> {
        let file = File::open(from)
            .map_err(|source| BenchError::Graftd { path: from.to_owned(), source })?;
        let to = self.there(name);
        let script = format!("cat > {to} && chmod 700 {to}");
        self.tell(step, &script, file.into(), watch).map(drop)
    }

    fn there(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Lets a POSIX shell there run a script that has no single quotes.
    fn tell(
        &self,
        step: Step,
        script: &str,
        stdin: Stdio,
        watch: &mut Watch<'_>,
    ) -> Result<String, BenchError> {
        let mut command = Command::new(self.ssh);
        // Nobody is there to type a password.
        command.args(["-o", "BatchMode=yes", &self.host.0]);
        // Whatever shell the user has there.
        command.arg(format!("sh -c '{script}'")).stdin(stdin);
        process::run(&mut command, self.scratch, watch).map_err(|source| match source {
            ProcessError::Stopped => BenchError::Cancelled,
            source => BenchError::Board { host: self.host.clone(), step, source },
        })
    }
}

/// The folder of builds for a processor, by the name that its kernel has for it.
fn build_for(machine: &str) -> Option<&'static str> {
    match machine {
        "aarch64" | "arm64" => Some("aarch64"),
        "armv7l" | "armv8l" => Some("armv7"),
        _ => None,
    }
}

/// It is removed with all that is in it: it must be what it seems.
fn is_plain_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    path.starts_with('/')
        && path.bytes().all(plain)
        && !path.split('/').any(|part| part == "..")
        && path.rsplit('/').next().is_some_and(|name| name.starts_with("graft-bench."))
}

impl HostName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn new(name: impl Into<String>) -> Result<HostName, HostNameError> {
        let name = name.into();
        if name.is_empty() || name.contains(char::is_whitespace) {
            Err(HostNameError::Blank)
        } else if name.starts_with('-') {
            Err(HostNameError::Option)
        } else {
            Ok(HostName(name))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Connect => "make a folder there over ssh",
            Step::CopyGraftd => "copy graftd",
            Step::CopyBundle => "copy the bundle",
            Step::CopyOnnx => "copy the bundle's ONNX model",
            Step::Measure => "measure with graftd",
            Step::CleanUp => "remove the folder graft-bench.* there",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_no_option_of_ssh() {
        for good in ["board", "pi@10.0.0.7", "[fe80::1%eth0]", "ssh://pi@board:2222"] {
            assert_eq!(HostName::new(good).map(|h| h.0), Ok(good.to_owned()));
        }
        assert_eq!(HostName::new("-oProxyCommand=x"), Err(HostNameError::Option));
        for blank in ["", " ", "a b", "a\nb"] {
            assert_eq!(HostName::new(blank), Err(HostNameError::Blank), "{blank:?}");
        }
    }

    #[test]
    fn only_a_folder_of_ours_is_ever_removed() {
        for good in ["/tmp/graft-bench.a8Bc3d", "/run/user/1000/graft-bench.XYZ"] {
            assert!(is_plain_path(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "/tmp",
            "graft-bench.abc",
            "/tmp/graft-bench.a b",
            "/tmp/graft-bench.a;b",
            "/tmp/graft-bench.$(x)",
            "/tmp/../graft-bench.a",
            "/tmp/graft-bench.a/",
        ] {
            assert!(!is_plain_path(bad), "{bad}");
        }
    }
}
