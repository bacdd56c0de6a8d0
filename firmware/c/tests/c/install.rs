//! The library as a user has it: a folder with include/, lib/ and lib/pkgconfig/.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use tempfile::TempDir;

use crate::firmware;
use crate::programs::run;

/// What this machine's programs link: built, installed, once.
pub fn host() -> &'static Path {
    static INSTALLED: OnceLock<TempDir> = OnceLock::new();
    INSTALLED.get_or_init(|| install(&built())).path()
}

/// The folder of this machine's libraries.
///
/// A C library is nothing that a test can depend on, so `cargo test` alone does
/// not make it. GRAFT_C_LIBRARIES names a folder where it is made already: one
/// build of the whole workspace shares the engine with its tests, and a build of
/// this package alone compiles it again, with fewer features.
fn built() -> PathBuf {
    if let Some(folder) = env::var_os("GRAFT_C_LIBRARIES") {
        // Tests run in their package's folder, and it may be named from the root.
        return firmware("..").join(folder);
    }
    let test = env::current_exe().expect("a test knows its own path");
    // TARGET/PROFILE/deps/TEST
    let profile = test.ancestors().nth(2).expect("cargo keeps tests two folders down");
    let target = profile.parent().expect("cargo keeps profiles in the target folder");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    run(Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "graft-c", "--lib", "--profile", name])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR")));
    profile.to_owned()
}

fn install(built: &Path) -> TempDir {
    let prefix = tempfile::tempdir().expect("there is room for links");
    let (library, include) = (prefix.path().join("lib"), prefix.path().join("include"));
    fs::create_dir_all(library.join("pkgconfig")).expect("a folder in a new one");
    fs::create_dir(&include).expect("a folder in a new one");
    for (name, installed) in [
        ("libgraft_runtime.a", "libgraft_runtime.a"),
        ("libgraft_runtime.so", "libgraft_runtime.so"),
        // What programs that were linked ask for.
        ("libgraft_runtime.so", "libgraft_runtime.so.0"),
    ] {
        let built = built.join(name);
        assert!(built.exists(), "{} was not built", built.display());
        symlink(built, library.join(installed)).expect("a link in a new folder");
    }
    fs::copy(firmware("include/graft.h"), include.join("graft.h")).expect("the header is there");
    let pc = fs::read_to_string(firmware("c/graft.pc.in")).expect("the template is there");
    let pc = pc.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    fs::write(library.join("pkgconfig/graft.pc"), pc).expect("a file in a new folder");
    prefix
}
