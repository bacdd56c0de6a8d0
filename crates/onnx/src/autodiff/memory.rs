//! What a run of the step needs.

use std::collections::HashMap;

use super::emit::Emitter;
use super::step::StepState;

/// The greatest sum of bytes that live at once, nodes run in order and tensors
/// freed after their last reader; state lives twice, constants always.
pub(super) fn peak(e: &Emitter, state: &[StepState]) -> u64 {
    let width = e.element.bytes().unwrap_or(4);
    let state_bytes: u64 =
        state.iter().map(|s| s.shape.iter().product::<usize>() as u64 * width).sum();
    let constants: u64 = e
        .constants
        .iter()
        .map(|tensor| crate::check::element_count(tensor).unwrap_or(0).saturating_mul(width))
        .sum();
    let mut last_read: HashMap<&str, usize> = HashMap::new();
    for (i, node) in e.nodes.iter().enumerate() {
        last_read.extend(node.input.iter().map(|name| (name.as_str(), i)));
    }
    let (mut live, mut peak) = (0u64, 0u64);
    for (i, node) in e.nodes.iter().enumerate() {
        let bytes = |name: &String| e.bytes.get(name).copied().unwrap_or(0);
        live += node.output.iter().map(bytes).sum::<u64>();
        peak = peak.max(live);
        let mut freed: Vec<&String> = node
            .input
            .iter()
            .chain(&node.output)
            .filter(|name| last_read.get(name.as_str()).is_none_or(|&last| last == i))
            .collect();
        freed.sort_unstable();
        freed.dedup();
        // Outputs of the graph have no reader, and are counted with the state.
        live = live.saturating_sub(freed.into_iter().map(bytes).sum());
    }
    peak + 2 * state_bytes + constants
}
