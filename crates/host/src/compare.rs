//! One bundle in two engines: the same examples, the same tensors, interleaved.

use std::path::PathBuf;
use std::time::Instant;

use graft_bundle::Bundle;
use graft_spec::{Answer, Calibration, Decision, Labels};
use serde::Serialize;

use crate::answer::{AnswerError, AnswerWith, Answerer, Questions};
use crate::engine::Engine;
use crate::photos::Skipped;
use crate::progress::{Event, OnEvent, Stage};
use crate::provider::Provider;

/// How two engines compare. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Photos that both answered.
    pub examples: usize,
    /// Files that are no usable photos.
    pub skipped: usize,
    /// Which.
    pub skipped_files: Vec<Skipped>,
    /// Largest difference of a probability.
    pub max_abs_diff: f32,
    /// Largest difference of a logit.
    pub max_abs_diff_logits: f32,
    /// Different answers with a margin above twice `max_abs_diff`.
    pub disagreements: usize,
    /// Different answers nearer than that.
    pub ties: usize,
    /// How far probabilities may differ.
    pub tolerance: f32,
    /// Within tolerance, and no disagreement.
    pub passed: bool,
    /// The host's engine.
    pub onnxruntime: Latency,
    /// The device's engine.
    pub device: Latency,
    /// Decoding and preparing one photo, milliseconds.
    pub preparation_median_ms: f64,
    /// The different answers.
    pub disagreeing: Vec<Disagreement>,
}

/// Time of one inference with one thread.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Of the engine.
    pub version: String,
    /// Half of the photos took less.
    pub median_ms: f64,
    /// 95 of 100 photos took less.
    pub p95_ms: f64,
}

/// A photo on which the engines answer differently.
#[derive(Clone, Debug, Serialize)]
pub struct Disagreement {
    /// The photo.
    #[serde(serialize_with = "crate::lossy::path")]
    pub path: PathBuf,
    /// A label, or `None` for unknown.
    pub onnxruntime: Option<String>,
    /// A label, or `None` for unknown.
    pub device: Option<String>,
    /// How far ONNX Runtime's answer is from changing, as a probability.
    pub margin: f32,
}

/// Runs examples through ONNX Runtime on the CPU and through the device engine,
/// one thread each, taking turns.
pub fn compare(
    engine: &Engine,
    bundle: &Bundle<'_>,
    questions: &Questions<'_>,
    tolerance: f32,
    on: OnEvent<'_>,
) -> Result<Comparison, AnswerError> {
    let paths = questions.paths();
    let provider = Provider::Cpu;
    let onnxruntime = AnswerWith::OnnxRuntime { engine, provider: &provider };
    let mut host = Answerer::open(bundle, onnxruntime, questions)?;
    let mut device = Answerer::open(bundle, AnswerWith::Device, questions)?;
    device.verify()?;
    let Answer::Class(calibration) = &bundle.manifest().answer;

    let mut skipped_files = Vec::new();
    let mut pairs = Vec::new();
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let mut max_abs_diff = 0f32;
    let mut max_abs_diff_logits = 0f32;
    let mut begin = on(Event::Begin { stage: Stage::Predict, total: Some(paths.len() as u64) });
    for (index, path) in paths.iter().enumerate() {
        if begin.is_break() {
            return Err(AnswerError::Cancelled);
        }
        let start = Instant::now();
        let tensor = match host.prepare(index, path) {
            Ok((tensor, _)) => tensor.to_vec(),
            Err(reason) => {
                begin = on(Event::Skipped { path, reason: &reason });
                skipped_files.push(Skipped { path: path.to_path_buf(), reason });
                continue;
            }
        };
        times[0].push(millis(start));
        let start = Instant::now();
        let host_logits = host.logits(&tensor)?;
        times[1].push(millis(start));
        let start = Instant::now();
        let device_logits = device.logits(&tensor)?;
        times[2].push(millis(start));

        max_abs_diff_logits = max_abs_diff_logits.max(largest(host_logits, device_logits));
        let [host_answer, device_answer] = [host_logits, device_logits].map(|logits| {
            let mut probabilities = logits.to_vec();
            let decision = calibration.decide(&mut probabilities);
            (probabilities, decision)
        });
        max_abs_diff = max_abs_diff.max(largest(&host_answer.0, &device_answer.0));
        if host_answer.1 != device_answer.1 {
            pairs.push((path, margin(calibration, &host_answer.0), host_answer.1, device_answer.1));
        }
        begin = on(Event::Advance { done: index as u64 + 1 });
    }
    let _ = on(Event::End);

    let disagreements = pairs.iter().filter(|(_, margin, ..)| *margin > 2.0 * max_abs_diff).count();
    let [mut preparation, host_times, device_times] = times;
    let examples = preparation.len();
    let latency = |version: &str, mut times: Vec<f64>| Latency {
        version: version.to_owned(),
        median_ms: quantile(&mut times, 0.5),
        p95_ms: quantile(&mut times, 0.95),
    };
    Ok(Comparison {
        examples,
        skipped: skipped_files.len(),
        skipped_files,
        max_abs_diff,
        max_abs_diff_logits,
        disagreements,
        ties: pairs.len() - disagreements,
        tolerance,
        passed: max_abs_diff <= tolerance && disagreements == 0,
        onnxruntime: latency(engine.version(), host_times),
        device: latency(graft_runtime::ENGINE, device_times),
        preparation_median_ms: quantile(&mut preparation, 0.5),
        disagreeing: pairs
            .iter()
            .map(|(path, margin, host, device)| Disagreement {
                path: path.to_path_buf(),
                onnxruntime: name(bundle.labels(), *host),
                device: name(bundle.labels(), *device),
                margin: *margin,
            })
            .collect(),
    })
}

/// The label of a decision, `None` for unknown.
pub fn name(labels: &Labels, decision: Decision) -> Option<String> {
    match decision {
        Decision::Label(index) => Some(labels[index].to_owned()),
        Decision::Unknown => None,
    }
}

/// How far an answer is from changing: from the second largest probability, and
/// from the unknown threshold.
fn margin(calibration: &Calibration, probabilities: &[f32]) -> f32 {
    let (mut first, mut second) = (0f32, 0f32);
    for &p in probabilities {
        if p > first {
            (first, second) = (p, first);
        } else if p > second {
            second = p;
        }
    }
    match calibration.unknown_below {
        Some(threshold) if first < threshold => threshold - first,
        Some(threshold) => (first - second).min(first - threshold),
        None => first - second,
    }
}

fn largest(a: &[f32], b: &[f32]) -> f32 {
    // NaN must not pass as no difference.
    let worst = |m: f32, d: f32| if d.is_nan() { f32::INFINITY } else { m.max(d) };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, worst)
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The value that a share of the values is below; 0 if there are none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_is_to_the_nearest_change() {
        let with = |unknown_below| Calibration { temperature: 1.0, unknown_below };
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        close(margin(&with(None), &[0.2, 0.7, 0.1]), 0.5);
        close(margin(&with(Some(0.6)), &[0.2, 0.7, 0.1]), 0.1);
        // Unknown: which label would have won does not matter.
        close(margin(&with(Some(0.75)), &[0.35, 0.36, 0.29]), 0.39);
    }

    #[test]
    fn a_nan_is_the_largest_difference() {
        assert_eq!(largest(&[0.0, f32::NAN], &[1.0, 1.0]), f32::INFINITY);
        assert_eq!(largest(&[0.0, 2.0], &[1.0, 1.5]), 1.0);
    }
}
