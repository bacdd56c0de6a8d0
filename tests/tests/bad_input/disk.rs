//! A folder on a disk that is full or read-only, with a file in it that is worth
//! keeping.
//!
//! Both are file systems in memory, mounted in name spaces of their own, which
//! need no privilege where the system allows them. Where it does not, a limit on
//! the size of files stands for the full disk, and /proc for the read-only one.

use std::fs;
use std::process::Command;

use graft_tests::sandbox::{Sandbox, run};

#[derive(Clone, Copy, PartialEq)]
pub enum Disk {
    Full,
    ReadOnly,
}

/// Mounts $1, fills it or seals it, and runs the rest in it. What is there
/// afterwards is listed, and the file that is to be kept copied out, beside it.
const MOUNTED: &str = r#"
set -e
disk=$1 how=$2 kept=$3; shift 3
mount -t tmpfs -o size=64k none "$disk"
cp "$kept" "$disk/$kept"
ln -s ../photos "$disk/photos"
case $how in
  full) cat /dev/zero > "$disk/filler" 2>/dev/null || true ;;
  sealed) mount -o remount,ro "$disk" ;;
esac
cd "$disk"
set +e
"$@"
status=$?
ls -A > ../after.txt
cp "$kept" ../kept-there
exit $status
"#;

/// No file above a kilobyte: EFBIG where a full disk says ENOSPC.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -f 1; exec "$@""#;

/// Runs a command that writes the file `kept` in a folder on such a disk, where
/// one is already: it must be refused, keep that file and leave no other.
#[track_caller]
pub fn refuses(sandbox: &Sandbox, disk: Disk, command: &Command, kept: &str) {
    let cure = match disk {
        Disk::Full => "free some space",
        Disk::ReadOnly => "choose a folder that can be written",
    };
    if !can_mount(sandbox) {
        return refuses_without_mounts(sandbox, disk, command, kept);
    }
    let folder = sandbox.path("disk");
    fs::create_dir_all(&folder).unwrap();
    let how = if disk == Disk::Full { "full" } else { "sealed" };
    let mut unshare = like(sandbox, command, "unshare");
    unshare.args(["-rm", "bash", "-c", MOUNTED, "bash"]).arg(&folder).args([how, kept]);
    unshare.arg(command.get_program()).args(command.get_args());
    let said = run(&mut unshare).refuses(&["cannot write", kept, cure]);
    let after = fs::read_to_string(sandbox.path("after.txt")).unwrap();
    let mut expected = vec![kept, "photos"];
    expected.extend((disk == Disk::Full).then_some("filler"));
    expected.sort_unstable();
    let mut after: Vec<&str> = after.lines().collect();
    after.sort_unstable();
    assert_eq!(after, expected, "{said}");
    let there = fs::read(sandbox.path("kept-there")).unwrap();
    assert!(there == fs::read(sandbox.path(kept)).unwrap(), "{said}");
}

fn can_mount(sandbox: &Sandbox) -> bool {
    let mut unshare = sandbox.command("unshare");
    let mount = "mount -t tmpfs -o size=64k none .";
    let result = unshare.args(["-rm", "bash", "-c", mount]).output();
    result.is_ok_and(|output| output.status.success())
}

#[track_caller]
fn refuses_without_mounts(sandbox: &Sandbox, disk: Disk, command: &Command, kept: &str) {
    let mut other;
    match disk {
        Disk::Full => {
            other = like(sandbox, command, "bash");
            other.args(["-c", LIMITED, "bash"]).arg(command.get_program()).args(command.get_args());
            // Features are files too; it is the result that is to fail.
            if command.get_args().any(|a| a == "train") {
                other.arg("--no-cache");
            }
        }
        Disk::ReadOnly => {
            other = like(sandbox, command, command.get_program());
            let elsewhere = format!("/proc/{kept}");
            let there = std::ffi::OsStr::new(&elsewhere);
            other.args(command.get_args().map(|a| if a == kept { there } else { a }));
        }
    }
    crate::refuses(sandbox, &mut other, &["cannot write", kept]);
}

/// Another program in the environment of a command.
fn like(sandbox: &Sandbox, command: &Command, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut other = sandbox.command(program);
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other
}
