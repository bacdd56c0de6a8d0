//! What the kernel says about the board: memory, heat, and whether it is being
//! slowed down for it. What it does not say is left out.

use std::fs;
use std::path::{Path, PathBuf};

/// A reading with where it is from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub place: String,
    pub value: f64,
}

/// Resident memory of this process, in bytes.
pub(super) fn resident_bytes(proc: &Path) -> Option<u64> {
    let status = fs::read_to_string(proc.join("self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// Degrees Celsius of each thermal zone.
pub(super) fn temperatures(sys: &Path) -> Vec<Reading> {
    // In thousandths of a degree.
    readings(&sys.join("class/thermal"), "thermal_zone", |zone| {
        Some(Reading { place: text(zone, "type")?, value: number(zone, "temp")? / 1000.0 })
    })
}

/// How far each cooling device is on, from 0 to 1. A processor that is a cooling
/// device is one that is being slowed down.
pub(super) fn cooling(sys: &Path) -> Vec<Reading> {
    readings(&sys.join("class/thermal"), "cooling_device", |device| {
        let most = number(device, "max_state")?;
        let value = if most > 0.0 { number(device, "cur_state")? / most } else { 0.0 };
        Some(Reading { place: text(device, "type")?, value })
    })
}

/// What each processor is allowed to run at, of what it could: below 1 it is
/// being slowed down, by heat or by somebody's choice.
pub(super) fn frequency_limits(sys: &Path) -> Vec<Reading> {
    readings(&sys.join("devices/system/cpu"), "cpu", |cpu| {
        let frequency = cpu.join("cpufreq");
        let value =
            number(&frequency, "scaling_max_freq")? / number(&frequency, "cpuinfo_max_freq")?;
        Some(Reading { place: String::new(), value })
    })
}

/// Reads each folder `NAMEnumber`, in the order of numbers; its name and what it
/// says of itself are the place.
fn readings(folder: &Path, name: &str, read: impl Fn(&Path) -> Option<Reading>) -> Vec<Reading> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(name)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort_unstable();
    found
        .iter()
        .filter_map(|(number, path)| {
            let Reading { place, value } = read(path).filter(|found| found.value.is_finite())?;
            let place = match place.as_str() {
                "" => format!("{name}{number}"),
                kind => format!("{name}{number} {kind}"),
            };
            Some(Reading { place, value })
        })
        .collect()
}

fn text(folder: &Path, file: &str) -> Option<String> {
    Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned())
}

fn number(folder: &Path, file: &str) -> Option<f64> {
    text(folder, file)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As a Raspberry Pi 4 shows them, with a zone that is broken.
    #[test]
    fn readings_are_those_of_sysfs() {
        let sys = tempfile::tempdir().unwrap();
        let at = |path: &str| sys.path().join(path);
        write(&at("class/thermal/thermal_zone0/type"), "cpu-thermal\n");
        write(&at("class/thermal/thermal_zone0/temp"), "61342\n");
        write(&at("class/thermal/thermal_zone1/type"), "broken\n");
        write(&at("class/thermal/cooling_device0/type"), "cpufreq-cpu0\n");
        write(&at("class/thermal/cooling_device0/cur_state"), "1\n");
        write(&at("class/thermal/cooling_device0/max_state"), "4\n");
        write(&at("devices/system/cpu/cpu0/cpufreq/scaling_max_freq"), "900000\n");
        write(&at("devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), "1800000\n");
        write(&at("devices/system/cpu/cpufreq/boost"), "0\n");

        let reading = |place: &str, value| vec![Reading { place: place.to_owned(), value }];
        assert_eq!(temperatures(sys.path()), reading("thermal_zone0 cpu-thermal", 61.342));
        assert_eq!(cooling(sys.path()), reading("cooling_device0 cpufreq-cpu0", 0.25));
        assert_eq!(frequency_limits(sys.path()), reading("cpu0", 0.5));
    }

    #[test]
    fn a_board_that_says_nothing_is_no_error() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(temperatures(empty.path()), []);
        assert_eq!(resident_bytes(empty.path()), None);
    }

    #[test]
    fn this_process_has_memory() {
        let bytes = resident_bytes(Path::new("/proc")).unwrap();
        assert!((1 << 20..1 << 34).contains(&bytes), "{bytes}");
    }
}
