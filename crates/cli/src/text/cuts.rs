use std::fmt::Write;

use graft_host::cuts::{Cut, PoolName};

use super::{bytes, count, skipped, table};
use crate::cmd::cuts::{Report, Sweep};

pub fn result(r: &Report) -> String {
    let mut text = format!(
        "\n{}: {} cuts, probed with {} photos\n\n",
        r.model,
        r.sweep.cuts.len(),
        r.sweep.examples
    );
    text += &sweep(&r.sweep);
    text += &skipped(&r.skipped_files);
    let _ = writeln!(
        text,
        "\n  one pass over the photos {:.1} s, probes {:.1} s, latencies {:.1} s",
        r.sweep.features_seconds, r.sweep.probe_seconds, r.sweep.latency_seconds
    );
    let chosen = &r.sweep.cuts[r.sweep.chosen];
    let pool = if chosen.pool == PoolName::Grid { " --pool grid" } else { "" };
    let _ = writeln!(text, "  to train there: graft train … --at {:?}{pool}", chosen.tensor);
    text
}

/// The table, and what the choice saves.
pub fn sweep(s: &Sweep) -> String {
    let latency = s.cuts.iter().any(|cut| cut.latency_ms.is_some());
    let grid = s.cuts.iter().any(|cut| cut.pool == PoolName::Grid);
    let mut header = vec!["cut", "layers", "features", "parameters", "multiply-adds"];
    if grid {
        header.insert(1, "pool");
    }
    if latency {
        header.push("ms here");
    }
    header.extend(["accuracy", ""]);
    let rows: Vec<Vec<String>> = (0..s.cuts.len()).map(|i| row(s, i, grid, latency)).collect();
    let mut text = table(&header, &rows);
    let (chosen, best) = (&s.cuts[s.chosen], &s.cuts[s.best]);
    let _ = writeln!(
        text,
        "\n  chosen     {}: {}, the best has {}",
        chosen.tensor,
        accuracy(chosen),
        accuracy(best)
    );
    if let Some(usual) = s.usual.map(|i| &s.cuts[i]) {
        let _ = writeln!(text, "  saved      {}", saved(chosen, usual));
    }
    text
}

fn row(s: &Sweep, i: usize, grid: bool, latency: bool) -> Vec<String> {
    let cut = &s.cuts[i];
    let mut row = vec![cut.tensor.clone()];
    if grid {
        row.push(if cut.pool == PoolName::Grid { "grid" } else { "mean" }.to_owned());
    }
    row.extend([
        cut.depth.to_string(),
        cut.features.to_string(),
        count(cut.parameters),
        cut.multiply_adds.map_or(String::new(), count),
    ]);
    if latency {
        row.push(cut.latency_ms.map_or(String::new(), |ms| format!("{ms:.2}")));
    }
    row.push(accuracy(cut));
    let mut marks = Vec::new();
    if i == s.chosen {
        marks.push("chosen");
    }
    if i == s.best {
        marks.push("best");
    }
    if Some(i) == s.usual {
        marks.push("usual");
    }
    if cut.device_problem.is_some() {
        marks.push("not on the device");
    }
    row.push(marks.join(", "));
    row
}

fn accuracy(cut: &Cut) -> String {
    format!("{:.1} ± {:.1} %", 100.0 * cut.probe.accuracy, 100.0 * cut.probe.standard_error)
}

fn saved(chosen: &Cut, usual: &Cut) -> String {
    if chosen.tensor == usual.tensor {
        return "nothing: it is where the backbone is cut anyway".to_owned();
    }
    let share = |a: f64, b: f64| format!("{:.0} %", 100.0 * (1.0 - a / b));
    let mut parts = vec![format!(
        "{} of the parameters ({} of {})",
        share(chosen.parameters as f64, usual.parameters as f64),
        bytes(usual.parameter_bytes.saturating_sub(chosen.parameter_bytes)),
        bytes(usual.parameter_bytes)
    )];
    if let (Some(a), Some(b)) = (chosen.multiply_adds, usual.multiply_adds) {
        parts.push(format!("{} of the multiply-adds", share(a as f64, b as f64)));
    }
    if let (Some(a), Some(b)) = (chosen.latency_ms, usual.latency_ms) {
        parts.push(format!("{} of the time in the device engine", share(a, b)));
    }
    parts.join(", ")
}
