use std::io::Cursor;

use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::{DecodeError, PictureFormat, check_size, samples, upright};

/// Reads any format but JPEG.
pub(super) fn decode(
    bytes: &[u8],
    format: PictureFormat,
    background: [u8; 3],
    max_pixels: u64,
) -> Result<RgbImage, DecodeError> {
    let refused = |error| refused(format, error);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), codec(format));
    reader.limits(limits(max_pixels));
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, max_pixels)?;
    if width == 0 || height == 0 {
        return Err(DecodeError::Broken { format, reason: format!("it is {width}x{height}") });
    }
    let orientation = decoder.orientation().map_err(refused)?;
    let colour = decoder.color_type();
    if matches!(colour, ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(DecodeError::Unsupported { format, what: "floating-point samples".into() });
    }
    let pixels = width as usize * height as usize;
    let mut buffer = vec![0; pixels * usize::from(colour.bytes_per_pixel())];
    decoder.read_image(&mut buffer).map_err(refused)?;

    let Some(rgb) = samples::to_rgb(buffer, colour, background) else {
        return Err(DecodeError::Unsupported { format, what: format!("samples of {colour:?}") });
    };
    let rgb = RgbImage::from_raw(width, height, rgb)
        .expect("invariant: the samples have three bytes for each pixel");
    Ok(upright(rgb, orientation))
}

fn codec(format: PictureFormat) -> ImageFormat {
    match format {
        PictureFormat::Jpeg => ImageFormat::Jpeg,
        PictureFormat::Png => ImageFormat::Png,
        PictureFormat::Bmp => ImageFormat::Bmp,
        PictureFormat::Gif => ImageFormat::Gif,
        PictureFormat::Tiff => ImageFormat::Tiff,
        PictureFormat::WebP => ImageFormat::WebP,
    }
}

/// The decoders' own guard, behind ours: eight bytes a pixel for the widest
/// samples, and something for palettes, windows and metadata.
fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(8 * max_pixels + (64 << 20));
    limits
}

fn refused(format: PictureFormat, error: ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(what) => {
            DecodeError::Unsupported { format, what: what.to_string() }
        }
        other => DecodeError::Broken { format, reason: other.to_string() },
    }
}
