use std::fmt::Write;

use std::time::Duration;

use graft_host::finetune::EpochFacts;

use graft_host::texts::{SentenceFacts, TextFacts};

use super::{What, bytes, count, evaluation, percent, skipped_of, table};
use crate::cmd::train::Report;

pub fn result(r: &Report) -> String {
    let is_text = r.texts.is_some() || r.sentences.is_some();
    let what = if is_text { What::Texts } else { What::Photos };
    let mut text = format!(
        "\n{}: {} classes, {} {} to learn from, {} held out\n\n",
        r.bundle.name,
        r.labels.len(),
        r.trained,
        what.plural(),
        r.tested
    );
    if let Some(sweep) = &r.sweep {
        text += &super::cuts::sweep(sweep);
        text.push('\n');
    }
    text += &evaluation(&r.evaluation, what);
    text += &skipped_of(&r.skipped_files, what);
    if !r.duplicates_across_split.is_empty() {
        let _ = writeln!(
            text,
            "\n  {} {} are on both sides of the split, byte for byte (listed in --json)",
            r.duplicates_across_split.len(),
            what.plural()
        );
    }
    text.push('\n');
    text += &time(r);
    text.push('\n');
    text += &head(r);
    text += &tuned(r);
    text += &match (&r.texts, &r.sentences) {
        (Some(facts), _) => words(r, facts),
        (None, Some(facts)) => sentences(r, facts),
        (None, None) => format!(
            "  backbone   {} up to {}, {} features, licence {}\n",
            r.model.name, r.model.at, r.model.feature_length, r.model.licence
        ),
    };
    let macs = r.reused.multiply_adds.map_or("unknown".to_owned(), count);
    let _ = writeln!(
        text,
        "  network    {} parameters, {macs} multiply-adds a {}",
        count(r.reused.parameters),
        what.one()
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

fn words(r: &Report, t: &TextFacts) -> String {
    let mut text = format!(
        "  vectors    {}, {} words of {}, licence {}\n",
        r.model.name, t.table_words, t.source_words, r.model.licence
    );
    let _ = writeln!(
        text,
        "  table      {} words of the texts and {} others as {}, {}",
        t.task_words,
        t.table_words - t.task_words,
        t.precision,
        bytes(t.table_bytes as u64)
    );
    if let Some(exact) = t.f32_accuracy {
        let _ = writeln!(text, "  rounding   accuracy {} with f32", percent(exact));
    }
    let _ = writeln!(
        text,
        "  unknown    {} of the words learned from, {} of those held out",
        percent(t.unknown_train),
        percent(t.unknown_test)
    );
    text
}

fn sentences(r: &Report, s: &SentenceFacts) -> String {
    let mut text = format!(
        "  encoder    {}, {} features, licence {}\n",
        r.model.name, r.model.feature_length, r.model.licence
    );
    let _ = writeln!(
        text,
        "  tokens     up to {} of {}, {} in half of the texts; {} texts are longer",
        s.max_tokens, s.vocabulary, s.median_tokens, s.cut
    );
    let _ = writeln!(
        text,
        "  unknown    {} of the tokens learned from, {} of those held out",
        percent(s.unknown_train),
        percent(s.unknown_test)
    );
    text
}

fn time(r: &Report) -> String {
    let seconds = |s: f64| format!("{s:.2} s");
    let rest = r.total_seconds
        - r.features_seconds
        - r.head_seconds
        - r.fine_tune_seconds.unwrap_or(0.0)
        - r.texts.as_ref().map_or(0.0, |texts| texts.vectors_seconds)
        - r.bundle_seconds;
    let features = match (r.features_cached, r.features_computed) {
        (0, _) => "features".to_owned(),
        (cached, 0) => format!("features (all {cached} found again)"),
        (cached, computed) => format!("features ({cached} found again, {computed} computed)"),
    };
    let mut rows = vec![vec![features, seconds(r.features_seconds)]];
    match &r.texts {
        Some(texts) => {
            rows.insert(0, vec!["reading word vectors".to_owned(), seconds(texts.vectors_seconds)])
        }
        None => rows.extend([
            vec![
                match r.sentences {
                    Some(_) => format!("  taking texts apart (over {} threads)", r.threads),
                    None => format!("  reading, decoding, resizing (over {} threads)", r.threads),
                },
                seconds(r.preparation_seconds),
            ],
            vec![
                format!(
                    "  in ONNX Runtime {} on {} (over {} threads)",
                    r.onnx_runtime, r.provider, r.threads
                ),
                seconds(r.inference_seconds),
            ],
        ]),
    }
    rows.push(vec!["head, cross-validation included".to_owned(), seconds(r.head_seconds)]);
    if let Some(tuning) = r.fine_tune_seconds {
        rows.push(vec![format!("fine-tuning ({} epochs)", epochs(r)), seconds(tuning)]);
    }
    rows.extend([
        vec!["bundle, replayed in the device engine".to_owned(), seconds(r.bundle_seconds)],
        vec!["the rest".to_owned(), seconds(rest.max(0.0))],
        vec!["all".to_owned(), seconds(r.total_seconds)],
    ]);
    table(&["where the time went", ""], &rows)
}

/// One line while it goes on.
pub fn epoch(facts: &EpochFacts, of: usize, remaining: Option<Duration>) -> String {
    let EpochFacts { epoch, loss, stop_loss, stop_accuracy, rate, .. } = facts;
    let mut text = match loss {
        Some(loss) => format!("epoch {epoch}/{of}: loss {loss:.4}, rate {rate:.1e}"),
        None => "before the first epoch".to_owned(),
    };
    if let (Some(loss), Some(accuracy)) = (stop_loss, stop_accuracy) {
        let _ = write!(text, ", stop part {:.2} % right, log-loss {loss:.4}", 100.0 * accuracy);
    }
    if let Some(remaining) = remaining.filter(|remaining| !remaining.is_zero()) {
        let seconds = remaining.as_secs();
        let _ = match seconds {
            0..120 => write!(text, ", {seconds} s left at most"),
            _ => write!(text, ", {} min left at most", seconds.div_ceil(60)),
        };
    }
    text
}

/// Epochs of this run.
fn epochs(r: &Report) -> usize {
    r.fine_tuning
        .as_ref()
        .map_or(0, |t| t.epochs.last().map_or(0, |last| last.epoch) - t.resumed_from)
}

fn tuned(r: &Report) -> String {
    let (Some(t), Some(probe)) = (&r.fine_tuning, r.linear_probe) else { return String::new() };
    let (from, before, what) = match &r.texts {
        Some(_) => ("the vectors", "vectors", What::Texts),
        None => (t.tensor.as_deref().unwrap_or("the photos"), "backbone", What::Photos),
    };
    format!(
        "  tuned      {} weights from {from} on, {} numbers; the frozen {before} gave {:.2} %\n  epochs     {} of them, those of {} kept; {} {} learned from, {} stopped by, {} calibrated by\n",
        t.weights,
        count(t.parameters as u64),
        100.0 * probe,
        t.epochs.last().map_or(0, |last| last.epoch),
        t.best_epoch,
        t.learned_from,
        what.plural(),
        t.stopped_by,
        t.calibrated_by,
    )
}

fn head(r: &Report) -> String {
    let h = &r.head;
    let chosen = match (h.strength, h.epochs) {
        (Some(strength), _) => format!("L2 strength {strength}"),
        (None, Some(epochs)) => format!("{epochs} epochs"),
        (None, None) => String::new(),
    };
    let unknown = match h.unknown_below {
        Some(threshold) => format!("unknown below {threshold:.3}"),
        None => "always answers".to_owned(),
    };
    format!(
        "  head       {}, {chosen} of {} tried, temperature {:.3}, {unknown}\n",
        h.kind,
        h.path.len(),
        h.temperature
    )
}
