//! Numbers about the work, as text in Prometheus' format 0.0.4.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use graft_runtime::TextCounts;
use hdrhistogram::Histogram;

use super::board::{self, Reading};
use crate::counts::{Counter, Counts};
use crate::mailbox::Mailbox;

/// Quantiles are of the last minute or two, so that an hour's slowness is seen
/// in a year's running.
const WINDOW: Duration = Duration::from_secs(60);

/// One answer, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub latency: Duration,
    pub probability: f32,
    pub unknown: bool,
    pub changed: bool,
    /// If it is about one.
    pub text: Option<TextCounts>,
}

/// What was counted since the start.
pub(crate) struct Metrics {
    counts: Arc<Counts>,
    mailbox: Arc<Mailbox>,
    work: Mutex<Work>,
    pub failed: Counter,
    pub reloads: Counter,
    pub refused_reloads: Counter,
    bundle: Mutex<String>,
}

struct Work {
    answers: u64,
    unknown: u64,
    changes: u64,
    tokens: u64,
    unknown_tokens: u64,
    cut_texts: u64,
    latency_sum: Duration,
    /// In microseconds: this window's and the one before.
    latencies: [Histogram<u32>; 2],
    window_began: Instant,
    probability_sum: f64,
    /// Answers whose largest probability is in the tenth, from the lowest on.
    probabilities: [u64; 10],
}

impl Metrics {
    pub fn new(counts: Arc<Counts>, mailbox: Arc<Mailbox>, bundle: &str) -> Metrics {
        // From a microsecond to an hour, to one part in a hundred.
        let latencies = || {
            Histogram::new_with_bounds(1, 3_600_000_000, 2)
                .expect("invariant: the bounds are in order")
        };
        Metrics {
            counts,
            mailbox,
            work: Mutex::new(Work {
                answers: 0,
                unknown: 0,
                changes: 0,
                tokens: 0,
                unknown_tokens: 0,
                cut_texts: 0,
                latency_sum: Duration::ZERO,
                latencies: [latencies(), latencies()],
                window_began: Instant::now(),
                probability_sum: 0.0,
                probabilities: [0; 10],
            }),
            failed: Counter::default(),
            reloads: Counter::default(),
            refused_reloads: Counter::default(),
            bundle: Mutex::new(bundle.to_owned()),
        }
    }

    /// Counts an answer; allocates nothing.
    pub fn answered(&self, seen: Seen) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now.duration_since(work.window_began) >= WINDOW {
            work.window_began = now;
            work.latencies.swap(0, 1);
            work.latencies[0].reset();
        }
        let microseconds = seen.latency.as_micros().try_into().unwrap_or(u64::MAX);
        work.latencies[0].saturating_record(microseconds.max(1));
        work.latency_sum += seen.latency;
        work.answers += 1;
        work.unknown += u64::from(seen.unknown);
        work.changes += u64::from(seen.changed);
        if let Some(TextCounts { tokens, known, cut_bytes }) = seen.text {
            work.tokens += u64::from(tokens);
            work.unknown_tokens += u64::from(tokens - known);
            work.cut_texts += u64::from(cut_bytes > 0);
        }
        // A broken answer has no probability, and its sum would never heal.
        if seen.probability.is_finite() {
            work.probability_sum += f64::from(seen.probability);
            work.probabilities[tenth(seen.probability)] += 1;
        }
    }

    /// A new bundle runs.
    pub fn reloaded(&self, bundle: &str) {
        self.reloads.one();
        bundle.clone_into(&mut self.bundle.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All of it, as a scraper reads it.
    pub fn text(&self) -> String {
        let mut page = Page(String::new());
        {
            let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            work.write(&mut page);
        }
        let counts = &self.counts;
        let mut count = |name, help, value| page.number(name, "counter", help, value as f64);
        count(
            "graft_frames_dropped_total",
            "Frames that gave way to newer ones.",
            self.mailbox.dropped(),
        );
        count(
            "graft_frames_unreadable_total",
            "Frames that no decoder could read.",
            counts.unreadable.get(),
        );
        count(
            "graft_frames_failed_total",
            "Frames on which the engine gave up.",
            self.failed.get(),
        );
        count(
            "graft_source_reopened_total",
            "Times that the source was opened again.",
            counts.reopened.get(),
        );
        count(
            "graft_sink_missed_total",
            "Answers that a sink could not take in time.",
            counts.missed_by_sinks.get(),
        );
        count("graft_kept_total", "Frames that were kept.", counts.kept.get());
        count(
            "graft_not_kept_total",
            "Frames that were worth keeping and were not kept.",
            counts.not_kept.get(),
        );
        count("graft_reloads_total", "Bundles that took over.", self.reloads.get());
        count(
            "graft_reloads_refused_total",
            "Bundles that were to take over and were refused.",
            self.refused_reloads.get(),
        );
        page.board();
        let bundle = self.bundle.lock().unwrap_or_else(PoisonError::into_inner);
        page.head("graft_build_info", "gauge", "What runs here.");
        page.sample(
            "graft_build_info",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("engine", graft_runtime::ENGINE),
                ("bundle", &bundle),
            ],
            1.0,
        );
        page.0
    }
}

/// 0 for 0.0 to 0.1, 9 for 0.9 to 1.0; upper bounds belong to the lower tenth,
/// as Prometheus has it.
fn tenth(probability: f32) -> usize {
    ((probability * 10.0).ceil() as usize).clamp(1, 10) - 1
}

