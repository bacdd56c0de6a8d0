//! Synthetic photos: small, seeded, and easy enough that even the tiny network
//! of the tests tells their classes apart.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};

/// A class that is told by its colour.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// Its label.
    pub label: &'static str,
    /// What its photos are, before noise.
    pub colour: [u8; 3],
}

/// The two classes of most tests.
pub const BERRY: Class = Class { label: "berry", colour: [190, 30, 60] };
/// The other one.
pub const LEAF: Class = Class { label: "leaf", colour: [50, 160, 40] };

/// Noise that leaves colours far apart.
pub const CLEAR: u8 = 40;
/// Noise in which [`BERRY`] and [`LEAF`] often look alike.
pub const MURKY: u8 = 255;

/// A photo of a class, 40 × 30, whose colour is up to `noise` off, and whose
/// pixels are so again. The same arguments give the same picture.
pub fn photo(class: Class, seed: u64, noise: u8) -> RgbImage {
    let mut random = SplitMix64(seed);
    let tint: [i64; 3] = std::array::from_fn(|_| random.below(noise));
    RgbImage::from_fn(40, 30, |_, _| {
        let channel =
            |c: usize, off: i64| (i64::from(class.colour[c]) + tint[c] + off).clamp(0, 255) as u8;
        let pixel: [i64; 3] = std::array::from_fn(|_| random.below(noise / 2));
        Rgb(std::array::from_fn(|c| channel(c, pixel[c])))
    })
}

/// A folder with a sub-folder a class, `count` PNG files in each.
pub fn folder(root: &Path, classes: &[(Class, usize)], noise: u8) {
    let mut seed = 0;
    for &(class, count) in classes {
        fs::create_dir_all(root.join(class.label)).expect("a class folder can be made");
        for number in 0..count {
            let path = root.join(class.label).join(format!("{number:04}.png"));
            photo(class, seed, noise).save(path).expect("a photo can be written");
            seed += 1;
        }
    }
}

/// [`folder`] with [`BERRY`] and [`LEAF`], plainly apart.
pub fn clear_folder(root: &Path, each: usize) {
    folder(root, &[(BERRY, each), (LEAF, each)], CLEAR);
}

/// The way of a photo's stripes, which no colour and no brightness tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stripes {
    /// From the lower left to the upper right.
    Rising,
    /// From the upper left to the lower right.
    Falling,
}

/// A photo of stripes, 32 × 32, somewhat tinted and noisy. Of the two ways there
/// are as many of each colour, so that features of colour know nothing.
pub fn stripes(way: Stripes, seed: u64) -> RgbImage {
    let mut random = SplitMix64(seed);
    let phase = (random.next() % 628) as f64 / 100.0;
    let tint: [i64; 3] = std::array::from_fn(|_| random.below(40));
    let sign = if way == Stripes::Rising { 1.0 } else { -1.0 };
    RgbImage::from_fn(32, 32, |x, y| {
        let wave = 40.0 * (1.5 * (f64::from(x) + sign * f64::from(y)) + phase).sin();
        Rgb(std::array::from_fn(|c| {
            (128 + wave as i64 + tint[c] + random.below(60)).clamp(0, 255) as u8
        }))
    })
}

/// A folder with `each` photos of both ways.
pub fn stripes_folder(root: &Path, each: usize) {
    for (way, label) in [(Stripes::Rising, "rising"), (Stripes::Falling, "falling")] {
        fs::create_dir_all(root.join(label)).expect("a class folder can be made");
        for number in 0..each {
            let path = root.join(label).join(format!("{number:04}.png"));
            let seed = 1000 * (way as u64 + 1) + number as u64;
            stripes(way, seed).save(path).expect("a photo can be written");
        }
    }
}

/// Steele, Lea, Flood 2014: fast, seeded by any number.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From −`most` to `most`.
    fn below(&mut self, most: u8) -> i64 {
        (self.next() % (2 * u64::from(most) + 1)) as i64 - i64::from(most)
    }
}
