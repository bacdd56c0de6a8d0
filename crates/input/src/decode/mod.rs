//! Picture files to 8-bit RGB.

mod error;
mod jpeg;
mod raster;
mod samples;

use image::{DynamicImage, RgbImage};

pub use error::{DecodeError, PictureFormat};

use crate::Picture;

/// The most pixels a picture file may claim: 300 MB of RGB.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The longest side a picture file may claim, in pixels.
///
/// It is JPEG's own. Without it one row of [`MAX_PIXELS`] would be a picture,
/// and the resizer's coefficients for it a gigabyte and a half.
pub const MAX_SIDE: u32 = 65_535;

/// Reads a picture file: JPEG or PNG, and with the feature `formats` BMP, GIF (its
/// first frame), TIFF (its first page) or WebP, told apart by their first bytes and
/// never by a name.
///
/// EXIF orientation is applied; palettes are expanded, grey is repeated, 16-bit
/// samples are rounded to 8, and transparent pixels are composited on
/// `background` (RGB). Colour profiles and gamma are ignored, as training
/// pipelines ignore them. `docs/format.md` has the arithmetic.
///
/// The size is checked before pixels are allocated: at most [`MAX_PIXELS`] and
/// no side above [`MAX_SIDE`]. Memory is then about 3 bytes a pixel for a JPEG of
/// one scan, 9 for a progressive one, 7 for PNG, and up to 16 for 16-bit TIFF:
/// 1.6 GB at the limit, so a board that is sent files by strangers takes
/// [`decode_within`] a lower one.
///
/// It is total: any bytes give a picture or an error. A file that ends early is
/// an error, never a picture with a grey rest. What no decoder can tell is
/// damage that leaves a file well-formed; PNG alone has checksums.
pub fn decode(bytes: &[u8], background: [u8; 3]) -> Result<Picture, DecodeError> {
    decode_within(bytes, background, MAX_PIXELS)
}

/// As [`decode`], with a lower limit than [`MAX_PIXELS`]; a higher one changes
/// nothing. Memory goes with it: a board that has none for 100 million pixels says
/// how many its camera gives.
pub fn decode_within(
    bytes: &[u8],
    background: [u8; 3],
    max_pixels: u64,
) -> Result<Picture, DecodeError> {
    let format = error::recognise(bytes)?;
    if !format.is_read() {
        return Err(DecodeError::LeftOut { format });
    }
    let max_pixels = max_pixels.min(MAX_PIXELS);
    let upright = match format {
        PictureFormat::Jpeg => jpeg::decode(bytes, max_pixels)?,
        _ => raster::decode(bytes, format, background, max_pixels)?,
    };
    let (width, height) = upright.dimensions();
    Ok(Picture::new(width, height, upright.into_raw())
        .expect("invariant: an RGB image has three bytes for each pixel"))
}

/// Refuses a size before anything is allocated for it.
fn check_size(width: u32, height: u32, max_pixels: u64) -> Result<(), DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels || width > MAX_SIDE || height > MAX_SIDE {
        return Err(DecodeError::TooLarge { width, height, max_pixels });
    }
    Ok(())
}

/// Turns the stored pixels the way the EXIF tag says they are looked at.
fn upright(rgb: RgbImage, orientation: image::metadata::Orientation) -> RgbImage {
    let mut picture = DynamicImage::ImageRgb8(rgb);
    picture.apply_orientation(orientation);
    // The variant is kept, so this moves and does not convert.
    picture.into_rgb8()
}
