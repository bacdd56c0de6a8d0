use std::fmt::Write;

use super::{What, bytes, count, evaluation, skipped};
use crate::cmd::develop::Report;

pub fn result(r: &Report) -> String {
    let mut text = format!(
        "\n{}, width {}: {} classes, {} photos to learn from, {} held out\n\n",
        r.architecture,
        r.width,
        r.labels.len(),
        r.trained,
        r.tested
    );
    text += &evaluation(&r.evaluation, What::Photos);
    text += &skipped(&r.skipped_files);
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let _ = writeln!(
        text,
        "\n  naive      the most frequent class {}, a linear model of the pixels {}",
        percent(r.baseline_accuracy),
        percent(r.pixels_accuracy)
    );
    let verdict = match r.worth_reusing {
        true => "worth reusing: it beats them beyond chance",
        false => "NOT worth reusing: it does not beat them beyond chance",
    };
    let _ = writeln!(text, "  verdict    {verdict}");
    let _ = writeln!(
        text,
        "  network    {} parameters, {} in {}; epoch {} of {} was kept",
        count(r.parameters as u64),
        bytes(r.bytes),
        r.path,
        r.best_epoch,
        r.epochs.last().map_or(0, |last| last.epoch)
    );
    let _ = match &r.catalogue_name {
        Some(name) => writeln!(text, "  reuse it   graft train DATA --model {name} -o FILE"),
        None => writeln!(
            text,
            "  reuse it   graft train DATA --model {} {} -o FILE",
            r.path,
            input_flags(r)
        ),
    };
    text
}

/// What the graph does not show.
fn input_flags(r: &Report) -> String {
    let colour = match r.input.colour {
        graft_spec::Colour::Grey => "grey",
        graft_spec::Colour::Bgr => "bgr",
        graft_spec::Colour::Rgb => "rgb",
    };
    let scale = r.input.scale;
    format!("--colour {colour} --scale {scale} --mean 0.5 --std 0.5")
}
