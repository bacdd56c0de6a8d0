use std::collections::BTreeMap;
use std::fmt;

use crate::SplitMix64;

/// Two parts of the examples, as indices in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is learned from.
    pub train: Vec<usize>,
    /// What is held out.
    pub test: Vec<usize>,
}

/// Why examples can't be split.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitError {
    /// A share that leaves one part empty by itself.
    Fraction(f64),
    /// Fewer than two folds.
    Folds(usize),
    /// Fewer than two examples, or groups if they are kept whole.
    TooFew {
        /// How many there are.
        parts: usize,
    },
    /// Every stratum has a single example: nothing can be held out without
    /// losing one.
    Singles,
    /// Not one group for each stratum given.
    Lengths {
        /// Strata given.
        strata: usize,
        /// Groups given.
        groups: usize,
    },
}

/// Sets `test_fraction` of the examples aside, the same share of each stratum as
/// nearly as whole numbers allow (largest remainders). `strata` has one number
/// an example: its class, or class and kind together. A stratum keeps at least
/// one example to train on.
///
/// # Errors
///
/// A fraction that is not between 0 and 1, fewer than two examples, or none that
/// can be spared.
pub fn stratified_split(
    strata: &[usize],
    test_fraction: f64,
    seed: u64,
) -> Result<Split, SplitError> {
    check_fraction(test_fraction)?;
    if strata.len() < 2 {
        return Err(SplitError::TooFew { parts: strata.len() });
    }
    let mut members: Vec<Vec<usize>> = members(strata).into_values().collect();
    let room: usize = members.iter().map(|m| m.len() - 1).sum();
    if room == 0 {
        return Err(SplitError::Singles);
    }
    let wanted = (strata.len() as f64 * test_fraction).round() as usize;
    let wanted = wanted.clamp(1, room);

    let mut taken: Vec<usize> = members
        .iter()
        .map(|m| ((m.len() as f64 * test_fraction) as usize).min(m.len() - 1))
        .collect();
    while taken.iter().sum::<usize>() < wanted {
        // The stratum that is farthest behind its share gives one more.
        let behind = |k: usize| members[k].len() as f64 * test_fraction - taken[k] as f64;
        let next = (0..members.len())
            .filter(|&k| taken[k] + 1 < members[k].len())
            .reduce(|a, b| if behind(b) > behind(a) { b } else { a })
            .expect("there is room for all that are wanted");
        taken[next] += 1;
    }

    let mut random = SplitMix64::new(seed);
    let mut split = Split { train: Vec::new(), test: Vec::new() };
    for (members, taken) in members.iter_mut().zip(taken) {
        random.shuffle(members);
        split.test.extend(&members[..taken]);
        split.train.extend(&members[taken..]);
    }
    split.test.sort_unstable();
    split.train.sort_unstable();
    Ok(split)
}

/// The fold of each example, `0..folds`: each fold gets as many examples as the
/// next, give or take one, of all and of each stratum. A stratum smaller than
/// `folds` is in as many folds as it has examples; with fewer examples than
/// folds there are as many folds as examples.
///
/// # Errors
///
/// Fewer than two folds or examples.
pub fn stratified_folds(
    strata: &[usize],
    folds: usize,
    seed: u64,
) -> Result<Vec<usize>, SplitError> {
    let folds = check_folds(folds, strata.len())?;
    let mut random = SplitMix64::new(seed);
    let mut fold_of = vec![0; strata.len()];
    // Dealt like cards, each stratum going on where the last one ended.
    let mut next = 0;
    for mut members in members(strata).into_values() {
        random.shuffle(&mut members);
        for example in members {
            fold_of[example] = next % folds;
            next += 1;
        }
    }
    Ok(fold_of)
}

/// As [`stratified_split`], but all examples of one group stand on one side:
/// photos of one object, pages of one book. The shares are as near as a greedy
/// deal of whole groups, largest first, comes.
///
/// # Errors
///
/// As [`stratified_split`]; fewer than two groups; not one group an example.
pub fn grouped_split(
    strata: &[usize],
    groups: &[usize],
    test_fraction: f64,
    seed: u64,
) -> Result<Split, SplitError> {
    check_fraction(test_fraction)?;
    let groups = Groups::new(strata, groups, seed)?;
    let mut sides = groups.deal(&[1.0 - test_fraction, test_fraction]);
    // Groups too coarse for the fraction may all fall on one side: the smallest,
    // which is the last, crosses over.
    if let (Some(missing), Some(last)) = ((0..2).find(|s| !sides.contains(s)), sides.last_mut()) {
        *last = missing;
    }
    let mut test: Vec<usize> = groups.of(&sides, 1).collect();
    let mut train: Vec<usize> = groups.of(&sides, 0).collect();
    test.sort_unstable();
    train.sort_unstable();
    Ok(Split { train, test })
}

