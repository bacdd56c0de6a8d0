//! One frame, answered: from its bytes to what the sinks are told.

use std::sync::Arc;
use std::time::Instant;

use graft_runtime::TextCounts;
use graft_spec::Decision;

use crate::answer::{self, Line, Top, Words};
use crate::bundle::{LoadError, Loaded};
use crate::config::{Config, Smooth};
use crate::counts::{Counts, is_said};
use crate::health::{Metrics, Seen, Sign};
use crate::keep::Keeper;
use crate::mailbox::{Captured, Mailbox};
use crate::picture::{Darkroom, Shown};
use crate::sink::{Sink, SinkError, Told};
use crate::smooth::Smoother;

/// All that one frame's answer needs.
pub(crate) struct Answering {
    loaded: Loaded,
    smooth: Smooth,
    smoother: Smoother,
    darkroom: Darkroom,
    keeper: Option<Keeper>,
    metrics: Arc<Metrics>,
    mailbox: Arc<Mailbox>,
    top: usize,
    sequence: u64,
    ranks: Vec<usize>,
    line: Vec<u8>,
    steady: Steady,
}

/// The steady answer that the sinks know of, by name, as another bundle has
/// other labels.
#[derive(Debug, Default)]
struct Steady {
    known: bool,
    name: String,
}

impl Answering {
    pub fn new(
        loaded: Loaded,
        config: &Config,
        keeper: Option<Keeper>,
        metrics: Arc<Metrics>,
        mailbox: Arc<Mailbox>,
    ) -> Answering {
        Answering {
            smoother: smoother(&config.smooth, &loaded),
            loaded,
            smooth: config.smooth.clone(),
            darkroom: Darkroom::new(config.max_pixels),
            keeper,
            metrics,
            mailbox,
            top: config.top,
            sequence: 0,
            ranks: Vec::new(),
            line: Vec::new(),
            steady: Steady::default(),
        }
    }

    pub fn has_answered(&self) -> bool {
        self.sequence > 0
    }

    /// Answers one frame and tells the sinks.
    ///
    /// # Errors
    ///
    /// Only of a sink; a frame that cannot be answered is a sign.
    pub fn answer(
        &mut self,
        captured: &Captured,
        sinks: &mut [Sink],
        counts: &Counts,
    ) -> Result<Sign, SinkError> {
        let started = Instant::now();
        let shown = match self.darkroom.develop(captured, self.loaded.background) {
            Ok(shown) => shown,
            Err(error) => {
                let count = counts.unreadable.one();
                // A picture with a name is always named.
                if !captured.name.is_empty() {
                    log::warn!("{}: {error}", captured.name);
                } else if is_said(count) {
                    log::warn!("a frame cannot be read ({count} so far): {error}");
                }
                return Ok(Sign::Idle);
            }
        };
        let answered = match shown {
            Shown::Picture(frame) => self.loaded.model.predict(frame),
            Shown::Text(text) => self.loaded.model.predict_text(text),
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(error) => {
                let count = self.metrics.failed.one();
                if is_said(count) {
                    log::error!("a frame has no answer ({count} so far): {error}");
                }
                return Ok(Sign::Failed);
            }
        };
        let stable = match answer.text {
            Some(TextCounts { known: 0, .. }) => self.smoother.push_nothing(),
            _ => self.smoother.push(answer.decision, answer.probabilities),
        };
        let latency = started.elapsed();

        let labels = &self.loaded.labels;
        answer::rank(answer.probabilities, self.top.max(2), &mut self.ranks);
        let best = self.ranks[0];
        let probability = answer.probabilities[best];
        let unknown = answer.decision == Decision::Unknown;
        let stable = answer::label(labels, stable);
        let changed = self.steady.get() != stable;
        let (time_ms, monotonic_us) = answer::moment(captured.at);
        let line = Line {
            sequence: self.sequence,
            time_ms,
            monotonic_us,
            name: Some(captured.name.as_str()).filter(|name| !name.is_empty()),
            label: answer::label(labels, answer.decision),
            unknown,
            probability,
            top: Top {
                labels,
                probabilities: answer.probabilities,
                ranks: &self.ranks[..self.ranks.len().min(self.top)],
            },
            stable,
            changed,
            latency_us: latency.as_micros() as u64,
            age_us: captured.at.elapsed().as_micros() as u64,
            dropped: self.mailbox.dropped(),
            text: answer.text.map(Words::from),
        };
        self.line.clear();
        serde_json::to_writer(&mut self.line, &line)
            .expect("invariant: plain values, and a Vec takes all of them");
        self.line.push(b'\n');
        let told = Told {
            line: &self.line,
            sequence: self.sequence,
            probability,
            stable,
            changed_from: changed.then_some(self.steady.get()),
        };
        sinks.iter_mut().try_for_each(|sink| sink.tell(&told))?;

        let text = answer.text;
        self.metrics.answered(Seen { latency, probability, unknown, changed, text });
        if let (Some(keeper), Shown::Picture(frame)) = (&mut self.keeper, shown) {
            let margin =
                self.ranks.get(1).map_or(1.0, |&next| probability - answer.probabilities[next]);
            keeper.offer(frame, unknown, margin, &labels[best]);
        }
        self.steady.set(stable);
        self.sequence += 1;
        Ok(Sign::Answered)
    }

    /// Goes on with the same bundle, another having been refused.
    pub fn keep_running(&self, error: &LoadError) {
        self.metrics.refused_reloads.one();
        log::error!("the running bundle stays: {error}");
    }

    /// Goes on with another bundle; the steady answer stays if that has it too.
    pub fn change_to(&mut self, loaded: Loaded) {
        let kept = self.steady.get().and_then(|label| loaded.labels.index_of(label));
        self.smoother = smoother(&self.smooth, &loaded);
        if let Some(label) = kept {
            self.smoother.resume(label);
        }
        log::info!("{} takes over from {}", loaded.name, self.loaded.name);
        self.metrics.reloaded(&loaded.name);
        self.loaded = loaded;
    }
}

fn smoother(settings: &Smooth, loaded: &Loaded) -> Smoother {
    Smoother::new(settings, loaded.labels.names().len(), loaded.unknown_below)
}

impl Steady {
    fn get(&self) -> Option<&str> {
        self.known.then_some(self.name.as_str())
    }

    fn set(&mut self, label: Option<&str>) {
        self.known = label.is_some();
        if let Some(label) = label {
            label.clone_into(&mut self.name);
        }
    }
}
