//! Camera frames as they lie in memory, to 8-bit RGB.

mod yuv;

use std::fmt;

use crate::Frame;

/// How a camera stores pixels.
///
/// YUV is ITU-R BT.601 in limited range, which is what V4L2 means by YUYV and
/// NV12 unless a driver says otherwise. With `y = max(Y, 16) − 16`, `u = U − 128`
/// and `v = V − 128`:
///
/// ```text
/// R = 255/219·y                              + 255/112·(1 − 0.299)·v
/// G = 255/219·y − 255/112·0.114/0.587·(1 − 0.114)·u − 255/112·0.299/0.587·(1 − 0.299)·v
/// B = 255/219·y + 255/112·(1 − 0.114)·u
/// ```
///
/// rounded, halves up, and clamped to 0–255. The factors are integers with 20
/// bits of fraction, so every processor gives the same bytes; over all values of
/// Y, U and V they differ from the formula by at most 1. Luma under black is
/// black, as in OpenCV, whose factors have three decimals: it differs by at most
/// 1 as well.
///
/// Chroma is repeated, not interpolated: two pixels share it in YUYV, two by two
/// in NV12. A last odd column or row has chroma of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Three bytes a pixel: red, green, blue.
    Rgb,
    /// Three bytes a pixel: blue, green, red.
    Bgr,
    /// One byte a pixel.
    Grey,
    /// Y0 U Y1 V: four bytes for two pixels, the last pair whole if the width is
    /// odd. Also called YUY2.
    Yuyv,
    /// A plane of Y, one byte a pixel, then one of U V, two bytes for two by two
    /// pixels.
    Nv12,
}

/// One camera frame as it lies in memory. NV12: luma rows of `stride`, then
/// chroma rows of the same stride.
#[derive(Clone, Copy)]
pub struct RawFrame<'a> {
    format: PixelFormat,
    width: u32,
    height: u32,
    stride: usize,
    bytes: &'a [u8],
}

/// Bytes that are not a frame of the stated format and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawFrameError {
    /// A side is 0.
    NoPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The frame as RGB does not fit into this machine's memory.
    TooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Rows are nearer to each other than they are long.
    Stride {
        /// Of the frame.
        format: PixelFormat,
        /// In pixels.
        width: u32,
        /// Bytes of one row.
        least: u64,
        /// Bytes from row to row, as given.
        found: usize,
    },
    /// Too few bytes for the rows, or so many that the size cannot be right.
    Length {
        /// Of the frame.
        format: PixelFormat,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Bytes from row to row.
        stride: usize,
        /// Bytes of the rows, the last one without its padding.
        least: u128,
        /// Bytes of the rows, the last one with its padding.
        most: u128,
        /// Bytes that were given.
        found: usize,
    },
}

impl PixelFormat {
    /// Bytes of one row of so many pixels: the least stride.
    pub fn row_bytes(self, width: u32) -> u64 {
        let width = u64::from(width);
        match self {
            PixelFormat::Rgb | PixelFormat::Bgr => 3 * width,
            PixelFormat::Grey => width,
            PixelFormat::Yuyv => 4 * width.div_ceil(2),
            PixelFormat::Nv12 => 2 * width.div_ceil(2),
        }
    }

    /// Rows of a frame of that height: more than its pixels' if chroma has rows
    /// of its own. Rows times stride is the size of a frame.
    pub fn rows(self, height: u32) -> u64 {
        let height = u64::from(height);
        match self {
            PixelFormat::Nv12 => height + height.div_ceil(2),
            _ => height,
        }
    }
}

