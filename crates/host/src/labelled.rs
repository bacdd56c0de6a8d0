//! A data set of whatever a bundle answers about.

use std::path::Path;

use graft_spec::{Input, Labels};

use crate::answer::Questions;
use crate::examples::{Dataset, DatasetError, Split};
use crate::photos::Skipped;
use crate::texts::Texts;

/// Labelled photos or texts.
#[derive(Clone, Debug)]
pub enum Labelled {
    /// Photos, not yet opened.
    Photos(Dataset),
    /// Texts.
    Texts(Texts),
}

impl Labelled {
    /// Opens a data set of what `input` is made of.
    pub fn open(path: &Path, input: &Input) -> Result<Labelled, DatasetError> {
        match input {
            Input::Image(_) => Dataset::open(path).map(Labelled::Photos),
            Input::Words(_) | Input::Tokens(_) => Texts::open(path).map(Labelled::Texts),
        }
    }

    /// The examples that can be tried.
    pub fn dataset(&self) -> &Dataset {
        match self {
            Labelled::Photos(dataset) | Labelled::Texts(Texts { dataset, .. }) => dataset,
        }
    }

    /// What could not be used already.
    pub fn skipped(&self) -> &[Skipped] {
        match self {
            Labelled::Photos(_) => &[],
            Labelled::Texts(texts) => &texts.skipped,
        }
    }

    /// Only the examples on one side of the split.
    pub fn only(self, split: Split) -> Labelled {
        match self {
            Labelled::Photos(dataset) => Labelled::Photos(dataset.only(split)),
            Labelled::Texts(texts) => Labelled::Texts(texts.only(split)),
        }
    }

    /// The same with the labels of a bundle: see [`Dataset::with_labels`].
    pub fn with_labels(self, labels: &Labels) -> Result<Labelled, String> {
        Ok(match self {
            Labelled::Photos(dataset) => Labelled::Photos(dataset.with_labels(labels)?),
            Labelled::Texts(texts) => Labelled::Texts(texts.with_labels(labels)?),
        })
    }

    /// All of it, to be answered.
    pub fn questions(&self) -> Questions<'_> {
        let paths = self.dataset().examples.iter().map(|e| e.path.as_path()).collect();
        match self {
            Labelled::Photos(_) => Questions::Photos(paths),
            Labelled::Texts(texts) => Questions::Texts {
                places: paths,
                texts: texts.texts.iter().map(String::as_str).collect(),
            },
        }
    }
}
