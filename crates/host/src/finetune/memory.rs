//! What a fine-tuning takes of memory, and what there is.

use graft_onnx::TrainingStep;

/// What a step takes at its peak, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Of one step inside ONNX Runtime: activations, gradients, weights, moments.
    pub step_bytes: u64,
    /// Copies of weights and moments outside it, for the best and for checkpoints.
    pub state_bytes: u64,
    /// What is fed to it: two batches.
    pub batch_bytes: u64,
    /// What the system can give, if it says.
    pub available_bytes: Option<u64>,
}

impl Memory {
    pub(super) fn of(step: &TrainingStep) -> Memory {
        let bytes = |shape: &[usize]| 4 * shape.iter().product::<usize>() as u64;
        let state: u64 = step.state.iter().map(|one| bytes(&one.shape)).sum();
        Memory {
            step_bytes: step.peak_bytes,
            // The best weights, a copy of all, and the file that is made of it.
            state_bytes: 3 * state,
            batch_bytes: 2 * (bytes(&step.examples.shape) + bytes(&step.targets.shape)),
            available_bytes: available(),
        }
    }

    /// Whether there is that much, as far as the system says.
    pub(super) fn fits(&self) -> bool {
        self.available_bytes.is_none_or(|available| self.needed_bytes() <= available)
    }

    /// All of it.
    pub fn needed_bytes(&self) -> u64 {
        self.step_bytes.saturating_add(self.state_bytes).saturating_add(self.batch_bytes)
    }
}

/// What can be had without pushing anything out: the system's own estimate, or
/// less where a control group allows less.
fn available() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let system = read("/proc/meminfo").and_then(|text| of_meminfo(&text));
    let limit = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    let used = read("/sys/fs/cgroup/memory.current").and_then(|text| text.trim().parse().ok());
    let group = match (limit, used) {
        (Some(limit), Some(used)) => Some(u64::saturating_sub(limit, used)),
        _ => None,
    };
    match (system, group) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
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
    fn what_does_not_fit_is_seen() {
        let of = |available_bytes| Memory {
            step_bytes: 70,
            state_bytes: 20,
            batch_bytes: 10,
            available_bytes,
        };
        assert!(of(Some(100)).fits() && of(None).fits() && !of(Some(99)).fits());
        let huge = Memory { step_bytes: u64::MAX, ..of(Some(1 << 40)) };
        assert!(!huge.fits());
        assert!(available().is_some_and(|bytes| bytes > 1 << 20), "Linux says what it has");
    }

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
}
