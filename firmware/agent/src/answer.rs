//! An answer as one line of JSON. `docs/graftd.md` states what each field
//! means; names and units stay as they are.

use std::time::{Duration, Instant, SystemTime};

use graft_runtime::TextCounts;
use graft_spec::{Decision, Labels};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What is said about one frame.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Line<'a> {
    pub sequence: u64,
    pub time_ms: u64,
    pub monotonic_us: u64,
    pub name: Option<&'a str>,
    pub label: Option<&'a str>,
    pub unknown: bool,
    pub probability: f32,
    pub top: Top<'a>,
    pub stable: Option<&'a str>,
    pub changed: bool,
    pub latency_us: u64,
    pub age_us: u64,
    pub dropped: u64,
    #[serde(flatten)]
    pub text: Option<Words>,
}

/// What was in a text.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Words {
    pub tokens: u32,
    pub known: u32,
    pub cut_bytes: usize,
}

impl From<TextCounts> for Words {
    fn from(counts: TextCounts) -> Words {
        let TextCounts { tokens, known, cut_bytes } = counts;
        Words { tokens, known, cut_bytes }
    }
}

/// The most probable labels, the most probable first.
#[derive(Debug)]
pub(crate) struct Top<'a> {
    pub labels: &'a Labels,
    pub probabilities: &'a [f32],
    /// As [`rank`] finds it.
    pub ranks: &'a [usize],
}

struct Ranked<'a> {
    label: &'a str,
    probability: f32,
}

impl Serialize for Top<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.ranks.iter().map(|&label| Ranked {
            label: &self.labels[label],
            probability: self.probabilities[label],
        }))
    }
}

impl Serialize for Ranked<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("label", self.label)?;
        map.serialize_entry("probability", &self.probability)?;
        map.end()
    }
}

/// Finds the `count` largest probabilities, largest first, the first of equals
/// first. `ranks` is used again.
pub(crate) fn rank(probabilities: &[f32], count: usize, ranks: &mut Vec<usize>) {
    ranks.clear();
    for (label, &p) in probabilities.iter().enumerate() {
        let at = ranks.iter().rposition(|&other| probabilities[other] >= p || p.is_nan());
        let at = at.map_or(0, |at| at + 1);
        if at < count {
            ranks.truncate(count - 1);
            ranks.insert(at, label);
        }
    }
}

/// The label of a decision.
pub(crate) fn label(labels: &Labels, decision: Decision) -> Option<&str> {
    match decision {
        Decision::Label(index) => Some(&labels[index]),
        Decision::Unknown => None,
    }
}

/// When a moment was: in milliseconds since 1970, by a clock that somebody may
/// set, and in microseconds since the machine's start, by one that nobody can.
pub(crate) fn moment(at: Instant) -> (u64, u64) {
    let ago = at.elapsed();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since_start = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let since_start = Duration::try_from(since_start).unwrap_or_default();
    let (wall, monotonic) = (since_1970.saturating_sub(ago), since_start.saturating_sub(ago));
    (wall.as_millis() as u64, monotonic.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_are_those_of_a_stable_sort(
            probabilities in proptest::collection::vec(
                prop_oneof![Just(0.25_f32), Just(0.5), 0.0_f32..1.0], 1..40,
            ),
            count in 1..10_usize,
        ) {
            let mut expected: Vec<usize> = (0..probabilities.len()).collect();
            expected.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
            expected.truncate(count);
            let mut ranks = Vec::new();
            rank(&probabilities, count, &mut ranks);
            prop_assert_eq!(ranks, expected);
        }
    }

    #[test]
    fn broken_probabilities_are_listed_too() {
        let mut ranks = Vec::new();
        rank(&[f32::NAN; 4], 3, &mut ranks);
        assert_eq!(ranks, [0, 1, 2]);
    }

    #[test]
    fn a_line_has_these_fields() {
        let labels = Labels::new(vec!["a \"b\"".into(), "c".into()]).unwrap();
        let mut line = Line {
            sequence: 7,
            time_ms: 1,
            monotonic_us: 2,
            name: None,
            label: label(&labels, Decision::Label(0)),
            unknown: false,
            probability: 0.75,
            top: Top { labels: &labels, probabilities: &[0.75, 0.25], ranks: &[0, 1] },
            stable: None,
            changed: false,
            latency_us: 3,
            age_us: 4,
            dropped: 5,
            text: None,
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            concat!(
                r#"{"sequence":7,"time_ms":1,"monotonic_us":2,"name":null,"label":"a \"b\"","#,
                r#""unknown":false,"probability":0.75,"top":[{"label":"a \"b\"","probability":0.75},"#,
                r#"{"label":"c","probability":0.25}],"stable":null,"changed":false,"latency_us":3,"#,
                r#""age_us":4,"dropped":5}"#
            )
        );
        line.text = Some(TextCounts { tokens: 6, known: 5, cut_bytes: 4 }.into());
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.ends_with(r#","dropped":5,"tokens":6,"known":5,"cut_bytes":4}"#), "{text}");
    }
}
