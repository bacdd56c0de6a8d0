use graft_spec::MAX_SIDE;

use crate::Picture;
use crate::random::SplitMix64;

/// The synthetic picture of `docs/format.md`: a gradient, twelve rectangles and
/// noise, the same on every machine.
///
/// It is what references are made of, so that nobody's photos travel, and it
/// has what tells a wrong resizer: slopes, edges and grain.
///
/// # Panics
///
/// If a side is not 1 to [`MAX_SIDE`]; a parsed bundle has none such.
pub fn synthetic(seed: u64, width: u32, height: u32) -> Picture {
    assert!(
        (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height),
        "a synthetic picture has sides of 1 to {MAX_SIDE}, not {width}x{height}"
    );
    let mut random = SplitMix64(seed);
    let mut rgb = gradient(&mut random, width.into(), height.into());
    for _ in 0..12 {
        rectangle(&mut random, &mut rgb, width.into(), height.into());
    }
    for pixel in rgb.chunks_exact_mut(3) {
        let n = random.next();
        for (k, sample) in pixel.iter_mut().enumerate() {
            let noise = ((n >> (8 * k)) & 31) as u8;
            // Saturating twice is not clamping once: 250 + 31 - 16 is 265.
            *sample = (i16::from(*sample) + i16::from(noise) - 16).clamp(0, 255) as u8;
        }
    }
    Picture::new(width, height, rgb).expect("invariant: three bytes were made for each pixel")
}

fn gradient(random: &mut SplitMix64, width: u64, height: u64) -> Vec<u8> {
    let corners: [[u64; 4]; 3] =
        std::array::from_fn(|_| std::array::from_fn(|_| random.next() & 255));
    let (right, bottom) = ((width - 1).max(1), (height - 1).max(1));
    let mut rgb = Vec::with_capacity((3 * width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            for [a, b, c, d] in corners {
                let top = (right - x) * a + x * b;
                let low = (right - x) * c + x * d;
                rgb.push((((bottom - y) * top + y * low) / (right * bottom)) as u8);
            }
        }
    }
    rgb
}

fn rectangle(random: &mut SplitMix64, rgb: &mut [u8], width: u64, height: u64) {
    let (x0, y0) = (random.next() % width, random.next() % height);
    let x1 = width.min(x0 + 1 + random.next() % (width / 2 + 1));
    let y1 = height.min(y0 + 1 + random.next() % (height / 2 + 1));
    let [red, green, blue, ..] = random.next().to_le_bytes();
    for row in rgb.chunks_exact_mut(3 * width as usize).take(y1 as usize).skip(y0 as usize) {
        for pixel in row[3 * x0 as usize..3 * x1 as usize].chunks_exact_mut(3) {
            pixel.copy_from_slice(&[red, green, blue]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_pictures_are_made_too() {
        for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2)] {
            let picture = synthetic(7, width, height);
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
    }
}