impl Work {
    fn write(&self, page: &mut Page) {
        let answers = self.answers as f64;
        page.number("graft_answers_total", "counter", "Frames that were answered.", answers);
        page.number(
            "graft_unknown_total",
            "counter",
            "Answers that were \"unknown\".",
            self.unknown as f64,
        );
        page.number(
            "graft_stable_changes_total",
            "counter",
            "Times that the steady answer changed.",
            self.changes as f64,
        );

        let mut count = |name, help, value| page.number(name, "counter", help, value as f64);
        count("graft_tokens_total", "Tokens of texts.", self.tokens);
        count(
            "graft_tokens_unknown_total",
            "Tokens of texts that the bundle does not know.",
            self.unknown_tokens,
        );
        count(
            "graft_texts_cut_total",
            "Texts that were longer than the bundle allows and were cut.",
            self.cut_texts,
        );

        let name = "graft_latency_seconds";
        page.head(
            name,
            "summary",
            "From the start of decoding to the answer; quantiles are of the last minute or two.",
        );
        let mut recent = self.latencies[0].clone();
        // It cannot fail: both have the same bounds.
        if recent.add(&self.latencies[1]).is_ok() && !recent.is_empty() {
            for quantile in ["0.5", "0.9", "0.99", "0.999"] {
                let share: f64 = quantile.parse().unwrap_or(1.0);
                let value = recent.value_at_quantile(share) as f64 / 1e6;
                page.sample(name, &[("quantile", quantile)], value);
            }
        }
        page.sample("graft_latency_seconds_sum", &[], self.latency_sum.as_secs_f64());
        page.sample("graft_latency_seconds_count", &[], answers);

        page.head("graft_probability", "histogram", "The largest probability of an answer.");
        let mut below = 0;
        let bounds = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"];
        for (count, bound) in self.probabilities.iter().zip(bounds) {
            below += count;
            page.sample("graft_probability_bucket", &[("le", bound)], below as f64);
        }
        page.sample("graft_probability_bucket", &[("le", "+Inf")], below as f64);
        page.sample("graft_probability_sum", &[], self.probability_sum);
        page.sample("graft_probability_count", &[], below as f64);
    }
}

struct Page(String);

impl Page {
    fn board(&mut self) {
        let sys = Path::new("/sys");
        if let Some(bytes) = board::resident_bytes(Path::new("/proc")) {
            self.number(
                "process_resident_memory_bytes",
                "gauge",
                "Resident memory of graftd.",
                bytes as f64,
            );
        }
        self.readings(
            "graft_temperature_celsius",
            "Temperature of a thermal zone.",
            &board::temperatures(sys),
        );
        self.readings(
            "graft_cooling_ratio",
            "How far a cooling device is on; a processor that is one is being slowed down.",
            &board::cooling(sys),
        );
        self.readings(
            "graft_frequency_limit_ratio",
            "What a processor may run at, of what it could.",
            &board::frequency_limits(sys),
        );
    }

    fn readings(&mut self, name: &str, help: &str, readings: &[Reading]) {
        if !readings.is_empty() {
            self.head(name, "gauge", help);
            for reading in readings {
                self.sample(name, &[("place", &reading.place)], reading.value);
            }
        }
    }

    fn number(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String does not fail, here and below.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (key, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.0, "{}{key}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(microseconds: u64, probability: f32) -> Seen {
        let latency = Duration::from_micros(microseconds);
        let text = Some(TextCounts { tokens: 3, known: 2, cut_bytes: 0 });
        Seen { latency, probability, unknown: probability < 0.5, changed: false, text }
    }

    #[test]
    fn the_text_says_what_was_counted() {
        let metrics = Metrics::new(Arc::default(), Arc::new(Mailbox::new()), "a \"b\"");
        for at in 1..=100 {
            metrics.answered(seen(1000 * at, at as f32 / 100.0));
        }
        metrics.answered(seen(1, f32::NAN));
        let text = metrics.text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
        };
        assert_eq!(value("graft_answers_total"), 101.0);
        assert_eq!(value("graft_unknown_total"), 49.0);
        assert_eq!(value("graft_tokens_total"), 303.0);
        assert_eq!(value("graft_tokens_unknown_total"), 101.0);
        assert_eq!(value("graft_texts_cut_total"), 0.0);
        assert_eq!(value("graft_probability_bucket{le=\"0.1\"}"), 10.0);
        assert_eq!(value("graft_probability_bucket{le=\"1\"}"), 100.0);
        assert_eq!(value("graft_probability_count"), 100.0);
        assert!((value("graft_probability_sum") - 50.5).abs() < 1e-3);
        assert!((value("graft_latency_seconds_sum") - 5.050001).abs() < 1e-9);
        let middle = value("graft_latency_seconds{quantile=\"0.5\"}");
        assert!((0.049..=0.052).contains(&middle), "{middle}");
        assert!(text.contains(r#"bundle="a \"b\""} 1"#), "{text}");
    }

    /// The rules of the text format that a scraper trips over.
    #[test]
    fn the_text_has_prometheus_form() {
        let metrics = Metrics::new(Arc::default(), Arc::new(Mailbox::new()), "b");
        metrics.answered(seen(10, 0.9));
        let text = metrics.text();
        let mut family = String::new();
        let mut families = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap().to_owned();
                assert!(families.insert(family.clone()), "{family} twice");
            } else if !line.starts_with("# HELP ") {
                assert!(line.starts_with(&family), "{line} under {family}");
                let (_, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_bound_belongs_to_the_tenth_below_it() {
        let check = |probability, expected| assert_eq!(tenth(probability), expected);
        check(0.0, 0);
        check(0.1, 0);
        check(0.11, 1);
        check(0.5, 4);
        check(1.0, 9);
    }
}
