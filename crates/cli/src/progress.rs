//! Bars on standard error, on a terminal only; and Ctrl-C.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use graft_host::Skipped;
use graft_host::progress::{Event, Stage};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Context;
use crate::output::complain;
use crate::text;

/// After this many files the rest is only counted.
const SKIPPED_SHOWN: usize = 5;

/// The first Ctrl-C asks the work to stop, so that what was computed is kept and
/// no temporary file is left; the second ends the program at once.
pub fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let handle = stop.clone();
    // Without a handler Ctrl-C still stops the program, only less tidily.
    let _ = ctrlc::set_handler(move || {
        if handle.swap(true, Ordering::Relaxed) {
            // SAFETY: ends the process without running exit handlers: those of
            // ONNX Runtime would free what other threads still work with.
            unsafe { libc::_exit(crate::output::INTERRUPTED.into()) }
        }
    });
    stop
}

/// Shows events, and answers whether to go on.
pub struct Display<'a> {
    context: &'a Context<'a>,
    bar: Option<ProgressBar>,
    /// Which of several networks the bars are about.
    source: Option<String>,
    skipped: usize,
}

impl<'a> Display<'a> {
    pub fn new(context: &'a Context<'a>) -> Display<'a> {
        Display { context, bar: None, source: None, skipped: 0 }
    }

    pub fn show(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Source { name, number, of } => {
                self.source = Some(format!("{number}/{of} {name}: "));
            }
            Event::Begin { stage, total } => self.begin(stage, total),
            Event::Advance { done } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(done);
                }
            }
            Event::End => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
            Event::Skipped { path, reason } => {
                self.skipped += 1;
                if self.skipped <= SKIPPED_SHOWN {
                    self.say(&format!("skipped {}: {reason}", path.display()));
                } else if self.skipped == SKIPPED_SHOWN + 1 {
                    self.say("skipped more, counted at the end");
                }
            }
            Event::Epoch { facts, of, remaining } => {
                self.say(&text::train::epoch(facts, of, remaining));
            }
            Event::Note(text) => self.say(text),
        }
        if self.context.stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn begin(&mut self, stage: Stage, total: Option<u64>) {
        if self.context.global.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let (what, unit) = match stage {
            Stage::Features => ("features", "photos"),
            Stage::Head => ("head    ", "settings"),
            Stage::Predict => ("answers ", "photos"),
            Stage::Measure => ("measures", "processes"),
            Stage::Probe => ("probes  ", "cuts"),
            Stage::Latency => ("latency ", "cuts"),
            Stage::Frozen => ("frozen  ", "photos"),
            Stage::Tune => ("tune    ", "steps"),
            Stage::Texts => ("texts   ", "texts"),
            Stage::Vectors => ("vectors ", "words"),
            Stage::Download => ("download", "bytes"),
        };
        let source = self.source.clone().unwrap_or_default();
        let bar = match total {
            Some(total) if stage == Stage::Download => ProgressBar::new(total).with_style(style(
                "download {wide_bar} {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left",
            )),
            Some(total) => ProgressBar::new(total).with_style(style(&format!(
                "{{prefix}}{what} {{wide_bar}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left"
            ))),
            None => ProgressBar::new_spinner().with_style(style(&format!(
                "{{prefix}}{what} {{spinner}} {{pos}} {unit}, {{elapsed}}"
            ))),
        };
        self.bar = Some(bar.with_prefix(source));
    }

    fn say(&self, text: &str) {
        if self.context.global.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(&format!("graft: {text}"))),
            None => complain(&format!("graft: {text}")),
        }
    }
}

/// Skipped photos are an error if nothing is left, or if none may be skipped.
pub fn refuse(skipped: &[Skipped], total: usize, strict: bool) -> anyhow::Result<()> {
    match skipped.first() {
        Some(first) if strict || skipped.len() == total => anyhow::bail!(
            "{} of {total} examples cannot be used, first {}: {}{}",
            skipped.len(),
            first.path.display(),
            first.reason,
            if skipped.len() < total {
                "; without --strict they are skipped and listed"
            } else {
                ""
            }
        ),
        _ => Ok(()),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are well-formed")
}
