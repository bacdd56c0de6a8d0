//! What `report` compares of a task about texts: heads on vectors as they are, tuned
//! vectors, and vectors that begin with numbers of chance.

use std::collections::BTreeMap;

use graft_input::words::TablePrecision;
use graft_learn::{Dense, Head, SplitMix64};
use graft_onnx::Graph;
use graft_spec::{Pooling, WordsSpec};
use ndarray::{Array1, Array2, Axis};

use super::common_direction::Common;
use super::train::TextRecipe;
use super::words::{Words, WordsError};
use crate::backbone::Origin;
use crate::finetune::{Bags, FineTuneError};
use crate::graft::{GraftError, join};
use crate::progress::OnEvent;
use crate::vectors::VectorsFile;

/// Texts with the vectors of their words, ready for lessons.
pub(crate) struct TextLessons<'a> {
    pub(crate) origin: &'a Origin,
    texts: Vec<&'a str>,
    words: Words,
    counts: Vec<BTreeMap<usize, f32>>,
    /// Taken out of the rows, if it is.
    common: Option<Common>,
}

/// A network whose vectors are to be tuned, and the texts as it takes them.
pub(crate) struct Beginning {
    pub(crate) network: Graph,
    pub(crate) bags: Bags,
}

/// Which texts have a word that the vectors know.
pub(crate) fn known(
    vectors: &VectorsFile,
    texts: &[&str],
    recipe: &TextRecipe,
    on: OnEvent<'_>,
) -> Result<Vec<bool>, WordsError> {
    let words = Words::of(vectors, texts, recipe, on)?;
    if words.vocabulary.vectors.is_empty() {
        return Ok(vec![false; texts.len()]);
    }
    Ok(words.counts(texts).iter().map(|counts| !counts.is_empty()).collect())
}

impl<'a> TextLessons<'a> {
    /// With the words of what is learned from at most, `train`, and others, as they would
    /// travel, not rounded. The rows come with it.
    pub(crate) fn new(
        vectors: &'a VectorsFile,
        texts: Vec<&'a str>,
        train: &[usize],
        recipe: &TextRecipe,
        on: OnEvent<'_>,
    ) -> Result<(TextLessons<'a>, Array2<f32>), WordsError> {
        let learned_from: Vec<&str> = train.iter().map(|&i| texts[i]).collect();
        let words = Words::of(vectors, &learned_from, recipe, on)?;
        let mut rows = words.pooled(&words.table(TablePrecision::F32)?, &texts, on)?.rows;
        let weighted = recipe.pooling == Pooling::Weighted;
        let common = weighted.then(|| Common::of(&rows.select(Axis(0), train)));
        if let Some(common) = &common {
            common.remove(&mut rows);
        }
        let counts = words.counts(&texts);
        Ok((TextLessons { origin: &vectors.origin, texts, words, counts, common }, rows))
    }

    pub(crate) fn spec(&self) -> &WordsSpec {
        &self.words.spec
    }

    /// Words whose vectors would move if all of these were learned from.
    pub(crate) fn moving(&self, train: &[usize]) -> usize {
        self.words.bags(&self.counts, train).1.len()
    }

    /// Vectors as they are, with a solved head on them.
    pub(crate) fn pretrained(&self, train: &[usize], head: &Head) -> Result<Beginning, GraftError> {
        let (bags, _) = self.words.bags(&self.counts, train);
        let head = match &self.common {
            Some(common) => common.fold_into(head.clone()),
            None => head.clone(),
        };
        Ok(Beginning { network: join(bags.graph(), &head)?, bags })
    }

    /// Vectors of chance, of the same size and for the words of `train` alone: nobody
    /// knows others. The head begins with chance too, as PyTorch's `Linear` does.
    pub(crate) fn untrained(
        &self,
        train: &[usize],
        classes: usize,
        seed: u64,
    ) -> Result<Beginning, GraftError> {
        let learned_from: Vec<&str> = train.iter().map(|&i| self.texts[i]).collect();
        let WordsSpec { dimensions, pooling, .. } = *self.spec();
        let words = Words::random(dimensions, &learned_from, pooling, seed);
        let (bags, _) = words.bags(&words.counts(&self.texts), train);
        let length = dimensions as usize;
        let bound = 1.0 / f64::from(dimensions).sqrt();
        let mut random = SplitMix64::of(&[seed, u64::from_be_bytes(*b"head    ")]);
        let mut draw = || random.between(-bound, bound) as f32;
        let weights = Array2::from_shape_simple_fn((classes, length), &mut draw);
        let bias = Array1::from_shape_simple_fn(classes, &mut draw);
        let head = Head { layers: vec![Dense { weights, bias }] };
        Ok(Beginning { network: join(bags.graph(), &head)?, bags })
    }
}

/// Texts pooled by the largest of each number are no sums, which is what is tuned.
pub(crate) fn check_pooling(pooling: Pooling) -> Result<(), FineTuneError> {
    match pooling {
        Pooling::MaxMean | Pooling::Last(_) => Err(FineTuneError::Pooling),
        Pooling::Mean | Pooling::Weighted => Ok(()),
    }
}
