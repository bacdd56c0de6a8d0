//! One run looked at closely: where it is wrong, and how well it knows that.

use std::path::{Path, PathBuf};

use graft_learn::{Evaluation, ReliabilityBin, Targets, evaluate, reliability};
use graft_spec::{Calibration, Labels};
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use serde::Serialize;

use super::trials::{Learnt, Method, answer};
use super::{Photos, ReportError};
use crate::examples::Example;
use crate::photos::{decode, read};

/// Photos of a kind.
const EXEMPLARS: usize = 12;
/// The longer side of a thumbnail, twice what it is shown at: screens of phones
/// have more pixels than they say.
const THUMBNAIL_SIDE: u32 = 144;
/// What is shown of a text.
const TEXT_LETTERS: usize = 200;
const THUMBNAIL_QUALITY: u8 = 75;

/// One run, in detail.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The last of frozen and fine-tuned that was asked for: results choose nothing.
    pub method: Method,
    /// Photos that it learned from: all.
    pub examples: usize,
    /// The first.
    pub seed: u64,
    /// Logits were divided by it: 1 where no photos were left to find it by.
    pub temperature: f32,
    /// On the held-out part.
    pub evaluation: Evaluation,
    /// Confidence against accuracy, in the bins of the calibration error.
    pub reliability: Vec<ReliabilityBin>,
    /// Wrong, and surest of it.
    pub mistakes: Vec<Exemplar>,
    /// Nearest to another answer, right or wrong.
    pub undecided: Vec<Exemplar>,
}

/// A held-out photo.
#[derive(Debug, Serialize)]
pub struct Exemplar {
    /// Where it is.
    #[serde(serialize_with = "crate::lossy::path")]
    pub path: PathBuf,
    /// What it is.
    pub label: String,
    /// What was answered.
    pub answer: String,
    /// The answer's probability.
    pub confidence: f32,
    /// The second answer.
    pub runner_up: String,
    /// Its probability.
    pub runner_up_confidence: f32,
    /// JPEG, unless photos are to be left out.
    #[serde(skip)]
    pub thumbnail: Option<Vec<u8>>,
    /// How a text begins, unless texts are to be left out; nothing of photos.
    pub text: Option<String>,
}

/// What a run is judged by.
pub(super) struct Judged<'a> {
    /// Of each example, if they are texts.
    pub(super) texts: Option<&'a [&'a str]>,
    pub(super) examples: &'a [&'a Example],
    pub(super) test: &'a [usize],
    pub(super) labels: &'a Labels,
    /// Of the training part.
    pub(super) majority: usize,
}

pub(super) fn shown(
    method: Method,
    learnt: &Learnt,
    (trained, seed): (usize, u64),
    judged: &Judged<'_>,
    photos: Photos,
) -> Result<Shown, ReportError> {
    let logits = learnt.logits.last().expect("invariant: a run answers at its end");
    let truth: Vec<usize> = judged.test.iter().map(|&i| judged.examples[i].label).collect();
    let targets = Targets { labels: &truth, names: judged.labels, majority: judged.majority };
    let calibration = learnt.calibration;
    let evaluation =
        evaluate(logits.view(), &targets, &calibration).map_err(ReportError::Evaluation)?;
    let mut all: Vec<Answered> = logits
        .outer_iter()
        .zip(&truth)
        .enumerate()
        .map(|(row, (logits, &label))| {
            let mut probabilities = logits.to_vec();
            let first = answer(&logits);
            Calibration { unknown_below: None, ..calibration }.decide(&mut probabilities);
            let others = (0..probabilities.len()).filter(|&class| class != first);
            let second = others
                .reduce(|a, b| if probabilities[b] > probabilities[a] { b } else { a })
                .unwrap_or(first);
            Answered {
                row,
                label,
                first,
                second,
                confidence: [probabilities[first], probabilities[second]],
            }
        })
        .collect();
    let pairs: Vec<(f32, bool)> =
        all.iter().map(|a| (a.confidence[0], a.first == a.label)).collect();
    let exemplars = |of: Vec<&Answered>| -> Vec<Exemplar> {
        of.into_iter().take(EXEMPLARS).map(|a| a.exemplar(judged, photos)).collect()
    };
    all.sort_by(|a, b| b.confidence[0].total_cmp(&a.confidence[0]));
    let mistakes = exemplars(all.iter().filter(|a| a.first != a.label).collect());
    all.sort_by(|a, b| a.margin().total_cmp(&b.margin()));
    let undecided = exemplars(all.iter().collect());
    Ok(Shown {
        method,
        examples: trained,
        seed,
        temperature: calibration.temperature,
        evaluation,
        reliability: reliability(&pairs),
        mistakes,
        undecided,
    })
}

struct Answered {
    row: usize,
    label: usize,
    first: usize,
    second: usize,
    confidence: [f32; 2],
}

impl Answered {
    fn margin(&self) -> f32 {
        self.confidence[0] - self.confidence[1]
    }

    fn exemplar(&self, judged: &Judged<'_>, photos: Photos) -> Exemplar {
        let path = &judged.examples[judged.test[self.row]].path;
        let name = |class: usize| judged.labels[class].to_owned();
        Exemplar {
            path: path.clone(),
            label: name(self.label),
            answer: name(self.first),
            confidence: self.confidence[0],
            runner_up: name(self.second),
            runner_up_confidence: self.confidence[1],
            thumbnail: match (photos, judged.texts) {
                (Photos::Shown, None) => thumbnail(path),
                (Photos::Shown, Some(_)) | (Photos::LeftOut, _) => None,
            },
            text: match (photos, judged.texts) {
                (Photos::Shown, Some(texts)) => Some(beginning(texts[judged.test[self.row]])),
                (Photos::Shown, None) | (Photos::LeftOut, _) => None,
            },
        }
    }
}

/// How a text begins, its white space as single spaces.
fn beginning(text: &str) -> String {
    let mut short = String::new();
    for word in text.split_whitespace() {
        if short.chars().count() + word.chars().count() >= TEXT_LETTERS {
            // A word may be longer than that by itself.
            let room = TEXT_LETTERS.saturating_sub(short.chars().count());
            if short.is_empty() {
                short.extend(word.chars().take(room));
            }
            return short + "…";
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short += word;
    }
    short
}

/// A small JPEG; nothing if the photo, which was read before, is gone.
fn thumbnail(path: &Path) -> Option<Vec<u8>> {
    let picture = decode(&read(path).ok()?, [255; 3]).ok()?;
    let frame = picture.frame();
    let (width, height) = (frame.width(), frame.height());
    let rgb = RgbImage::from_raw(width, height, frame.rgb().to_vec())?;
    let longer = width.max(height).max(THUMBNAIL_SIDE);
    let side = |length: u32| {
        let scaled = u64::from(length) * u64::from(THUMBNAIL_SIDE) / u64::from(longer);
        u32::try_from(scaled).unwrap_or(1).max(1)
    };
    let small = imageops::thumbnail(&rgb, side(width), side(height));
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, THUMBNAIL_QUALITY).encode_image(&small).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn texts_are_shortened_between_words() {
        for (text, shown) in [
            ("", String::new()),
            (" a  line\nand\tanother ", "a line and another".to_owned()),
            (&"word ".repeat(100), "word ".repeat(40).trim_end().to_owned() + "…"),
            (&"ä".repeat(500), "ä".repeat(200) + "…"),
        ] {
            assert_eq!(beginning(text), shown);
        }
    }
}
