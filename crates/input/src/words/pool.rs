use graft_spec::{Pooling, WordsSpec};

use super::table::{TableError, WordTable};
use super::tokens::look_up;

/// Turns texts into tensors of one spec, as `docs/format.md` states it
/// ("Preparing a text").
///
/// Sums are plain f32 additions in the order of the text, so x86-64, aarch64 and
/// armv7 give the same bytes. Nothing is allocated but room for the longest token,
/// once.
#[derive(Clone, Debug)]
pub struct TextPreparer<B> {
    spec: WordsSpec,
    table: WordTable<B>,
    /// The token that is looked up.
    lowered: String,
}

/// What was in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tokens, or parts of tokens, that were looked up.
    pub tokens: u32,
    /// How many of them the table has. If there are none, the features are zero
    /// and the answer is unknown.
    pub known: u32,
    /// Bytes at the end of the text, or at the beginning where the last words count,
    /// that were left out.
    pub cut_bytes: usize,
}

impl<B: AsRef<[u8]>> TextPreparer<B> {
    /// Checks that the table is the one that the spec speaks of.
    ///
    /// # Errors
    ///
    /// [`TableError::Spec`] and [`TableError::Dimensions`].
    pub fn new(spec: &WordsSpec, table: WordTable<B>) -> Result<TextPreparer<B>, TableError> {
        spec.check()?;
        let (expected, found) = (spec.dimensions, table.dimensions());
        if expected != found {
            return Err(TableError::Dimensions { expected, found });
        }
        Ok(TextPreparer { spec: spec.clone(), table, lowered: String::new() })
    }

    /// What it prepares for.
    pub fn spec(&self) -> &WordsSpec {
        &self.spec
    }

    /// Where it looks words up.
    pub fn table(&self) -> &WordTable<B> {
        &self.table
    }

    /// Writes one text as one row of a tensor.
    ///
    /// # Panics
    ///
    /// If `features` does not have [`WordsSpec::feature_length`] values: the caller
    /// made it from the same spec.
    pub fn fill(&mut self, text: &str, features: &mut [f32]) -> Counts {
        let TextPreparer { spec, table, lowered } = self;
        assert_eq!(features.len(), spec.feature_length(), "the features of one text");
        let kept = kept(text, spec);
        let mut counts = Counts { cut_bytes: text.len() - kept.len(), ..Counts::default() };
        features.fill(0.0);
        let (largest, mean) = match spec.pooling {
            Pooling::Mean | Pooling::Weighted => features.split_at_mut(0),
            Pooling::MaxMean => features.split_at_mut(spec.dimensions as usize),
            Pooling::Last(_) => return fill_last(spec, table, lowered, kept, counts, features),
        };
        let find = |word: &str| table.lookup(word);
        look_up(kept, spec.tokens, lowered, find, |_, found| {
            counts.tokens += 1;
            let Some(index) = found else { return };
            counts.known += 1;
            match spec.pooling {
                Pooling::Mean => table.add_row(index, 1.0, mean),
                Pooling::Weighted => table.add_row(index, table.weight(index), mean),
                Pooling::MaxMean => {
                    match counts.known {
                        1 => table.row(index, largest),
                        _ => table.max_row(index, largest),
                    }
                    table.add_row(index, 1.0, mean);
                }
                Pooling::Last(_) => unreachable!("the last rows are not added up"),
            }
        });
        if counts.known > 0 {
            let known = counts.known as f32;
            mean.iter_mut().for_each(|value| *value /= known);
        }
        counts
    }
}

/// As much of a text as is looked at.
fn kept<'t>(text: &'t str, spec: &WordsSpec) -> &'t str {
    let most = spec.max_bytes as usize;
    match spec.pooling {
        Pooling::Last(_) => &text[text.ceil_char_boundary(text.len().saturating_sub(most))..],
        Pooling::Mean | Pooling::Weighted | Pooling::MaxMean => {
            &text[..text.floor_char_boundary(most)]
        }
    }
}

/// The rows of the last words, the last one's first. How many words there are is not
/// known before the end, so each takes the place of the one that is too many then, and
/// all of them are turned at the end.
fn fill_last<B: AsRef<[u8]>>(
    spec: &WordsSpec,
    table: &WordTable<B>,
    lowered: &mut String,
    text: &str,
    mut counts: Counts,
    features: &mut [f32],
) -> Counts {
    let dimensions = spec.dimensions as usize;
    let places = features.len() / dimensions;
    let mut place = 0_usize;
    look_up(
        text,
        spec.tokens,
        lowered,
        |word| table.lookup(word),
        |_, found| {
            counts.tokens += 1;
            place = place.checked_sub(1).unwrap_or(places - 1);
            let row = &mut features[place * dimensions..][..dimensions];
            match found {
                Some(index) => {
                    counts.known += 1;
                    table.row(index, row);
                }
                None => row.fill(0.0),
            }
        },
    );
    features.rotate_left(place * dimensions);
    counts
}
