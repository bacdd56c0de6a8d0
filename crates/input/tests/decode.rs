//! Decoding against Pillow's, of small files of every format and mode.
#![cfg(feature = "formats")]

use graft_input::{DecodeError, PictureFormat, decode};

const BACKGROUND: [u8; 3] = [10, 200, 90];

/// Two correct JPEG decoders may differ by one level in the inverse transform,
/// which the colour conversion can double, and by one in upsampling.
const LOSSY_DIFFERENCE: u8 = 3;
/// Decoders of one bit stream that the format defines to the bit, but for the
/// conversion to RGB and the upsampling of chroma.
const WEBP_DIFFERENCE: u8 = 3;

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/decoded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn check(name: &str, tolerance: u8) {
    let ours = decode(&read(name), BACKGROUND).unwrap_or_else(|error| panic!("{name}: {error}"));
    let stem = name.replace('.', "_");
    let theirs = image::load_from_memory(&read(&format!("{stem}.expected.png"))).unwrap();
    let theirs = theirs.into_rgb8();
    assert_eq!((ours.width(), ours.height()), theirs.dimensions(), "{name}");
    let difference = ours.rgb().iter().zip(theirs.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    println!("{name}: {difference:?}");
    assert!(difference <= Some(tolerance), "{name}: largest difference {difference:?}");
}

#[test]
fn jpeg() {
    for name in ["rgb", "rgb_444", "rgb_422", "grey", "cmyk", "progressive", "restarts"] {
        check(&format!("{name}.jpg"), LOSSY_DIFFERENCE);
    }
}

#[test]
fn orientation_is_applied() {
    for orientation in 1..=8 {
        check(&format!("exif{orientation}.jpg"), LOSSY_DIFFERENCE);
    }
    check("exif6.png", 0);
    check("exif8.tif", 0);
    check("exif3.webp", 0);
}

#[test]
fn png() {
    for name in [
        "bits",
        "grey",
        "grey_alpha",
        "rgb",
        "rgba",
        "palette",
        "palette_transparent",
        "palette_alpha",
        "colour_key",
        "grey16",
        "rgb16",
        "rgba16",
    ] {
        check(&format!("{name}.png"), 0);
    }
}

#[test]
fn bmp() {
    for name in ["rgb", "palette", "bits"] {
        check(&format!("{name}.bmp"), 0);
    }
}

#[test]
fn gif() {
    check("palette.gif", 0);
    // The first frame.
    check("animated.gif", 0);
}

#[test]
fn tiff() {
    for name in ["rgb", "lzw", "deflate", "grey", "bits", "rgba", "grey16"] {
        check(&format!("{name}.tif"), 0);
    }
}

#[test]
fn webp() {
    check("lossless.webp", 0);
    check("lossless_alpha.webp", 0);
    check("lossy.webp", WEBP_DIFFERENCE);
    check("lossy_alpha.webp", WEBP_DIFFERENCE);
}

#[test]
fn what_is_not_read_is_named() {
    for name in ["unsupported_palette.tif", "unsupported_float.tif"] {
        let error = decode(&read(name), BACKGROUND).unwrap_err();
        assert!(
            matches!(error, DecodeError::Unsupported { format: PictureFormat::Tiff, .. }),
            "{name}: {error:?}"
        );
    }
}
