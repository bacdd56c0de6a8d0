//! YUV to RGB, by the formula of [`PixelFormat`](super::PixelFormat).

/// Rows are converted in blocks of colour planes: compilers vectorise both
/// steps, but not the one step from pairs of pixels to RGB.
const BLOCK: usize = 64;

/// Red, green and blue of some pixels.
struct Planes([[u8; BLOCK]; 3]);

pub(super) fn yuyv_row(row: &[u8], rgb: &mut [u8]) {
    let mut planes = Planes([[0; BLOCK]; 3]);
    for (to, from) in rgb.chunks_mut(3 * BLOCK).zip(row.chunks(2 * BLOCK)) {
        planes.fill(from.chunks_exact(4).map(|p| ([p[0], p[2]], [p[1], p[3]])));
        planes.interleave(to);
    }
}

pub(super) fn nv12_row(luma: &[u8], chroma: &[u8], rgb: &mut [u8]) {
    let mut planes = Planes([[0; BLOCK]; 3]);
    let blocks = luma.chunks(BLOCK).zip(chroma.chunks(BLOCK));
    for (to, (luma, chroma)) in rgb.chunks_mut(3 * BLOCK).zip(blocks) {
        let pairs = luma.chunks_exact(2).zip(chroma.chunks_exact(2));
        planes.fill(pairs.map(|(y, uv)| ([y[0], y[1]], [uv[0], uv[1]])));
        planes.interleave(to);
    }
}

impl Planes {
    /// From two pixels' luma and the chroma they share.
    fn fill(&mut self, pairs: impl Iterator<Item = ([u8; 2], [u8; 2])>) {
        let [red, green, blue] = &mut self.0;
        let to =
            red.chunks_exact_mut(2).zip(green.chunks_exact_mut(2)).zip(blue.chunks_exact_mut(2));
        for (((red, green), blue), ([first, second], [u, v])) in to.zip(pairs) {
            let chroma = Chroma::new(u, v);
            [red[0], green[0], blue[0]] = chroma.rgb(first);
            [red[1], green[1], blue[1]] = chroma.rgb(second);
        }
    }

    /// As many pixels as there is room for: one less than were filled if a row
    /// ends in half a pair.
    fn interleave(&self, rgb: &mut [u8]) {
        let [red, green, blue] = &self.0;
        for (((to, &red), &green), &blue) in rgb.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
            to.copy_from_slice(&[red, green, blue]);
        }
    }
}

/// Bits of fraction. The largest sum, white with the strongest blue, stays below
/// 2^30.
const FRACTION: u32 = 20;

/// What chroma adds to each colour, and the half that rounds.
struct Chroma([i32; 3]);

impl Chroma {
    fn new(u: u8, v: u8) -> Chroma {
        const HALF: i32 = 1 << (FRACTION - 1);
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        // 1.5960268, 0.3917623, 0.8129676 and 2.0172321.
        Chroma([1_673_555 * v + HALF, -410_793 * u - 852_458 * v + HALF, 2_115_221 * u + HALF])
    }

    fn rgb(&self, luma: u8) -> [u8; 3] {
        // 1.1643836.
        let luma = 1_220_945 * i32::from(luma.max(16) - 16);
        self.0.map(|chroma| ((luma + chroma) >> FRACTION).clamp(0, 255) as u8)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The formula in f64, with half added and floored.
    pub(in crate::raw) fn formula(luma: u8, u: u8, v: u8) -> [u8; 3] {
        let (y, u, v) =
            (f64::from(luma.max(16)) - 16.0, f64::from(u) - 128.0, f64::from(v) - 128.0);
        let (luma, chroma) = (255.0 / 219.0 * y, 255.0 / 112.0);
        [
            luma + chroma * (1.0 - 0.299) * v,
            luma - chroma * 0.114 / 0.587 * (1.0 - 0.114) * u
                - chroma * 0.299 / 0.587 * (1.0 - 0.299) * v,
            luma + chroma * (1.0 - 0.114) * u,
        ]
        .map(|value| (value + 0.5).floor().clamp(0.0, 255.0) as u8)
    }

    /// All 16.7 million of them.
    #[test]
    fn integers_are_within_one_of_the_formula() {
        let (mut differ, mut largest) = (0, 0);
        for u in 0..=255 {
            for v in 0..=255 {
                let chroma = Chroma::new(u, v);
                for luma in 0..=255 {
                    let (found, exact) = (chroma.rgb(luma), formula(luma, u, v));
                    if found != exact {
                        differ += 1;
                        for (found, exact) in found.into_iter().zip(exact) {
                            largest = largest.max(found.abs_diff(exact));
                        }
                    }
                }
            }
        }
        println!("{differ} of 16777216 differ, by {largest} at most");
        assert_eq!(largest, 1);
        assert!(differ < 2000, "{differ} values of Y, U and V round to another colour");
    }

    /// 75 % colour bars of BT.601 in 8 bits, as test signal generators list them.
    #[test]
    fn colour_bars_have_their_colours() {
        let check = |[y, u, v]: [u8; 3], expected: [u8; 3]| {
            let found = Chroma::new(u, v).rgb(y);
            let off = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off <= Some(1), "{y} {u} {v}: {found:?}, not {expected:?}");
        };
        check([235, 128, 128], [255, 255, 255]);
        check([162, 44, 142], [191, 191, 0]);
        check([131, 156, 44], [0, 191, 191]);
        check([112, 72, 58], [0, 191, 0]);
        check([84, 184, 198], [191, 0, 191]);
        check([65, 100, 212], [191, 0, 0]);
        check([35, 212, 114], [0, 0, 191]);
        check([16, 128, 128], [0, 0, 0]);
        // Under black and over white.
        check([0, 128, 128], [0, 0, 0]);
        check([255, 128, 128], [255, 255, 255]);
    }
}
