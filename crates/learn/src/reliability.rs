use serde::Serialize;

/// Answers of about one confidence, and how many are right: a bar of a reliability
/// diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Answers.
    pub answers: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them that is right.
    pub accuracy: f64,
}

/// Bins (confidence, right) pairs as
/// [`expected_calibration_error`](crate::expected_calibration_error) does, which is
/// the mean distance of confidence and accuracy, each bin counted by its answers.
/// Empty bins are left out.
pub fn reliability(answers: &[(f32, bool)]) -> Vec<ReliabilityBin> {
    let mut bins = [(0usize, 0f64, 0usize); crate::metrics::BINS];
    for &(confidence, right) in answers {
        let bin = &mut bins[crate::metrics::bin(f64::from(confidence))];
        bin.0 += 1;
        bin.1 += f64::from(confidence);
        bin.2 += usize::from(right);
    }
    let filled = bins.iter().filter(|(answers, ..)| *answers > 0);
    filled
        .map(|&(answers, confidence, right)| ReliabilityBin {
            answers,
            confidence: confidence / answers as f64,
            accuracy: right as f64 / answers as f64,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expected_calibration_error;

    #[test]
    fn bins_are_those_of_the_calibration_error() {
        let mut random = crate::SplitMix64::new(3);
        let answers: Vec<(f32, bool)> = (0..500)
            .map(|_| {
                let confidence = random.unit();
                (confidence as f32, random.unit() < confidence * confidence)
            })
            .collect();
        let bins = reliability(&answers);
        assert_eq!(bins.iter().map(|bin| bin.answers).sum::<usize>(), 500);
        let gap = |bin: &ReliabilityBin| {
            (bin.confidence - bin.accuracy).abs() * bin.answers as f64 / 500.0
        };
        let error: f64 = bins.iter().map(gap).sum();
        assert!((error - expected_calibration_error(&answers)).abs() < 1e-12);
        assert!(error > 0.1, "{error}");
        assert_eq!(reliability(&[]), []);
    }
}
