use std::fmt::Write;

use graft_host::rank::{Machine, Metric, Ranked, Unusable};
use graft_host::texts::RankedText;
use graft_spec::Pooling;

use super::{What, bytes, count, percent, skipped, skipped_of, table};
use crate::cmd::rank::{Report, TextReport};
use crate::hint;

pub fn result(r: &Report) -> String {
    let ranking = &r.ranking;
    let mut text = format!(
        "\n{}, on {} of {} photos of {} classes, by {}\n\n",
        first_of(ranking.sources.iter().map(|s| s.name.as_str())),
        ranking.examples,
        ranking.of_examples,
        ranking.classes,
        words(ranking.by),
    );
    text += &suits(&ranking.sources);
    text.push('\n');
    text += &costs(&ranking.sources);
    text.push('\n');
    let _ = writeln!(
        text,
        "  probe       a linear head, {} folds, ± its standard error; always the same answer: {}",
        r.folds,
        percent(ranking.baseline_accuracy)
    );
    let _ = writeln!(text, "  latency     {}", latency_words(&ranking.latency_of));
    if ranking.sources.iter().any(|s| s.pareto) {
        text += "  *           no other is both more accurate and faster\n";
    }
    if ranking.sources.iter().any(|s| s.scores.leep.is_some()) {
        text += "  LEEP, NCE   of the source's own answers, not of its features: don't choose by them alone\n";
    }
    text += &unusable(&ranking.unusable);
    text += &skipped(&ranking.skipped_files);
    let features: f64 = ranking.sources.iter().map(|s| s.features_seconds).sum();
    let scores: f64 = ranking.sources.iter().map(|s| s.scores_seconds).sum();
    let _ = writeln!(
        text,
        "\n  took {:.1} s: features {features:.1}, scores {scores:.1}",
        r.total_seconds
    );
    text
}

pub fn of_texts(r: &TextReport) -> String {
    let ranking = &r.ranking;
    let mut text = format!(
        "\n{}, on {} of {} texts of {} classes, by {}\n\n",
        first_of(ranking.sources.iter().map(|s| s.name.as_str())),
        ranking.examples,
        ranking.of_examples,
        ranking.classes,
        words(ranking.by),
    );
    let starred = |s: &RankedText| format!("{} {}", if s.pareto { '*' } else { ' ' }, s.name);
    let suits: Vec<Vec<String>> = ranking
        .sources
        .iter()
        .map(|source| {
            let s = &source.scores;
            vec![
                starred(source),
                format!("{} ± {:.1}", percent(s.probe_accuracy), s.probe_standard_error * 100.0),
                percent(s.neighbour_accuracy),
                number(Some(s.logme)),
                number(Some(s.regularised_h_score)),
                percent(source.unknown),
            ]
        })
        .collect();
    text +=
        &table(&["source", "probe", "5 neighbours", "LogME", "H-score", "unknown words"], &suits);
    text.push('\n');
    let costs: Vec<Vec<String>> = ranking
        .sources
        .iter()
        .map(|s| {
            vec![
                starred(s),
                format!("{:.3} ms", s.latency.p50_ms),
                s.dimensions.to_string(),
                s.feature_length.to_string(),
                count(s.table_words as u64),
                bytes(s.table_bytes as u64),
                s.licence.clone().unwrap_or_else(|| "none needed".to_owned()),
            ]
        })
        .collect();
    let header = ["source", "latency", "numbers", "features", "words", "in the bundle", "licence"];
    text += &table(&header, &costs);
    let _ = writeln!(
        text,
        "\n  probe       a linear head, {} folds, ± its standard error; always the same answer: {}",
        r.folds,
        percent(ranking.baseline_accuracy)
    );
    let of = &ranking.latency_of;
    let processor =
        of.processor.as_ref().map_or(of.machine.clone(), |p| format!("{p}, {}", of.machine));
    let _ = writeln!(
        text,
        "  latency     of the median text, from its words to its answer, in {} on this machine ({processor})",
        of.engine
    );
    let _ = writeln!(
        text,
        "  features    of word vectors by {} pooling of a table in {}",
        match ranking.pooling {
            Pooling::Mean => "mean".to_owned(),
            Pooling::Weighted => "weighted".to_owned(),
            Pooling::MaxMean => "max-mean".to_owned(),
            Pooling::Last(words) => format!("last {words}"),
        },
        ranking.precision
    );
    text += "  *           no other is both more accurate and faster\n";
    for source in ranking.sources.iter().filter(|s| s.nothing_known > 0) {
        let _ = writeln!(
            text,
            "  {} knows no word of {} texts, whose features are zero",
            source.name, source.nothing_known
        );
    }
    text += &unusable(&ranking.unusable);
    text += &skipped_of(&ranking.skipped_files, What::Texts);
    let features: f64 = ranking.sources.iter().map(|s| s.features_seconds).sum();
    let scores: f64 = ranking.sources.iter().map(|s| s.scores_seconds).sum();
    let _ = writeln!(
        text,
        "\n  took {:.1} s: features {features:.1}, scores {scores:.1}",
        r.total_seconds
    );
    text
}

