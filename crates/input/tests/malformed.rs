//! Files that are no pictures, or no longer.
#![cfg(feature = "formats")]

use graft_input::{DecodeError, MAX_PIXELS, MAX_SIDE, PictureFormat, decode, decode_within};

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/decoded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A PNG that ends after a header of that size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = read("rgb.png");
    png.truncate(8 + 25);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    // The decoder reads on to the first pixels before it tells the size.
    png.extend(&read("rgb.png")[33..]);
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

#[test]
fn the_content_decides_not_the_name() {
    assert_eq!(decode(b"", [0; 3]), Err(DecodeError::Empty));
    let text = decode(b"Hello, I am a .jpg\n", [0; 3]).unwrap_err();
    assert_eq!(text, DecodeError::UnknownFormat { first: b"Hello, I".to_vec() });
    assert_eq!(
        text.to_string(),
        "not a JPEG, PNG, BMP, GIF, TIFF or WebP picture: it begins with \"Hello, I\""
    );
    assert_eq!(
        decode(b"\0\0\0\x18ftypheic\0\0\0\0", [0; 3]),
        Err(DecodeError::UnreadFormat { name: "HEIC" })
    );
    assert!(matches!(
        decode(b"\xff\xd8\xffbut no more", [0; 3]),
        Err(DecodeError::Broken { format: PictureFormat::Jpeg, .. })
    ));
}

#[test]
fn a_size_is_refused_before_it_is_allocated() {
    let check = |width, height| {
        assert_eq!(
            decode(&png_header(width, height), [0; 3]),
            Err(DecodeError::TooLarge { width, height, max_pixels: MAX_PIXELS })
        );
    };
    // 30 GB of RGB, were it made.
    check(100_000, 100_000);
    check(10_001, 10_000);
    check(MAX_SIDE + 1, 1);
    let mut jpeg = read("rgb_444.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    let (width, height, max_pixels) = (65_535, 65_535, MAX_PIXELS);
    assert_eq!(decode(&jpeg, [0; 3]), Err(DecodeError::TooLarge { width, height, max_pixels }));
}

/// A board that has no memory for what others read.
#[test]
fn a_lower_limit_holds_for_every_format() {
    for name in ["rgb.png", "rgb_444.jpg", "rgb.bmp", "palette.gif", "rgb.tif", "lossless.webp"] {
        let bytes = read(name);
        let whole = decode(&bytes, [0; 3]).unwrap();
        let (width, height) = (whole.width(), whole.height());
        let pixels = u64::from(width * height);
        assert_eq!(decode_within(&bytes, [0; 3], pixels).as_ref(), Ok(&whole), "{name}");
        let max_pixels = pixels - 1;
        let refused = DecodeError::TooLarge { width, height, max_pixels };
        assert_eq!(decode_within(&bytes, [0; 3], max_pixels), Err(refused), "{name}");
    }
    // A higher limit is none.
    let large = decode_within(&png_header(100_000, 100_000), [0; 3], u64::MAX);
    assert!(matches!(large, Err(DecodeError::TooLarge { max_pixels: MAX_PIXELS, .. })));
}

/// For every length of the file: an error or the whole picture, never a part.
#[test]
fn a_file_cut_anywhere_is_never_half_a_picture() {
    for name in [
        "rgb.jpg",
        "rgb_444.jpg",
        "grey.jpg",
        "cmyk.jpg",
        "progressive.jpg",
        "restarts.jpg",
        "exif6.jpg",
        "rgb.png",
        "palette_transparent.png",
        "rgb16.png",
        "rgb.bmp",
        "palette.bmp",
        "palette.gif",
        "animated.gif",
        "rgb.tif",
        "lzw.tif",
        "deflate.tif",
        "lossless.webp",
        "lossy.webp",
        "lossy_alpha.webp",
    ] {
        let bytes = read(name);
        let whole = decode(&bytes, [0; 3]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut harmless = 0;
        for length in 0..bytes.len() {
            if let Ok(picture) = decode(&bytes[..length], [0; 3]) {
                assert!(picture == whole, "{name} cut to {length} of {} bytes", bytes.len());
                harmless += 1;
            }
        }
        // What may be missing: a checksum, a trailer, later frames.
        assert!(harmless <= 4 || name == "animated.gif", "{name}: {harmless}");
    }
}

/// What cameras leave in files, and other readers don't mind.
#[test]
fn harmless_oddities_are_read() {
    let bytes = read("rgb.jpg");
    let whole = decode(&bytes, [0; 3]).unwrap();
    let table = bytes.windows(2).position(|w| w == [0xff, 0xdb]).unwrap();
    let check = |odd: &[u8], at: usize| {
        let mut changed = bytes.clone();
        changed.splice(at..at, odd.iter().copied());
        assert_eq!(decode(&changed, [0; 3]).as_ref(), Ok(&whole), "{odd:x?} at {at}");
    };
    check(b"\0\0\0\0\0\0\0\0", table);
    check(b"\xff\xff", table);
    check(b"\xff\xe5\x00\x06abcd", table);
    // A thumbnail's end, in a segment of its own.
    check(b"\xff\xe1\x00\x08\xff\xd8\xff\xd9zz", table);
    check(b"\0\0 more, such as a phone's video", bytes.len());
    check(&bytes, bytes.len());
}