impl<'a> RawFrame<'a> {
    /// Borrows a frame. `stride` is the number of bytes from the start of a row
    /// to the start of the next.
    ///
    /// The bytes end with the last row, with or without its padding.
    ///
    /// # Errors
    ///
    /// If the bytes cannot be that frame. More bytes than the rows have are refused
    /// too: the frame has another size then, or its chroma does not start where
    /// its luma ends.
    pub fn new(
        format: PixelFormat,
        width: u32,
        height: u32,
        stride: usize,
        bytes: &'a [u8],
    ) -> Result<RawFrame<'a>, RawFrameError> {
        if width == 0 || height == 0 {
            return Err(RawFrameError::NoPixels { width, height });
        }
        // In 128 bits, because three times the largest frame passes 64.
        if 3 * u128::from(width) * u128::from(height) > isize::MAX as u128 {
            return Err(RawFrameError::TooLarge { width, height });
        }
        let row = format.row_bytes(width);
        if (stride as u64) < row {
            return Err(RawFrameError::Stride { format, width, least: row, found: stride });
        }
        let most = u128::from(format.rows(height)) * stride as u128;
        let least = most - stride as u128 + u128::from(row);
        if !(least..=most).contains(&(bytes.len() as u128)) {
            let found = bytes.len();
            return Err(RawFrameError::Length {
                format,
                width,
                height,
                stride,
                least,
                most,
                found,
            });
        }
        Ok(RawFrame { format, width, height, stride, bytes })
    }

    /// Writes the frame as 8-bit RGB without padding: `3 * width * height` bytes.
    ///
    /// The buffer is resized, so after the first frame of a size nothing is
    /// allocated.
    pub fn to_rgb(&self, rgb: &mut Vec<u8>) {
        let width = self.width as usize;
        rgb.resize(3 * width * self.height as usize, 0);
        let rows = rgb.chunks_exact_mut(3 * width).zip(self.bytes.chunks(self.stride));
        match self.format {
            PixelFormat::Rgb => rows.for_each(|(to, row)| to.copy_from_slice(&row[..3 * width])),
            PixelFormat::Bgr => rows.for_each(|(to, row)| swap_red_and_blue(row, to)),
            PixelFormat::Grey => rows.for_each(|(to, row)| repeat(row, to)),
            PixelFormat::Yuyv => rows.for_each(|(to, row)| yuv::yuyv_row(row, to)),
            PixelFormat::Nv12 => {
                let chroma = &self.bytes[self.stride * self.height as usize..];
                rows.enumerate().for_each(|(y, (to, luma))| {
                    yuv::nv12_row(luma, &chroma[y / 2 * self.stride..], to);
                });
            }
        }
    }

    /// The frame for a network: borrowed if it is RGB without padding already,
    /// else written to `rgb` by [`RawFrame::to_rgb`].
    pub fn frame<'b>(&self, rgb: &'b mut Vec<u8>) -> Frame<'b>
    where
        'a: 'b,
    {
        let packed = self.format == PixelFormat::Rgb
            && self.bytes.len() as u64 == 3 * u64::from(self.width) * u64::from(self.height);
        let pixels = if packed {
            self.bytes
        } else {
            self.to_rgb(rgb);
            rgb
        };
        Frame::new(self.width, self.height, pixels)
            .expect("invariant: three bytes were made for each pixel")
    }
}

fn swap_red_and_blue(bgr: &[u8], rgb: &mut [u8]) {
    for (to, p) in rgb.chunks_exact_mut(3).zip(bgr.chunks_exact(3)) {
        to.copy_from_slice(&[p[2], p[1], p[0]]);
    }
}

fn repeat(grey: &[u8], rgb: &mut [u8]) {
    for (to, &value) in rgb.chunks_exact_mut(3).zip(grey) {
        to.fill(value);
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PixelFormat::Rgb => "RGB",
            PixelFormat::Bgr => "BGR",
            PixelFormat::Grey => "grey",
            PixelFormat::Yuyv => "YUYV",
            PixelFormat::Nv12 => "NV12",
        })
    }
}

impl fmt::Debug for RawFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawFrame({} {}x{}/{})", self.format, self.width, self.height, self.stride)
    }
}

impl fmt::Display for RawFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RawFrameError::NoPixels { width, height } => {
                write!(f, "a frame of {width}x{height} has no pixels")
            }
            RawFrameError::TooLarge { width, height } => {
                write!(f, "a frame of {width}x{height} is larger than memory")
            }
            RawFrameError::Stride { format, width, least, found } => write!(
                f,
                "a row of {width} {format} pixels has {least} bytes, \
                 but the stride is {found}"
            ),
            RawFrameError::Length { format, width, height, stride, least, most, found } => {
                write!(
                    f,
                    "a frame of {width}x{height} in {format} with stride {stride} has {most} bytes"
                )?;
                if least != most {
                    write!(f, " (or {least}, the last row without padding)")?;
                }
                write!(f, ", got {found}")
            }
        }
    }
}

impl std::error::Error for RawFrameError {}

#[cfg(test)]
mod tests {
    use super::yuv::tests::formula;
    use super::*;

    fn rgb(format: PixelFormat, width: u32, height: u32, stride: usize, bytes: &[u8]) -> Vec<u8> {
        let mut rgb = vec![7; 5];
        RawFrame::new(format, width, height, stride, bytes).unwrap().to_rgb(&mut rgb);
        rgb
    }