fn first_of<'a>(mut names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let of = names.len();
    match (names.next(), of) {
        (Some(only), 1) => format!("{only} alone"),
        (Some(first), of) => format!("{first} first of {of} sources"),
        (None, _) => String::new(),
    }
}

fn unusable(unusable: &[Unusable]) -> String {
    let mut text = String::new();
    for one in unusable {
        let cure = hint::source(&one.error).map_or(String::new(), |cure| format!("; {cure}"));
        let _ = writeln!(text, "\n  left out: {}: {}{cure}", one.name, one.error.words());
    }
    text
}

fn suits(sources: &[Ranked]) -> String {
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|source| {
            let s = &source.scores;
            vec![
                marked(source),
                format!("{} ± {:.1}", percent(s.probe_accuracy), s.probe_standard_error * 100.0),
                percent(s.neighbour_accuracy),
                number(Some(s.logme)),
                number(Some(s.regularised_h_score)),
                number(s.leep),
                number(s.nce),
                s.source_classes.map_or("-".to_owned(), |n| n.to_string()),
            ]
        })
        .collect();
    let header =
        ["source", "probe", "5 neighbours", "LogME", "H-score", "LEEP", "NCE", "own classes"];
    table(&header, &rows)
}

fn costs(sources: &[Ranked]) -> String {
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|s| {
            vec![
                marked(s),
                s.latency.map_or("-".to_owned(), |l| format!("{:.1} ms", l.p50_ms)),
                s.multiply_adds.map_or("-".to_owned(), count),
                count(s.parameters),
                bytes(s.part_bytes),
                bytes(s.file_bytes),
                s.feature_length.to_string(),
                s.licence.clone(),
            ]
        })
        .collect();
    let header = [
        "source",
        "latency",
        "multiply-adds",
        "parameters",
        "to the cut",
        "file",
        "features",
        "licence",
    ];
    table(&header, &rows)
}

fn marked(source: &Ranked) -> String {
    format!("{} {}", if source.pareto { '*' } else { ' ' }, source.name)
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |v| format!("{v:.3}"))
}

fn words(by: Metric) -> &'static str {
    match by {
        Metric::Probe => "probe accuracy",
        Metric::Neighbours => "neighbour accuracy",
        Metric::Logme => "LogME",
        Metric::RegularisedHScore => "regularised H-score",
        Metric::HScore => "H-score",
        Metric::Leep => "LEEP",
        Metric::Nce => "NCE",
        Metric::Latency => "latency",
    }
}

fn latency_words(of: &Machine) -> String {
    let processor =
        of.processor.as_ref().map_or(of.machine.clone(), |p| format!("{p}, {}", of.machine));
    match &of.device {
        Some(device) => {
            format!("of a photo, head included, in {} on {device} ({processor})", of.engine)
        }
        None => format!(
            "of a photo up to the cut in {} on this machine ({processor}); {}",
            of.engine, "another kind of processor may rank otherwise"
        ),
    }
}
