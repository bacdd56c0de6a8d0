use std::fmt::Write;

use super::{bytes, count, evaluation, skipped, table};
use crate::cmd::train::Report;

pub fn result(r: &Report) -> String {
    let mut text = format!(
        "\n{}: {} classes, {} photos to learn from, {} held out\n\n",
        r.bundle.name,
        r.labels.len(),
        r.trained,
        r.tested
    );
    if let Some(sweep) = &r.sweep {
        text += &super::cuts::sweep(sweep);
        text.push('\n');
    }
    text += &evaluation(&r.evaluation);
    text += &skipped(&r.skipped_files);
    if !r.duplicates_across_split.is_empty() {
        let _ = writeln!(
            text,
            "\n  {} photos are on both sides of the split, byte for byte (listed in --json)",
            r.duplicates_across_split.len()
        );
    }
    text.push('\n');
    text += &time(r);
    text.push('\n');
    text += &head(r);
    let _ = writeln!(
        text,
        "  backbone   {} up to {}, {} features, licence {}",
        r.model.name, r.model.at, r.model.feature_length, r.model.licence
    );
    let macs = r.reused.multiply_adds.map_or("unknown".to_owned(), count);
    let _ = writeln!(
        text,
        "  network    {} parameters, {macs} multiply-adds a photo",
        count(r.reused.parameters)
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

fn time(r: &Report) -> String {
    let seconds = |s: f64| format!("{s:.2} s");
    let rest = r.total_seconds - r.features_seconds - r.head_seconds - r.bundle_seconds;
    let features = match (r.features_cached, r.features_computed) {
        (0, _) => "features".to_owned(),
        (cached, 0) => format!("features (all {cached} found again)"),
        (cached, computed) => format!("features ({cached} found again, {computed} computed)"),
    };
    table(
        &["where the time went", ""],
        &[
            vec![features, seconds(r.features_seconds)],
            vec![
                format!("  reading, decoding, resizing (over {} threads)", r.threads),
                seconds(r.preparation_seconds),
            ],
            vec![
                format!(
                    "  in ONNX Runtime {} on {} (over {} threads)",
                    r.onnx_runtime, r.provider, r.threads
                ),
                seconds(r.inference_seconds),
            ],
            vec!["head, cross-validation included".to_owned(), seconds(r.head_seconds)],
            vec!["bundle, replayed in the device engine".to_owned(), seconds(r.bundle_seconds)],
            vec!["the rest".to_owned(), seconds(rest.max(0.0))],
            vec!["all".to_owned(), seconds(r.total_seconds)],
        ],
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
