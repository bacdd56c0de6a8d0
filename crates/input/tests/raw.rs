//! Raw camera frames: against OpenCV, and for any bytes.

use graft_input::{PixelFormat, RawFrame, RawFrameError};
use proptest::prelude::*;

/// OpenCV's factors are 1.164, 1.596, 0.391, 0.813 and 2.018 where the standard
/// gives 1.1644, 1.5960, 0.3918, 0.8130 and 2.0172. Measured: at most 1, on
/// average 0.033 for YUYV and 0.034 for NV12.
const LARGEST_DIFFERENCE: u64 = 1;
const MEAN_DIFFERENCE: f64 = 0.04;

/// The low bytes of SplitMix64, as in fixtures/raw/make.py.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn yuv_is_within_one_of_opencv() {
    let check = |format, seed, expected: &[u8]| {
        let expected = image::load_from_memory(expected).unwrap().into_rgb8();
        let (width, height) = expected.dimensions();
        let stride = usize::try_from(PixelFormat::row_bytes(format, width)).unwrap();
        let bytes = noise(seed, usize::try_from(format.rows(height)).unwrap() * stride);
        let mut rgb = Vec::new();
        RawFrame::new(format, width, height, stride, &bytes).unwrap().to_rgb(&mut rgb);
        let off = rgb.iter().zip(expected.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = off.clone().sum::<u64>() as f64 / rgb.len() as f64;
        let largest = off.max().unwrap();
        println!("{format}: {largest} at most, {mean:.4} on average");
        assert_eq!(rgb.len(), expected.as_raw().len());
        assert!(
            largest <= LARGEST_DIFFERENCE && mean < MEAN_DIFFERENCE,
            "{format}: {largest}, {mean}"
        );
    };
    check(PixelFormat::Yuyv, 1, include_bytes!("fixtures/raw/yuyv.png"));
    check(PixelFormat::Nv12, 2, include_bytes!("fixtures/raw/nv12.png"));
}

fn formats() -> impl Strategy<Value = PixelFormat> {
    use PixelFormat::*;
    prop_oneof![Just(Rgb), Just(Bgr), Just(Grey), Just(Yuyv), Just(Nv12)]
}

fn converted(
    format: PixelFormat,
    (width, height): (u32, u32),
    stride: usize,
    bytes: &[u8],
) -> Result<Vec<u8>, RawFrameError> {
    let mut rgb = Vec::new();
    RawFrame::new(format, width, height, stride, bytes)?.to_rgb(&mut rgb);
    Ok(rgb)
}

proptest! {
    /// Padding between rows is never looked at, whatever is in it, and the last
    /// row does without.
    #[test]
    fn padding_does_not_show(
        format in formats(),
        size in (1u32..=150, 1u32..=9),
        padding in 0usize..40,
        seed in any::<u64>(),
    ) {
        let row = usize::try_from(format.row_bytes(size.0)).unwrap();
        let packed = noise(seed, usize::try_from(format.rows(size.1)).unwrap() * row);
        let mut padded: Vec<u8> = packed
            .chunks(row)
            .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(seed as u8, padding)))
            .collect();
        let expected = converted(format, size, row, &packed).unwrap();
        prop_assert_eq!(expected.len(), 3 * size.0 as usize * size.1 as usize);
        prop_assert_eq!(&converted(format, size, row + padding, &padded).unwrap(), &expected);
        padded.truncate(padded.len() - padding);
        prop_assert_eq!(&converted(format, size, row + padding, &padded).unwrap(), &expected);
    }

    /// Pixels do not depend on their place in a row, but for who shares chroma.
    #[test]
    fn two_columns_convert_as_they_do_in_a_row(
        format in formats(),
        size in (1u32..=150, 1u32..=4),
        column in 0u32..150,
        seed in any::<u64>(),
    ) {
        let row = usize::try_from(format.row_bytes(size.0)).unwrap();
        let bytes = noise(seed, usize::try_from(format.rows(size.1)).unwrap() * row);
        let whole = converted(format, size, row, &bytes).unwrap();
        let column = (column % size.0) & !1;
        let width = 2.min(size.0 - column);
        // All formats store two pixels from an even column in one piece.
        let start = usize::try_from(format.row_bytes(column)).unwrap();
        let end = bytes.len() - row + start + usize::try_from(format.row_bytes(width)).unwrap();
        let part = converted(format, (width, size.1), row, &bytes[start..end]).unwrap();
        let pixels = 3 * column as usize..3 * (column + width) as usize;
        let expected: Vec<u8> =
            whole.chunks(3 * size.0 as usize).flat_map(|row| &row[pixels.clone()]).copied().collect();
        prop_assert_eq!(part, expected);
    }

    /// Any numbers give a picture or an error.
    #[test]
    fn no_numbers_panic(
        format in formats(),
        width in prop_oneof![0u32..40, any::<u32>()],
        height in prop_oneof![0u32..40, any::<u32>()],
        stride in prop_oneof![0usize..200, any::<usize>()],
        length in 0usize..4000,
    ) {
        let bytes = noise(1, length);
        if let Ok(rgb) = converted(format, (width, height), stride, &bytes) {
            prop_assert_eq!(rgb.len() as u64, 3 * u64::from(width) * u64::from(height));
        }
    }
}
