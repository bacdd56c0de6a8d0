//! A build without the feature `formats`:
//! `cargo test -p graft-input --no-default-features --features decode`.
#![cfg(all(feature = "decode", not(feature = "formats")))]

use graft_input::{DecodeError, PictureFormat, decode};

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/decoded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn what_it_leaves_out_is_named() {
    for (name, format) in [
        ("rgb.bmp", PictureFormat::Bmp),
        ("palette.gif", PictureFormat::Gif),
        ("rgb.tif", PictureFormat::Tiff),
        ("lossless.webp", PictureFormat::WebP),
    ] {
        let error = decode(&read(name), [0; 3]).unwrap_err();
        assert_eq!(error, DecodeError::LeftOut { format });
        let said = format!("this build reads no {format} files: convert it to JPEG or PNG");
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn it_reads_the_others() {
    let expected = image::load_from_memory(&read("rgb_png.expected.png")).unwrap().into_rgb8();
    assert_eq!(decode(&read("rgb.png"), [0; 3]).unwrap().rgb(), expected.as_raw().as_slice());
    assert!(decode(&read("rgb.jpg"), [0; 3]).is_ok());
}
