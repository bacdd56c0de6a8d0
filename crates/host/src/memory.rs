//! What memory there is.

use std::path::Path;

/// What can be had without pushing anything out: the system's own estimate, or
/// less where a control group allows less.
pub fn available() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let system = read("/proc/meminfo").and_then(|text| of_meminfo(&text));
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let group = of_groups(&groups, Path::new("/sys/fs/cgroup"));
    [system, group].into_iter().flatten().min()
}

/// Names of one version of control groups.
struct Version {
    /// Below the mount point.
    folder: &'static str,
    limit: &'static str,
    used: &'static str,
    /// Pages of files, which are given up when somebody needs them.
    files: [&'static str; 2],
}

const VERSION_1: Version = Version {
    folder: "memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    files: ["total_inactive_file", "total_active_file"],
};

const VERSION_2: Version = Version {
    folder: "",
    limit: "memory.max",
    used: "memory.current",
    files: ["inactive_file", "active_file"],
};

/// What the narrowest of our groups leaves. `groups` is what /proc/self/cgroup says:
/// a line of `number:controllers:path` each.
fn of_groups(groups: &str, mounted: &Path) -> Option<u64> {
    let lines = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let version = match controllers {
            "" => VERSION_2,
            _ if controllers.split(',').any(|one| one == "memory") => VERSION_1,
            _ => return None,
        };
        Some((version, path.trim_start_matches('/')))
    });
    let rooms = lines.flat_map(|(version, path)| {
        let folder = mounted.join(version.folder);
        // A limit of a group holds for all groups in it. Where a container does not show
        // the upper ones, its own stands at the mount point.
        let own = Path::new(path).ancestors().map(|path| folder.join(path)).collect::<Vec<_>>();
        own.into_iter().filter_map(move |folder| room(&folder, &version))
    });
    rooms.min()
}

fn room(folder: &Path, version: &Version) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    // "max" is no number, and no limit.
    let limit: u64 = read(version.limit)?.trim().parse().ok()?;
    let used: u64 = read(version.used)?.trim().parse().ok()?;
    let of_files: u64 = read("memory.stat")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| version.files.contains(name))
        .filter_map(|(_, bytes)| bytes.parse::<u64>().ok())
        .sum();
    Some(limit.saturating_sub(used.saturating_sub(of_files)))
}

fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_system_says() {
        let text = "MemTotal:       16303348 kB\nMemFree:         1032204 kB\nMemAvailable:   11849332 kB\n";
        assert_eq!(of_meminfo(text), Some(11_849_332 * 1024));
        for wrong in [
            "",
            "MemAvailable: many kB",
            "MemAvailable: 5",
            "MemAvailable: 99999999999999999999 kB",
        ] {
            assert_eq!(of_meminfo(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_narrowest_control_group_counts_and_pages_of_files_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let of = |groups: &str| of_groups(groups, folder.path());
        assert_eq!(of("0::/user.slice/a.scope\n"), None, "none of them has a limit");
        write("user.slice/memory.max", "1000\n");
        write("user.slice/memory.current", "700\n");
        write("user.slice/memory.stat", "anon 300\ninactive_file 250\nactive_file 50\n");
        write("user.slice/a.scope/memory.max", "max\n");
        write("user.slice/a.scope/memory.current", "600\n");
        assert_eq!(of("0::/user.slice/a.scope\n"), Some(600));
        write("user.slice/a.scope/memory.max", "900\n");
        assert_eq!(of("0::/user.slice/a.scope\n"), Some(300));
        assert_eq!(of("0::/user.slice/b.scope\n"), Some(600));
        assert_eq!(of("0::/\n"), None);
        // A container that sees itself alone.
        write("memory/memory.limit_in_bytes", "500\n");
        write("memory/memory.usage_in_bytes", "450\n");
        write("memory/memory.stat", "inactive_file 1\ntotal_inactive_file 70\n");
        let old = "5:cpu,cpuacct:/x\n4:memory:/docker/0123\n0::/\n";
        assert_eq!(of(old), Some(120));
        for wrong in ["", ":", "0:", "0::", "memory", "1:memory"] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
