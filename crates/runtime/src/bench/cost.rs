//! What a process costs, as the kernel counts it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::BenchError;

/// What a step took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// On the clock.
    pub wall_ms: f64,
    /// Of all threads of the process. It hardly changes when others use the
    /// machine too.
    pub cpu_ms: f64,
}

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Before anything was read: the program itself.
    pub program_bytes: u64,
    /// After the first answer.
    pub steady_bytes: u64,
    /// Of these, what is in no file: the system can take it back only to swap it.
    /// Nothing on a kernel before 4.5.
    pub anonymous_bytes: Option<u64>,
    /// The most until then.
    pub peak_bytes: u64,
}

impl Memory {
    /// Of a process that held `program_bytes` before it read anything.
    pub(super) fn now(program_bytes: u64) -> Result<Memory, BenchError> {
        let status = status()?;
        let anonymous_bytes = kilobytes(&status, "RssAnon").map(|kilobytes| kilobytes * 1024);
        let (steady_bytes, peak_bytes) = (bytes(&status, RESIDENT)?, bytes(&status, MOST)?);
        Ok(Memory { program_bytes, steady_bytes, anonymous_bytes, peak_bytes })
    }
}

/// Runs from where it was made.
#[derive(Clone, Copy)]
pub(super) struct Meter {
    wall: Instant,
    cpu: Duration,
}

impl Meter {
    pub(super) fn start() -> Meter {
        Meter { wall: Instant::now(), cpu: processor_time() }
    }

    pub(super) fn read(&self) -> Cost {
        Cost {
            wall_ms: millis(self.wall.elapsed()),
            cpu_ms: millis(processor_time().saturating_sub(self.cpu)),
        }
    }

    /// What the process had used when the meter was made.
    pub(super) fn before_ms(&self) -> f64 {
        millis(self.cpu)
    }
}

pub(super) fn metered<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Cost), E> {
    let meter = Meter::start();
    let done = work()?;
    Ok((done, meter.read()))
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // The kernel gives neither a negative time nor a second of nanoseconds.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

const STATUS: &str = "/proc/self/status";

/// Resident memory now, and the most so far.
const RESIDENT: &str = "VmRSS";
const MOST: &str = "VmHWM";

/// Resident memory now.
pub(super) fn resident_bytes() -> Result<u64, BenchError> {
    bytes(&status()?, RESIDENT)
}

fn status() -> Result<String, BenchError> {
    std::fs::read_to_string(STATUS)
        .map_err(|source| BenchError::Read { path: STATUS.into(), source })
}

fn bytes(status: &str, field: &'static str) -> Result<u64, BenchError> {
    let kilobytes = kilobytes(status, field).ok_or(BenchError::Status { field })?;
    Ok(1024 * kilobytes)
}

fn kilobytes(status: &str, field: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    rest.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_its_names() {
        // proc_pid_status(5).
        let status = "Name:\tgraftd\nVmPeak:\t  131168 kB\nVmHWM:\t   13484 kB\nVmRSS:\t   10484 kB\nThreads:\t1\n";
        assert_eq!(kilobytes(status, "VmHWM"), Some(13_484));
        assert_eq!(kilobytes(status, "VmRSS"), Some(10_484));
        assert_eq!(kilobytes(status, "VmSwap"), None);
        assert_eq!(kilobytes(status, "Threads"), None, "it is no size");
    }

    #[test]
    fn memory_that_is_touched_is_seen() {
        let before = resident_bytes().expect("Linux tells");
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = Memory::now(before).expect("Linux tells");
        assert!(after.steady_bytes >= before + (60 << 20), "{before} then {after:?}");
        assert!(after.anonymous_bytes.is_some_and(|bytes| bytes >= 60 << 20), "{after:?}");
        assert!(after.peak_bytes >= after.steady_bytes);
        drop(touched);
        // Not the same to the page: the kernel counts on each processor by itself.
        let later = Memory::now(before).expect("Linux tells");
        assert!(later.peak_bytes >= before + (60 << 20), "{before} then {later:?}");
    }
}
