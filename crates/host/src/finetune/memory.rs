//! What a fine-tuning takes of memory, and what there is.

use graft_onnx::TrainingStep;

use crate::memory::available;

/// What a process grows by, as a multiple of what can be counted: ONNX Runtime's arena
/// grows in powers of two and gives nothing back, and the sessions that judge an epoch
/// have one each. Measured with MobileNetV2: 766 MB for 346 (all of it, batches of 8) and
/// 238 for 124 (`last:5`, batches of 32).
const HELD: u64 = 2;

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

    /// All of it, and what ONNX Runtime holds beside it.
    pub fn needed_bytes(&self) -> u64 {
        let counted =
            self.step_bytes.saturating_add(self.state_bytes).saturating_add(self.batch_bytes);
        counted.saturating_mul(HELD)
    }
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
        assert!(of(Some(200)).fits() && of(None).fits() && !of(Some(199)).fits());
        let huge = Memory { step_bytes: u64::MAX, ..of(Some(1 << 40)) };
        assert!(!huge.fits());
        assert!(available().is_some_and(|bytes| bytes > 1 << 20), "Linux says what it has");
    }
}
