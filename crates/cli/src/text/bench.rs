use std::fmt::Write;

use graft_host::bench::{Bench, Ratios};
use graft_runtime::bench::{Cost, Latency, Memory, TEXT_WORDS};

use super::{What, bytes, percent, table};
use crate::cmd::bench::Report;

/// Operators below this share are in the JSON only.
const SHOWN_SHARE: f64 = 0.005;

/// The slowest nodes that are shown; more are in the JSON.
const SHOWN_NODES: usize = 5;

pub fn result(r: &Report) -> String {
    let b = &r.bench;
    let (one, prepared) = match r.what {
        What::Photos => ("frame", "640×480".to_owned()),
        What::Texts => ("text", format!("{TEXT_WORDS} words")),
    };
    let place = match &b.device {
        Some(host) => format!("on {host} ({})", b.machine),
        None => format!("on this machine ({})", b.machine),
    };
    let form = b.form.name().to_uppercase();
    let mut text = format!("\n{}: {form} in {} {place}\n\n", r.bundle.name, b.engine);
    text += &match (&b.ratios, &b.stock_problem) {
        (Some(ratios), _) => shares(ratios, one),
        (None, Some(why)) => format!("  no comparison: the engine alone does not run it: {why}\n"),
        (None, None) => String::new(),
    };
    if let Some(mapped) = b.mapped_bytes {
        let mapped = bytes(mapped);
        let _ = writeln!(text, "  {mapped} of weights are in a file of their own, mapped");
    }
    let _ = write!(text, "\n{}\n{}\n{}", latency(b, one, &prepared), start(b), memory(b));
    let _ = writeln!(
        text,
        "\n  \"stock\" is the engine alone, on the bundle's ONNX; in turns, medians of {} and {}",
        counted(b.rounds, "start"),
        counted(b.frames, one)
    );
    if let Some(difference) = b.logits_max_abs_diff {
        let _ = writeln!(text, "  largest difference of a logit between the two: {difference:.1e}");
    }
    let _ = write!(text, "\n{}", profile(b));
    text
}

fn shares(r: &Ratios, one: &str) -> String {
    let rows: Vec<Vec<String>> = [
        (format!("time of a {one}"), r.latency),
        ("CPU time of opening".to_owned(), r.open_cpu),
        ("memory, most".to_owned(), r.peak_memory),
        ("memory, steady".to_owned(), r.steady_memory),
    ]
    .map(|(what, ratio)| vec![what, format!("{ratio:.2}")])
    .into();
    table(&["bundle as a share of stock", ""], &rows)
}

fn latency(b: &Bench, one: &str, prepared: &str) -> String {
    let row = |what: &str, l: &Latency| {
        let times = [l.p50_ms, l.p90_ms, l.p99_ms, l.max_ms];
        [what.to_owned()].into_iter().chain(times.map(ms)).collect::<Vec<_>>()
    };
    let mut rows = vec![row("bundle", &b.latency.bundle)];
    rows.extend(b.latency.stock.as_ref().map(|l| row("stock", l)));
    rows.push(row(&format!("preparing {prepared}"), &b.latency.preparation));
    table(&[&format!("a {one}, in ms"), "p50", "p90", "p99", "max"], &rows)
}

fn start(b: &Bench) -> String {
    let ours = &b.start.bundle;
    let other = b.start.stock.as_ref();
    let row = |what: &str, ours: Option<Cost>, other: Option<Cost>| {
        let cells = [ours, other].into_iter().flat_map(|cost| match cost {
            Some(cost) => [ms(cost.wall_ms), ms(cost.cpu_ms)],
            None => [String::new(), String::new()],
        });
        [what.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
    };
    table(
        &["start, in ms", "bundle", "CPU", "stock", "CPU"],
        &[
            row("reading the rest", Some(ours.read), None),
            row("opening", Some(ours.open), other.map(|s| s.open)),
            row("replaying references", Some(ours.replay), None),
            row("first answer", Some(ours.first_answer), other.map(|s| s.first_answer)),
            row("all", Some(ours.total), other.map(|s| s.total)),
        ],
    )
}

fn memory(b: &Bench) -> String {
    let row = |what: &str, of: fn(&Memory) -> u64| {
        let other = b.start.stock.as_ref().map(|s| bytes(of(&s.memory)));
        vec![what.to_owned(), bytes(of(&b.start.bundle.memory)), other.unwrap_or_default()]
    };
    table(
        &["resident memory", "bundle", "stock"],
        &[
            row("the program itself", |m| m.program_bytes),
            row("after the first answer", |m| m.steady_bytes),
            row("… that is in no file", |m| m.anonymous_bytes.unwrap_or_default()),
            row("most until then", |m| m.peak_bytes),
        ],
    )
}

fn profile(b: &Bench) -> String {
    let shown = b.profile.operators.iter().filter(|o| o.share >= SHOWN_SHARE);
    let rows: Vec<Vec<String>> = shown
        .map(|o| vec![o.operator.clone(), o.nodes.to_string(), ms(o.ms), percent(o.share)])
        .collect();
    let mut text = table(&["operator", "nodes", "ms", "share"], &rows);
    text.push('\n');
    let rows: Vec<Vec<String>> = b
        .profile
        .slowest
        .iter()
        .take(SHOWN_NODES)
        .map(|n| {
            let output = n.output.clone().unwrap_or_default();
            vec![n.node.clone(), n.operator.clone(), output, ms(n.ms), percent(n.share)]
        })
        .collect();
    text += &table(&["slowest node", "operator", "output", "ms", "share"], &rows);
    text
}

fn counted(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Three digits that matter.
fn ms(value: f64) -> String {
    match value {
        v if v < 1.0 => format!("{v:.3}"),
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}
