//! Rotation by any angle and random crops, in one resampling.

use graft_input::Picture;

/// Where the pixels of a picture come from: a window of it, perhaps askew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Warp {
    /// Clockwise.
    pub(super) degrees: f64,
    /// Of the window's area in the picture's.
    pub(super) share: f64,
    /// Where the window is in the room that it has: 0 left, 1 right.
    pub(super) across: f64,
    /// 0 at the top, 1 at the bottom.
    pub(super) down: f64,
}

impl Warp {
    /// The window, enlarged to the size of the picture: as the network would see
    /// a photo that was taken so. What lies outside the picture is its mirror
    /// image, which has no edges that a network could learn.
    pub(super) fn apply(self, picture: &Picture) -> Picture {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (wide, tall) = (width as f64, height as f64);
        let scale = self.share.sqrt();
        // A picture turned clockwise is one sampled anticlockwise.
        let (sin, cos) = (-self.degrees.to_radians()).sin_cos();
        let centre = |side: f64, at: f64| side * (scale / 2.0 + (1.0 - scale) * at) - 0.5;
        let (middle_x, middle_y) = (centre(wide, self.across), centre(tall, self.down));
        let mut rgb = Vec::with_capacity(picture.rgb().len());
        for y in 0..height {
            let from_y = (y as f64 + 0.5 - tall / 2.0) * scale;
            for x in 0..width {
                let from_x = (x as f64 + 0.5 - wide / 2.0) * scale;
                let at_x = middle_x + cos * from_x - sin * from_y;
                let at_y = middle_y + sin * from_x + cos * from_y;
                rgb.extend(sample(picture.rgb(), (width, height), at_x, at_y));
            }
        }
        Picture::new(picture.width(), picture.height(), rgb)
            .expect("invariant: as many pixels as before")
    }
}

/// Between the four pixels around a place.
fn sample(rgb: &[u8], (width, height): (usize, usize), x: f64, y: f64) -> [u8; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (right_part, lower_part) = (x - left, y - top);
    let columns = [mirrored(left as i64, width), mirrored(left as i64 + 1, width)];
    let rows = [mirrored(top as i64, height), mirrored(top as i64 + 1, height)];
    let pixel = |row: usize, column: usize, channel: usize| {
        f64::from(rgb[3 * (rows[row] * width + columns[column]) + channel])
    };
    std::array::from_fn(|c| {
        let across = |row| pixel(row, 0, c) * (1.0 - right_part) + pixel(row, 1, c) * right_part;
        (across(0) * (1.0 - lower_part) + across(1) * lower_part + 0.5) as u8
    })
}

/// The index that stands at `i` in an endless row of mirror images.
fn mirrored(i: i64, length: usize) -> usize {
    let length = length as i64;
    let i = i.rem_euclid(2 * length);
    (if i < length { i } else { 2 * length - 1 - i }) as usize
}

#[cfg(test)]
mod tests {
    use graft_input::synthetic;

    use super::*;

    const STILL: Warp = Warp { degrees: 0.0, share: 1.0, across: 0.5, down: 0.5 };

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let picture = synthetic(1, 31, 20);
        assert_eq!(STILL.apply(&picture), picture);
    }

    /// Right angles are the exact turns, whose own test is by hand.
    #[test]
    fn right_angles_are_quarter_turns() {
        let picture = synthetic(2, 24, 24);
        let pixel = |p: &Picture, x: usize, y: usize| p.rgb()[3 * (y * 24 + x)..][..3].to_vec();
        let quarter = Warp { degrees: 90.0, ..STILL }.apply(&picture);
        let half = Warp { degrees: 180.0, ..STILL }.apply(&picture);
        for (x, y) in (0..24 * 24).map(|i| (i % 24, i / 24)) {
            assert_eq!(pixel(&quarter, 23 - y, x), pixel(&picture, x, y));
            assert_eq!(pixel(&half, 23 - x, 23 - y), pixel(&picture, x, y));
        }
    }

    /// A crop of a slope is a slope of less height, where the window says.
    #[test]
    fn a_crop_is_the_window_enlarged() {
        let slope = |x: usize| (2 * x) as u8;
        let rgb = (0..100).flat_map(|_| (0..100).flat_map(|x| [slope(x); 3])).collect();
        let picture = Picture::new(100, 100, rgb).unwrap();
        for (across, from) in [(0.0, 0.0), (1.0, 50.0), (0.5, 25.0)] {
            let warp = Warp { share: 0.25, across, ..STILL };
            let cropped = warp.apply(&picture);
            for x in 1..99 {
                // The middle of a pixel of half the width.
                let expected = 2.0 * (from + (x as f64 + 0.5) / 2.0 - 0.5);
                let found = f64::from(cropped.rgb()[3 * (50 * 100 + x)]);
                assert!((found - expected).abs() <= 0.51, "{across} {x}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn outside_is_the_mirror_image() {
        let found: Vec<usize> = (-4..8).map(|i| mirrored(i, 3)).collect();
        assert_eq!(found, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }
}
