//! Many processes' measurements as one document.

use graft_runtime::bench::{BundleStart, Cost, Latency, Memory, Profile, StockStart};
use graft_spec::ModelFormat;
use serde::Serialize;

use super::{Effort, Turns};

/// What a bundle costs. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Bench {
    /// The bundle's share of the engine's cost without graft; nothing without
    /// that.
    pub ratios: Option<Ratios>,
    /// Of a frame, or a text.
    pub latency: Latencies,
    /// To the first answer, medians of the rounds.
    pub start: Starts,
    /// Where the bundle's time goes.
    pub profile: Profile,
    /// Largest difference of a logit between the two.
    pub logits_max_abs_diff: Option<f32>,
    /// Why the engine without graft was not measured.
    pub stock_problem: Option<String>,
    /// The form of the model that was opened.
    pub form: ModelFormat,
    /// Large weights that were in a file of their own, mapped; nothing if they were in
    /// memory.
    pub mapped_bytes: Option<u64>,
    /// The engine and its version.
    pub engine: String,
    /// The board, as ssh knows it; nothing for this machine.
    pub device: Option<String>,
    /// Its processor.
    pub machine: String,
    /// Frames that were timed.
    pub frames: u32,
    /// Starts of each.
    pub rounds: u32,
}

/// Below 1 where the bundle costs less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratios {
    /// Of the medians of a frame.
    pub latency: f64,
    /// CPU time of reading and opening; the replay of references is not in it.
    pub open_cpu: f64,
    /// Resident memory at its highest.
    pub peak_memory: f64,
    /// Resident memory after the first answer.
    pub steady_memory: f64,
}

/// Of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latencies {
    /// Tensor to answer.
    pub bundle: Latency,
    /// The same without graft.
    pub stock: Option<Latency>,
    /// Making the tensor of a frame of 640 × 480, or of a text of 20 words.
    pub preparation: Latency,
}

/// To the first answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Starts {
    /// From the bundle.
    pub bundle: BundleStart,
    /// From its ONNX, without graft.
    pub stock: Option<StockStart>,
}

pub(super) fn of(device: Option<String>, machine: String, effort: Effort, turns: Turns) -> Bench {
    let Turns { bundle, stock, frames, form, mapped_bytes, engine } = turns;
    let (stock, stock_problem) = match stock {
        Ok(starts) => (Some(middle_stock(&starts)), None),
        Err(why) => (None, Some(why)),
    };
    let bundle = middle_bundle(&bundle);
    let latency =
        Latencies { bundle: frames.bundle, stock: frames.stock, preparation: frames.preparation };
    Bench {
        ratios: stock.as_ref().zip(latency.stock).map(|(stock, stock_latency)| Ratios {
            latency: latency.bundle.p50_ms / stock_latency.p50_ms,
            open_cpu: (bundle.read.cpu_ms + bundle.open.cpu_ms) / stock.open.cpu_ms,
            peak_memory: bundle.memory.peak_bytes as f64 / stock.memory.peak_bytes as f64,
            steady_memory: bundle.memory.steady_bytes as f64 / stock.memory.steady_bytes as f64,
        }),
        latency,
        start: Starts { bundle, stock },
        profile: frames.profile,
        logits_max_abs_diff: frames.logits_max_abs_diff,
        stock_problem,
        form,
        mapped_bytes,
        engine,
        device,
        machine,
        frames: frames.frames,
        rounds: effort.rounds,
    }
}

fn middle_bundle(starts: &[BundleStart]) -> BundleStart {
    let cost = |of: fn(&BundleStart) -> Cost| middle_cost(starts.iter().map(of));
    BundleStart {
        program_cpu_ms: middle(starts.iter().map(|s| s.program_cpu_ms)),
        read: cost(|s| s.read),
        open: cost(|s| s.open),
        replay: cost(|s| s.replay),
        first_answer: cost(|s| s.first_answer),
        total: cost(|s| s.total),
        memory: middle_memory(starts.iter().map(|s| s.memory)),
    }
}

fn middle_stock(starts: &[StockStart]) -> StockStart {
    let cost = |of: fn(&StockStart) -> Cost| middle_cost(starts.iter().map(of));
    StockStart {
        program_cpu_ms: middle(starts.iter().map(|s| s.program_cpu_ms)),
        open: cost(|s| s.open),
        first_answer: cost(|s| s.first_answer),
        total: cost(|s| s.total),
        memory: middle_memory(starts.iter().map(|s| s.memory)),
    }
}

fn middle_cost(costs: impl Iterator<Item = Cost> + Clone) -> Cost {
    Cost {
        wall_ms: middle(costs.clone().map(|c| c.wall_ms)),
        cpu_ms: middle(costs.map(|c| c.cpu_ms)),
    }
}

fn middle_memory(memories: impl Iterator<Item = Memory> + Clone) -> Memory {
    let of = |of: fn(Memory) -> u64| middle(memories.clone().map(|m| of(m) as f64)) as u64;
    Memory {
        program_bytes: of(|m| m.program_bytes),
        steady_bytes: of(|m| m.steady_bytes),
        anonymous_bytes: memories
            .clone()
            .map(|m| m.anonymous_bytes)
            .collect::<Option<Vec<u64>>>()
            .map(|bytes| middle(bytes.into_iter().map(|b| b as f64)) as u64),
        peak_bytes: of(|m| m.peak_bytes),
    }
}

/// The middle value, or the mean of the two; there is at least one.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    (values[low] + values[high]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_round_moves_no_median() {
        assert_eq!(middle([3.0, 1.0, 90.0].into_iter()), 3.0);
        assert_eq!(middle([3.0, 1.0, 90.0, 4.0].into_iter()), 3.5);
        assert_eq!(middle([7.0].into_iter()), 7.0);
        let cost = |wall_ms, cpu_ms| Cost { wall_ms, cpu_ms };
        // Each by itself: they need not be of one round.
        let costs = [cost(1.0, 9.0), cost(2.0, 8.0), cost(30.0, 7.0)];
        assert_eq!(middle_cost(costs.into_iter()), cost(2.0, 8.0));
    }
}
