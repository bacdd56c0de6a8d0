use std::fmt::Write;

use graft_host::report::About;

use super::{What, percent, skipped_of, table};
use crate::cmd::report::Report;
use crate::report::words;

pub fn result(r: &Report) -> String {
    let report = &r.transfer;
    let mut text = format!("\n{}\n\n", words::summary(report));
    let what = report.about.plural();
    let mut header = vec![what];
    header.extend(report.methods.iter().map(|curves| curves.method.words()));
    let rows: Vec<Vec<String>> = report
        .sizes
        .iter()
        .enumerate()
        .map(|(row, size)| {
            let mut cells = vec![size.to_string()];
            cells.extend(report.methods.iter().filter_map(|curves| {
                let accuracy = curves.by_examples.get(row)?.accuracy;
                let [low, high] = accuracy.interval.map(|bound| 100.0 * bound);
                Some(format!("{} ({low:.1} to {high:.1})", percent(accuracy.value)))
            }));
            cells
        })
        .collect();
    text += &table(&header, &rows);
    let _ = writeln!(
        text,
        "\n  answered right of {} held-out {what}, 95 %, {} seeds; always the same answer: {}",
        report.tested,
        report.seeds.len(),
        percent(report.baseline_accuracy)
    );
    for benefits in &report.benefits {
        let _ =
            writeln!(text, "\n  {} against from scratch", words::capital(benefits.method.words()));
        for said in words::verdicts(benefits, report) {
            let _ = writeln!(text, "    {}\n      {}", said.head, said.body);
        }
    }
    let forecasts: Vec<String> = report
        .methods
        .iter()
        .filter_map(|curves| Some(words::forecast(curves, curves.forecast.as_ref()?, report.about)))
        .collect();
    if !forecasts.is_empty() {
        text += "\n  With more labels\n";
        for forecast in forecasts {
            let _ = writeln!(text, "    {forecast}");
        }
    }
    text += &skipped_of(
        &report.skipped_files,
        match report.about {
            About::Photos => What::Photos,
            About::Texts => What::Texts,
        },
    );
    let _ = writeln!(text, "\n  wrote {}, took {:.1} s", r.page.display(), r.total_seconds);
    text
}
