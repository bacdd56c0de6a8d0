use std::fmt;

use ndarray::ArrayView2;

/// Features and labels that belong together, checked.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    features: ArrayView2<'a, f32>,
    labels: &'a [usize],
    classes: usize,
}

/// Why features and labels are not [`Examples`].
#[derive(Clone, Debug, PartialEq)]
pub enum ExamplesError {
    /// No examples, or examples without features.
    Empty {
        /// Rows of the features.
        examples: usize,
        /// Columns of the features.
        features: usize,
    },
    /// Not one label a row.
    Lengths {
        /// Rows of the features.
        examples: usize,
        /// Labels given.
        labels: usize,
    },
    /// A label that is no class.
    Label {
        /// The row.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A feature that is NaN or infinite.
    NotFinite {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// What stands there.
        value: f32,
    },
}

impl<'a> Examples<'a> {
    /// Checks that `features`, `[examples, features]`, are finite and that
    /// `labels` has one of `0..classes` for each row.
    pub fn new(
        features: ArrayView2<'a, f32>,
        labels: &'a [usize],
        classes: usize,
    ) -> Result<Examples<'a>, ExamplesError> {
        let (examples, columns) = features.dim();
        if examples == 0 || columns == 0 {
            return Err(ExamplesError::Empty { examples, features: columns });
        }
        if labels.len() != examples {
            return Err(ExamplesError::Lengths { examples, labels: labels.len() });
        }
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(ExamplesError::Label { row, label: labels[row], classes });
        }
        for (row, values) in features.outer_iter().enumerate() {
            if let Some(column) = values.iter().position(|v| !v.is_finite()) {
                return Err(ExamplesError::NotFinite { row, column, value: values[column] });
            }
        }
        Ok(Examples { features, labels, classes })
    }

    /// `[examples, features]`, all finite.
    pub fn features(&self) -> ArrayView2<'a, f32> {
        self.features
    }

    /// The class of each row.
    pub fn labels(&self) -> &'a [usize] {
        self.labels
    }

    /// Number of classes; a class may have no examples.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of examples, at least 1.
    pub(crate) fn count(&self) -> usize {
        self.labels.len()
    }
}

impl fmt::Display for ExamplesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExamplesError::Empty { examples, features } => {
                write!(
                    f,
                    "there is nothing to learn from: {examples} examples of {features} features"
                )
            }
            ExamplesError::Lengths { examples, labels } => {
                write!(f, "{examples} examples have {labels} labels")
            }
            ExamplesError::Label { row, label, classes } => {
                write!(
                    f,
                    "example {row} has label {label}, the classes are 0 to {}",
                    classes.saturating_sub(1)
                )
            }
            ExamplesError::NotFinite { row, column, value } => {
                write!(f, "feature {column} of example {row} is {value}")
            }
        }
    }
}

impl std::error::Error for ExamplesError {}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn names_what_is_wrong() {
        let error = |features: &Array2<f32>, labels: &[usize]| {
            Examples::new(features.view(), labels, 2).unwrap_err().to_string()
        };
        let good = array![[0.0, 1.0], [2.0, 3.0]];
        assert_eq!(error(&good, &[0]), "2 examples have 1 labels");
        assert_eq!(error(&good, &[0, 2]), "example 1 has label 2, the classes are 0 to 1");
        let broken = array![[0.0, 1.0], [2.0, f32::NAN]];
        assert_eq!(error(&broken, &[0, 1]), "feature 1 of example 1 is NaN");
        assert_eq!(
            error(&Array2::zeros((0, 3)), &[]),
            "there is nothing to learn from: 0 examples of 3 features"
        );
    }
}
