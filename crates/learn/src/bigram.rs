//! The next word by counting: what a network has to beat.

use std::collections::HashMap;

/// What came after what.
#[derive(Clone, Debug)]
pub struct BigramCounts {
    words: usize,
    /// Of each word before: those that came, in their order, and how often.
    followers: HashMap<u32, Followers>,
    /// How often each word came.
    counts: Vec<u64>,
    /// After how many different words each came.
    contexts: Vec<u64>,
    /// Words by falling `contexts`, the first of equals first.
    by_contexts: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Followers {
    each: Vec<(u32, u64)>,
    total: u64,
}

impl BigramCounts {
    /// Counts pairs of a word before, by any number, and a word that came, below
    /// `words`.
    ///
    /// # Panics
    ///
    /// If a word that came is not below `words`.
    pub fn of(pairs: impl IntoIterator<Item = (u32, u32)>, words: usize) -> BigramCounts {
        let mut counted: HashMap<(u32, u32), u64> = HashMap::new();
        for pair in pairs {
            *counted.entry(pair).or_default() += 1;
        }
        let (mut counts, mut contexts) = (vec![0; words], vec![0; words]);
        let mut followers: HashMap<u32, Followers> = HashMap::new();
        for ((before, next), count) in counted {
            counts[next as usize] += count;
            contexts[next as usize] += 1;
            let of = followers.entry(before).or_default();
            of.each.push((next, count));
            of.total += count;
        }
        followers.values_mut().for_each(|of| of.each.sort_unstable());
        let mut by_contexts: Vec<u32> = (0..words as u32).collect();
        by_contexts.sort_by_key(|&word| std::cmp::Reverse(contexts[word as usize]));
        BigramCounts { words, followers, counts, contexts, by_contexts }
    }

    /// How often each word came.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The discount, of 0.05 to 0.95 in steps of 0.05, with which held-out pairs are
    /// the most probable.
    pub fn best_discount(&self, held_out: &[(u32, u32)]) -> f64 {
        let loss = |discount: f64| -> f64 {
            let bigram = self.bigram(discount);
            -held_out.iter().map(|&(b, n)| bigram.probability(b, n).ln()).sum::<f64>()
        };
        let tried = (1..20).map(|step| f64::from(step) * 0.05);
        let tried = tried.map(|discount| (loss(discount), discount));
        tried.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.75, |(_, discount)| discount)
    }

    /// The model with a discount between 0 and 1.
    pub fn bigram(&self, discount: f64) -> Bigram<'_> {
        let total = self.contexts.iter().sum::<u64>().max(1) as f64;
        Bigram { counts: self, discount, pairs: total }
    }
}

/// A bigram model with interpolated Kneser–Ney smoothing (Kneser and Ney 1995,
/// "Improved backing-off for m-gram language modeling"; Chen and Goodman 1999, "An
/// empirical study of smoothing techniques for language modeling", section 2.7):
/// `p(w | c) = max(n(c w) - d, 0) / n(c) + d · n₊(c) / n(c) · n₊(w) / n₊`, where `n₊(c)`
/// counts the different words that came after `c`, `n₊(w)` those that `w` came after,
/// and `n₊` all different pairs. After a word that was never seen it is `n₊(w) / n₊`.
#[derive(Clone, Copy, Debug)]
pub struct Bigram<'a> {
    counts: &'a BigramCounts,
    discount: f64,
    /// Different ones.
    pairs: f64,
}

impl Bigram<'_> {
    /// How probable a word is after another.
    pub fn probability(&self, before: u32, next: u32) -> f64 {
        let general = self.general(next);
        let Some(of) = self.counts.followers.get(&before) else { return general };
        let seen = of.each.binary_search_by_key(&next, |&(word, _)| word);
        self.after(of, seen.map_or(0, |at| of.each[at].1), general)
    }

    /// The most probable words after another, the first of equals first.
    pub fn top(&self, before: u32, count: usize) -> Vec<u32> {
        let empty = Followers::default();
        let of = self.counts.followers.get(&before).unwrap_or(&empty);
        let is_follower =
            |word: u32| of.each.binary_search_by_key(&word, |&(word, _)| word).is_ok();
        let followers = of.each.iter().map(|&(word, count)| (word, count));
        // Of those that did not come the first are the most general ones.
        let others = self.counts.by_contexts.iter().filter(|&&word| !is_follower(word));
        let others = others.take(count).map(|&word| (word, 0));
        let mut all: Vec<(f64, u32)> = followers
            .chain(others)
            .map(|(word, seen)| (self.after(of, seen, self.general(word)), word))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.into_iter().take(count).map(|(_, word)| word).collect()
    }

    /// How many words there are.
    pub fn words(&self) -> usize {
        self.counts.words
    }

    fn general(&self, word: u32) -> f64 {
        self.counts.contexts[word as usize] as f64 / self.pairs
    }

    fn after(&self, of: &Followers, seen: u64, general: f64) -> f64 {
        if of.total == 0 {
            return general;
        }
        let total = of.total as f64;
        let kept = (seen as f64 - self.discount).max(0.0) / total;
        kept + self.discount * of.each.len() as f64 / total * general
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: after 7 came 0 twice and 1 once; after 8 came 1 once.
    #[test]
    fn a_little_text_by_hand() {
        let counts = BigramCounts::of([(7, 0), (7, 0), (7, 1), (8, 1)], 3);
        assert_eq!(counts.counts(), [2, 2, 0]);
        let bigram = counts.bigram(0.5);
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-15, "{found} is not {expected}");
        };
        // 1.5/3 + 0.5·2/3 · 1/3 and 0.5/3 + 1/3 · 2/3.
        near(bigram.probability(7, 0), 0.5 + 1.0 / 9.0);
        near(bigram.probability(7, 1), 1.0 / 6.0 + 2.0 / 9.0);
        near(bigram.probability(7, 2), 0.0);
        // 0.5 · 1/3 of what is general.
        near(bigram.probability(8, 0), 0.5 / 3.0);
        near(bigram.probability(9, 0), 1.0 / 3.0);
        assert_eq!(bigram.top(7, 2), [0, 1]);
        assert_eq!(bigram.top(8, 2), [1, 0]);
        assert_eq!(bigram.top(9, 5), [1, 0, 2]);
    }

    #[test]
    fn probabilities_are_one_together_and_the_top_is_the_top() {
        let mut random = crate::SplitMix64::new(5);
        let pairs: Vec<(u32, u32)> = (0..4000)
            .map(|_| ((random.unit().powi(3) * 60.0) as u32, (random.unit().powi(2) * 50.0) as u32))
            .collect();
        let counts = BigramCounts::of(pairs.iter().copied(), 50);
        let discount = counts.best_discount(&pairs[..100]);
        for discount in [discount, 0.1, 0.95] {
            let bigram = counts.bigram(discount);
            for before in [0, 3, 40, 59, 1000] {
                let all: Vec<f64> = (0..50).map(|word| bigram.probability(before, word)).collect();
                assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let mut order: Vec<u32> = (0..50).collect();
                order.sort_by(|&a, &b| all[b as usize].total_cmp(&all[a as usize]));
                assert_eq!(bigram.top(before, 5), order[..5]);
            }
        }
    }
}
