//! How good answers to what comes next are.

use graft_learn::block_interval;
use serde::Serialize;

/// What was counted in one block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Words that were asked for.
    pub(super) asked: u64,
    /// Of them those that can be answered.
    pub(super) inside: u64,
    /// Of those the sum of log-losses, natural logarithm.
    pub(super) loss: f64,
    /// Words that were the most probable one.
    pub(super) first: u64,
    /// Words that were among the three most probable ones.
    pub(super) of_three: u64,
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    /// Of the word that came; `None` if it can't be answered.
    pub(super) loss: Option<f64>,
    /// How many words are before the one that came, in the order of their
    /// probabilities.
    pub(super) rank: Option<usize>,
    /// The largest probability.
    pub(super) confidence: f32,
}

impl Tally {
    pub(super) fn add(&mut self, verdict: &Verdict) {
        self.asked += 1;
        if let Some(loss) = verdict.loss {
            self.inside += 1;
            self.loss += loss;
        }
        self.first += u64::from(verdict.rank == Some(0));
        self.of_three += u64::from(verdict.rank.is_some_and(|rank| rank < 3));
    }

    fn plus(self, other: &Tally) -> Tally {
        Tally {
            asked: self.asked + other.asked,
            inside: self.inside + other.inside,
            loss: self.loss + other.loss,
            first: self.first + other.first,
            of_three: self.of_three + other.of_three,
        }
    }

    fn log_loss(&self) -> f64 {
        self.loss / self.inside as f64
    }

    fn top1(&self) -> f64 {
        self.first as f64 / self.asked as f64
    }

    fn top3(&self) -> f64 {
        self.of_three as f64 / self.asked as f64
    }
}

impl Verdict {
    /// Of logits, as a bundle with this temperature gives probabilities; of equals the
    /// first comes first.
    pub(super) fn of_logits(logits: &[f32], temperature: f32, class: Option<u32>) -> Verdict {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&l| f64::from(((l - largest) / temperature).exp())).sum();
        let of_class = class.map(|class| {
            let class = class as usize;
            let own = logits[class];
            let before = logits[..class].iter().filter(|&&logit| logit >= own).count();
            let behind = logits[class + 1..].iter().filter(|&&logit| logit > own).count();
            (sum.ln() - f64::from((own - largest) / temperature), before + behind)
        });
        Verdict {
            loss: of_class.map(|(loss, _)| loss),
            rank: of_class.map(|(_, rank)| rank),
            confidence: (1.0 / sum) as f32,
        }
    }
}

/// What was measured on texts. Field names are those of docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// The power of e that the mean log-loss is, of the words that can be answered.
    pub perplexity: f64,
    /// 95 % interval, as of all others, by the bootstrap over blocks of the texts.
    pub perplexity_interval: [f64; 2],
    /// Share of the words that came that were the most probable one; a word that can't
    /// be answered is a miss.
    pub top1: f64,
    pub top1_interval: [f64; 2],
    /// Share that were among the three most probable ones.
    pub top3: f64,
    pub top3_interval: [f64; 2],
}

impl Scores {
    pub(super) fn of(tallies: &[Tally], seed: u64) -> Scores {
        let all = sum(tallies, 0..tallies.len());
        let interval = |of: fn(&Tally) -> f64| {
            block_interval(tallies.len(), seed, |drawn| of(&sum(tallies, drawn.iter().copied())))
        };
        let [low, high] = interval(Tally::log_loss);
        Scores {
            perplexity: all.log_loss().exp(),
            perplexity_interval: [low.exp(), high.exp()],
            top1: all.top1(),
            top1_interval: interval(Tally::top1),
            top3: all.top3(),
            top3_interval: interval(Tally::top3),
        }
    }
}