    #[test]
    fn rows_are_found_by_their_stride() {
        use PixelFormat::*;
        assert_eq!(rgb(Rgb, 1, 2, 4, &[1, 2, 3, 99, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(rgb(Bgr, 1, 2, 4, &[1, 2, 3, 99, 4, 5, 6, 99]), [3, 2, 1, 6, 5, 4]);
        assert_eq!(rgb(Grey, 2, 2, 3, &[1, 2, 99, 3, 4]), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
        // Without colour, luma 16, 125, 126 and 235 are 0, 127, 128 and 255.
        let greys = [0, 0, 0, 127, 127, 127, 128, 128, 128, 255, 255, 255];
        let yuyv = [16, 128, 125, 128, 99, 99, 126, 128, 235, 128];
        assert_eq!(rgb(Yuyv, 2, 2, 6, &yuyv), greys);
        let nv12 = [16, 125, 99, 126, 235, 99, 128, 128];
        assert_eq!(rgb(Nv12, 2, 2, 3, &nv12), greys);
    }

    #[test]
    fn odd_sides_have_chroma_of_their_own() {
        // Three by three, chroma two by two: red (V) on the right, blue (U) below.
        let plain = 128;
        let nv12 = [
            [126; 4],
            [126; 4],
            [126; 4], //
            [plain, plain, plain, 255],
            [255, plain, 255, 255],
        ];
        let found = rgb(PixelFormat::Nv12, 3, 3, 4, nv12.as_flattened());
        let (grey, red) = (formula(126, 128, 128), formula(126, 128, 255));
        let (blue, both) = (formula(126, 255, 128), formula(126, 255, 255));
        let rows = [[grey, grey, red], [grey, grey, red], [blue, blue, both]];
        assert_eq!(found, rows.as_flattened().as_flattened());
        let found = rgb(PixelFormat::Yuyv, 3, 1, 8, &[126, 128, 126, 128, 126, 128, 0, 255]);
        assert_eq!(found, [grey, grey, red].as_flattened());
    }

    #[test]
    fn what_cannot_be_the_frame_is_refused() {
        use PixelFormat::*;
        let check = |format, (width, height), stride, bytes: usize, expected: &str| {
            let found = match RawFrame::new(format, width, height, stride, &vec![0; bytes]) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{format} {width}x{height} {stride} {bytes}");
        };
        check(Rgb, (0, 4), 12, 48, "a frame of 0x4 has no pixels");
        check(Rgb, (4, 2), 12, 24, "");
        check(Rgb, (4, 2), 11, 24, "a row of 4 RGB pixels has 12 bytes, but the stride is 11");
        check(Rgb, (4, 2), 12, 23, "a frame of 4x2 in RGB with stride 12 has 24 bytes, got 23");
        check(Rgb, (4, 2), 12, 25, "a frame of 4x2 in RGB with stride 12 has 24 bytes, got 25");
        check(Grey, (4, 2), 6, 10, "");
        check(Grey, (4, 2), 6, 12, "");
        check(
            Grey,
            (4, 2),
            6,
            9,
            "a frame of 4x2 in grey with stride 6 has 12 bytes \
             (or 10, the last row without padding), got 9",
        );
        check(Yuyv, (3, 1), 6, 6, "a row of 3 YUYV pixels has 8 bytes, but the stride is 6");
        check(Nv12, (3, 3), 4, 20, "");
        check(Nv12, (3, 3), 3, 15, "a row of 3 NV12 pixels has 4 bytes, but the stride is 3");
        // 1080 rows stored as 1088: chroma is not where the size says.
        check(
            Nv12,
            (16, 1080),
            16,
            16 * 1632,
            "a frame of 16x1080 in NV12 with stride 16 has 25920 bytes, got 26112",
        );
        check(
            Grey,
            (u32::MAX, u32::MAX),
            usize::MAX,
            1,
            "a frame of 4294967295x4294967295 is larger than memory",
        );
        let stride = usize::MAX;
        assert!(matches!(
            RawFrame::new(Nv12, 2, 2, stride, &[0; 9]),
            Err(RawFrameError::Length { most, .. }) if most == 3 * stride as u128
        ));
    }

    #[test]
    fn rgb_without_padding_is_not_copied() {
        let bytes = [1, 2, 3, 4, 5, 6];
        let mut buffer = Vec::new();
        let raw = RawFrame::new(PixelFormat::Rgb, 1, 2, 3, &bytes).unwrap();
        assert_eq!(raw.frame(&mut buffer).rgb().as_ptr(), bytes.as_ptr());
        assert_eq!(buffer.capacity(), 0);
        let raw = RawFrame::new(PixelFormat::Bgr, 1, 2, 3, &bytes).unwrap();
        assert_eq!(raw.frame(&mut buffer).rgb(), [3, 2, 1, 6, 5, 4]);
    }
}
