//! What each block of texts is for.

use graft_learn::SplitMix64;

use super::NextWordRecipe;
use super::corpus::{blocks, words};
use super::data::{RunningText, RunningTexts};
use super::error::{LEAST_WORDS, NextWordError};
use crate::digest::Digest;
use crate::examples::Split;
use crate::sides::SidesError;

/// Share of what is not held out that says when to stop, which discount suits the
/// bigrams, and how sure the network may be.
const STOP_SHARE: f64 = 0.1;

/// Keeps draws of one seed apart.
const BLOCKS: u64 = u64::from_be_bytes(*b"blocks  ");

/// Which blocks do what.
pub(super) struct Parts {
    role: Vec<Role>,
}

/// What a block is for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Learn,
    Stop,
    Test,
}

impl Parts {
    /// Whether a block has this role.
    pub(super) fn of(&self, role: Role) -> impl Fn(usize) -> bool {
        move |block| self.role[block] == role
    }
}

/// Blocks of texts, and what each is for: whole blocks, so that what is held out has
/// little to do with what was learned.
pub(super) fn parts<'t>(
    running: &'t RunningTexts,
    recipe: &NextWordRecipe,
) -> Result<(Vec<Vec<&'t str>>, Parts), NextWordError> {
    let all: Vec<&RunningText> = running.texts.iter().collect();
    let found = all.iter().map(|text| words(&text.text)).sum();
    if found < LEAST_WORDS {
        return Err(NextWordError::TooShort { found });
    }
    let with = running.texts.iter().filter(|text| text.split.is_some()).count();
    let (blocks, held_out) = if with == 0 {
        let blocks = blocks(&all);
        let sizes: Vec<usize> = blocks.iter().map(|block| size(block)).collect();
        let held_out = drawn(&sizes, recipe.test_share, &[recipe.seed, BLOCKS, 0]);
        (blocks, held_out)
    } else {
        let without = running.texts.len() - with;
        if without > 0 {
            let total = running.texts.len();
            return Err(SidesError::Partial { without, total }.into());
        }
        let of = |side: Split| -> Result<Vec<&RunningText>, NextWordError> {
            let texts = running.texts.iter().filter(|text| text.split == Some(side));
            let texts: Vec<&RunningText> = texts.collect();
            if texts.is_empty() { Err(SidesError::Empty { side }.into()) } else { Ok(texts) }
        };
        let (mut all, test) = (blocks(&of(Split::Train)?), blocks(&of(Split::Test)?));
        let held_out: Vec<bool> =
            (0..all.len() + test.len()).map(|block| block >= all.len()).collect();
        all.extend(test);
        (all, held_out)
    };
    let others: Vec<usize> = (0..blocks.len()).filter(|&block| !held_out[block]).collect();
    let sizes: Vec<usize> = others.iter().map(|&block| size(&blocks[block])).collect();
    let stops = drawn(&sizes, STOP_SHARE, &[recipe.seed, BLOCKS, 1]);
    let mut role: Vec<Role> =
        held_out.iter().map(|&held_out| if held_out { Role::Test } else { Role::Learn }).collect();
    others.iter().zip(stops).filter(|(_, stops)| *stops).for_each(|(&b, _)| role[b] = Role::Stop);
    for (part, asked) in [("learning", Role::Learn), ("stop", Role::Stop), ("held-out", Role::Test)]
    {
        if !role.contains(&asked) {
            return Err(NextWordError::NothingAsked { part });
        }
    }
    Ok((blocks, Parts { role }))
}

fn size(block: &[&str]) -> usize {
    block.iter().map(|text| words(text)).sum()
}

/// Blocks by chance that have together about this share of all words, one at least: each
/// that brings them nearer to it.
fn drawn(sizes: &[usize], share: f64, seed: &[u64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    SplitMix64::of(seed).shuffle(&mut order);
    let wanted = sizes.iter().sum::<usize>() as f64 * share;
    let (mut chosen, mut have) = (vec![false; sizes.len()], 0.0);
    for &block in &order {
        let more = sizes[block] as f64;
        if have + more / 2.0 <= wanted {
            chosen[block] = true;
            have += more;
        }
    }
    if have == 0.0
        && let Some(&smallest) = order.iter().min_by_key(|&&block| sizes[block])
    {
        chosen[smallest] = true;
    }
    chosen
}

/// Of the texts and what each was for.
pub(super) fn data_digest(blocks: &[Vec<&str>], parts: &Parts) -> Digest {
    let mut lines = String::new();
    for (block, role) in blocks.iter().zip(&parts.role) {
        let role = match role {
            Role::Learn => "learn",
            Role::Stop => "stop",
            Role::Test => "test",
        };
        for text in block {
            lines += &format!("{role} {}\n", Digest::of(text.as_bytes()));
        }
    }
    Digest::of(lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_has_its_share_of_the_words() {
        let check = |sizes: &[usize], share: f64, range: std::ops::RangeInclusive<usize>| {
            for seed in 0..20 {
                let drawn = drawn(sizes, share, &[seed]);
                let have =
                    sizes.iter().zip(drawn).filter(|(_, drawn)| *drawn).map(|(s, _)| s).sum();
                assert!(range.contains(&have), "{have} of {sizes:?}, seed {seed}");
            }
        };
        check(&[10; 100], 0.25, 250..=250);
        check(&[10; 7], 0.1, 10..=10);
        // A group that is most of the texts is learned from.
        check(&[900, 30, 30, 40], 0.25, 100..=100);
        check(&[90, 10], 0.25, 10..=10);
        check(&[1000, 900], 0.1, 900..=900);
    }
}
