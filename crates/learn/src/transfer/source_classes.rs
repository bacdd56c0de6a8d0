use std::fmt;

use ndarray::{Array2, ArrayView2};

use super::{TransferError, class_sizes};
use crate::Examples;

/// A row may add up to 1 give or take this: what f32 makes of a softmax.
const SUM_TOLERANCE: f64 = 1e-3;

/// What the source's own class head says of each example: checked to be
/// probabilities.
#[derive(Clone, Debug)]
pub struct SourceClasses(Array2<f64>);

/// Why numbers are no probabilities.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceClassesError {
    /// Nothing, or a single class.
    TooFew {
        /// Rows.
        examples: usize,
        /// Columns.
        classes: usize,
    },
    /// A value that is NaN, infinite, or no probability.
    Value {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// A row that does not add up to 1.
    Sum {
        /// The row.
        row: usize,
        /// What it adds up to.
        sum: f64,
    },
}

impl SourceClasses {
    /// Of probabilities, `[examples, source classes]`.
    ///
    /// # Errors
    ///
    /// A value outside 0 to 1, or a row that does not add up to 1.
    pub fn of_probabilities(values: ArrayView2<'_, f32>) -> Result<Self, SourceClassesError> {
        check_size(values)?;
        for (row, of_row) in values.outer_iter().enumerate() {
            if let Some(column) = of_row.iter().position(|v| !(0.0..=1.001).contains(v)) {
                return Err(SourceClassesError::Value { row, column, value: of_row[column] });
            }
            let sum: f64 = of_row.iter().map(|&v| f64::from(v)).sum();
            if (sum - 1.0).abs() > SUM_TOLERANCE {
                return Err(SourceClassesError::Sum { row, sum });
            }
        }
        Ok(SourceClasses(values.mapv(f64::from)))
    }

    /// Of logits, `[examples, source classes]`, through a softmax.
    ///
    /// # Errors
    ///
    /// A value that is not finite.
    pub fn of_logits(values: ArrayView2<'_, f32>) -> Result<Self, SourceClassesError> {
        check_size(values)?;
        let mut all = values.mapv(f64::from);
        for (row, mut of_row) in all.outer_iter_mut().enumerate() {
            if let Some(column) = of_row.iter().position(|v| !v.is_finite()) {
                let value = values[(row, column)];
                return Err(SourceClassesError::Value { row, column, value });
            }
            let largest = of_row.fold(f64::NEG_INFINITY, |m, &v| m.max(v));
            of_row.mapv_inplace(|v| (v - largest).exp());
            let sum = of_row.sum();
            of_row.mapv_inplace(|v| v / sum);
        }
        Ok(SourceClasses(all))
    }
}

fn check_size(values: ArrayView2<'_, f32>) -> Result<(), SourceClassesError> {
    let (examples, classes) = values.dim();
    if examples == 0 || classes < 2 {
        return Err(SourceClassesError::TooFew { examples, classes });
    }
    Ok(())
}

/// The log expected empirical prediction (Nguyen et al. 2020, "LEEP: a new measure
/// to evaluate transferability of learned representations"): the mean
/// log-likelihood of the labels if each source class answered with the labels that
/// it was seen with. At most 0; higher is better.
///
/// # Errors
///
/// A class without examples, or one alone; not one row an example.
pub fn leep(examples: &Examples<'_>, source: &SourceClasses) -> Result<f64, TransferError> {
    let sizes = check(examples, source)?;
    let labels = examples.labels();
    let mut joint = Array2::<f64>::zeros((sizes.len(), source.0.ncols()));
    for (row, &label) in source.0.outer_iter().zip(labels) {
        let mut of_label = joint.row_mut(label);
        of_label += &row;
    }
    let of_source = joint.sum_axis(ndarray::Axis(0));
    let log_likelihood: f64 = source
        .0
        .outer_iter()
        .zip(labels)
        .map(|(row, &label)| {
            let terms = row.iter().zip(joint.row(label)).zip(&of_source);
            // A source class that is never answered has no say.
            let used = terms.filter(|&(_, &all)| all > 0.0);
            used.map(|((p, joint), all)| p * joint / all).sum::<f64>().ln()
        })
        .sum();
    Ok(log_likelihood / labels.len() as f64)
}

/// The negative conditional entropy of the labels, in nats, given the source class
/// that is most probable (Tran, Nguyen, Hassner 2019, "Transferability and hardness
/// of supervised classification tasks"). At most 0; higher is better.
///
/// # Errors
///
/// As [`leep`].
pub fn nce(examples: &Examples<'_>, source: &SourceClasses) -> Result<f64, TransferError> {
    let sizes = check(examples, source)?;
    let mut joint = Array2::<usize>::zeros((source.0.ncols(), sizes.len()));
    for (row, &label) in source.0.outer_iter().zip(examples.labels()) {
        let answer = (0..row.len()).reduce(|a, b| if row[b] > row[a] { b } else { a });
        joint[(answer.expect("there are two classes"), label)] += 1;
    }
    let n = examples.count() as f64;
    let mut entropy = 0.0;
    for of_source in joint.outer_iter() {
        let all = of_source.sum() as f64;
        for &both in of_source.iter().filter(|&&both| both > 0) {
            entropy -= both as f64 / n * (both as f64 / all).ln();
        }
    }
    // Not the −0 of a source that knows the labels.
    Ok(0.0 - entropy)
}

fn check(examples: &Examples<'_>, source: &SourceClasses) -> Result<Vec<usize>, TransferError> {
    let (examples_count, rows) = (examples.count(), source.0.nrows());
    if examples_count != rows {
        return Err(TransferError::Lengths { examples: examples_count, rows });
    }
    class_sizes(examples)
}

impl fmt::Display for SourceClassesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceClassesError::TooFew { examples, classes } => {
                write!(f, "{examples} answers of {classes} classes; two classes are needed")
            }
            SourceClassesError::Value { row, column, value } => {
                write!(f, "class {column} of example {row} has the value {value}")
            }
            SourceClassesError::Sum { row, sum } => {
                write!(f, "the probabilities of example {row} add up to {sum}")
            }
        }
    }
}

impl std::error::Error for SourceClassesError {}
