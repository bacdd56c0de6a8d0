//! Brightness, contrast and erased rectangles.

use graft_input::Picture;

/// Factors, 1 for as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    pub(super) brightness: f64,
    pub(super) contrast: f64,
}

/// A rectangle in shares of the picture's sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hole {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Tone {
    /// Every value times the brightness; then its distance from the photo's mean
    /// times the contrast. Cut off at black and white.
    pub(super) fn apply(self, picture: Picture) -> Picture {
        if self == (Tone { brightness: 1.0, contrast: 1.0 }) {
            return picture;
        }
        let mean = self.brightness * mean(picture.rgb());
        let table: [u8; 256] = std::array::from_fn(|value| {
            let bright = self.brightness * value as f64;
            // `as` cuts off what does not fit.
            (mean + self.contrast * (bright - mean) + 0.5) as u8
        });
        let rgb = picture.rgb().iter().map(|&value| table[usize::from(value)]).collect();
        Picture::new(picture.width(), picture.height(), rgb)
            .expect("invariant: as many pixels as before")
    }
}

impl Hole {
    /// Fills the rectangle with the photo's mean grey (Zhong et al. 2020, "Random
    /// erasing data augmentation").
    pub(super) fn apply(self, picture: Picture) -> Picture {
        let grey = (mean(picture.rgb()) + 0.5) as u8;
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let range = |from: f64, length: f64, side: usize| {
            let at = |share: f64| (share * side as f64).round() as usize;
            at(from).min(side)..at(from + length).min(side)
        };
        let columns = range(self.left, self.width, width);
        let mut rgb = picture.rgb().to_vec();
        for y in range(self.top, self.height, height) {
            rgb[3 * (y * width + columns.start)..3 * (y * width + columns.end)].fill(grey);
        }
        Picture::new(picture.width(), picture.height(), rgb)
            .expect("invariant: as many pixels as before")
    }
}

fn mean(values: &[u8]) -> f64 {
    let sum: u64 = values.iter().map(|&value| u64::from(value)).sum();
    sum as f64 / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(values: [u8; 4]) -> Picture {
        Picture::new(2, 2, values.into_iter().flat_map(|v| [v; 3]).collect()).unwrap()
    }

    fn values(picture: &Picture) -> Vec<u8> {
        picture.rgb().iter().step_by(3).copied().collect()
    }

    #[test]
    fn brightness_and_contrast_by_hand() {
        let check = |brightness, contrast, expected: [u8; 4]| {
            let toned = Tone { brightness, contrast }.apply(picture([0, 40, 60, 100]));
            assert_eq!(values(&toned), expected, "{brightness} {contrast}");
        };
        check(1.0, 1.0, [0, 40, 60, 100]);
        check(1.5, 1.0, [0, 60, 90, 150]);
        // The mean is 50 and stays where it is.
        check(1.0, 0.5, [25, 45, 55, 75]);
        check(1.0, 2.0, [0, 30, 70, 150]);
        check(3.0, 1.0, [0, 120, 180, 255]);
        check(2.0, 0.5, [50, 90, 110, 150]);
    }

    #[test]
    fn a_hole_has_the_mean_and_the_rest_stays() {
        let hole = |left, top, width, height| Hole { left, top, width, height };
        let check = |hole: Hole, expected: [u8; 4]| {
            assert_eq!(values(&hole.apply(picture([0, 40, 60, 100]))), expected, "{hole:?}");
        };
        check(hole(0.5, 0.0, 0.5, 0.5), [0, 50, 60, 100]);
        check(hole(0.0, 0.5, 1.0, 0.5), [0, 40, 50, 50]);
        check(hole(0.0, 0.0, 0.1, 0.1), [0, 40, 60, 100]);
    }
}