/// Another way to say what comes next, asked for the same words.
#[derive(Clone, Debug, Serialize)]
pub struct Rival {
    pub name: RivalName,
    #[serde(flatten)]
    pub scores: Scores,
    /// The bundle's top-3 share less its, and the 95 % interval of the difference.
    pub top3_gain: f64,
    pub top3_gain_interval: [f64; 2],
    /// The bundle's perplexity over its; below 1 the bundle's is better.
    pub perplexity_ratio: f64,
    pub perplexity_ratio_interval: [f64; 2],
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RivalName {
    /// Always the most frequent words.
    Unigram,
    /// Counted pairs of words, with interpolated Kneser-Ney smoothing.
    Bigram,
    /// The same network, learned in the same way from random vectors.
    RandomVectors,
}

impl Rival {
    pub(super) fn of(name: RivalName, its: &[Tally], bundles: &[Tally], seed: u64) -> Rival {
        let gain = |drawn: &mut dyn Iterator<Item = usize>| {
            let drawn: Vec<usize> = drawn.collect();
            let [its, ours] = [its, bundles].map(|of| sum(of, drawn.iter().copied()));
            (ours.top3() - its.top3(), (ours.log_loss() - its.log_loss()).exp())
        };
        let (top3_gain, perplexity_ratio) = gain(&mut (0..its.len()));
        let blocks = its.len();
        Rival {
            name,
            scores: Scores::of(its, seed),
            top3_gain,
            top3_gain_interval: block_interval(blocks, seed, |drawn| {
                gain(&mut drawn.iter().copied()).0
            }),
            perplexity_ratio,
            perplexity_ratio_interval: block_interval(blocks, seed, |drawn| {
                gain(&mut drawn.iter().copied()).1
            }),
        }
    }
}

fn sum(tallies: &[Tally], of: impl IntoIterator<Item = usize>) -> Tally {
    of.into_iter().fold(Tally::default(), |sum, block| sum.plus(&tallies[block]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values by scipy.special.log_softmax 1.17.
    #[test]
    fn a_verdict_is_of_the_softmax() {
        let logits = [0.5f32, 2.0, 2.0, -1.0];
        let check = |temperature, class: Option<u32>, loss: Option<f64>, rank, confidence: f32| {
            let found = Verdict::of_logits(&logits, temperature, class);
            assert_eq!(found.rank, rank, "{class:?}");
            assert!((found.confidence - confidence).abs() < 1e-6, "{found:?}");
            match (found.loss, loss) {
                (Some(found), Some(loss)) => assert!((found - loss).abs() < 1e-6, "{found}"),
                (found, loss) => assert_eq!(found, loss),
            }
        };
        check(1.0, Some(1), Some(0.821_064_13), Some(0), 0.439_963_23);
        check(1.0, Some(2), Some(0.821_064_13), Some(1), 0.439_963_23);
        check(1.0, Some(0), Some(2.321_064_13), Some(2), 0.439_963_23);
        check(2.0, Some(3), Some(2.491_582_5), Some(3), 0.370_989_14);
        check(1.0, None, None, None, 0.439_963_23);
    }

    #[test]
    fn words_that_cannot_be_answered_are_misses_and_have_no_loss() {
        let mut tally = Tally::default();
        let verdict = |loss, rank| Verdict { loss, rank, confidence: 0.5 };
        for (loss, rank) in [(Some(1.0), Some(0)), (Some(2.0), Some(2)), (None, None)] {
            tally.add(&verdict(loss, rank));
        }
        tally.add(&verdict(Some(3.0), Some(3)));
        let scores = Scores::of(&[tally], 1);
        assert!((scores.perplexity - 2.0_f64.exp()).abs() < 1e-12);
        assert_eq!((scores.top1, scores.top3), (0.25, 0.5));
        let other = Tally { asked: 4, inside: 3, loss: 9.0, first: 0, of_three: 1 };
        let rival = Rival::of(RivalName::Unigram, &[other], &[tally], 1);
        assert_eq!((rival.top3_gain, rival.top3_gain_interval), (0.25, [0.25; 2]));
        assert!((rival.perplexity_ratio - (-1.0_f64).exp()).abs() < 1e-12);
    }
}
