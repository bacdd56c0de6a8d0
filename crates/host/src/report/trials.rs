//! Every method with every size and seed.

use std::time::{Duration, Instant};

use graft_learn::curves::Trial;
use graft_spec::Calibration;
use ndarray::{Array2, ArrayView1};
use serde::Serialize;

use super::plan::Plan;
use super::{About, ReportError};
use crate::progress::{Event, OnEvent};

/// A way to a network that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A small network learns all by itself.
    Scratch,
    /// The backbone stays as it is, and a linear head is solved on its features.
    Frozen,
    /// The same, and then the backbone is tuned with it.
    FineTuned,
}

impl Method {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Method::Scratch => "from scratch",
            Method::Frozen => "frozen + head",
            Method::FineTuned => "fine-tuned",
        }
    }
}

/// One run to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lesson<'a> {
    pub(super) method: Method,
    pub(super) seed: u64,
    pub(super) train: &'a [usize],
    /// Looked at, never learned from and never chosen by.
    pub(super) test: &'a [usize],
}

/// What came of it.
pub(super) struct Learnt {
    /// `[test, classes]` before the first epoch and after each; one for a method
    /// without epochs.
    pub(super) logits: Vec<Array2<f32>>,
    /// Of the last of them.
    pub(super) calibration: Calibration,
}

/// All runs of a method.
pub(super) struct Trials {
    pub(super) method: Method,
    /// By size, then by seed.
    pub(super) trials: Vec<Trial>,
    /// The run with all photos and the first seed.
    pub(super) shown: Learnt,
    pub(super) wall: Duration,
}

/// Runs everything, small sizes first. `labels` has the class of every example.
pub(super) fn trials(
    plan: &Plan,
    (methods, about): (&[Method], About),
    labels: &[usize],
    learn: &mut dyn FnMut(&Lesson<'_>, OnEvent<'_>) -> Result<Learnt, ReportError>,
    on: OnEvent<'_>,
) -> Result<Vec<Trials>, ReportError> {
    let of = methods.len() * plan.sizes.len() * plan.seeds.len();
    let mut number = 0;
    let mut all = Vec::with_capacity(methods.len());
    for &method in methods {
        let start = Instant::now();
        let (mut trials, mut shown) = (Vec::new(), None);
        for (at, &examples) in plan.sizes.iter().enumerate() {
            for (of_seed, &seed) in plan.seeds.iter().enumerate() {
                number += 1;
                let name =
                    format!("{}, {examples} {}, seed {seed}", method.words(), about.plural());
                if on(Event::Source { name: &name, number, of }).is_break() {
                    return Err(ReportError::Cancelled);
                }
                let train = plan.part(of_seed, at);
                let lesson = Lesson { method, seed, train, test: &plan.test };
                let learnt = learn(&lesson, on)?;
                let right = learnt.logits.iter().map(|l| right(l, &plan.test, labels)).collect();
                trials.push(Trial { seed, examples, right });
                if at + 1 == plan.sizes.len() && of_seed == 0 {
                    shown = Some(learnt);
                }
            }
        }
        let shown = shown.expect("invariant: a plan has sizes and seeds");
        all.push(Trials { method, trials, shown, wall: start.elapsed() });
    }
    Ok(all)
}

fn right(logits: &Array2<f32>, test: &[usize], labels: &[usize]) -> Vec<bool> {
    logits.outer_iter().zip(test).map(|(row, &i)| answer(&row) == labels[i]).collect()
}

