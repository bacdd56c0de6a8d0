use crate::ClassWeights;

/// What a loss compares a batch with: class weights and label smoothing, worked
/// into rows of targets and a factor for each row.
///
/// With rows `t`, factors `f` and log-probabilities `p`, −Σ f Σ t · p is PyTorch's
/// `cross_entropy(weight=…, label_smoothing=…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftTargets {
    class_weights: Vec<f64>,
    smoothing: f64,
}

impl SoftTargets {
    /// Weights by how often the classes occur in `labels`, those that are learned
    /// from. `smoothing` is the share of a target that is dealt to all classes
    /// alike (Szegedy et al. 2016, "Rethinking the Inception architecture").
    pub fn new(
        labels: &[usize],
        classes: usize,
        weights: ClassWeights,
        smoothing: f64,
    ) -> SoftTargets {
        SoftTargets { class_weights: weights.per_class(labels, classes), smoothing }
    }

    /// Writes the rows `[batch, classes]` and factors `[batch]` of a batch. Rows
    /// after the labels count nothing. Answers how much the batch counts: the sum
    /// of its examples' weights.
    ///
    /// # Panics
    ///
    /// If there are more labels than factors, or not a row for each factor.
    pub fn fill(&self, labels: &[usize], rows: &mut [f32], factors: &mut [f32]) -> f64 {
        let classes = self.class_weights.len();
        assert_eq!(rows.len(), factors.len() * classes, "a row of targets for each factor");
        assert!(labels.len() <= factors.len(), "more labels than the batch has places");
        rows.fill(0.0);
        factors.fill(0.0);
        let total: f64 = labels.iter().map(|&label| self.class_weights[label]).sum();
        let places = rows.chunks_exact_mut(classes).zip(factors);
        for (&label, (row, factor)) in labels.iter().zip(places) {
            *factor = (1.0 / total) as f32;
            for (class, target) in row.iter_mut().enumerate() {
                let own = if class == label { 1.0 - self.smoothing } else { 0.0 };
                let dealt = self.smoothing / classes as f64;
                *target = ((own + dealt) * self.class_weights[class]) as f32;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [[f64; 3]; 4] =
        [[1.5, -0.25, 0.5], [0.0, 2.0, -1.0], [-0.5, 0.25, 0.75], [1.0, 1.0, -2.0]];
    const LABELS: [usize; 4] = [0, 1, 2, 2];

    fn loss(weights: ClassWeights, smoothing: f64) -> f64 {
        let targets = SoftTargets::new(&[0, 0, 0, 1, 1, 2], 3, weights, smoothing);
        // Two places more than labels.
        let (mut rows, mut factors) = (vec![f32::NAN; 18], vec![f32::NAN; 6]);
        targets.fill(&LABELS, &mut rows, &mut factors);
        assert_eq!((&rows[12..], &factors[4..]), (&[0.0; 6][..], &[0.0; 2][..]));
        let log_probabilities = LOGITS.map(|row| {
            let total: f64 = row.iter().map(|z| z.exp()).sum();
            row.map(|z| z - total.ln())
        });
        let places = rows.chunks(3).zip(&factors).zip(log_probabilities);
        -places
            .map(|((row, f), p)| {
                f64::from(*f) * row.iter().zip(p).map(|(t, p)| f64::from(*t) * p).sum::<f64>()
            })
            .sum::<f64>()
    }

    /// torch.nn.functional.cross_entropy of PyTorch 2.15 in float64, with
    /// weight=(2/3, 1, 2) for `Balanced` (scikit-learn's for these labels).
    #[test]
    fn is_the_loss_of_pytorch() {
        for (weights, smoothing, expected) in [
            (ClassWeights::Uniform, 0.0, 1.239654751879),
            (ClassWeights::Uniform, 0.1, 1.268821418545),
            (ClassWeights::Balanced, 0.0, 1.618279654053),
            (ClassWeights::Balanced, 0.1, 1.607029745673),
        ] {
            let found = loss(weights, smoothing);
            assert!((found - expected).abs() < 1e-6, "{weights:?} {smoothing}: {found}");
        }
    }
}
