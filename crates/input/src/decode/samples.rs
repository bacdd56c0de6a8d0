//! The first step of "Preparing a picture": samples of any kind to 8-bit RGB.

use image::ColorType;

/// Samples as `image` gives them, 16-bit ones in the machine's byte order, as
/// interleaved RGB. None for a kind that is not known.
pub(super) fn to_rgb(samples: Vec<u8>, colour: ColorType, background: [u8; 3]) -> Option<Vec<u8>> {
    Some(match colour {
        ColorType::Rgb8 => samples,
        ColorType::L8 => from_grey(samples.into_iter()),
        ColorType::La8 => from_grey_alpha(samples.as_chunks().0.iter().copied(), background),
        ColorType::Rgba8 => from_rgba(samples.as_chunks().0.iter().copied(), background),
        ColorType::L16 => from_grey(halved(&samples)),
        ColorType::Rgb16 => halved(&samples).collect(),
        ColorType::La16 => from_grey_alpha(grouped(halved(&samples)), background),
        ColorType::Rgba16 => from_rgba(grouped(halved(&samples)), background),
        _ => return None,
    })
}

pub(super) fn from_grey(grey: impl Iterator<Item = u8>) -> Vec<u8> {
    grey.flat_map(|v| [v; 3]).collect()
}

fn from_grey_alpha(pixels: impl Iterator<Item = [u8; 2]>, background: [u8; 3]) -> Vec<u8> {
    from_rgba(pixels.map(|[v, alpha]| [v, v, v, alpha]), background)
}

fn from_rgba(pixels: impl Iterator<Item = [u8; 4]>, background: [u8; 3]) -> Vec<u8> {
    pixels
        .flat_map(|[r, g, b, alpha]| {
            let [under_r, under_g, under_b] = background;
            [over(r, under_r, alpha), over(g, under_g, alpha), over(b, under_b, alpha)]
        })
        .collect()
}

/// Composites a sample on the background's.
fn over(sample: u8, under: u8, alpha: u8) -> u8 {
    let (c, b, a) = (u32::from(sample), u32::from(under), u32::from(alpha));
    ((c * a + b * (255 - a) + 127) / 255) as u8
}

/// 16-bit samples to 8, to the nearest.
fn halved(samples: &[u8]) -> impl Iterator<Item = u8> {
    samples.as_chunks().0.iter().map(|&pair| to_8_bits(u16::from_ne_bytes(pair)))
}

/// Integer form of `round(v / 257)`; exact for every `v`.
fn to_8_bits(v: u16) -> u8 {
    ((u32::from(v) * 255 + 32_895) >> 16) as u8
}

fn grouped<const N: usize>(mut samples: impl Iterator<Item = u8>) -> impl Iterator<Item = [u8; N]> {
    std::iter::from_fn(move || {
        let mut group = [0; N];
        for slot in &mut group {
            *slot = samples.next()?;
        }
        Some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_round_to_the_nearest_eight() {
        for v in 0..=u16::MAX {
            assert_eq!(to_8_bits(v), (f64::from(v) / 257.0).round() as u8, "{v}");
        }
    }

    #[test]
    fn compositing_rounds_to_the_nearest() {
        for (c, b) in [(0, 255), (255, 0), (200, 13), (77, 77)] {
            for alpha in 0..=255 {
                let share = f64::from(alpha) / 255.0;
                let exact = f64::from(c) * share + f64::from(b) * (1.0 - share);
                assert_eq!(f64::from(over(c, b, alpha)), exact.round(), "{c} {b} {alpha}");
            }
        }
    }
}
