//! Answers as C reads them.

use device::Answer;
use graft_spec::Decision;

/// The label of an answer that is not sure enough.
pub const GRAFT_UNKNOWN: i32 = -1;

/// What a model says of one picture or text. Begin with GRAFT_ANSWER_INIT.
#[repr(C)]
pub struct graft_answer {
    /// sizeof(graft_answer).
    pub size: u32,
    /// The index of the label that was decided on, or GRAFT_UNKNOWN if no
    /// probability reaches the bundle's threshold, or the bundle knows no word of
    /// the text.
    pub label: i32,
    /// The index of the most probable label, whatever was decided.
    pub likeliest: u32,
    /// Its probability: 0 to 1, or NaN if the network is broken.
    pub probability: f32,
    /// One for each label, with a sum of 1. They belong to the model and are
    /// valid until the next call that is given it, graft_label() and
    /// graft_describe() excepted.
    pub probabilities: *const f32,
    /// How many: as many as there are labels.
    pub count: usize,
    /// Words and marks of the text that were looked up; 0 of a picture.
    pub tokens: u32,
    /// How many of them the bundle knows.
    pub known: u32,
}

pub(crate) fn of(answer: &Answer<'_>) -> graft_answer {
    let probabilities = answer.probabilities;
    let (label, likeliest) = match answer.decision {
        // A bundle has at most 65,536 labels.
        Decision::Label(index) => (index as i32, index),
        Decision::Unknown => (GRAFT_UNKNOWN, first_largest(probabilities)),
    };
    graft_answer {
        size: size_of::<graft_answer>() as u32,
        label,
        likeliest: likeliest as u32,
        probability: probabilities[likeliest],
        probabilities: probabilities.as_ptr(),
        count: probabilities.len(),
        tokens: answer.text.map_or(0, |text| text.tokens),
        known: answer.text.map_or(0, |text| text.known),
    }
}

/// The order of the decision itself: of equal ones the first.
fn first_largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_probabilities_the_first_is_likeliest() {
        assert_eq!(first_largest(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(first_largest(&[0.5, 0.25, 0.25]), 0);
        assert_eq!(first_largest(&[f32::NAN; 3]), 0);
    }
}
