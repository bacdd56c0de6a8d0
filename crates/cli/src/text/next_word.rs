//! What comes next, as a person reads it.

use std::fmt::Write;

use graft_host::next_word::{Rival, RivalName, Scores};

use super::{bytes, count, percent, skipped_of, table};
use crate::cmd;

pub fn trained(r: &cmd::train::next_word::Report) -> String {
    let f = &r.facts;
    let mut text = format!(
        "\n{}: {} words to choose from, {} places to learn from, {} held out in {} blocks\n\n",
        r.bundle.name, f.words, f.learned_from, f.asked, f.blocks
    );
    let mut rows = vec![row("this bundle", &f.scores)];
    rows.extend(f.rivals.iter().map(|rival| row(name(rival.name), &rival.scores)));
    text += &table(&HEADER, &rows);
    text.push('\n');
    for rival in &f.rivals {
        text += &against(rival);
    }
    let _ = writeln!(
        text,
        "  outside             {} of the held-out words are none to choose from: misses of all",
        percent(f.outside)
    );
    let _ = writeln!(text, "  calibration error   {}", percent(f.ece));
    text += &skipped_of(&f.skipped_files, super::What::Texts);
    text.push('\n');
    let seconds = |s: f64| format!("{s:.2} s");
    let mut times = vec![
        vec!["reading word vectors".to_owned(), seconds(f.vectors_seconds)],
        vec![format!("learning ({} epochs)", f.epochs.len() - 1), seconds(f.learning_seconds)],
        vec!["judging".to_owned(), seconds(f.judging_seconds)],
    ];
    times.extend(
        f.random_seconds.map(|s| vec!["the same from random vectors".to_owned(), seconds(s)]),
    );
    times.push(vec!["bundle, replayed in the device engine".to_owned(), seconds(f.bundle_seconds)]);
    times.push(vec!["all".to_owned(), seconds(r.total_seconds)]);
    text += &table(&["where the time went", ""], &times);
    let _ = writeln!(
        text,
        "\n  head       {} words before, {} hidden units, epoch {} kept, temperature {:.3}",
        f.context, f.hidden, f.best_epoch, r.temperature
    );
    let _ = writeln!(
        text,
        "  vectors    {}, {} words of {}, licence {}",
        r.model.name, f.table_words, f.source_words, r.model.licence
    );
    let _ = writeln!(text, "  table      as {}, {}", f.precision, bytes(f.table_bytes as u64));
    let _ = writeln!(
        text,
        "  unknown    {} of the words learned from, {} of those held out",
        percent(f.unknown_train),
        percent(f.unknown_test)
    );
    let _ = writeln!(
        text,
        "  network    {} parameters, {} multiply-adds a word",
        count(r.reused.parameters),
        r.reused.multiply_adds.map_or("unknown".to_owned(), count)
    );
    let _ = writeln!(
        text,
        "  bundle     {}, {}, sha256 {}…",
        r.bundle.path.display(),
        bytes(r.bundle.bytes as u64),
        &r.bundle.sha256.to_string()[..12]
    );
    let _ = writeln!(
        text,
        "  verified   the device engine gives the references to {:.0e}",
        r.references_max_abs_diff
    );
    text
}

pub fn evaluated(r: &cmd::evaluate::next_word::Report) -> String {
    let j = &r.judged;
    let mut text = format!("\n{} on {} words of {} texts\n\n", r.bundle.name, j.asked, j.texts);
    text += &table(&HEADER, &[row("this bundle", &j.scores)]);
    let _ = writeln!(
        text,
        "\n  outside   {} of the words are none to choose from: misses",
        percent(j.outside)
    );
    let _ = writeln!(text, "  unknown   {} of the words and marks", percent(j.unknown));
    text += &skipped_of(&r.skipped_files, super::What::Texts);
    if let Some(least) = r.at_least {
        let verdict = if r.passed { "reached" } else { "missed" };
        let _ = writeln!(
            text,
            "\n  at least {} among the first three was asked for: {verdict}",
            percent(least)
        );
    }
    text
}

const HEADER: [&str; 4] =
    ["who says what comes next", "first", "among the first three", "perplexity"];

fn row(name: &str, s: &Scores) -> Vec<String> {
    let share = |value: f64, [low, high]: [f64; 2]| {
        format!("{} ({:.1} to {:.1})", percent(value), 100.0 * low, 100.0 * high)
    };
    let [low, high] = s.perplexity_interval;
    vec![
        name.to_owned(),
        share(s.top1, s.top1_interval),
        share(s.top3, s.top3_interval),
        format!("{:.0} ({low:.0} to {high:.0})", s.perplexity),
    ]
}

fn name(rival: RivalName) -> &'static str {
    match rival {
        RivalName::Unigram => "the most frequent words",
        RivalName::Bigram => "pairs counted (bigram)",
        RivalName::RandomVectors => "random vectors",
    }
}

fn against(rival: &Rival) -> String {
    let [low, high] = rival.top3_gain_interval;
    let [ratio_low, ratio_high] = rival.perplexity_ratio_interval;
    format!(
        "  against {:<24} {:+.1} points among three ({:+.1} to {:+.1}), {:.2} times its perplexity ({ratio_low:.2} to {ratio_high:.2})\n",
        name(rival.name),
        100.0 * rival.top3_gain,
        100.0 * low,
        100.0 * high,
        rival.perplexity_ratio,
    )
}
