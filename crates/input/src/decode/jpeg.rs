use image::RgbImage;
use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{DecodeError, PictureFormat, check_size, samples, upright};

/// Reads a JPEG.
///
/// Not through `image`, though that uses the same decoder: it sets it to make a
/// picture of whatever is there, and a file cut in half would train a network
/// on grey. So: lenient with headers, where cameras leave odd bytes that do no
/// harm, and strict with pixels.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<RgbImage, DecodeError> {
    let lenient = DecoderOptions::default()
        .set_strict_mode(false)
        // Ours is the check, so that the error can say the size.
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), lenient);
    decoder.decode_headers().map_err(refused)?;
    let (Some((width, height)), Some(stored)) = (decoder.dimensions(), decoder.input_colorspace())
    else {
        return Err(broken("the headers state no size"));
    };
    // At most 65,535: the format has 16 bits for each.
    let (width, height) = (width as u32, height as u32);
    check_size(width, height, max_pixels)?;

    // CMYK and YCCK go to RGB in the decoder.
    let output = if stored == ColorSpace::Luma { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(lenient.set_strict_mode(true).jpeg_set_out_colorspace(output));
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif))
        .unwrap_or(Orientation::NoTransforms);

    // The decoder fills up what the last rows lack if the file ends in them.
    if !has_end(bytes) {
        return Err(broken("the file ends before the picture does"));
    }
    let mut buffer = vec![0; width as usize * height as usize * output.num_components()];
    decoder.decode_into(&mut buffer).map_err(refused)?;
    let rgb = match output {
        ColorSpace::Luma => samples::from_grey(buffer.into_iter()),
        _ => buffer,
    };
    let rgb = RgbImage::from_raw(width, height, rgb)
        .expect("invariant: the buffer has three bytes for each pixel");
    Ok(upright(rgb, orientation))
}

/// Whether the picture's end marker is there.
///
/// Segments are stepped over by their lengths, so that the end of a thumbnail
/// in the EXIF data is not taken for the picture's; bytes after the end, such
/// as a second picture or a phone's video, are not looked at.
fn has_end(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|&byte| byte == 0xff) {
        rest = &rest[start + 1..];
        rest = match rest {
            // Fill bytes: the marker's own 0xff is still to come.
            [0xff, ..] => rest,
            // A sample of 0xff, a restart, or a start: nothing follows.
            [0x00 | 0x01 | 0xd0..=0xd8, after @ ..] => after,
            [0xd9, ..] => return true,
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.get(1 + length..) {
                    Some(after) => after,
                    None => return false,
                }
            }
            _ => return false,
        };
    }
    false
}

fn broken(reason: impl Into<String>) -> DecodeError {
    DecodeError::Broken { format: PictureFormat::Jpeg, reason: reason.into() }
}

fn refused(error: DecodeErrors) -> DecodeError {
    match error {
        DecodeErrors::Unsupported(scheme) => {
            DecodeError::Unsupported { format: PictureFormat::Jpeg, what: format!("{scheme:?}") }
        }
        other => broken(other.to_string()),
    }
}