/// As [`stratified_folds`], but all examples of one group are in one fold; with
/// fewer groups than folds there are as many folds as groups.
///
/// # Errors
///
/// As [`stratified_folds`]; fewer than two groups; not one group an example.
pub fn grouped_folds(
    strata: &[usize],
    groups: &[usize],
    folds: usize,
    seed: u64,
) -> Result<Vec<usize>, SplitError> {
    let groups = Groups::new(strata, groups, seed)?;
    let folds = check_folds(folds, groups.members.len())?;
    let sides = groups.deal(&vec![1.0; folds]);
    let mut fold_of = vec![0; strata.len()];
    for (members, fold) in groups.members.iter().zip(sides) {
        members.iter().for_each(|&i| fold_of[i] = fold);
    }
    Ok(fold_of)
}

fn check_fraction(fraction: f64) -> Result<(), SplitError> {
    if fraction > 0.0 && fraction < 1.0 { Ok(()) } else { Err(SplitError::Fraction(fraction)) }
}

fn check_folds(folds: usize, parts: usize) -> Result<usize, SplitError> {
    match (folds, parts) {
        (0 | 1, _) => Err(SplitError::Folds(folds)),
        (_, 0 | 1) => Err(SplitError::TooFew { parts }),
        _ => Ok(folds.min(parts)),
    }
}

fn members(keys: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (example, &key) in keys.iter().enumerate() {
        members.entry(key).or_default().push(example);
    }
    members
}

/// Groups to deal, largest first, equals in random order.
struct Groups {
    members: Vec<Vec<usize>>,
    /// The stratum of each example, numbered from 0 without gaps.
    stratum_of: Vec<usize>,
    /// Examples of each stratum.
    totals: Vec<f64>,
}

impl Groups {
    fn new(strata: &[usize], groups: &[usize], seed: u64) -> Result<Groups, SplitError> {
        if strata.len() != groups.len() {
            return Err(SplitError::Lengths { strata: strata.len(), groups: groups.len() });
        }
        let mut by_group: Vec<Vec<usize>> = members(groups).into_values().collect();
        if by_group.len() < 2 {
            return Err(SplitError::TooFew { parts: by_group.len() });
        }
        SplitMix64::new(seed).shuffle(&mut by_group);
        by_group.sort_by_key(|members| std::cmp::Reverse(members.len()));
        let mut stratum_of = vec![0; strata.len()];
        let mut totals = Vec::new();
        for (stratum, members) in members(strata).into_values().enumerate() {
            members.iter().for_each(|&i| stratum_of[i] = stratum);
            totals.push(members.len() as f64);
        }
        Ok(Groups { members: by_group, stratum_of, totals })
    }

    /// A side for each group. Each goes where it adds least to
    /// Σ (share of the stratum)² / capacity, which is smallest when every side
    /// has its capacity's share of every stratum; of equals, to the emptiest.
    fn deal(&self, capacities: &[f64]) -> Vec<usize> {
        let strata = self.totals.len();
        let mut shares = vec![vec![0f64; strata]; capacities.len()];
        let mut sizes = vec![0usize; capacities.len()];
        let mut sides = Vec::with_capacity(self.members.len());
        let mut of_group = vec![0f64; strata];
        for members in &self.members {
            of_group.fill(0.0);
            for &i in members {
                of_group[self.stratum_of[i]] += 1.0 / self.totals[self.stratum_of[i]];
            }
            let cost = |side: usize| {
                let added: f64 =
                    shares[side].iter().zip(&of_group).map(|(s, g)| (2.0 * s + g) * g).sum();
                (added / capacities[side], sizes[side])
            };
            let best = (0..capacities.len())
                .reduce(|a, b| if cost(b) < cost(a) { b } else { a })
                .expect("there is a side");
            shares[best].iter_mut().zip(&of_group).for_each(|(s, g)| *s += g);
            sizes[best] += members.len();
            sides.push(best);
        }
        sides
    }

    fn of<'a>(&'a self, sides: &'a [usize], side: usize) -> impl Iterator<Item = usize> + 'a {
        let on_side = self.members.iter().zip(sides).filter(move |&(_, &s)| s == side);
        on_side.flat_map(|(members, _)| members.iter().copied())
    }
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitError::Fraction(fraction) => {
                write!(f, "the share held out is {fraction}, must be between 0 and 1")
            }
            SplitError::Folds(folds) => write!(f, "{folds} folds, at least 2 are needed"),
            SplitError::TooFew { parts } => {
                write!(f, "{parts} examples or groups can't be divided, at least 2 are needed")
            }
            SplitError::Singles => {
                f.write_str("every class has a single example, none can be held out")
            }
            SplitError::Lengths { strata, groups } => {
                write!(f, "{strata} examples have {groups} groups")
            }
        }
    }
}