/// The largest, the first of equals.
pub(super) fn answer(row: &ArrayView1<'_, f32>) -> usize {
    (0..row.len()).reduce(|a, b| if row[b] > row[a] { b } else { a }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use graft_learn::curves::{Curves, Measure, Verdict, benefits};

    use super::*;
    use crate::examples::Example;

    /// Answers the first so many test photos right, of which it knows the labels.
    fn know(lesson: &Lesson<'_>, labels: &[usize], share: f64) -> Array2<f32> {
        let right = (share * lesson.test.len() as f64).round() as usize;
        Array2::from_shape_fn((lesson.test.len(), 2), |(row, class)| {
            let label = labels[lesson.test[row]];
            f32::from(u8::from((class == label) == (row < right)))
        })
    }

    #[test]
    fn what_a_made_up_learner_knows_comes_out() {
        let examples: Vec<Example> = (0..300)
            .map(|i| Example {
                path: "x".into(),
                label: i % 2,
                split: None,
                group: None,
                stratum: None,
            })
            .collect();
        let labels: Vec<usize> = examples.iter().map(|e| e.label).collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let (train, test): (Vec<usize>, Vec<usize>) = ((0..160).collect(), (160..300).collect());
        let plan = Plan::new(&examples, &train, &test, 2, 3, &[0, 1, 2]).unwrap();
        let mut lessons = Vec::new();
        // Half right at first; then from scratch 50, 60, 70 % by doubling, frozen 90.
        let mut learn = |lesson: &Lesson<'_>, _: OnEvent<'_>| {
            assert!(lesson.train.iter().all(|i| !lesson.test.contains(i)));
            lessons.push((lesson.method, lesson.train.len(), lesson.seed));
            let doublings = (lesson.train.len() as f64 / 40.0).log2();
            let logits = match lesson.method {
                Method::Frozen => vec![know(lesson, &labels, 0.9)],
                _ => vec![know(lesson, &labels, 0.5), know(lesson, &labels, 0.5 + 0.1 * doublings)],
            };
            Ok(Learnt { logits, calibration: Calibration::NONE })
        };
        let mut told = 0;
        let mut on = |event: Event<'_>| {
            if let Event::Source { number, of, .. } = event {
                told += 1;
                assert_eq!((number, of), (told, 18));
            }
            ControlFlow::Continue(())
        };
        let methods = [Method::Frozen, Method::Scratch];
        let all = trials(&plan, (&methods, About::Photos), &labels, &mut learn, &mut on).unwrap();
        assert_eq!(lessons.len(), 18);
        assert_eq!(lessons[0], (Method::Frozen, 40, 0));
        assert_eq!(lessons[17], (Method::Scratch, 160, 2));
        let [frozen, scratch] = all.try_into().unwrap_or_else(|_| panic!("two methods"));
        let (frozen, scratch) =
            (Curves::new(frozen.trials).unwrap(), Curves::new(scratch.trials).unwrap());
        let gains = benefits(&frozen, &scratch).unwrap();
        let expected = [
            (Measure::BeforeTraining, 0.4, Verdict::Helps),
            (Measure::FewestExamples, 0.4, Verdict::Helps),
            (Measure::PerDoubling, -0.1, Verdict::Hurts),
            (Measure::MostExamples, 0.2, Verdict::Helps),
        ];
        assert_eq!(gains.len(), expected.len());
        for (gain, (measure, value, verdict)) in gains.iter().zip(expected) {
            assert_eq!((gain.measure, gain.verdict), (measure, verdict), "{gain:?}");
            assert!((gain.gain.value - value).abs() < 1e-9, "{gain:?}");
        }
    }

    #[test]
    fn a_stop_is_heeded() {
        let example =
            Example { path: "x".into(), label: 0, split: None, group: None, stratum: None };
        let examples: Vec<Example> =
            (0..40).map(|i| Example { label: i % 2, ..example.clone() }).collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let plan = Plan::new(&examples, &(0..20).collect::<Vec<_>>(), &[30], 2, 2, &[0]).unwrap();
        let mut learn = |_: &Lesson<'_>, _: OnEvent<'_>| unreachable!("nothing is to be learned");
        let mut on = |_: Event<'_>| ControlFlow::Break(());
        let stopped =
            trials(&plan, (&[Method::Frozen], About::Photos), &[0; 40], &mut learn, &mut on);
        assert!(matches!(stopped, Err(ReportError::Cancelled)));
    }
}