impl std::error::Error for SplitError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(of: impl Iterator<Item = bool>) -> usize {
        of.filter(|&yes| yes).count()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn splits_keep_the_shares(
            strata in prop::collection::vec(0usize..4, 10..200), percent in 5usize..95, seed: u64,
        ) {
            let fraction = percent as f64 / 100.0;
            let split = stratified_split(&strata, fraction, seed).unwrap();
            let mut all = [split.train.clone(), split.test.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..strata.len()).collect::<Vec<_>>());
            let whole = |stratum| count(strata.iter().map(|&s| s == stratum));
            // What small strata owe the test part and cannot give (they keep one
            // example to train on), the others give for them.
            let owed: f64 = (0..4)
                .map(whole)
                .filter(|&whole| whole > 0)
                .map(|whole| (whole as f64 * fraction - (whole - 1) as f64).max(0.0))
                .sum();
            for stratum in 0..4 {
                let whole = whole(stratum);
                let test = count(split.test.iter().map(|&i| strata[i] == stratum));
                let off = (test as f64 - whole as f64 * fraction).abs();
                prop_assert!(off <= 1.0 + owed + 1e-9);
                prop_assert!(whole == 0 || test < whole);
            }
        }

        #[test]
        fn folds_are_even(
            strata in prop::collection::vec(0usize..4, 2..200), folds in 2usize..7, seed: u64,
        ) {
            let fold_of = stratified_folds(&strata, folds, seed).unwrap();
            let folds = folds.min(strata.len());
            let spread = |members: &dyn Fn(usize) -> bool| {
                let sizes = (0..folds)
                    .map(|f| count((0..strata.len()).map(|i| fold_of[i] == f && members(i))));
                let sizes: Vec<usize> = sizes.collect();
                sizes.iter().max().unwrap() - sizes.iter().min().unwrap()
            };
            prop_assert!(spread(&|_| true) <= 1);
            for stratum in 0..4 {
                prop_assert!(spread(&|i| strata[i] == stratum) <= 1);
            }
        }

        #[test]
        fn groups_stay_whole(
            pairs in prop::collection::vec((0usize..3, 0usize..30), 20..200),
            folds in 2usize..7, seed: u64,
        ) {
            let (strata, groups): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let distinct = members(&groups).len();
            prop_assume!(distinct > 1);
            let fold_of = grouped_folds(&strata, &groups, folds, seed).unwrap();
            let mut used: Vec<usize> = fold_of.clone();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used, (0..folds.min(distinct)).collect::<Vec<_>>());
            let split = grouped_split(&strata, &groups, 0.3, seed).unwrap();
            prop_assert!(!split.train.is_empty() && !split.test.is_empty());
            prop_assert_eq!(split.train.len() + split.test.len(), strata.len());
            for members in members(&groups).into_values() {
                prop_assert!(members.iter().all(|&i| fold_of[i] == fold_of[members[0]]));
                let tested = count(members.iter().map(|i| split.test.contains(i)));
                prop_assert!(tested == 0 || tested == members.len());
            }
        }
    }

    #[test]
    fn groups_are_dealt_evenly() {
        // 60 objects of 5 photos, a third of them of class 1.
        let groups: Vec<usize> = (0..300).map(|i| i / 5).collect();
        let strata: Vec<usize> = groups.iter().map(|g| usize::from(g % 3 == 0)).collect();
        let split = grouped_split(&strata, &groups, 0.25, 4).unwrap();
        assert_eq!(split.test.len(), 75);
        assert_eq!(count(split.test.iter().map(|&i| strata[i] == 1)), 25);
        let fold_of = grouped_folds(&strata, &groups, 5, 4).unwrap();
        for fold in 0..5 {
            assert_eq!(count(fold_of.iter().map(|&f| f == fold)), 60);
            assert_eq!(count((0..300).map(|i| fold_of[i] == fold && strata[i] == 1)), 20);
        }
    }

    #[test]
    fn seeds_matter_and_repeat() {
        let strata: Vec<usize> = (0..50).map(|i| i % 2).collect();
        let split = |seed| stratified_split(&strata, 0.2, seed).unwrap();
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
    }

    #[test]
    fn rare_classes_are_spread() {
        // One example of class 1: it is trained on; three of class 2.
        let strata = [vec![0; 40], vec![1], vec![2; 3]].concat();
        let split = stratified_split(&strata, 0.25, 9).unwrap();
        assert!(split.train.contains(&40));
        assert_eq!(split.test.len(), 11);
        let fold_of = stratified_folds(&strata, 5, 9).unwrap();
        let mut rare = fold_of[41..].to_vec();
        rare.sort_unstable();
        rare.dedup();
        assert_eq!(rare.len(), 3);
    }

    #[test]
    fn impossible_splits_are_named() {
        assert_eq!(stratified_split(&[0, 0], 1.0, 0), Err(SplitError::Fraction(1.0)));
        assert_eq!(stratified_split(&[0], 0.5, 0), Err(SplitError::TooFew { parts: 1 }));
        assert_eq!(stratified_split(&[0, 1, 2], 0.5, 0), Err(SplitError::Singles));
        assert_eq!(stratified_folds(&[0, 0], 1, 0), Err(SplitError::Folds(1)));
        assert_eq!(grouped_folds(&[0, 1], &[3, 3], 2, 0), Err(SplitError::TooFew { parts: 1 }));
        assert_eq!(
            grouped_split(&[0, 1], &[3], 0.5, 0),
            Err(SplitError::Lengths { strata: 2, groups: 1 })
        );
    }
}
